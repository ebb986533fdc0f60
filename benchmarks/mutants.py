"""Which small mistakes in model/ the tests would notice: a seeded sample of mutants, each tried against the tests.

python -m benchmarks.mutants [--sample N] [--rest M] [--seed S] [--workers W] [--only FILE...] [--report]

Cosmic Ray (`pip install cosmic-ray`) makes the mutants. A place in the code (an operator, a number, a condition, a
loop) gives at most one, and places are ranked by a hash of the seed and of what stands there, so that a change of the
model elsewhere leaves the sample as it is. Each mutant is tried in a copy of the tree by a process forked from one that
has the libraries loaded; the first failing test ends it. Results are appended to `--results` as they come: a run that
is killed goes on where it was. A mutant once killed stays killed while the model stands, since tests only grow;
survivors are tried again whenever a test has changed, but for those that were read and found equivalent. `--report`
only writes docs/mutants.md anew from the results.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.loop import on_one_thread

on_one_thread()
ROOT = Path(__file__).parent.parent
REPORT = ROOT / "docs" / "mutants.md"
EXPLAINED = ROOT / "benchmarks" / "mutants.yaml"
WANTED, WANTED_AT_LEAST, CONFIDENCE = 0.85, 0.80, 0.90
FEW = 20  # mutants that no interval is given for
MEMORY = 6 * 2**30  # bytes a mutant may ask for
PATIENCE = 4  # a mutant gets this many times the processor time that the untouched model needs for a stage
LEAST = 20  # seconds of processor time that every stage gets

# What a school year executes and what is said of it: the steps, the rules they share, the indicators
YEAR = ("caps", "homes", "ledger", "matching", "pay", "people", "quality", "school_year", "teacher_market", "year")
MEASURED = ("counts", "gaps", "groupwise", "indicators", "measure", "national_standard", "official")
GROUPS = ("steps and indicators", "the rest of model/")

# Tests of one module come first, then the village beside the arrays, then others of the model, the cheap ones first
OWN = {
    "admission": ("steps", "matching"), "behaviour": ("behaviour",), "build": ("build", "profiles"),
    "burn_in": ("gaps",), "complete": ("region_given",), "counts": ("gaps",), "draws": ("draws",), "gaps": ("gaps",),
    "given": ("region_given",), "groupwise": ("groupwise",), "indicators": ("gaps",), "levers": ("scenario", "steps"),
    "matching": ("matching",), "measure": ("gaps",), "mesa_model": ("mesa_model",),
    "national_standard": ("national_standard", "gaps"), "new_schools": ("new_schools",),
    "homes": ("build",), "official": ("build", "gaps"), "people": ("build",),
    "policy": ("scenario", "steps"), "profile": ("profiles",), "region": ("table", "build"), "rules": ("behaviour",),
    "simulate": ("cube",), "strict_yaml": ("strict_yaml",), "table": ("table",), "teacher_market": ("teacher_market",),
}  # fmt: skip
VILLAGE = "tests/test_village.py::test_the_first_two_years_agree_step_by_step"
OF_THE_YEAR = (
    "steps", "conservation", "gaps", "national_standard", "teacher_market", "limits", "costs", "new_schools", "village",
    "symmetry", "cube",
)  # fmt: skip
OF_THE_REST = (
    "strict_yaml", "table", "groupwise", "profiles", "draws", "build", "mesa_model", "scenario", "region_given",
    "matching", "behaviour",
)  # fmt: skip
# Survivors of a step at last meet the village again, six years with the step's own levers pulled another way
SLOW = "tests/test_village.py::test_six_years_agree_with_a_lever_pulled_another_way"
VARIANTS = {
    "admission": "lottery or deferred or immediate or merit or crosses",
    "caps": "caps",
    "classes": "caps or places",
    "demography": "quota or new",
    "development": "heads or digital or leads",
    "facilities": "works or upkeep",
    "finance": "funds or budget or weak",
    "matching": "lottery or deferred or immediate or merit",
    "networks": "groups or leads or ties",
    "pay": "pay or weak",
    "places": "places or merge",
    "rotation": "rotation or newcomers or bundled",
    "staffing": "fewer or newcomers or backbones or degrees or heads",
    "teacher_market": "pay or newcomers or rotated",
}

PLAIN, BRACKETS = {"name", "string", "newline", "endmarker"}, tuple("()[]{},.:=")  # of the syntax: never mutated
UNTOUCHED = "untouched"  # the name in the results of the model as it is
ARITHMETIC = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}
BITS, SHIFTS, IDENTITY = {"BitOr", "BitAnd", "BitXor"}, {"LShift", "RShift"}, {"Is", "IsNot"}


def of_the_year(path: str) -> bool:
    """Whether a file holds a step of the year, a rule of one, or an indicator."""
    return path.startswith("model/steps/") or Path(path).stem in (*YEAR, *MEASURED)


@dataclass(frozen=True)
class Mutant:
    """One small change of one file, and how Cosmic Ray makes it."""

    path: str
    function: str
    line: int
    was: str
    now: str
    operator: str
    occurrence: int
    place: str  # what tells it from the same change elsewhere; the same while its line and its function's name stand

    @property
    def group(self) -> str:
        """Which of GROUPS its file belongs to."""
        return GROUPS[not of_the_year(self.path)]

    def code(self, tree: Path) -> str:
        """The whole file with the change made."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        made = mutate_code(
            (tree / self.path).read_text(encoding="utf-8"), get_operator(self.operator)(), self.occurrence
        )
        return str(made)


def hashed(*parts: Any) -> str:
    """A number drawn from what is given, always the same."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def plausible(operator: str) -> bool:
    """Whether somebody could have meant it: no shifts of real numbers, no identity of what was compared by value."""
    kind, _, rest = operator.removeprefix("core/").partition("_")
    if kind == "ReplaceBinaryOperator":
        was, now = rest.split("_")
        return any({was, now} <= family for family in (ARITHMETIC, BITS, SHIFTS))
    if kind == "ReplaceComparisonOperator":
        was, now = rest.split("_")
        return (was in IDENTITY) == (now in IDENTITY)
    return kind not in ("VariableReplacer", "VariableInserter")


def meaning(code: str) -> str | None:
    """The code but for what cannot change a value: annotations, caches, zip's check; None where it is no Python."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
            node.decorator_list = [d for d in node.decorator_list if "cache" not in ast.unparse(d)]
        elif isinstance(node, ast.Call):
            node.keywords = [k for k in node.keywords if k.arg != "strict"]
    return ast.dump(tree)


def mutants_of(tree: Path, path: str) -> Iterator[list[Mutant]]:
    """The mutants of a file, place by place."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.ast.ast_query import ASTQuery
    from cosmic_ray.plugins import get_operator, operator_names

    source = (tree / path).read_text(encoding="utf-8")
    lines, parsed = source.splitlines(), get_ast(source)
    nodes = [n for n in ast_nodes(parsed) if n.type not in PLAIN and getattr(n, "value", "") not in BRACKETS]
    places: dict[tuple[Any, ...], list[Mutant]] = {}
    seen: dict[tuple[str, ...], dict[tuple[int, int], int]] = {}
    for operator in filter(plausible, operator_names()):
        positions = ((node, *span) for node in nodes for span in get_operator(operator)().mutation_positions(node))
        kind = operator.removeprefix("core/").split("_")[0]
        for occurrence, (node, start, end) in enumerate(positions):
            line = lines[start[0] - 1].strip()
            function = ASTQuery(node).get_definition_name() or "(module)"
            twins = seen.setdefault((kind, function, line), {})
            nth = twins.setdefault(start, len(twins))  # the how-manieth of its kind in lines of the same words
            mutant = Mutant(path, function, start[0], line, "", operator, occurrence, f"{kind} {nth}")
            places.setdefault((kind, start, end), []).append(mutant)
    yield from places.values()


def told(mutant: Mutant, tree: Path) -> Mutant | None:
    """The mutant with its line as it reads now; None for one that changes nothing that is executed."""
    source, made = (tree / mutant.path).read_text(encoding="utf-8"), mutant.code(tree)
    if meaning(made) in (None, meaning(source)):
        return None
    pairs = zip(source.splitlines(), made.splitlines(), strict=False)
    changed = [new.strip() for old, new in pairs if old != new]
    return Mutant(**{**asdict(mutant), "now": changed[0] if changed else ""})


def rank(mutant: Mutant, seed: int) -> str:
    """Where a place stands in the order in which places are drawn."""
    return hashed(seed, mutant.path, mutant.function, mutant.was, mutant.place)


def sampled(tree: Path, sizes: dict[str, int], seed: int, only: Iterable[str]) -> tuple[list[Mutant], dict[str, int]]:
    """Mutants by group, as many as `sizes` says or as there are, one a place; and how many places there are."""
    paths = [str(path.relative_to(tree)) for path in sorted((tree / "model").rglob("*.py"))]
    chosen = [path for path in paths if not only or path in only]
    places = [place for path in chosen for place in mutants_of(tree, path)]
    counts = {group: sum(place[0].group == group for place in places) for group in GROUPS}
    found: list[Mutant] = []
    for group, size in sizes.items():
        taken = 0
        for place in sorted((p for p in places if p[0].group == group), key=lambda p: rank(p[0], seed)):
            ordered = sorted(place, key=lambda m: hashed(seed, m.operator, rank(m, seed)))
            mutant = next((m for m in (told(m, tree) for m in ordered) if m is not None), None)
            if taken == size:
                break
            if mutant is not None:
                found.append(mutant)
                taken += 1
    return found, counts


def stages(path: str) -> list[list[str]]:
    """What pytest is told, stage by stage, for a mutant of one file."""
    own = [f"tests/test_{name}.py" for name in OWN.get(Path(path).stem, ())]
    others = [f"tests/test_{name}.py" for name in (OF_THE_YEAR if of_the_year(path) else (*OF_THE_REST, *OF_THE_YEAR))]
    first = [*own, VILLAGE] if own and not path.startswith("model/steps/") else [VILLAGE]
    found = [first, [name for name in [*own, *others] if name not in first]]
    variants = VARIANTS.get(Path(path).stem)
    return [*found, ["-m", "slow", SLOW, "-k", variants]] if variants else found


class Killer:
    """The pytest plugin that remembers the first test that failed."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after each part of a test."""
        if report.failed and not self.name:
            self.name = report.nodeid


def tested(slot: Path, told_pytest: list[list[str]], limits: list[float] | None) -> dict[str, Any]:
    """Run the stages in this process, which is a fork, until a test fails: the test, and processor seconds a stage."""
    import hypothesis
    import pytest

    os.chdir(slot)
    sys.path[:] = [str(slot), *(entry for entry in sys.path if Path(entry or ".").resolve() != ROOT)]
    os.environ["JUNHENG_CACHE"] = str(slot / ".cache")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    said = os.open(slot / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # found is enough: nothing is made smaller
    hypothesis.settings.register_profile("found", phases=phases, database=None, derandomize=True, deadline=None)
    hypothesis.settings.load_profile("found")
    spent = []
    for i, names in enumerate(told_pytest):
        if limits is not None:
            signal.setitimer(signal.ITIMER_PROF, limits[i])
        begun, killer = time.process_time(), Killer()
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *names], plugins=[killer])
        spent.append(time.process_time() - begun)
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return {"killer": killer.name or "importing the model", "seconds": spent}
    libraries = [name for name in sys.modules if not (ours(name, slot) or name.startswith(("__m", "_pytest", "test_")))]
    return {"killer": "", "seconds": spent, "libraries": libraries if limits is None else []}


def ours(name: str, slot: Path) -> bool:
    """Whether a loaded module is the project's own."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and Path(file).is_relative_to(slot)


def forked(slot: Path, told_pytest: list[list[str]], limits: list[float] | None) -> int:
    """The process that runs the stages in `slot`; it leaves result.json there."""
    (slot / "result.json").unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            sys.dont_write_bytecode = limits is not None
            (slot / "result.json").write_text(json.dumps(tested(slot, told_pytest, limits)), encoding="utf-8")
        finally:
            os._exit(0)
    return pid


def result(slot: Path, status: int) -> dict[str, Any]:
    """How a fork ended: killed by which test, survived, or out of time."""
    with suppress(OSError, ValueError):
        said = json.loads((slot / "result.json").read_text(encoding="utf-8"))
        return {"outcome": "killed" if said["killer"] else "survived", **said}
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        return {"outcome": "timeout", "killer": "no end"}
    return {"outcome": "killed", "killer": f"the process died (status {status})"}


def copied(place: Path, source: Path = ROOT) -> Path:
    """A copy of the tree that mutants may be written into."""
    hidden = shutil.ignore_patterns(".*", "runs", "__pycache__") if source == ROOT else None
    return Path(shutil.copytree(source, place, ignore=hidden))


def fingerprint(tree: Path, folder: str) -> str:
    """The hash of a folder's code and data."""
    files = sorted(p for p in (tree / folder).rglob("*") if p.suffix in (".py", ".yaml") and p.is_file())
    return hashed(*(part for p in files for part in (p.relative_to(tree), p.read_text(encoding="utf-8"))))[:16]


def settled(results: Path, model: str, tests: str) -> dict[str, dict[str, Any]]:
    """What is known of mutants of this very model, by rank."""
    known: dict[str, dict[str, Any]] = {}
    reasons = read_reasons()

    def stands(row: dict[str, Any]) -> bool:
        if row["model"] != model:
            return False
        if row["outcome"] != "survived" or row["tests"] == tests:
            return True
        return row["key"] != UNTOUCHED and "equivalent" in explained(row, reasons)

    if results.exists():
        for line in results.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # the last line of a run that was killed
                row = json.loads(line)
                if stands(row):
                    known[row["key"]] = row
    return known


def key(mutant: Mutant) -> str:
    """Its name in the results."""
    return hashed(mutant.path, mutant.function, mutant.was, mutant.place, mutant.operator, mutant.occurrence)[:24]


def try_all(mutants: list[Mutant], pristine: Path, results: Path, workers: int, known: dict[str, Any]) -> None:
    """Try every mutant that is not known yet, `workers` at a time; append what comes out."""
    model, tests = fingerprint(pristine, "model"), fingerprint(pristine, "tests")
    waiting = [m for m in mutants if key(m) not in known]
    if not waiting:
        return
    begun = time.monotonic()
    untouched = known.get(UNTOUCHED) or tried_untouched(pristine)
    if UNTOUCHED not in known:
        append(results, {**untouched, "key": UNTOUCHED, "model": model, "tests": tests})
    limits = [max(LEAST, PATIENCE * sum(untouched["seconds"][: i + 1])) for i in range(len(untouched["seconds"]))]
    for name in untouched["libraries"]:
        with suppress(Exception):
            importlib.import_module(name)
    say(f"the model as it is: {time.monotonic() - begun:.0f} s; {len(waiting)} mutants to try")
    slots = [copied(pristine.parent / f"slot{i}", pristine) for i in range(workers)]
    running: dict[int, tuple[Path, Mutant, float]] = {}
    begun, done = time.monotonic(), 0
    queue = iter(waiting)
    while done < len(waiting):
        while slots and (mutant := next(queue, None)) is not None:
            slot = slots.pop()
            (slot / mutant.path).write_text(mutant.code(pristine), encoding="utf-8")
            running[forked(slot, stages(mutant.path), limits)] = slot, mutant, time.monotonic()
        pid, status = os.wait()
        slot, mutant, since = running.pop(pid)
        row = {**asdict(mutant), **result(slot, status), "key": key(mutant), "model": model, "tests": tests}
        row["wall"] = round(time.monotonic() - since, 2)
        row.pop("libraries", None)
        append(results, row)
        known[row["key"]] = row
        shutil.copy2(pristine / mutant.path, slot / mutant.path)
        shutil.rmtree(slot / ".cache", ignore_errors=True)
        slots.append(slot)
        done += 1
        left = (time.monotonic() - begun) / done * (len(waiting) - done)
        at = f"{done}/{len(waiting)}, {left / 60:.0f} min left"
        say(f"{at}: {row['outcome']} {mutant.path}:{mutant.line}  {mutant.now}")


def tried_untouched(pristine: Path) -> dict[str, Any]:
    """How long every stage takes, all variants included, and which libraries it loads. Ends the run if a test fails."""
    whole = [*stages("model/build.py"), ["-m", "slow", SLOW, "-k", " or ".join(VARIANTS.values())]]
    _, status = os.waitpid(forked(pristine, whole, None), 0)
    found = result(pristine, status)
    if found["outcome"] != "survived":
        said = (pristine / "said.txt").read_text(encoding="utf-8", errors="replace")
        raise SystemExit(f"{said[-3000:]}\nthe tests fail on the model as it is: {found['killer']}")
    return found


def append(results: Path, row: dict[str, Any]) -> None:
    """One line more in the results."""
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def read_reasons() -> list[dict[str, str]]:
    """The survivors that were read, of mutants.yaml."""
    import yaml

    return yaml.safe_load(EXPLAINED.read_text(encoding="utf-8")) or []


def explained(row: dict[str, Any], reasons: list[dict[str, str]]) -> dict[str, str]:
    """What mutants.yaml says of a survivor: `equivalent` or `left`, with the reason; {} where it says nothing."""
    for reason in reasons:
        if all(reason[part] == row[part] for part in ("path", "was", "now")):
            return reason
    return {}


def share(killed: int, tried: int) -> str:
    """Share killed; of enough mutants with its interval (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    if tried < FEW:
        return f"{killed} of {tried}"
    low, high = binomtest(killed, tried).proportion_ci(CONFIDENCE, "exact")
    return f"{killed / tried:.1%} ({low:.1%}–{high:.1%})"


def report(rows: list[dict[str, Any]], counts: dict[str, int], seed: int) -> str:
    """docs/mutants.md."""
    reasons = read_reasons()
    lines = [
        "# Mutants",
        "",
        "Written by `python -m benchmarks.mutants`. A mutant is the model with one small mistake: another operator, a "
        "number one larger or smaller, a condition turned round, a loop that never runs. One that makes a test fail is "
        f"killed, and so is one without end. Wanted of the steps and indicators: {WANTED:.0%} killed, the lower end "
        f"of the {CONFIDENCE:.0%} interval (Clopper and Pearson) at least {WANTED_AT_LEAST:.0%}.",
        "",
        f"Seed {seed}; model `{rows[0]['model'] if rows else ''}`. The operators are Cosmic Ray's but for shifts of "
        "real numbers and the identity of what is compared by value. Changes of annotations, of caches and of `zip`'s "
        "check of lengths are no mutants. A place gives one mutant; places are drawn without replacement, reached by a "
        "test or not.",
        "",
        f"| part | places | tried | killed | without end | survived | of these equivalent | share killed "
        f"({CONFIDENCE:.0%} interval) | without the equivalent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]

    def line(name: str, held: list[dict[str, Any]], places: int | str) -> str:
        outcome = [row["outcome"] for row in held]
        same = sum(row["outcome"] == "survived" and "equivalent" in explained(row, reasons) for row in held)
        dead = len(held) - outcome.count("survived")
        return (
            f"| {name} | {places} | {len(held)} | {outcome.count('killed')} | {outcome.count('timeout')} | "
            f"{outcome.count('survived')} | {same} | {share(dead, len(held))} | {share(dead, len(held) - same)} |"
        )

    for group in GROUPS:
        lines.append(line(f"**{group}**", [r for r in rows if r["group"] == group], counts[group]))
    for group in GROUPS:
        for path in sorted({r["path"] for r in rows if r["group"] == group}):
            lines.append(line(f"`{path}`", [r for r in rows if r["path"] == path], ""))
    lines += ["", "## Survivors", ""]
    survivors = sorted((r for r in rows if r["outcome"] == "survived"), key=lambda r: (r["path"], r["line"]))
    for row in survivors:
        why = explained(row, reasons)
        verdict = next((f"{kind}: {why[kind]}" for kind in ("equivalent", "left") if kind in why), "not explained")
        lines += [
            f"- `{row['path']}`, {row['function']}: {verdict}",
            "  ```diff",
            f"  - {row['was']}",
            f"  + {row['now']}",
            "  ```",
        ]
    killers = [row["killer"].split("::")[0].removeprefix("tests/") for row in rows if row["outcome"] == "killed"]
    lines += ["", "## Who killed", "", "| the first test that failed stands in | mutants |", "|---|--:|"]
    lines += [
        f"| `{name}` | {killers.count(name)} |" for name in sorted(set(killers), key=lambda k: (-killers.count(k), k))
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Sample, try, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=500, help="mutants of the steps and indicators")
    parser.add_argument("--rest", type=int, default=100, help="mutants of the rest of model/")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", help="files of model/, as model/gaps.py")
    parser.add_argument("--results", type=Path, default=Path("runs") / "mutants.jsonl")
    parser.add_argument("--report", action="store_true", help="try nothing, write the report from the results")
    asked = parser.parse_args()
    results = asked.results.resolve()
    results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pristine = copied(Path(folder).resolve() / "pristine")
        sizes = dict(zip(GROUPS, (asked.sample, asked.rest), strict=True))
        mutants, counts = sampled(pristine, sizes, asked.seed, asked.only)
        known = settled(results, fingerprint(pristine, "model"), fingerprint(pristine, "tests"))
        if not asked.report:
            try_all(mutants, pristine, results, asked.workers, known)
        rows = [{**known[key(m)], "group": m.group} for m in mutants if key(m) in known]
        text = report(rows, counts, asked.seed)
        if asked.only:
            say(text)
        else:
            REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
