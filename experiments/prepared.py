"""Prepared regions: built and burned in, kept on disk so that it is done once.

A prepared region depends on the profile, the region's seed, the behaviour and the baseline's levers, and on
the model itself: their hash is its name in the cache (`JUNHENG_CACHE`, else the user's cache folder). A file
that cannot be read is made anew.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from model.behaviour import Behaviour
from model.errors import InputError
from model.policy import Policy
from model.region import Region
from results.lock import lock
from results.provenance import model_fingerprint

CACHE_BYTES = 4 * 2**30  # what the cache may hold; the files longest unused go first
KEPT_IN_MEMORY = 4  # regions; Wuqing takes about 40 MB

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def prepared_region(profile: str, region_seed: int, behaviour: Behaviour, baseline: Policy) -> Region:
    """The region of a profile (a shipped name, or a file: a profile or a saved region), burned in.

    The same object is handed out again: copy it before changing it. Raises InputError where there is no such
    profile or it is wrong.
    """
    name = fingerprint(profile, region_seed, behaviour, baseline)
    return _prepared(name, lambda: given_region(profile, region_seed), behaviour, baseline)


def burned_in(region: Region, behaviour: Behaviour, baseline: Policy) -> Region:
    """A region burned in under a behaviour and the baseline's levers; itself where that was done before."""
    if region.burned_in:
        return region
    name = _hash("built", region.fingerprint(), behaviour.fingerprint(), repr(baseline), model_fingerprint())
    return _prepared(name, lambda: region, behaviour, baseline)


def given_region(profile: str, region_seed: int) -> Region:
    """The region as built or as saved, before it is burned in. Raises InputError."""
    if is_saved_region(profile):
        try:
            return Region.load(Path(profile))
        except FileNotFoundError:
            raise InputError(profile, "no such file", "a saved region") from None
        except _UNREADABLE:
            raise InputError(profile, "a file that is no saved region", "one that `junheng region` wrote") from None
    from model.build import build_region

    if is_profile_file(profile):
        from experiments.profile_check import check_profile

        check_profile(Path(profile))
    return build_region(profile, region_seed)


def is_saved_region(profile: str) -> bool:
    """Whether this is a file of a saved region rather than a profile."""
    return profile.endswith(".npz")


def is_profile_file(profile: str) -> bool:
    """Whether this is a file of a profile rather than the name of a shipped one."""
    return profile.endswith((".yaml", ".yml"))


def fingerprint(profile: str, region_seed: int, behaviour: Behaviour, baseline: Policy) -> str:
    """The hash of everything that a prepared region depends on."""
    return _hash(
        profile_fingerprint(profile), str(region_seed), behaviour.fingerprint(), repr(baseline), model_fingerprint()
    )


def profile_fingerprint(profile: str) -> str:
    """A hash of a profile's file; of the name for a shipped one, whose file belongs to the model."""
    path = Path(profile)
    return _hash("file", hashlib.blake2b(path.read_bytes()).hexdigest()) if path.is_file() else _hash("name", profile)


def cache_folder() -> Path:
    """Where prepared regions are kept."""
    if chosen := os.environ.get("JUNHENG_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("junheng")


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


_memory: OrderedDict[str, Region] = OrderedDict()


def _prepared(name: str, given: Callable[[], Region], behaviour: Behaviour, baseline: Policy) -> Region:
    if name not in _memory:
        _memory[name] = _from_disk(name, given, behaviour, baseline)
        while len(_memory) > KEPT_IN_MEMORY:
            _memory.popitem(last=False)
    _memory.move_to_end(name)
    return _memory[name]


def _from_disk(name: str, given: Callable[[], Region], behaviour: Behaviour, baseline: Policy) -> Region:
    path = cache_folder() / f"{name}.npz"
    if (region := _read(path)) is not None:
        return region
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock(path.with_suffix(".lock"), wait=True):  # two workers that need one region make it once
            region = _read(path)
            if region is None:
                region = _lived_in(given(), behaviour, baseline)
                _write(path, region)
                region = _read(path) or region  # so that who made it holds the very region that others load
    except OSError:  # a cache that cannot be written only costs time
        region = region or _lived_in(given(), behaviour, baseline)
    return region


def _lived_in(region: Region, behaviour: Behaviour, baseline: Policy) -> Region:
    from model.burn_in import burn_in

    return region if region.burned_in else burn_in(region, behaviour, baseline)


def _read(path: Path) -> Region | None:
    try:
        region = Region.load(path)
        os.utime(path)
    except _UNREADABLE:
        return None
    return region


def _write(path: Path, region: Region) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    try:
        region.save(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _shrink(path.parent, CACHE_BYTES)


def _shrink(folder: Path, limit: int) -> None:
    """Remove the files longest unused until the cache holds at most `limit` bytes."""
    held = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in folder.glob("*.npz")), reverse=True)
    size = 0
    for _, own, path in held:
        size += own
        if size > limit:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
