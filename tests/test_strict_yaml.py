"""YAML is read as people mean it, and what they cannot have meant is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InputError
from model.strict_yaml import Located, load, load_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12:30:45", "12:30:45"),  # YAML 1.1: a number in base 60
        ("2022-09-01", "2022-09-01"),  # YAML 1.1: a date
        ("1_000", "1_000"),  # YAML 1.1: a thousand
        ("0x1F", "0x1F"),  # a code, as is
        ("0120", "0120"),
        ("0089", "0089"),
        ("007", "007"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("120", 120),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-1.", -1.0),
        ("1e3", 1000.0),
        ("2.5E-3", 0.0025),
        ("武清区", "武清区"),
        ("'120'", "120"),
        ('"true"', "true"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_a_plain_word_means_what_it_says(text: str, value: Any) -> None:
    found = load_text(f"key: {text}", "here")["key"]
    assert (found, type(found)) == (value, type(value))


def test_infinity_and_not_a_number_stay_words() -> None:
    """No lever has such a value, so that a reader never has to look for it."""
    assert load_text("[.inf, -.inf, .nan, nan]", "here") == [".inf", "-.inf", ".nan", "nan"]


text = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)  # YAML has no \u pairs
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=15,
)


@given(plain)
def test_whatever_is_written_as_json_is_read_back(value: Any) -> None:
    """JSON is YAML 1.2."""
    assert load_text(json.dumps(value), "here") == value


@given(st.from_regex(r"[A-Za-z0-9_.+\-]{1,8}", fullmatch=True).filter(lambda word: word != "-"))
def test_an_unquoted_word_is_kept_or_is_the_number_that_it_looks_like(word: str) -> None:
    value = load_text(f"- {word}", "here")[0]
    if isinstance(value, bool) or value is None:
        assert word.lower() in ("true", "false", "null")
    elif isinstance(value, str):
        assert value == word
    else:
        assert value == float(word)
        assert not (word.isdigit() and word != str(int(word)))  # no code such as 0120


def test_every_key_remembers_its_line() -> None:
    document = load_text("a: 1\n\n# a word\nb:\n  c: 2\n  d:\n    - e: 3\n      f: 4\n", "here")
    assert isinstance(document, Located)
    assert document.lines == {"a": 1, "b": 4}
    assert document["b"].lines == {"c": 5, "d": 6}
    assert document["b"]["d"][0].lines == {"e": 7, "f": 8}
    assert (document.line, document["b"].line) == (1, 5)


def fails(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_text(text, "policy.yaml")
    return caught.value


def test_a_key_given_twice_is_refused_with_both_lines() -> None:
    error = fails("levers:\n  class_size: 45\n  places: 3\n  class_size: 50\n")
    assert error.where == "policy.yaml, line 4"
    assert "'class_size' a second time" in str(error)
    assert "line 2" in str(error)


@pytest.mark.parametrize("text", ["2020: a\n2020: b\n", "2020: a\n'2020': b\n", "'a': 1\na: 2\n"])
def test_two_spellings_of_one_key_are_one_key(text: str) -> None:
    assert fails(text).where == "policy.yaml, line 2"


@pytest.mark.parametrize("text", ["1.5: a\n", "[a, b]: c\n", "{a: 1}: c\n", "true: a\n", "~: a\n"])
def test_a_key_that_is_no_plain_name_is_refused(text: str) -> None:
    assert fails(text).where.startswith("policy.yaml, line ")


@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system [echo]", "!secret x", "!!binary aGk=", "!!set {a, b}", "!!int 0x1F", "!!float x"],
)
def test_a_tag_is_refused_with_its_line(tag: str) -> None:
    assert fails(f"a: 1\nb: {tag}\n").where == "policy.yaml, line 2"


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: [1, 2\nc: 3\n", 3), ("a: 1\n\tb: 2\n", 2), ("a: 1\nb: 'open\n", 3)]
)
def test_what_is_not_yaml_is_refused_with_the_line_where_it_breaks(text: str, line: int) -> None:
    assert fails(text).where == f"policy.yaml, line {line}"


def test_two_documents_in_one_file_are_refused() -> None:
    assert fails("a: 1\n---\nb: 2\n").where.startswith("policy.yaml, line ")


def test_anchors_are_refused_before_they_can_multiply_or_feed_on_themselves() -> None:
    """Nine lines of aliases would be a billion words; a mapping inside itself would never end."""
    laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"
    laughs += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    for text in (laughs, "a: &a\n  b: *a\n", "a: &a 1\n", "a: &a {b: 1}\nc: {<<: *a}\n"):
        assert fails(text).where == "policy.yaml, line 1"


def test_brackets_without_end_are_refused_before_they_crash_the_reader() -> None:
    assert "nested" in str(fails("[" * 5000 + "]" * 5000))


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 5000])
def test_a_number_beyond_all_numbers_is_refused_with_its_line(number: str) -> None:
    assert fails(f"a: 1\nb: {number}\n").where == "policy.yaml, line 2"


def test_a_file_is_read_as_utf_8_with_or_without_its_mark(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        path = tmp_path / f"{encoding}.yaml"
        path.write_text("区: 武清\n", encoding=encoding)
        assert load(path) == {"区": "武清"}


def test_a_file_in_another_encoding_or_none_at_all_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("区: 武清\n", encoding="gbk")
    with pytest.raises(InputError, match="UTF-8") as caught:
        load(path)
    assert caught.value.where == str(path)
    with pytest.raises(InputError, match=r"missing\.yaml"):
        load(tmp_path / "missing.yaml")
    with pytest.raises(InputError, match="can be read"):
        load(tmp_path)


def test_an_empty_document_is_nothing() -> None:
    assert load_text("", "here") is None
    assert load_text("# only a word\n", "here") is None
