"""The house stands: imports go down only, steps know nothing of one another, chance has one source."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ["model", "results", "experiments", "calibration", "junheng"]  # from the ground up
MODEL_MAY_IMPORT = {"numpy", "scipy"}
MODEL_EXCEPTIONS = {"model/strict_yaml.py": {"yaml"}, "model/mesa_model.py": {"mesa"}}
CHANCE = {"random", "secrets", "uuid", "numpy.random"}
OUTSIDE_WORLD = {"os", "pathlib", "io", "sys", "time", "datetime", "subprocess", "logging"}
TEXT = {"", ".css", ".csv", ".html", ".js", ".json", ".lock", ".md", ".py", ".svg", ".toml", ".txt", ".yaml", ".yml"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module named by an import, with each name taken from it: `from a import b` gives a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def touched(tree: ast.AST) -> Iterator[str]:
    """Every name and dotted name that is read, with `np` written out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield re.sub(r"^np\b", "numpy", ast.unparse(node))


def inside(name: str, modules: set[str] | list[str]) -> bool:
    return any(name == module or name.startswith(module + ".") for module in modules)


def too_high(floor: str, tree: ast.AST) -> list[str]:
    above = FLOORS[FLOORS.index(floor) + 1 :]
    return [name for name in imported(tree) if inside(name, above) or name.startswith(".") or inside(name, ["tests"])]


def foreign_to_the_model(path: str, tree: ast.AST) -> list[str]:
    allowed = MODEL_MAY_IMPORT | MODEL_EXCEPTIONS.get(path, set()) | set(sys.stdlib_module_names) | {"model"}
    return [name for name in imported(tree) if not inside(name, allowed)]


def chance(tree: ast.AST) -> list[str]:
    return [name for name in (*imported(tree), *touched(tree)) if inside(name, CHANCE)]


def steps(tree: ast.AST) -> list[str]:
    return [name for name in imported(tree) if inside(name, ["model.steps"])]


def outside_world(tree: ast.AST) -> list[str]:
    """What a step has no business with: files, clocks, the terminal."""
    called = [name for name in touched(tree) if name in ("open", "print", "input", "exec", "eval")]
    return called + [name for name in imported(tree) if inside(name, OUTSIDE_WORLD)]


SOURCES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
}
MODEL = {path: tree for path, tree in SOURCES.items() if path.startswith("model/")}
STEPS = {path: tree for path, tree in SOURCES.items() if path.startswith("model/steps/")}


def test_there_is_something_to_look_at() -> None:
    assert {path.split("/")[0] for path in SOURCES} >= {"model"}
    assert "model/draws.py" in MODEL


@pytest.mark.parametrize("path", SOURCES)
def test_imports_go_down_only(path: str) -> None:
    assert too_high(path.split("/")[0], SOURCES[path]) == []


@pytest.mark.parametrize("path", MODEL)
def test_the_model_needs_numpy_scipy_and_the_standard_library_only(path: str) -> None:
    assert foreign_to_the_model(path, MODEL[path]) == []


@pytest.mark.parametrize("path", MODEL)
def test_random_numbers_come_from_the_cube(path: str) -> None:
    assert path == "model/draws.py" or chance(MODEL[path]) == []


@pytest.mark.parametrize("path", STEPS)
def test_a_step_never_imports_a_step(path: str) -> None:
    assert steps(STEPS[path]) == []


@pytest.mark.parametrize("path", STEPS)
def test_a_step_reads_no_file_no_clock_and_prints_nothing(path: str) -> None:
    assert outside_world(STEPS[path]) == []


@pytest.mark.parametrize("path", [p for p in SOURCES if p in ("model/policy.py", "model/levers.py") or "results/" in p])
def test_policies_and_results_never_call_a_step(path: str) -> None:
    assert steps(SOURCES[path]) == []


def files() -> Iterator[Path]:
    """Everything that may be committed: no hidden, ignored or binary files."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and (not path.name.startswith(".") or path.name == ".gitignore"):
            yield path
        elif path.is_dir() and path.name in {*FLOORS, "tests", "docs", "benchmarks", ".ci", ".github"}:
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


MACHINE = re.compile(
    r"\.\./shared|/wor[k]/|/roo[t]/|/home/\w|/Users/\w|/op[t]/|/tm[p]/\w|[A-Z]:\\\\?Users|(?<!no-emit-)index-url|files\.pythonhosted"
)


def test_no_file_names_a_place_on_somebody_s_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        if path.suffix in TEXT and path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (lambda tree: too_high("model", tree), "import results.tables"),
        (lambda tree: too_high("experiments", tree), "def f():\n    from calibration import tables"),
        (lambda tree: too_high("model", tree), "from . import region"),
        (lambda tree: foreign_to_the_model("model/region.py", tree), "import pandas as pd"),
        (lambda tree: foreign_to_the_model("model/region.py", tree), "from yaml import safe_load"),
        (chance, "import numpy as np\nx = np.random.default_rng(1)"),
        (chance, "from numpy import random"),
        (chance, "import random"),
        (steps, "from model.steps.staffing import staff"),
        (steps, "from model.steps import staffing"),
        (steps, "from model import steps"),
        (outside_world, "print(1)"),
        (outside_world, "with open('x') as f: pass"),
        (outside_world, "from pathlib import Path"),
    ],
)
def test_each_of_these_rules_sees_what_it_forbids(rule: object, source: str) -> None:
    assert rule(ast.parse(source))  # type: ignore[operator]
    assert not rule(ast.parse("import numpy as np\nfrom model.region import Region\nx = np.sort(y)"))  # type: ignore[operator]
