"""Every event of a request is passed on, in order and at least once, whatever dies or is down."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud import marking
from jitcloud.errors import Conflict, Refused, Tampered, Unavailable
from jitcloud.marking import FIRST_RETRY, LAST_RETRY, LEASE, UNSAVED
from jitcloud.model import RequestId, Sealed
from jitcloud.publish_settings import LONGEST
from jitcloud.publishing import ENOUGH, GIVE_UP, STALE
from tests.faults import Killed, Switch
from tests.published_world import CHANNEL, Published, Receiver, down, fine
from tests.world import caller

LIFE = [
    "1.asked",
    "2.decided",
    "3.voted",
    "4.approved",
    "5.activating",
    "6.activated",
    "7.ending",
    "8.ended",
]


@pytest.fixture
def world(tmp_path: Path) -> Published:
    return Published(tmp_path)


def only(*seqs: int) -> Callable[[Sealed], None]:
    """Take these events and no others."""

    def before(line: Sealed) -> None:
        if line.event.seq not in seqs:
            raise Unavailable("Not that one.")

    return before


# ── Once, where nothing goes wrong ───────────────────────────────────────────────────────────


def test_everything_is_passed_on_once_and_in_order(world: Published) -> None:
    request = world.a_life()
    assert world.pass_on(request) == [""]
    assert world.receiver.got() == LIFE
    mark = world.mark(request)
    assert (mark.seq, mark.wake_at, mark.attempts, mark.trouble) == (8, None, 0, "")


def test_what_comes_later_is_passed_on_later(world: Published) -> None:
    request = world.ask(what="prod-write")
    world.pass_on(request)
    world.approve(request)
    world.pass_on(request)
    world.give_back(request)
    world.pass_on(request)
    assert world.receiver.got() == LIFE


def test_what_is_not_due_is_left_alone(world: Published) -> None:
    request = world.ask()
    world.pass_on(request)
    before = world.mark(request)
    assert world.pass_on(request, request) == ["", ""]
    assert world.mark(request) == before
    assert world.publication.wake(RequestId("01J00000000000000000000009")) == ""


def test_requests_do_not_mix(world: Published) -> None:
    requests = [world.a_life() for _ in range(3)]
    world.pass_on(*requests)
    for request in requests:
        mine = [each["seq"] for each in world.receiver.read() if each["request"] == request.id]
        assert mine == list(range(1, 9))


def test_of_two_processes_one_passes_it_on(world: Published) -> None:
    request = world.ask()
    other = world.a_publication()

    def meanwhile(_line: Sealed) -> None:
        world.receiver.before = fine
        assert other.wake(request.id) == ""

    world.receiver.before = meanwhile
    world.pass_on(request)
    assert len(world.receiver.sent) == world.now(request).seq


def test_what_is_committed_meanwhile_is_passed_on_next(world: Published) -> None:
    request = world.ask(what="prod-write")

    def meanwhile(line: Sealed) -> None:
        if line.event.seq == 2:
            world.receiver.before = fine
            world.approve(request)

    world.receiver.before = meanwhile
    world.pass_on(request)
    assert world.receiver.got() == LIFE[:2]
    assert world.mark(request).wake_at == world.time()
    world.pass_on(request)
    assert world.receiver.got() == LIFE[:6]


# ── Crashes ──────────────────────────────────────────────────────────────────────────────────


def test_whenever_it_dies_nothing_is_lost_and_the_order_is_kept(tmp_path: Path) -> None:
    for at in range(1, 100):
        world = Published(tmp_path)
        request = world.a_life()
        switch = Switch(at)
        dying = world.a_publication(switch.over(world.receiver, "publish"))
        dying.store = switch.over(world.store, "put_mark", "events", "mark")
        try:
            dying.wake(request.id)
        except Killed:
            pass
        else:
            assert at > len(switch.calls) > len(LIFE)
            return
        world.time.now += LEASE
        world.pass_on(request)
        got = world.receiver.got()
        assert list(dict.fromkeys(got)) == LIFE
        assert len(got) - len(LIFE) <= UNSAVED
        assert world.mark(request).wake_at is None
    raise AssertionError("it never came to its end")


def test_little_comes_twice_however_much_there_was(
    world: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "UNSAVED", 2)
    request = world.a_life()
    switch = Switch(8)
    with pytest.raises(Killed):
        world.a_publication(switch.over(world.receiver, "publish")).wake(request.id)
    world.time.now += LEASE
    world.pass_on(request)
    assert world.receiver.got() == [*LIFE[:7], *LIFE[6:]]


def test_whoever_dies_is_followed_after_the_lease_and_not_before(world: Published) -> None:
    request = world.ask()

    def dies(_line: Sealed) -> None:
        raise Killed

    world.receiver.before = dies
    with pytest.raises(Killed):
        world.pass_on(request)
    world.receiver.before = fine
    world.time.now += LEASE - timedelta(seconds=1)
    world.pass_on(request)
    assert world.receiver.sent == []
    world.time.forward(seconds=1)
    world.pass_on(request)
    assert len(world.receiver.sent) == world.now(request).seq


def test_who_was_held_up_past_the_lease_leaves_the_rest_to_who_took_over(world: Published) -> None:
    request = world.ask(what="prod-write")
    other = world.a_publication(Receiver())

    def held_up(_line: Sealed) -> None:
        world.receiver.before = fine
        world.time.now += LEASE
        with suppress(Killed):
            other.wake(request.id)

    world.receiver.before = held_up
    with pytest.raises(Conflict):
        world.pass_on(request)
    assert (world.mark(request).seq, world.mark(request).wake_at) == (2, None)


# ── A receiver that is down ──────────────────────────────────────────────────────────────────


def test_while_it_is_down_it_is_tried_at_growing_intervals(world: Published) -> None:
    request = world.a_life()
    world.receiver.before = down
    waits, said = [], []
    for _ in range(9):
        said += world.pass_on(request)
        mark = world.mark(request)
        assert mark.wake_at is not None
        waits.append(mark.wake_at - world.time())
        world.time.now = max(mark.wake_at, world.publication.paused_until or mark.wake_at)
    assert waits[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert waits[-1] == LAST_RETRY
    assert said[0] == ""  # once is no trouble yet
    assert said[1] == "Event 1 was not passed on yet. The receiver is down."
    assert world.mark(request).trouble == said[-1] != ""
    world.receiver.before = fine
    assert world.pass_on(request) == [""]
    assert world.receiver.got() == LIFE
    assert (world.mark(request).attempts, world.mark(request).trouble) == (0, "")


@pytest.mark.parametrize("error", [Unavailable("Down."), Refused("Never.")])
def test_what_comes_after_a_trouble_waits_only_for_what_can_still_arrive(
    world: Published, error: Exception
) -> None:
    request = world.a_life()

    def before(line: Sealed) -> None:
        if line.event.seq == 3:
            raise error

    world.receiver.before = before
    said = world.pass_on(request)
    if isinstance(error, Refused):
        assert world.receiver.got() == [*LIFE[:2], *LIFE[3:]]
        assert said == ["Event 3 was not passed on. Never."]
        assert world.mark(request).trouble == said[0]
    else:
        assert world.receiver.got() == LIFE[:2]
        assert world.mark(request).seq == 2


def test_one_wait_for_a_dead_receiver_is_enough_for_all(world: Published) -> None:
    requests = [world.a_life() for _ in range(3)]
    tried = []

    def slow(line: Sealed) -> None:
        tried.append(line)
        raise Unavailable("No answer within 10 s.")

    world.receiver.before = slow
    world.pass_on(*requests)
    assert len(tried) == 1
    assert {world.mark(request).wake_at for request in requests} == {world.time() + FIRST_RETRY}
    # Each time nobody answers, the others wait for twice as long.
    for _ in range(3):
        world.time.now = world.publication.paused_until or world.time()
        world.pass_on(*requests)
    assert len(tried) == 4
    assert world.publication.paused_until == world.time() + 8 * FIRST_RETRY
    world.receiver.before = fine
    world.time.now += 8 * FIRST_RETRY
    world.pass_on(*requests)
    assert len(world.receiver.sent) == 3 * len(LIFE)


def test_an_event_that_only_is_refused_now_does_not_stop_other_requests(world: Published) -> None:
    first, second = world.a_life(), world.a_life()
    world.receiver.before = only(1, 2)
    world.pass_on(first)
    assert world.publication.paused_until is None
    world.receiver.before = fine
    world.pass_on(second)
    assert len(world.receiver.sent) == 2 + len(LIFE)


def test_a_slow_receiver_has_its_turn_and_then_others_have(world: Published) -> None:
    request = world.a_life()

    def slow(_line: Sealed) -> None:
        world.time.forward(seconds=6)

    world.receiver.before = slow
    assert world.pass_on(request) == [""]
    assert world.receiver.got() == LIFE[:3]
    mark = world.mark(request)
    assert (mark.seq, mark.attempts, mark.wake_at) == (3, 0, world.time())
    assert timedelta(seconds=6) * 3 > ENOUGH
    world.pass_on(request)
    world.pass_on(request)
    assert world.receiver.got() == LIFE


def test_the_lease_outlasts_every_event(world: Published) -> None:
    request = world.a_life()
    left = []

    def slow(_line: Sealed) -> None:
        wake_at = world.mark(request).wake_at
        assert wake_at is not None
        left.append(wake_at - world.time())
        world.time.forward(seconds=7)

    world.receiver.before = slow
    for _ in range(3):
        world.pass_on(request)
    # Each may take so long; what is sent while nobody holds the lease could be sent out of order.
    assert min(left) > LONGEST


def test_what_is_down_for_days_is_sent_when_it_is_back(world: Published) -> None:
    request = world.a_life()
    world.receiver.before = down
    world.pass_on(request)
    for _ in range(10):
        world.time.now += timedelta(days=1)
        world.pass_on(request)
    world.receiver.before = fine
    world.time.now = world.mark(request).wake_at or world.time()
    world.pass_on(request)
    assert world.receiver.got() == LIFE


def test_what_was_down_before_it_was_ever_reached_is_no_history(world: Published) -> None:
    first, other = world.a_life(), world.a_life()
    world.receiver.before = down
    world.pass_on(first)
    for _ in range(5):  # the other is never tried, for the first has shown that nobody answers
        assert world.mark(other).seq == 0
        world.publication.pause()
        world.pass_on(other)
        world.time.now += timedelta(days=1)
    world.receiver.before = fine
    world.pass_on(other)
    assert world.receiver.got() == LIFE


def test_what_could_not_be_passed_on_for_weeks_is_given_up_and_said(world: Published) -> None:
    request = world.a_life()
    world.receiver.before = down
    world.pass_on(request)
    world.time.now += GIVE_UP + timedelta(seconds=1)
    world.receiver.before = fine
    (said,) = world.pass_on(request)
    assert "Event 1 was given up after 14d." in said
    assert world.receiver.sent == []
    assert world.mark(request).wake_at is None


# ── History ──────────────────────────────────────────────────────────────────────────────────


def test_a_new_receiver_hears_no_history(world: Published) -> None:
    world.listen()
    request = world.ask(what="prod-write")
    world.time.now += STALE - timedelta(hours=1)
    world.approve(request)
    world.time.now += timedelta(hours=1, seconds=1)
    world.listen(CHANNEL)
    world.give_back(request)
    world.pass_on(request)
    # The ask is history; what is younger than a day is not.
    assert world.receiver.got() == LIFE[2:]


def test_a_restored_backup_sends_nothing_that_was_sent(world: Published) -> None:
    finished, waiting = world.a_life(), world.ask(what="prod-write")
    world.pass_on(finished, waiting)
    world.receiver.sent.clear()
    backup = world.mark(finished), world.mark(waiting)
    world.time.now += timedelta(days=30)
    assert backup == (world.mark(finished), world.mark(waiting))
    world.pass_on(finished, waiting)
    assert world.receiver.sent == []


def test_a_restored_backup_passes_on_what_was_due_then_unless_it_is_too_old(
    world: Published,
) -> None:
    request, later = world.a_life(), None
    world.time.now += GIVE_UP - timedelta(minutes=1)
    later = world.a_life()
    world.time.now += timedelta(minutes=2)
    world.pass_on(request, later)
    assert {each["request"] for each in world.receiver.read()} == {later.id}


def test_a_request_that_goes_on_otherwise_after_a_restore_has_other_ids(tmp_path: Path) -> None:
    once, again = Published(tmp_path), Published(tmp_path)
    for world in (once, again):  # the same request, and what was done after the backup is lost
        world.ask(what="prod-write", id_=RequestId("01J00000000000000000000001"))
    once.approve(once.now(RequestId("01J00000000000000000000001")))
    again.broker.withdraw(caller("ana"), RequestId("01J00000000000000000000001"), again.time())
    for world in (once, again):
        world.publication.wake(RequestId("01J00000000000000000000001"))
    ids, other = ({each["seq"]: each["id"] for each in w.receiver.read()} for w in (once, again))
    assert ids[1] == other[1]
    assert ids[3].rpartition("-")[0] == other[3].rpartition("-")[0]
    assert ids[3] != other[3]


# ── A record that makes no sense ─────────────────────────────────────────────────────────────


def test_a_mark_of_another_is_not_worked_off(world: Published) -> None:
    first, second = world.ask(), world.ask()
    of_another = world.mark(second)
    world.store.mark = lambda *_: of_another  # type: ignore[method-assign] # a fault in one object
    with pytest.raises(Tampered, match="is that of another"):
        world.publication.wake(first.id)


@pytest.mark.parametrize(
    "harm", [{"cursor": "yesterday"}, {"cursor": "2026-12-01T09:00:00"}], ids=["text", "no-zone"]
)
def test_a_mark_that_means_nothing_is_said_and_keeps_nobody_waiting(
    world: Published, harm: dict[str, Any]
) -> None:
    request, other = world.a_life(), world.a_life()
    mark = world.mark(request)
    world.store.put_mark(replace(mark, version=mark.version + 1, **harm))
    world.pass_on(request)
    world.time.now = world.mark(request).wake_at or world.time()
    (said,) = world.pass_on(request)
    assert "makes no sense" in said
    world.pass_on(other)
    assert {each["request"] for each in world.receiver.read()} == {other.id}


def test_a_trail_that_does_not_fold_is_said(world: Published) -> None:
    request = world.a_life()
    trail = world.store.events(request.id)
    world.store.events = lambda _: (*trail[:3], *trail[4:])  # type: ignore[method-assign, assignment] # the same
    world.pass_on(request)
    world.time.now += FIRST_RETRY
    (said,) = world.pass_on(request)
    assert said
    assert world.receiver.sent == []
