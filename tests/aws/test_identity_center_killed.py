"""Wherever the broker dies in a lifetime, wake-ups alone end with exactly the right access.

It dies before each commit and before each call of Identity Center in turn. Dying after one has had
its effect is dying before the next one, so both are covered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.model import State
from tests.aws.identity_center_world import Here, Nearby
from tests.faults import Killed, Switch

# ── Lifetimes ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Lifetime:
    live: Callable[[Here], None]
    outage: float = 0
    """After how many seconds there is a broker again. At once, much is under way still."""
    takes: float = 5
    """How many seconds a create or a delete takes."""
    over: bool = False
    """Whether it is all given back as soon as there is a broker again."""
    standing: bool = False
    """Whether ana has it by hand, before and after."""


def given_back(here: Here) -> None:
    here.gone(here.let_in())


def given_back_while_it_begins(here: Here) -> None:
    request = here.world.ask()
    here.world.give_back(request)
    here.ended(request)


def run_out(here: Here) -> None:
    here.world.ask(minutes=10)
    here.pass_time(minutes=12)


def overlapping(here: Here) -> None:
    first = here.let_in(minutes=10)
    second = here.world.approve(here.world.ask(what="prod-write", minutes=20))
    here.pass_time(minutes=1)
    assert here.state(second) is State.ACTIVE
    here.ended(first, timedelta(minutes=15))
    assert here.who() == {"ana"}
    here.ended(second, timedelta(minutes=15))


def again_during_the_removal(here: Here) -> None:
    first = here.let_in()
    here.world.give_back(first)
    here.pass_time(seconds=2)
    second = here.world.ask(minutes=10)
    here.until(lambda: here.state(second) is State.ACTIVE, timedelta(minutes=5))
    here.gone(second)


LIFETIMES = {
    "given back while it begins": Lifetime(given_back_while_it_begins),
    "given back while it begins, and an outage": Lifetime(given_back_while_it_begins, outage=60),
    "given back after it has begun": Lifetime(run_out, takes=60, over=True),
    "run out": Lifetime(run_out, outage=7),
    "overlapping": Lifetime(overlapping),
    "again during the removal": Lifetime(again_during_the_removal),
    "standing": Lifetime(given_back, outage=60, standing=True),
}


@pytest.mark.parametrize("name", LIFETIMES)
def test_dying_anywhere_leaves_exactly_the_right_access(tmp_path: Path, name: str) -> None:
    lifetime = LIFETIMES[name]
    for at in range(1, 400):
        folder = tmp_path / str(at)
        folder.mkdir()
        switch = Switch(at)
        nearby = Nearby(before=switch.count)
        here = Here(nearby, folder, by=lambda store: switch.over(store, "commit"))  # noqa: B023 - it is used at once
        here.behaviour.takes = timedelta(seconds=lifetime.takes)
        if lifetime.standing:
            here.assign()
        with contextlib.suppress(Killed):
            lifetime.live(here)
        nearby.before = str
        last = switch.calls[-1]
        here.time.forward(seconds=lifetime.outage)
        here.start()
        if lifetime.over:
            _give_all_back(here)
        _is_right(here, lifetime, f"after dying at {last} ({at})")
        if len(switch.calls) < at:
            assert at > 10, "the enumeration must have reached the end of a lifetime"
            return
    raise AssertionError(name)


def _give_all_back(here: Here) -> None:
    for request in here.world.unfinished():
        if request.state in {State.ACTIVATING, State.ACTIVE}:
            here.world.give_back(request)


def _is_right(here: Here, lifetime: Lifetime, when: str) -> None:
    standing = {"ana"} if lifetime.standing else set()
    if here.who() - standing:
        assert any(request.window for request in here.world.unfinished()), when
    for _ in range(60):
        if not here.world.unfinished():
            break
        here.pass_time(minutes=30)  # an undecided request lapses after a day
        _is_said_rightly(here, standing, when)
    assert not here.world.unfinished(), when
    assert here.who() == standing, when
    # Nothing comes back by itself, either: neither is anything under way, nor anything due.
    here.pass_time(hours=2)
    assert here.who() == standing, when
    assert here.next_due() is None, when
    here.world.verify_all()


def _is_said_rightly(here: Here, standing: set[str], when: str) -> None:
    if not here.world.unfinished():
        assert here.who() == standing, when
