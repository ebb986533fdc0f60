"""What a step frees serves the next one: asked for by page faults, not by time."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from typing import Any

import pytest

import experiments.memory as memory
from experiments.memory import keep_freed_memory

LINUX = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is GNU's C library's")

FAULTS = """
import resource, sys
import numpy as np
from experiments.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def step():
    return [np.ones(2 << 20) for _ in range(4)]  # 64 MB: more than the C library keeps by itself
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


class Library:
    """A C library that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.asked.append((parameter, value))
        return 1


@LINUX
def test_what_was_freed_is_used_again_without_asking_the_system_for_pages() -> None:
    faults = {}
    for mode in ("usual", "kept"):
        told = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True)
        faults[mode] = int(told.stdout)
    assert faults["kept"] < faults["usual"] / 10


@LINUX
def test_the_threshold_asked_for_is_one_that_every_gnu_c_library_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    keep_freed_memory()
    most = 4 * 1024 * 1024 * ctypes.sizeof(ctypes.c_long)  # mallopt(3): DEFAULT_MMAP_THRESHOLD_MAX
    assert dict(library.asked)[memory.MMAP_THRESHOLD] <= most


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_nothing_is_asked(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: Any) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(ctypes, "CDLL", never)
    monkeypatch.setattr(sys, "platform", system)
    keep_freed_memory()


@LINUX
def test_a_c_library_without_such_parameters_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
