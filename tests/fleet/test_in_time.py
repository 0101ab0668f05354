"""Whatever is lost, stopped or paused between the functions: everything ends, and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import braking
from jitcloud.ahead import EARLY
from jitcloud.model import Reach, Request, Scope, State
from tests.faults import Killed
from tests.fleet.in_time import LAG, Fleet
from tests.world import caller

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SETTLE = timedelta(seconds=30)
"""More than it takes until an end has been seen: reads lag behind writes for a while."""


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def deadline(fleet: Fleet, request: Request) -> datetime:
    window = fleet.world.now(request).window
    assert window is not None
    return window.deadline


def gone_by(fleet: Fleet, request: Request, most: timedelta) -> timedelta:
    """Let time pass until somebody is out; return how late that was."""
    end = deadline(fleet, request)
    fleet.run_until(end - EARLY - SECOND)  # later, whoever is handed its wake-up waits for it
    assert fleet.who_can() == {"ana"}, "nobody is put out early"
    late = timedelta(0)
    while fleet.who_can():
        fleet.run_until(fleet.time() + timedelta(milliseconds=50))
        late = fleet.time() - end
        assert late <= most, "it is too late"
    fleet.run_until(fleet.time() + SETTLE + 2 * MINUTE)
    assert fleet.world.now(request).state is State.ENDED
    fleet.world.verify_all()
    return late


@pytest.mark.parametrize("minutes", [0.5, 3, 20, 50])
def test_a_deadline_is_met_to_the_second(fleet: Fleet, minutes: float) -> None:
    request = fleet.ask(minutes)
    fleet.run_until(fleet.time() + SECOND)
    assert fleet.world.now(request).state is State.ACTIVE
    assert gone_by(fleet, request, SECOND) < SECOND


def test_access_comes_as_soon_as_the_stream_has_told(fleet: Fleet) -> None:
    fleet.ask(10)
    assert not fleet.who_can(), "the judge tells no cloud anything"
    fleet.run_until(fleet.time() + 2 * LAG)
    assert fleet.who_can() == {"ana"}


def test_while_no_look_ahead_runs_the_queue_alone_meets_deadlines(fleet: Fleet) -> None:
    fleet.expires = False  # for far more than ten minutes
    request = fleet.ask(40)
    fleet.run_until(fleet.time() + SECOND)
    assert gone_by(fleet, request, SECOND) < SECOND


def test_while_the_stream_has_stopped_the_look_ahead_finds_everything(fleet: Fleet) -> None:
    fleet.store.is_running = False
    request = fleet.ask(10)
    fleet.run_until(fleet.time() + MINUTE + SECOND)
    assert fleet.world.now(request).state in {State.ACTIVATING, State.ACTIVE}
    assert gone_by(fleet, request, SECOND) < SECOND


def test_messages_that_are_all_lost_cost_a_minute(fleet: Fleet) -> None:
    request = fleet.ask(10)
    fleet.run_until(fleet.time() + SECOND)
    fleet.run_until(deadline(fleet, request) - 10 * SECOND)
    fleet.queue.lose_all()
    assert gone_by(fleet, request, MINUTE) <= MINUTE


def test_when_every_other_message_is_lost_everything_still_ends(fleet: Fleet) -> None:
    turns = iter(range(10**9))
    fleet.queue.loses = lambda _: next(turns) % 2 == 0
    request = fleet.ask(10)
    fleet.run_until(fleet.time() + 3 * MINUTE)
    assert gone_by(fleet, request, 2 * MINUTE) <= 2 * MINUTE


def test_with_stream_and_look_ahead_gone_for_ten_minutes_it_catches_up(fleet: Fleet) -> None:
    request = fleet.ask(5)
    fleet.run_until(fleet.time() + 3 * SECOND)
    fleet.store.is_running = fleet.expires = False
    fleet.queue.lose_all()
    fleet.run_until(fleet.time() + 12 * MINUTE)
    assert fleet.who_can() == {"ana"}, "nothing was left that could have ended it"
    fleet.expires = True
    fleet.run_until(fleet.time() + MINUTE + SECOND)
    assert not fleet.who_can()
    fleet.run_until(fleet.time() + 3 * MINUTE)
    assert fleet.world.now(request).state is State.ENDED


def test_messages_that_come_thrice_do_nothing_thrice(fleet: Fleet) -> None:
    fleet.queue.repeats = 3
    request = fleet.ask(10)
    fleet.run_until(fleet.time() + SECOND)
    before = fleet.woken
    assert gone_by(fleet, request, SECOND) < SECOND
    events = [line.event.what.type for line in fleet.store.events(request.id)]
    assert len(events) == len(set(events))
    assert fleet.woken - before < 400, "repeats multiply"


def test_a_brake_whose_hand_died_is_gone_on_with(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.ask(50)
    fleet.run_until(fleet.time() + SECOND)
    everything = Scope(reach=Reach.EVERYTHING)
    with monkeypatch.context() as dying:
        dying.setattr(braking, "finish", die)
        with pytest.raises(Killed):
            fleet.world.broker.end_all(caller("ben"), everything, fleet.time(), "An intruder")
    assert fleet.who_can() == {"ana"}
    fleet.run_until(fleet.time() + SECOND)
    assert not fleet.who_can()


def test_a_brake_that_even_the_stream_has_lost_waits_for_a_minute(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.ask(50)
    fleet.run_until(fleet.time() + SECOND)
    fleet.store.is_running = False
    everything = Scope(reach=Reach.EVERYTHING)
    with monkeypatch.context() as dying:
        dying.setattr(braking, "finish", die)
        with pytest.raises(Killed):
            fleet.world.broker.end_all(caller("ben"), everything, fleet.time(), "An intruder")
    fleet.run_until(fleet.time() + MINUTE + SECOND)
    fleet.run_until(fleet.time() + MINUTE + SECOND)
    assert not fleet.who_can()
