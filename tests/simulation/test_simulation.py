"""Whole lifetimes under faults; a seed that breaks a promise prints its story, to be repeated.

Two thousand lifetimes over the clouds" state, and two hundred through their SDKs, whenever tests
run; ``python -m tests.simulation`` runs as many as one likes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.dice import Dice
from tests.simulation.promises import Broken
from tests.simulation.running import digest, run, until
from tests.simulation.shrink import Failure, as_options, read_ranges, shrunk, tried
from tests.simulation.story import Masks
from tests.simulation.tally import EVERYWHERE, Tally, every_fault
from tests.simulation.world import World

ROOT = Path(__file__).parents[2]

OTHER = os.environ.get("JITCLOUD_OTHER_PYTHON", "")
"""Another Python with the same packages, to compare with; nothing is compared without one."""


def _kept(lifetimes: int, first: int, *, real: bool = False) -> Tally:
    tally, failure = until(lifetimes, first, real=real)
    if failure is not None:
        raise AssertionError(str(shrunk(failure, within=30)))
    return tally


def test_access_always_ends_and_never_exists_unrecorded() -> None:
    tally = _kept(2000, 1)
    missing = set(tally.missing())
    # Of so few lifetimes not every fault of every call strikes; `make simulate` wants them all.
    assert not missing & EVERYWHERE, "a fault that never struck proves nothing"
    assert len(missing) < len(every_fault()) / 4, sorted(missing)


def test_the_same_holds_through_the_sdks_of_the_clouds() -> None:
    tally = _kept(200, 1, real=True)
    assert tally.lifetimes >= 200


@pytest.mark.long
def test_everything_that_can_go_wrong_does() -> None:
    assert _kept(20_000, 100_000).missing() == ()


def _digest_of(python: str, order_of_hashes: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": order_of_hashes}
    told = subprocess.run(  # noqa: S603 - this Python, or one that whoever runs the tests named
        [python, "-m", "tests.simulation", "--digest", "1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return told.stdout.strip()


def test_a_seed_is_the_same_world_whatever_the_order_of_hashes() -> None:
    assert _digest_of(sys.executable, "1") == digest(range(1, 2))


@pytest.mark.skipif(not OTHER, reason="JITCLOUD_OTHER_PYTHON names no other Python")
def test_a_seed_is_the_same_world_on_another_python() -> None:
    assert _digest_of(OTHER, "2") == digest(range(1, 2))


def test_dice_fall_alike_on_every_python() -> None:
    dice = Dice(7, 3)
    drawn = [dice.number(1, 6) for _ in range(8)], dice.pick("abcdef"), dice.chance(0.5)
    assert drawn == ([2, 4, 2, 2, 1, 4, 4, 3], "b", False)
    assert dice.bytes(4).hex() == "6cde4b1c"


def test_leaving_a_step_out_leaves_the_rest_of_a_world_as_it_was() -> None:
    whole, without = World(5), World(5, Masks(steps=frozenset({150})))
    for world in (whole, without):
        world.run()
        world.close()
    before = [str(line) for line in whole.story if line.step < 150]
    assert [str(line) for line in without.story if line.step < 150] == before


def test_a_broken_promise_is_found_shortened_and_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that lets people break a glass, and has nobody look at it afterwards."""
    monkeypatch.setattr("jitcloud.lifecycle._review_by", lambda _request, _at: None)
    found = next(failure for seed in range(20) if isinstance(failure := run(seed)[0], Failure))
    short = shrunk(found, within=10)
    assert short.why.startswith("P1")
    assert len(short.story.splitlines()) < len(found.story.splitlines()) / 3
    again = tried(short.seed, short.masks)
    assert again is not None
    assert (again.why, again.story) == (short.why, short.story)
    assert f"--seed {short.seed}" in str(short)
    assert "breaks the glass" in short.story


def test_masks_are_read_as_they_are_written() -> None:
    steps = frozenset({1, 2, 3, 7, 9, 10})
    written = as_options(Masks(steps=steps, faults=frozenset({(3, 1)})))
    assert written == " --without-steps 1-3,7,9-10 --without-faults 3.1"
    assert read_ranges("1-3,7,9-10") == steps


def test_a_promise_that_is_broken_is_an_error_of_the_test() -> None:
    assert issubclass(Broken, AssertionError)
