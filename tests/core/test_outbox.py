"""Each receiver in a thread of its own: one that is slow or down keeps nothing else waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import outbox
from jitcloud.due import Due
from jitcloud.errors import Unavailable
from jitcloud.model import Sealed, State
from jitcloud.outbox import NOBODYS, PUT_OFF, Outbox, publish_due
from jitcloud.publishing import Subscription
from jitcloud.stores.memory import MemoryStore
from jitcloud.sweep import sweep
from tests.published_world import Published, Receiver, down

FAST, SLOW = "publish-fast", "publish-slow"

WAIT = 20
"""Seconds after which a test of what ought to happen has failed."""


class Stalling(Receiver):
    """Takes its first event only when it is let go on."""

    def __init__(self, channel: str) -> None:
        super().__init__(channel)
        self.reached, self.goes_on = threading.Event(), threading.Event()
        self.before = self.stall
        self.gave_up = False

    def stall(self, _line: Sealed) -> None:
        self.reached.set()
        self.gave_up = not self.goes_on.wait(WAIT)
        assert not self.gave_up


@pytest.fixture
def world(tmp_path: Path) -> Published:
    return Published(tmp_path, channels=(FAST, SLOW))


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    receiver = Stalling(SLOW)
    yield receiver
    receiver.goes_on.set()


def an_outbox(world: Published, *receivers: Receiver, **how: object) -> Outbox:
    subscriptions = [Subscription(publisher=each) for each in receivers]
    return Outbox(world.store, subscriptions, world.time, **how)  # type: ignore[arg-type] # its bounds


def test_all_that_is_due_is_passed_on_to_each(world: Published) -> None:
    requests = [world.a_life() for _ in range(3)]
    fast, slow = Receiver(FAST), Receiver(SLOW)
    box = an_outbox(world, fast, slow)
    box.start()
    published = box.finish()
    assert (published.requests, published.troubles, published.more) == (6, (), False)
    for receiver in (fast, slow):
        assert {each["request"] for each in receiver.read()} == {each.id for each in requests}
        assert len(receiver.sent) == 3 * 8


def test_a_receiver_that_stalls_keeps_no_other_waiting(
    world: Published, stalling: Stalling
) -> None:
    fast = Receiver(FAST)
    box = an_outbox(world, stalling, fast)
    for count in (1, 2):
        world.a_life()
        box.start()
        assert stalling.reached.wait(WAIT)
        box._lines[FAST].join(WAIT)  # noqa: SLF001 - only that one
        assert len(fast.sent) == 8 * count
    assert stalling.sent == []
    stalling.goes_on.set()
    box.finish()
    box.start()
    box.finish()
    assert len(stalling.sent) == 16


def test_a_receiver_that_stalls_keeps_no_end_waiting(world: Published, stalling: Stalling) -> None:
    request = world.ask(minutes=30)
    box = an_outbox(world, stalling)
    sweep(world.advance, outbox=box)
    assert stalling.reached.wait(WAIT)
    world.time.forward(minutes=30)
    for _ in range(3):
        swept = sweep(world.advance, outbox=box)  # it returns, though nobody has taken anything
        assert swept.troubles == ()
        world.time.forward(seconds=30)
    assert world.now(request).state is State.ENDED
    assert (stalling.sent, stalling.gave_up) == ([], False), "a sweep waited for it"
    stalling.goes_on.set()
    box.finish()


def test_a_sweep_passes_on_what_ended_in_it(world: Published) -> None:
    world.ask(minutes=30)
    fast = Receiver(FAST)
    box = an_outbox(world, fast)
    world.time.forward(minutes=31)
    sweep(world.advance, outbox=box)
    box.finish()
    assert "ending" in fast.got()[-1] or "ended" in fast.got()[-1]


def test_a_sweep_says_what_could_not_be_passed_on(world: Published) -> None:
    request = world.ask()
    broken = Receiver(FAST, before=down)
    box = an_outbox(world, broken)
    for _ in range(2):
        world.time.forward(minutes=30)
        box.start()
        for line in box._lines.values():  # noqa: SLF001 - waits, and asks for nothing
            line.join(WAIT)
    world.listen()
    ((name, trouble),) = sweep(world.advance, outbox=box).troubles
    assert name == f"{FAST}/{request.id}"
    assert "was not passed on yet. The receiver is down." in trouble
    assert sweep(world.advance, outbox=box).troubles == ()


def test_people_are_told_beside_it_and_each_has_their_own(world: Published) -> None:
    world.listen("notices", FAST)
    request = world.ask(what="prod-write")

    class Telling:
        def wake(self, request: object) -> str:
            told.append(request)
            return ""

    told: list[object] = []
    fast = Receiver(FAST)
    box = an_outbox(world, fast)
    sweep(world.advance, telling=Telling())
    assert told == [request.id]
    assert world.mark(request, FAST).version == 1, "who tells people leaves it alone"
    sweep(world.advance, telling=Telling(), outbox=box)
    box.finish()
    assert told == [request.id] * 2
    assert {each["request"] for each in fast.read()} == {request.id}
    assert world.mark(request, "notices").version == 1, "the outbox leaves it alone"


# ── Bounds ───────────────────────────────────────────────────────────────────────────────────


def test_one_go_takes_on_so_many_requests_and_the_rest_stays_due(world: Published) -> None:
    requests = [world.a_life() for _ in range(5)]
    world.listen(FAST)
    fast = Receiver(FAST)
    subscriptions = [Subscription(publisher=fast)]
    published = publish_due(world.store, subscriptions, world.time, limit=2)
    assert published.more
    assert len({each["request"] for each in fast.read()}) == 2
    published = publish_due(world.store, subscriptions, world.time, limit=3)
    assert not published.more
    assert {each["request"] for each in fast.read()} == {each.id for each in requests}


def test_one_go_takes_a_bounded_time(world: Published) -> None:
    for _ in range(5):
        world.a_life()

    def slow(_line: Sealed) -> None:
        world.time.forward(seconds=1)

    fast = Receiver(FAST, before=slow)
    subscriptions = [Subscription(publisher=fast)]
    within = timedelta(seconds=10)
    assert publish_due(world.store, subscriptions, world.time, within=within).more
    assert len({each["request"] for each in fast.read()}) == 2


def test_what_there_was_no_time_for_does_not_stand_before_others(
    world: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST", 4)
    first = [world.a_life() for _ in range(4)]
    world.listen(SLOW)
    for request in first:
        mark = world.mark(request, FAST)
        world.store.put_mark(replace(mark, wake_at=None, version=mark.version + 1))
    world.listen(FAST)
    last = world.a_life()

    def slow(_line: Sealed) -> None:
        world.time.forward(seconds=60)

    fast, lame = Receiver(FAST), Receiver(SLOW, before=slow)
    box = an_outbox(world, fast, lame)
    box.start()
    box.finish()
    assert fast.sent == [], "whatever is due on the other channel stands before it"
    left = [world.mark(each, SLOW).wake_at for each in first[1:]]
    assert all(at is not None and at > world.time() for at in left)
    assert max(at for at in left if at) <= world.time() + PUT_OFF
    box.start()
    box.finish()
    assert {each["request"] for each in fast.read()} == {last.id}


def test_what_is_due_on_a_channel_that_nobody_knows_is_left_for_an_hour(world: Published) -> None:
    request = world.a_life()
    known = Receiver(FAST)
    box = an_outbox(world, known)
    before = world.mark(request, SLOW)
    box.start()
    box.finish()
    after = world.mark(request, SLOW)
    assert after.wake_at == world.time() + NOBODYS
    assert (after.seq, after.attempts) == (before.seq, before.attempts) == (0, 0)
    # It has its old name again, and nothing was lost.
    world.time.now += NOBODYS
    again = Receiver(SLOW)
    box = an_outbox(world, again)
    box.start()
    box.finish()
    assert len(again.sent) == 8


# ── Ends of it ───────────────────────────────────────────────────────────────────────────────


def test_whoever_closes_waits_for_a_moment_and_nothing_is_lost(
    world: Published, stalling: Stalling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LINGER", timedelta(seconds=0.05))
    requests = [world.a_life() for _ in range(2)]
    box = an_outbox(world, stalling)
    box.start()
    assert stalling.reached.wait(WAIT)
    box.close()
    assert stalling.sent == []
    stalling.goes_on.set()
    box.finish()
    assert len(stalling.sent) == 8, "it ends the request in hand, and begins no other"
    box.start()
    box.finish()
    assert len(stalling.sent) == 8
    after = Receiver(SLOW)
    publish_due(world.store, [Subscription(publisher=after)], world.time)
    assert {each["request"] for each in after.read()} == {requests[1].id}


def test_one_defect_is_said_and_keeps_nothing_else_waiting(world: Published) -> None:
    first, second = world.a_life(), world.a_life()

    def defective(line: Sealed) -> None:
        if line.event.request == first.id:
            raise ZeroDivisionError

    fast = Receiver(FAST, before=defective)
    published = publish_due(world.store, [Subscription(publisher=fast)], world.time)
    assert published.troubles == (
        (f"{FAST}/{first.id}", "jitcloud has a defect here: ZeroDivisionError"),
    )
    assert {each["request"] for each in fast.read()} == {second.id}


def test_a_record_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    class Locked(MemoryStore):
        def due_marks(
            self,
            now: datetime,  # noqa: ARG002 - the port
            limit: int,  # noqa: ARG002 - the same
            channel: str | None = None,  # noqa: ARG002 - the same
        ) -> tuple[Due, ...]:
            raise Unavailable("The record is locked.")

    world = Published(tmp_path, store=Locked())
    box = an_outbox(world, Receiver(FAST))
    assert sweep(world.advance, outbox=box).troubles == (("publish", "The record is locked."),)
    with pytest.raises(Unavailable):
        publish_due(world.store, [], world.time)
