"""Where results come from: versions of what computed them, and the revision of the source."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("junheng", "numpy", "scipy", "pyarrow", "PyYAML")
MODEL_SOURCE = (".py", ".yaml", ".json", ".csv")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from its source, not installed
            continue
    return found


@cache
def model_fingerprint() -> str:
    """A hash of the model's source and data files: what the numbers are made by."""
    digest = hashlib.blake2b(digest_size=16)
    folder = ROOT / "model"
    for path in sorted(p for p in folder.rglob("*") if p.suffix in MODEL_SOURCE):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def revision() -> dict[str, Any]:
    """Git commit of the source, whether it was changed since, and a hash of the change; empty outside git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None or _git("ls-files", "--error-unmatch", "model/__init__.py") is None:
        return {}
    change = (_git("diff", "HEAD") or b"") + (_git("ls-files", "--others", "--exclude-standard") or b"")
    found: dict[str, Any] = {"commit": commit.decode().strip(), "dirty": bool(change)}
    if change:
        found["change"] = hashlib.blake2b(change, digest_size=16).hexdigest()
    return found


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, timeout=10, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
