"""People are told at least once, whatever dies or does not answer, and nothing waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.asking import Wish
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Conflict, Refused, Unavailable
from jitcloud.marking import FIRST_RETRY, LAST_RETRY, LEASE
from jitcloud.model import (
    GroupId,
    Mark,
    Notice,
    PersonId,
    Request,
    RequestId,
    Sealed,
    State,
)
from jitcloud.sweep import sweep
from jitcloud.telling import PAUSE, STALE, TRIES
from tests.faults import Killed, Switch
from tests.told_world import PEOPLE, Post, Told, dies, down, fine, only
from tests.world import World, caller

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(tmp_path: Path) -> Told:
    return Told(tmp_path)


# ── Once, where nothing goes wrong ───────────────────────────────────────────────────────────


def test_everybody_is_told_of_everything_once(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.tell(request)
    assert world.post.told() == ["2.ben", "2.caro", "2.dan"]
    world.approve(request)
    world.tell(request)
    assert sorted(world.post.told()[3:]) == ["3.caro", "3.dan", "4.ana", "6.ana"]
    assert world.mark(request).trouble == ""


def test_what_is_not_due_is_left_alone(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.tell(request)
    before = world.mark(request)
    world.tell(request, request)
    assert world.mark(request) == before
    assert before.wake_at is None
    assert world.teller.wake(RequestId("01J00000000000000000000009")) == ""


def test_a_sweep_tells_after_all_else(world: Told) -> None:
    request = world.ask(what="prod-write")
    swept = sweep(world.advance, telling=world.teller)
    assert swept.troubles == ()
    assert world.post.told() == ["2.ben", "2.caro", "2.dan"]
    assert world.mark(request).seq == 2


def test_of_two_tellers_one_tells(world: Told) -> None:
    request = world.ask(what="prod-write")
    other = world.a_teller()

    def answer(_notice: Notice) -> None:
        world.post.answer = fine
        assert other.wake(request.id) == ""

    world.post.answer = answer
    world.tell(request)
    assert world.post.told() == ["2.ben", "2.caro", "2.dan"]


def test_what_is_committed_meanwhile_is_told_next_and_nothing_twice(world: Told) -> None:
    request = world.ask(what="prod-write")

    def answer(notice: Notice) -> None:
        if notice.id.endswith("2.dan"):
            world.approve(request)

    world.post.answer = answer
    world.tell(request)
    assert world.post.told() == ["2.ben", "2.caro", "2.dan"]
    assert world.mark(request).wake_at == world.time()
    world.tell(request)
    assert sorted(world.post.told()[3:]) == ["3.caro", "3.dan", "4.ana", "6.ana"]


def test_a_commit_after_the_last_message_is_not_forgotten(world: Told) -> None:
    request = world.ask(what="prod-write")
    put = world.store.put_mark

    def late(mark: Mark) -> None:
        if mark.wake_at is None and mark.seq == 2:
            world.store.put_mark = put  # type: ignore[method-assign] # only once
            world.approve(request)
        put(mark)

    world.store.put_mark = late  # type: ignore[method-assign] # a fault put into one object
    world.tell(request)
    assert world.mark(request).wake_at == world.time()
    world.tell(request)
    assert len(world.post.sent) == 7


# ── Crashes ──────────────────────────────────────────────────────────────────────────────────


def _life(world: Told) -> Request:
    request = world.ask(what="prod-write")
    world.approve(request)
    world.give_back(request)
    return world.now(request)


def test_whenever_a_teller_dies_everybody_is_still_told(tmp_path: Path) -> None:
    whole = Told(tmp_path)
    whole.tell(_life(whole))
    wanted = Counter(whole.post.told())
    assert set(wanted.values()) == {1}
    for at in range(1, 100):
        world = Told(tmp_path)
        request = _life(world)
        switch = Switch(at)
        dying = world.a_teller(switch.over(world.post, "send"))
        dying.store = switch.over(world.store, "put_mark", "events", "mark")
        try:
            dying.wake(request.id)
        except Killed:
            pass
        else:
            assert at > len(switch.calls)
            return
        world.time.forward(seconds=LEASE.total_seconds())
        world.tell(request)
        assert not wanted - Counter(world.post.told())
        # Of the event that it died in, and of that alone, messages may come twice.
        twice = [told for told, times in Counter(world.post.told()).items() if times > 1]
        assert len({told.partition(".")[0] for told in twice}) <= 1
        assert world.mark(request).wake_at is None
    raise AssertionError("it never came to its end")


def test_whoever_dies_is_followed_after_the_lease_and_not_before(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = dies
    with pytest.raises(Killed):
        world.tell(request)
    world.post.answer = fine
    world.time.now = world.time() + LEASE - timedelta(seconds=1)
    world.tell(request)
    assert world.post.told() == []
    world.time.forward(seconds=1)
    world.tell(request)
    assert len(world.post.sent) == 3


@pytest.mark.parametrize(("meets", "seq"), [(fine, 2), (dies, 0)])
def test_who_was_held_up_past_the_lease_leaves_the_rest_to_who_took_over(
    world: Told, meets: Callable[[Notice], None], seq: int
) -> None:
    request = world.ask(what="prod-write")
    other = world.a_teller(Post(answer=meets))

    def held_up(_notice: Notice) -> None:
        world.post.answer = fine
        world.time.now = world.time() + LEASE
        with suppress(Killed):
            other.wake(request.id)

    world.post.answer = held_up
    with pytest.raises(Conflict):
        world.tell(request)
    mark = world.mark(request)
    assert (mark.seq, mark.wake_at) == (seq, None if seq else world.time() + LEASE)


def test_a_defect_is_met_once_a_lease_and_not_at_each_sweep(world: Told) -> None:
    request = world.ask(what="prod-write")

    class Defective(StaticDirectory):
        def members(self, _group: GroupId) -> frozenset[PersonId] | None:
            raise ZeroDivisionError

    world.teller.directory = Defective(world.folder / "people.toml")
    with pytest.raises(ZeroDivisionError):
        world.tell(request)
    assert world.mark(request).wake_at == world.time() + LEASE


def test_a_slow_server_does_not_outlast_the_lease(world: Told) -> None:
    request = world.ask(what="prod-write")
    left = []

    def slow(_notice: Notice) -> None:
        wake_at = world.mark(request).wake_at
        assert wake_at is not None
        left.append(wake_at - world.time())
        world.time.forward(seconds=50)

    world.post.answer = slow
    for _ in range(3):
        world.tell(request)
    assert len(left) == 3
    assert min(left) >= LEASE / 2


# ── A server that does not answer ────────────────────────────────────────────────────────────


def test_while_nothing_can_be_sent_it_is_tried_at_growing_intervals(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = down
    waits = []
    said = []
    for _ in range(9):
        said += world.tell(request)
        mark = world.mark(request)
        assert mark.wake_at is not None
        waits.append(mark.wake_at - world.time())
        world.time.now = mark.wake_at
    assert waits[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert waits[-1] == LAST_RETRY
    assert said[0] == ""  # once is no trouble yet
    assert said[1] == '"caro" was not told yet. The mail server is down.'
    assert world.mark(request).trouble == said[-1] != ""
    world.post.answer = fine
    assert world.tell(request) == [""]
    assert sorted(world.post.told()) == ["2.ben", "2.caro", "2.dan"]
    assert (world.mark(request).attempts, world.mark(request).trouble) == (0, "")


def test_what_was_passed_on_before_it_went_down_is_not_told_again(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.approve(request)
    world.post.answer = only("ana", Unavailable("Down."))
    world.tell(request)
    world.post.answer = fine
    world.time.now = world.time() + FIRST_RETRY
    world.tell(request)
    assert Counter(world.post.told()).most_common(1)[0][1] == 1
    assert world.mark(request).seq == world.now(request).seq


def test_one_wait_for_a_dead_server_is_enough_for_all(world: Told) -> None:
    requests = [world.ask(what="prod-write") for _ in range(3)]
    asked = []

    def slow(notice: Notice) -> None:
        asked.append(notice)
        raise Unavailable("No answer within 10 s.")

    world.post.answer = slow
    world.tell(*requests)
    assert len(asked) == 1
    for request in requests:
        assert world.mark(request).wake_at == world.time() + PAUSE
    world.post.answer = fine
    world.time.now = world.time() + PAUSE
    world.tell(*requests)
    assert len(world.post.sent) == 9


def test_what_nobody_is_left_to_hear_is_no_trouble_any_more(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = down
    world.tell(request)
    (world.folder / "people.toml").write_text(PEOPLE.replace("emails", "disabled = true, emails"))
    world.time.now = world.time() + FIRST_RETRY
    assert world.tell(request) == [""]
    assert (world.mark(request).trouble, world.mark(request).wake_at) == ("", None)


# ── Some who cannot be reached ───────────────────────────────────────────────────────────────


def test_who_is_refused_for_good_is_noted_and_the_others_are_told(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = only("caro", Refused("No such mailbox."))
    assert world.tell(request) == ['"caro" was not told. No such mailbox.']
    assert world.post.told() == ["2.ben", "2.dan"]
    mark = world.mark(request)
    assert (mark.seq, mark.attempts, mark.wake_at) == (2, 0, None)
    assert mark.trouble == '"caro" was not told. No such mailbox.'


def until_enough(world: Told, request: Request) -> list[str]:
    """Let it be tried as often as those who cannot be reached may keep others waiting."""
    said = []
    for _ in range(TRIES + 1):
        said += world.tell(request)
        wake_at = world.mark(request).wake_at
        assert wake_at is not None
        world.time.now = wake_at
    return said


def test_who_is_put_off_for_ever_gets_no_other_told_twice_and_is_given_up(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = only("ben", Unavailable("Mailbox full."))
    said = until_enough(world, request)
    assert said == ["", *['"ben" was not told yet. Mailbox full.'] * TRIES]
    assert world.post.told() == ["2.caro", "2.dan"]
    world.approve(request, "caro")
    world.tell(request)
    assert world.post.told()[2:] == ["3.dan"]
    mark = world.mark(request)
    assert (mark.seq, mark.told, mark.attempts) == (2, ("dan",), 1)
    until_enough(world, request)
    assert sorted(world.post.told()[3:]) == ["4.ana", "6.ana"]
    assert world.mark(request).attempts == 0


def test_while_nothing_else_waits_who_is_put_off_is_tried_for_a_day(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = only("ben", Unavailable("Mailbox full."))
    until_enough(world, request)
    assert world.mark(request).wake_at == world.time()
    world.post.answer = fine
    assert world.tell(request) == [""]
    assert world.post.told() == ["2.caro", "2.dan", "2.ben"]
    assert (world.mark(request).seq, world.mark(request).wake_at) == (2, None)


def test_a_server_that_goes_down_amid_an_event_loses_nobody(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = only("dan", Unavailable("Down."))
    world.tell(request)
    world.post.answer = down
    world.approve(request, "caro")
    until_enough(world, request)
    until_enough(world, request)
    assert (world.mark(request).seq, world.mark(request).told) == (1, ("ben", "caro"))
    world.post.answer = fine
    world.tell(request)
    wanted = ["2.ben", "2.caro", "2.dan", "3.ben", "3.dan", "4.ana", "6.ana"]
    assert sorted(world.post.told()) == wanted


def test_one_address_that_is_tried_again_alone_is_no_dead_server(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = only("dan", Unavailable("Mailbox full."))
    world.tell(request)
    world.time.now = world.time() + FIRST_RETRY
    other = world.ask(what="prod-write")
    world.tell(request, other)
    told = [notice.to for notice in world.post.sent if notice.request == other.id]
    assert told == ["ben", "caro"]


# ── What is old ──────────────────────────────────────────────────────────────────────────────


def test_what_is_old_is_told_to_nobody(world: Told) -> None:
    request = world.ask(what="prod-write", duration=timedelta(hours=1))
    world.time.now = world.time() + STALE + MINUTE
    world.advance.wake(request.id)
    assert world.now(request).state is State.LAPSED
    world.tell(request)
    assert sorted(world.post.told()) == ["3.ana", "3.ben", "3.caro", "3.dan"]
    assert world.mark(request).wake_at is None


def test_what_could_not_be_told_for_a_day_is_given_up_and_said(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = down
    world.tell(request)
    world.time.now = world.time() + STALE + MINUTE
    assert "Event 2 was given up after a day." in world.tell(request)[0]
    mark = world.mark(request)
    assert (mark.seq, mark.attempts, mark.wake_at) == (2, 0, None)
    assert "The mail server is down." in mark.trouble


def test_mail_that_is_configured_later_floods_nobody(tmp_path: Path) -> None:
    world = World(tmp_path, people_text=PEOPLE)
    request = world.ask(what="prod-write")
    world.time.now = world.time() + STALE + MINUTE
    told = Told(tmp_path, time=world.time, store=world.store, signer=world.signer)
    told.sweep()
    told.tell(request)
    assert sorted(told.post.told()) == ["3.ana", "3.ben", "3.caro", "3.dan"]


# ── Before it ends ───────────────────────────────────────────────────────────────────────────


def warned(world: Told) -> list[str]:
    return [told for told in world.post.told() if told.startswith("warning")]


def wake_at(world: Told, request: Request) -> datetime:
    found = world.mark(request).wake_at
    assert found is not None
    return found


def test_the_holder_is_warned_once_ten_minutes_before_the_end(world: Told) -> None:
    request = world.ask(minutes=60)
    world.tell(request)
    assert wake_at(world, request) == world.time() + 50 * MINUTE
    world.time.now = wake_at(world, request) - timedelta(seconds=1)
    world.tell(request)
    assert warned(world) == []
    world.time.forward(seconds=1)
    world.tell(request)
    assert len(warned(world)) == 1
    assert world.mark(request).wake_at is None
    mark = world.mark(request)
    woken = replace(mark, wake_at=world.time(), version=mark.version + 1)
    world.store.put_mark(woken)
    world.tell(request)
    assert world.mark(request).version > woken.version
    assert len(warned(world)) == 1


def test_a_later_deadline_is_warned_of_anew(tmp_path: Path) -> None:
    world = Told(tmp_path)
    request = world.ask(minutes=60)
    world.tell(request)
    world.time.forward(minutes=55)
    world.tell(request)
    assert len(warned(world)) == 1
    wish = Wish(duration=timedelta(minutes=60), justification="not done")
    child = world.broker.extend(caller("ana"), request.id, wish, world.time())
    world.advance.wake(child.id)
    world.tell(request, child)
    assert len(warned(world)) == 1
    assert wake_at(world, request) == world.time() + 55 * MINUTE
    world.time.now = wake_at(world, request)
    world.tell(request)
    assert len(set(warned(world))) == 2
    assert [n.subject for n in world.post.sent if n.request == child.id] == [
        "Extended until 2026-12-01T11:00:00Z: dev-read"
    ]


def test_what_has_ended_is_not_warned_of(world: Told) -> None:
    request = world.ask(minutes=60)
    world.tell(request)
    world.give_back(request)
    world.tell(request)
    world.time.forward(minutes=55)
    world.tell(request)
    assert warned(world) == []


@pytest.mark.parametrize(("late", "times"), [(59.9, 1), (60, 0)])
def test_a_warning_that_is_late_is_given_while_it_means_something(
    world: Told, late: float, times: int
) -> None:
    request = world.ask(minutes=60)
    world.tell(request)
    world.time.forward(minutes=late)
    world.tell(request)
    assert len(warned(world)) == times
    assert world.mark(request).wake_at is None


def test_a_warning_is_tried_again_until_the_end_and_no_longer(world: Told) -> None:
    request = world.ask(minutes=60)
    world.tell(request)
    world.post.answer = down
    for _ in range(20):
        if world.mark(request).wake_at is None:
            break
        world.time.now = wake_at(world, request)
        world.tell(request)
    assert world.mark(request).wake_at is None
    assert world.time() < request.ask.asked_at + 80 * MINUTE


# ── What the telling rests on ────────────────────────────────────────────────────────────────


def test_while_the_directory_cannot_be_read_messages_wait(world: Told) -> None:
    request = world.ask(what="prod-write")
    people = world.folder / "people.toml"
    people.write_text("this is not TOML")
    world.tell(request)
    mark = world.mark(request)
    assert mark.wake_at == world.time() + FIRST_RETRY
    assert "people.toml" in mark.trouble
    people.write_text(PEOPLE)
    world.time.now = world.time() + FIRST_RETRY
    world.tell(request)
    assert len(world.post.sent) == 3


def test_of_a_trail_that_does_not_hold_together_nobody_is_told(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.teller.store = _Cut(world)  # type: ignore[assignment] # what a teller needs of one
    world.tell(request)
    assert world.post.sent == []
    assert "does not follow" in world.mark(request).trouble
    assert world.mark(request).wake_at == world.time() + FIRST_RETRY


class _Cut:
    """A store whose trails have lost their first event."""

    def __init__(self, world: Told) -> None:
        self.mark, self.put_mark = world.store.mark, world.store.put_mark
        self._events = world.store.events

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        return self._events(request)[1:]


def test_no_defect_of_a_notifier_keeps_access_from_ending(world: Told) -> None:
    def defect(_notice: Notice) -> None:
        raise ZeroDivisionError

    world.post.answer = defect
    request = world.ask(minutes=30)
    world.time.forward(minutes=30)
    said: list[tuple[str, str]] = []
    for _ in range(5):
        said += sweep(world.advance, telling=world.teller).troubles
        world.time.forward(seconds=30)
    assert world.now(request).state is State.ENDED
    assert {why for _, why in said} == {"jitcloud has a defect here: ZeroDivisionError"}
    assert world.mark(request).wake_at is not None
