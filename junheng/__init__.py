"""均衡: regional education equalization, simulated. The public names; each is imported when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from junheng.api import build_region, run, scenario, simulate

__all__ = ["build_region", "run", "scenario", "simulate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("junheng.api"), name)
    raise AttributeError(f"module 'junheng' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
