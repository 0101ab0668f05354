"""Thousands of lifetimes under faults; a failing seed prints its story and can be run alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.lifetimes import Simulation

EVERY_FAULT = {
    "killed before a commit",
    "killed after a commit",
    "store unavailable",
    "stale read",
    "read throttled",
    "read unanswered",
    "put late",
    "remove late",
    "put lost",
    "remove unanswered",
}


def _simulate(seeds: range, folder: Path) -> Counter[str]:
    struck: Counter[str] = Counter()
    for seed in seeds:
        simulation = Simulation(seed, folder)
        try:
            simulation.run()
        except AssertionError as exc:
            exc.add_note(f"seed {seed}")
            raise
        struck += simulation.chaos.struck
    return struck


def test_access_always_ends_and_never_exists_unrecorded(tmp_path: Path) -> None:
    struck = _simulate(range(60), tmp_path)
    assert struck.keys() >= EVERY_FAULT, "a fault that never struck proves nothing"


@pytest.mark.long
def test_access_always_ends_in_a_thousand_more_worlds(tmp_path: Path) -> None:
    assert _simulate(range(1000, 2500), tmp_path)
