"""Settled regions that tests share: burned in once a session, and each test given its own copy."""

from __future__ import annotations

import pytest
import situations

from model.region import Region


@pytest.fixture
def village() -> Region:
    """A village of two districts under the baseline's levers."""
    return situations.settled(policy=situations.BASELINE)


@pytest.fixture
def bare_village() -> Region:
    """The same village settled with no lever in force: no network, no lesson over the network."""
    return situations.settled()
