"""Wake-ups queued ahead: none is dropped or done early, and a lost one costs a minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from jitcloud.ahead import (
    AGAIN,
    AHEAD,
    EARLY,
    MOST,
    SOON,
    TRIES,
    Handed,
    look_ahead,
)
from jitcloud.due import BEHIND, Due, Wake, wake_up
from jitcloud.errors import Conflict, Unavailable
from tests.world import START, Time

SECOND = timedelta(seconds=1)


@dataclass
class Kept:
    """A queue that keeps what is put into it."""

    wakes: list[Wake] = field(default_factory=list)
    is_down: bool = False

    def put(self, wakes: Sequence[Wake], now: datetime) -> None:  # noqa: ARG002 - the port
        if self.is_down:
            raise Unavailable("The queue took no wake-ups.")
        self.wakes += wakes


def a_wake(name: str = "r1", at: datetime = START) -> Wake:
    return Wake(kind="request", id=name, at=at)


def found(*pairs: tuple[str, Wake]) -> object:
    def look(until: datetime, limit: int) -> Iterable[tuple[str, Wake]]:
        assert until == START + AHEAD
        assert limit == MOST
        return iter(pairs)

    return look


def test_each_cloud_has_its_own_queue_and_each_is_told_of_the_brakes() -> None:
    aws, gcp = Kept(), Kept()
    pairs = (("aws", a_wake("a")), ("gcp", a_wake("g")), ("aws", a_wake("b")))
    queued = look_ahead(found(*pairs), {"aws": aws, "gcp": gcp}, START)  # type: ignore[arg-type] # a plain function
    assert [(w.kind, w.id) for w in aws.wakes] == [
        ("request", "a"),
        ("request", "b"),
        ("brakes", "brakes"),
    ]
    assert [w.id for w in gcp.wakes] == ["g", "brakes"]
    assert (queued.wakes, queued.unrouted, queued.troubles) == (3, (), ())


def test_what_its_own_commit_has_queued_comes_a_little_behind_that_and_what_is_due_at_once() -> (
    None
):
    aws = Kept()
    late, soon = a_wake("late", START), a_wake("soon", START + SECOND)
    look_ahead(found(("aws", late), ("aws", soon)), {"aws": aws}, START)  # type: ignore[arg-type] # as above
    assert aws.wakes[:2] == [late, replace(soon, behind=BEHIND)]


def test_a_place_comes_a_little_behind_whoever_is_to_drive_it() -> None:
    request, slot, mark = (
        wake_up(Due(kind=kind, id="x", wake_at=START)) for kind in ("request", "slot", "mark")
    )
    assert request == Wake(kind="request", id="x", at=START)
    assert slot == Wake(kind="slot", id="x", at=START, behind=BEHIND)
    assert mark is None


def test_what_only_waits_for_the_proof_is_not_handed_out_early_but_an_end_is_at_once() -> None:
    later = Due(kind="request", id="x", wake_at=START + SECOND)
    waits = wake_up(later, proves=START)
    assert waits is not None
    assert waits.behind == BEHIND
    at_once = wake_up(later, proves=START + SECOND)
    assert at_once is not None
    assert not at_once.behind


def test_a_queue_that_is_down_keeps_no_other_from_being_filled() -> None:
    aws, gcp = Kept(is_down=True), Kept()
    pairs = (("aws", a_wake("a")), ("gcp", a_wake("g")))
    queued = look_ahead(found(*pairs), {"aws": aws, "gcp": gcp}, START)  # type: ignore[arg-type] # as above
    assert [w.id for w in gcp.wakes] == ["g", "brakes"]
    assert queued.troubles == ("aws: The queue took no wake-ups.",)


def test_what_no_queue_is_for_is_said_and_how_long_the_oldest_has_waited() -> None:
    late = a_wake(at=START - 90 * SECOND)
    queued = look_ahead(found(("azure", late)), {"aws": Kept()}, START)  # type: ignore[arg-type] # as above
    assert queued.unrouted == ("azure",)
    assert queued.oldest == 90 * SECOND


@dataclass
class Worked:
    """Whoever is handed wake-ups, with a clock that only their pauses move."""

    time: Time = field(default_factory=Time)
    queue: Kept = field(default_factory=Kept)
    woken: list[tuple[str, datetime]] = field(default_factory=list)
    out_of_reach: bool = False
    others_at_it: bool = False
    give_up: datetime = START + timedelta(minutes=1)

    def wake(self, wake: Wake) -> tuple[str, ...]:
        if self.out_of_reach:
            raise Unavailable("The record cannot be reached.")
        if self.others_at_it:
            raise Conflict("Somebody else was faster.")
        self.woken.append((wake.id, self.time()))
        return (f"{wake.id}: no",) if wake.id == "bad" else ()

    def take(self, *wakes: Wake) -> list[str]:
        handed = Handed(
            queue=self.queue,
            wake=self.wake,
            clock=self.time,
            pause=lambda seconds: self.time.forward(seconds=seconds),
            give_up=self.give_up,
        )
        return list(handed.take(wakes))


def test_one_that_is_a_little_early_is_waited_for_and_woken_at_its_instant() -> None:
    worked = Worked()
    worked.take(a_wake("b", START + EARLY), a_wake("a", START + SECOND))
    assert worked.woken == [("a", START + SECOND), ("b", START + EARLY)]
    assert worked.queue.wakes == []


def test_one_that_is_too_early_is_queued_again_as_it_was() -> None:
    worked = Worked()
    early = a_wake(at=START + EARLY + SECOND)
    worked.take(early)
    assert (worked.woken, worked.queue.wakes) == ([], [early])


def test_what_could_not_be_done_is_said_and_keeps_no_other_waiting() -> None:
    worked = Worked()
    assert worked.take(a_wake("bad"), a_wake("good")) == ["bad: no"]
    assert [name for name, _ in worked.woken] == ["bad", "good"]


def test_what_there_is_no_time_left_for_is_queued_again() -> None:
    worked = Worked(give_up=START + SECOND)
    worked.take(a_wake("a", START + SECOND), a_wake("b", START + EARLY))
    assert [name for name, _ in worked.woken] == ["a"]
    assert worked.queue.wakes == [a_wake("b", START + EARLY)]


def test_with_the_record_out_of_reach_it_is_tried_again_soon() -> None:
    worked = Worked(out_of_reach=True)
    said = worked.take(a_wake("a"))
    assert said == ["a: The record cannot be reached."]
    assert worked.queue.wakes == [replace(a_wake("a", START + AGAIN), tries=1)]


def test_where_somebody_else_is_at_it_it_is_looked_again_very_soon() -> None:
    worked = Worked(others_at_it=True)
    assert worked.take(a_wake("a")) == []
    assert worked.queue.wakes == [replace(a_wake("a", START + SOON), tries=1)]


def test_it_is_left_to_the_next_look_ahead_before_two_of_it_become_many() -> None:
    worked = Worked(out_of_reach=True)
    worked.take(replace(a_wake("a"), tries=TRIES))
    assert worked.queue.wakes == []


def test_with_the_queue_down_too_whoever_handed_it_out_keeps_it() -> None:
    worked = Worked(out_of_reach=True, queue=Kept(is_down=True))
    with pytest.raises(Unavailable):
        worked.take(a_wake("a"))
