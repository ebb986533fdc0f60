"""A lock between processes that the system lets go of when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE, PAUSE = 0.3, 0.05  # seconds: who only looks whether a lock is held holds it for a moment


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def lock(path: Path, wait: bool) -> Iterator[None]:
    """Hold the lock of a file (made where missing). Waits for it, or raises HeldError where another has it.

    Raises OSError where the file cannot be made or its file system knows no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take_patiently(handle, path, wait)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now. Writes nothing."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        _probe(handle)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False


def _take_patiently(handle: int, path: Path, wait: bool) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _take(handle, wait)
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() > end:
                raise HeldError(str(path)) from error
            time.sleep(PAUSE)


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int, wait: bool) -> None:
        while True:
            try:
                return msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    raise
                time.sleep(PAUSE)

    def _probe(handle: int) -> None:
        _take(handle, wait=False)

else:
    import fcntl

    def _take(handle: int, wait: bool) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def _probe(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: who looks is not taken for a holder by others
