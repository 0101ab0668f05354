"""Thousands of lifetimes under faults; a failing seed prints its story and can be run alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from jitcloud.model import Happening
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
    "put refused by a cloud that is down",
    "remove refused by a cloud that is down",
    "put begun, and no answer",
    "remove begun, and no answer",
    "put fails",
    "remove fails",
    "put takes for ever",
    "remove takes for ever",
    "status forgotten",
    "status throttled",
    "found again",
    "told while it is at it",
}


EVERYTHING_THAT_HAPPENS = {
    type_.__dataclass_fields__["type"].default for type_ in get_args(Happening)
}


NOT_HERE = {"issuing", "attested", "reopened", "restored", "reconciled"}
"""Nothing is issued here (that is for sessions, which have no slot to converge), nobody attests
what a cloud will not tell, and nothing is compared with a record that was lost."""


def _simulate(seeds: range, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Run these seeds; return which faults struck, and in how many worlds what happened."""
    struck: Counter[str] = Counter()
    happened: Counter[str] = Counter()
    for seed in seeds:
        simulation = Simulation(seed, folder)
        try:
            simulation.run()
        except AssertionError as exc:
            exc.add_note(f"seed {seed}")
            raise
        struck += simulation.chaos.struck
        happened.update(simulation.happened)
    return struck, happened


def test_access_always_ends_and_never_exists_unrecorded(tmp_path: Path) -> None:
    struck, happened = _simulate(range(80), tmp_path)
    assert struck.keys() >= EVERY_FAULT, "a fault that never struck proves nothing"
    missing = EVERYTHING_THAT_HAPPENS - happened.keys() - NOT_HERE
    assert not missing, "what never happened was not shown to be right"


@pytest.mark.long
def test_access_always_ends_in_a_thousand_more_worlds(tmp_path: Path) -> None:
    struck, _ = _simulate(range(1000, 2500), tmp_path)
    assert struck.keys() >= EVERY_FAULT
