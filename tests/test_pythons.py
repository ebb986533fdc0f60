"""The same values on Python 3.11, 3.12 and 3.13, bit for bit on one machine with the same versions of packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
PACKAGES = ("numpy", "scipy", "PyYAML")  # what a simulation needs
ONE_IS_ALL = "JUNHENG_ONE_PYTHON"  # set where a machine has no others, and nobody is to be told so


def ran(*command: str | Path, **more: str) -> str:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")} | more
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr[-3000:]}"
    return done.stdout


def others() -> dict[str, Path]:
    """An interpreter of each version but the running one, where there is one that starts."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob("versions/*/bin"))
    own = "{}.{}".format(*sys.version_info)
    found = {}
    for version in VERSIONS:
        files = (folder / f"python{version}" for folder in folders)
        working = (file for file in files if file.is_file() and version_of(file) == version)
        if version != own and (file := next(working, None)) is not None:
            found[version] = file
    return found


def version_of(python: Path) -> str:
    """What an interpreter says of itself; empty where it does not start, as a shim of what is not installed."""
    ask = "import sys, venv; print(*sys.version_info[:2], sep='.')"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def digests(python: Path | str) -> dict[str, Any]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    said = json.loads(ran(python, ROOT / "tests" / "digests.py", PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"))
    return {f"{c} {name}": value for c, held in said["digests"].items() for name, value in held.items()}


@pytest.mark.slow
def test_every_supported_python_lives_the_same_five_years_bit_for_bit(tmp_path: Path) -> None:
    found = others()
    if len(found) < len(VERSIONS) - 1:
        here = ", ".join(sorted(found)) or "none"
        message = f"of {', '.join(VERSIONS)} beside the running Python: {here}; looked on PATH and under PYENV_ROOT"
        if os.environ.get(ONE_IS_ALL):
            pytest.skip(message)
        pytest.fail(f"{message}. Install them, or set {ONE_IS_ALL}=1 to do without this test")
    versions = [f"{package}=={metadata.version(package)}" for package in PACKAGES]
    expected = digests(sys.executable)
    for version, python in found.items():
        place = tmp_path / version
        ran(python, "-m", "venv", "--without-pip", place)
        made = place / "bin" / "python"
        ran(
            sys.executable,
            "-m",
            "pip",
            "--python",
            made,
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            *versions,
        )
        said = digests(made)
        assert said.keys() == expected.keys()
        assert [name for name in expected if said[name] != expected[name]] == [], f"Python {version}"


def test_one_bit_more_gives_another_digest() -> None:
    import numpy as np
    from digests import digest

    values = np.linspace(0.0, 1.0, 7)
    other = values.copy()
    other[3] = np.nextafter(other[3], 1)
    words = np.array(["甲", "乙"], object)
    assert digest(values) == digest(values.copy())
    assert len({digest(values), digest(other), digest(values[:6]), digest(words), digest(words[::-1])}) == 5
    assert digest(values) != digest(values.reshape(7, 1))
