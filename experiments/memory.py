"""Memory that a step frees serves the next step instead of going back to the system.

A school year makes and frees arrays of a megabyte by the hundred. GNU's C library gives such blocks back at once,
and the fresh pages it is given for the next one cost more than the sums done in them (a tenth of a year of Wuqing).
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # parameters of mallopt (malloc.h)
KEPT, AHEAD, LARGEST = 1 << 30, 1 << 23, 1 << 25  # bytes; the last is the most that every glibc grants


def keep_freed_memory() -> None:
    """Let this process keep up to a gigabyte that it has freed; does nothing without GNU's C library."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((MMAP_THRESHOLD, LARGEST), (TRIM_THRESHOLD, KEPT), (TOP_PAD, AHEAD)):
            mallopt(parameter, value)
