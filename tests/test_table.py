"""A table of agents does what a list of records would, and refuses to be rebound."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from model.table import Table, column


class Herd(Table):
    """A table small enough to follow by hand."""

    key = column("uint64", "who it is")
    weight = column("float64", "weight", "kg")
    tags = column("int32", "two tags", "", (2,))


def records(table: Herd) -> list[dict[str, Any]]:
    return [
        {"key": int(table.key[i]), "weight": float(table.weight[i]), "tags": table.tags[i].tolist()}
        for i in range(table.n)
    ]


class HerdAsAList(RuleBasedStateMachine):
    """Any order of appending, leaving, keeping, reordering and copying, beside a plain list of records."""

    @initialize(n=st.integers(0, 5))
    def start(self, n: int) -> None:
        self.herd, self.serial = Herd(n), 0
        self.plain: list[dict[str, Any]] = [{"key": 0, "weight": 0.0, "tags": [0, 0]} for _ in range(n)]
        self.copies: list[tuple[Herd, list[dict[str, Any]]]] = []

    @rule(n=st.integers(0, 40), with_tags=st.booleans())
    def append(self, n: int, with_tags: bool) -> None:
        key = np.arange(self.serial, self.serial + n, dtype=np.uint64)
        self.serial += n
        values: dict[str, Any] = {"key": key, "weight": 2.5}
        if with_tags:
            values["tags"] = np.stack([key, key + 1], axis=1)
        rows = self.herd.append(n, **values)
        assert rows == slice(len(self.plain), len(self.plain) + n)
        self.plain += [
            {"key": int(k), "weight": 2.5, "tags": [int(k), int(k) + 1] if with_tags else [0, 0]} for k in key
        ]

    @rule(share=st.floats(0, 1))
    def drop_front(self, share: float) -> None:
        n = int(share * len(self.plain))
        self.herd.drop_front(n)
        self.plain = self.plain[n:]

    @rule(data=st.data())
    def keep(self, data: st.DataObject) -> None:
        mask = data.draw(st.lists(st.booleans(), min_size=len(self.plain), max_size=len(self.plain)))
        old = records(self.herd)
        moved = self.herd.keep(np.array(mask, bool))
        self.plain = [record for record, stays in zip(self.plain, mask, strict=True) if stays]
        new = records(self.herd)
        assert [m >= 0 for m in moved] == mask
        assert all(new[m] == old[i] for i, m in enumerate(moved) if m >= 0)

    @rule(data=st.data())
    def permute(self, data: st.DataObject) -> None:
        order = data.draw(st.permutations(range(len(self.plain))))
        self.herd.permute(np.array(order, np.int64))
        self.plain = [self.plain[i] for i in order]

    @rule(by=st.floats(-2, 2))
    def gain(self, by: float) -> None:
        self.herd.weight += by
        self.plain = [{**record, "weight": record["weight"] + by} for record in self.plain]

    @rule()
    def copy(self) -> None:
        """The copy lives on, the original is remembered, and neither is to notice the other."""
        self.copies.append((self.herd, list(self.plain)))
        self.herd = self.herd.copy()

    @invariant()
    def they_agree(self) -> None:
        if hasattr(self, "herd"):
            assert len(self.herd) == self.herd.n == len(self.plain)
            assert records(self.herd) == self.plain
            for herd, plain in self.copies:
                assert records(herd) == plain


HerdAsAList.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestHerdAsAList = HerdAsAList.TestCase


def test_a_column_is_written_in_place_and_never_rebound() -> None:
    herd = Herd(3, weight=[1, 2, 3])
    view = herd.weight
    with pytest.raises(AttributeError, match=r"Herd\.weight is written in place"):
        herd.weight = np.zeros(3)
    with pytest.raises(AttributeError):
        herd.weigth = np.zeros(3)  # a slip of the pen makes no new column
    herd.weight += 1
    herd.weight[0] = 9
    assert view.tolist() == [9, 3, 4]
    assert records(herd)[0] == {"key": 0, "weight": 9.0, "tags": [0, 0]}


def test_new_rows_are_zero_even_where_others_have_been() -> None:
    herd = Herd(4, weight=7.0, tags=5)
    herd.keep(np.array([True, False, False, False]))
    herd.append(3)
    assert herd.weight.tolist() == [7, 0, 0, 0]
    assert herd.tags.tolist() == [[5, 5], [0, 0], [0, 0], [0, 0]]


def test_cohorts_that_come_and_go_for_a_century_take_no_more_room_than_a_few() -> None:
    """The buffer is reused: what left from the front makes room at the end."""
    herd = Herd(0)
    for year in range(100):
        herd.append(50, key=np.arange(50 * year, 50 * year + 50, dtype=np.uint64))
        if herd.n > 300:
            herd.drop_front(50)
    assert herd.key.tolist() == list(range(4700, 5000))
    assert herd.key.base is not None
    assert len(herd.key.base) < 1000


def test_an_undeclared_column_is_an_error_and_not_a_new_one() -> None:
    with pytest.raises(KeyError, match="no column 'wool'"):
        Herd(1).append(1, wool=3)
    with pytest.raises(AttributeError, match="wool"):
        Herd(1, wool=3)


def test_a_table_from_columns_needs_all_of_them_in_one_length() -> None:
    herd = Herd(2, key=[1, 2], weight=[3, 4], tags=[[5, 6], [7, 8]])
    columns = {name: values.copy() for name, values in herd.items()}
    assert records(Herd.from_columns(columns)) == records(herd)
    with pytest.raises(ValueError, match="weight"):
        Herd.from_columns({name: values for name, values in columns.items() if name != "weight"})
    with pytest.raises(ValueError, match="wool"):
        Herd.from_columns({**columns, "wool": columns["weight"]})
    with pytest.raises(ValueError, match="several lengths"):
        Herd.from_columns({**columns, "weight": np.zeros(3)})


def test_a_table_that_was_pickled_is_written_in_place_like_any_other() -> None:
    herd = pickle.loads(pickle.dumps(Herd(2, key=[1, 2], weight=[3, 4], tags=[[5, 6], [7, 8]])))
    herd.weight[:] = 9
    herd.append(1, key=3, weight=5)
    assert herd.weight.tolist() == [9, 9, 5]


def test_a_declaration_says_what_a_column_means() -> None:
    assert list(Herd.COLUMNS) == ["key", "weight", "tags"]
    assert (Herd.COLUMNS["weight"].meaning, Herd.COLUMNS["weight"].unit) == ("weight", "kg")
    assert (Herd(5).tags.shape, Herd(5).tags.dtype) == ((5, 2), np.int32)
