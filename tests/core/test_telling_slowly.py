"""However many are told, and however slowly: one go is bounded, and the next goes on from there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import codec
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Conflict, Refused, Unavailable
from jitcloud.marking import LEASE, UNSAVED, UNSAVED_FOR, is_due
from jitcloud.model import GroupId, Mark, Notice, PersonId, Request, State
from jitcloud.sweep import sweep
from jitcloud.telling import ENOUGH, STALE, TRIES
from tests.faults import Killed
from tests.told_world import Told, down, fine, only

SLOW = timedelta(seconds=9)
MANY = 102


@pytest.fixture
def world(tmp_path: Path) -> Told:
    """An organisation with so many to ask for a yes."""
    names = [f"p{number:03}" for number in range(MANY)]
    listed = "".join(
        f'  {{ id = "{name}", name = "{name}", emails = ["{name}@example.com"] }},\n'
        for name in ("ana", *names)
    )
    everybody = ", ".join(f'"{name}"' for name in names)
    groups = f'[groups]\ndevelopers.members = ["ana"]\nleads.members = [{everybody}]\n'
    return Told(tmp_path, people_text=f"person = [\n{listed}]\n{groups}")


def slow(world: Told, by: timedelta = SLOW) -> Callable[[Notice], None]:
    def answer(_notice: Notice) -> None:
        world.time.now += by

    return answer


def while_due(world: Told, request: Request) -> Iterator[Mark]:
    """Yield its mark for as long as something is left to be told by now."""
    for _ in range(2 * MANY):
        mark = world.mark(request)
        if not is_due(mark, world.time()):
            return
        yield mark
    raise AssertionError("it never came to its end")


def in_time(world: Told, request: Request) -> int:
    """Wake a request, for a bounded time; return how many were told."""
    sent, began = len(world.post.sent), world.time()
    assert world.tell(request) == [""]
    assert world.time() - began < ENOUGH + SLOW
    return len(world.post.sent) - sent


def test_a_slow_server_holds_one_go_for_a_bounded_time(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = slow(world)
    goes = [in_time(world, request) for _ in while_due(world, request)]
    assert goes == [2] * (MANY // 2)
    assert len(set(world.post.told())) == len(world.post.told()) == MANY
    mark = world.mark(request)
    assert (mark.seq, mark.told, mark.attempts, mark.trouble) == (2, (), 0, "")


def test_access_ends_in_time_while_many_are_told_slowly(world: Told) -> None:
    granted = world.ask(minutes=5)
    world.tell(granted)
    request = world.ask(what="prod-write")
    world.post.answer = slow(world)
    for _ in while_due(world, request):
        sweep(world.advance, telling=world.teller)
        world.time.forward(seconds=1)
    ended = next(e.event for e in world.store.events(granted.id) if e.event.what.type == "ended")
    assert world.now(granted).state is State.ENDED
    assert ended.at - (granted.ask.asked_at + timedelta(minutes=5)) < 2 * (ENOUGH + SLOW)
    assert max(Counter(notice.id for notice in world.post.sent).values()) == 1


def test_one_is_told_in_each_go_even_where_the_directory_uses_up_its_time(world: Told) -> None:
    left: list[timedelta] = []

    class Slow(StaticDirectory):
        def members(self, group: GroupId) -> frozenset[PersonId] | None:
            world.time.now += 0.6 * LEASE
            return super().members(group)

    def answer(_notice: Notice) -> None:
        lease = world.mark(request).wake_at
        assert lease is not None
        left.append(lease - world.time())

    request = world.ask(what="prod-write")
    world.teller.directory = Slow(world.folder / "people.toml")
    world.post.answer = answer
    world.tell(request, request)
    assert world.post.told() == ["2.p000", "2.p001"]
    assert left == [LEASE, LEASE]  # held for longer, for it would not have lasted


def test_those_told_are_recorded_often_enough_and_not_each(world: Told) -> None:
    request = world.ask(what="prod-write")
    before = world.mark(request).version
    world.post.answer = slow(world, timedelta(milliseconds=10))
    world.tell(request)
    assert len(world.post.sent) == MANY
    # Beside those: the lease, that the event is done with, and when to go on.
    assert world.mark(request).version - before == MANY // UNSAVED + 3


@pytest.mark.parametrize(
    ("by", "repeated"), [(timedelta(milliseconds=10), UNSAVED - 1), (UNSAVED_FOR, 0)]
)
@pytest.mark.parametrize("dies_at", [1, 2, UNSAVED, UNSAVED + 1, 3 * UNSAVED, MANY])
def test_who_dies_between_messages_repeats_a_few_at_most(
    world: Told, by: timedelta, repeated: int, dies_at: int
) -> None:
    request = world.ask(what="prod-write")

    def answer(notice: Notice) -> None:
        if len(world.post.sent) == dies_at - 1:
            world.post.answer = slow(world, by)
            raise Killed
        slow(world, by)(notice)

    world.post.answer = answer
    for _ in while_due(world, request):
        with suppress(Killed):
            world.tell(request)
        world.time.now = max(world.time(), world.mark(request).wake_at or world.time())
    times = Counter(world.post.told())
    assert len(times) == MANY
    twice = sum(times.values()) - MANY
    assert twice == min(repeated, (dies_at - 1) % UNSAVED)


def test_who_dies_after_a_message_and_before_it_is_recorded_repeats_it(world: Told) -> None:
    request = world.ask(what="prod-write")
    put = world.store.put_mark

    def dying(mark: Mark) -> None:
        if mark.told:
            world.store.put_mark = put  # type: ignore[method-assign] # only once
            raise Killed
        put(mark)

    world.store.put_mark = dying  # type: ignore[method-assign] # a fault put into one object
    with pytest.raises(Killed):
        world.tell(request)
    assert len(world.post.sent) == UNSAVED
    world.time.now = world.time() + LEASE
    world.tell(request)
    times = Counter(world.post.told())
    assert len(times) == MANY
    assert sum(times.values()) == MANY + UNSAVED


def test_a_commit_while_many_are_told_repeats_nothing(world: Told) -> None:
    request = world.ask(what="prod-write", minutes=120)
    world.post.answer = slow(world)
    in_time(world, request)

    def answer(_notice: Notice) -> None:
        world.post.answer = slow(world)
        world.approve(request, "p050")

    world.post.answer = answer
    for _ in while_due(world, request):
        in_time(world, request)
    told = world.post.told()
    assert max(Counter(told).values()) == 1
    assert Counter(id_.partition(".")[0] for id_ in told) == {
        "2": MANY,
        "3": MANY - 1,
        "4": 1,
        "6": 1,
    }


def test_who_comes_back_after_another_has_told_more_leaves_the_rest_to_them(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = slow(world)
    in_time(world, request)
    other = world.a_teller()

    def held_up(_notice: Notice) -> None:
        world.post.answer = slow(world)
        world.time.now += LEASE
        other.wake(request.id)

    world.post.answer = held_up
    with pytest.raises(Conflict):
        world.tell(request)
    mark = world.mark(request)
    assert (mark.seq, mark.wake_at) == (1, world.time())
    assert mark.told == ("p000", "p001", "p002", "p003")


def test_a_refused_address_is_done_with_and_said_once(world: Told) -> None:
    request = world.ask(what="prod-write")

    def answer(notice: Notice) -> None:
        world.time.now += SLOW
        only("p001", Refused("No such mailbox."))(notice)

    world.post.answer = answer
    assert world.tell(request) == ['"p001" was not told. No such mailbox.']
    assert world.mark(request).told == ("p000", "p001")
    assert in_time(world, request) == 2
    assert world.post.told() == ["2.p000", "2.p002", "2.p003"]


def test_who_is_put_off_keeps_none_of_many_waiting(world: Told) -> None:
    request = world.ask(what="prod-write")
    asked = []

    def answer(notice: Notice) -> None:
        asked.append(notice.to)
        world.time.now += SLOW
        only("p001", Unavailable("Mailbox full."))(notice)

    world.post.answer = answer
    said = []
    for mark in while_due(world, request):
        if len(mark.told) == MANY - 1:
            break
        said += world.tell(request)
    assert len(world.post.sent) == MANY - 1
    assert max(Counter(world.post.told()).values()) == 1
    # Not in each go; nor is it trouble before all others have had their turn.
    assert asked.count(PersonId("p001")) <= 3
    assert set(said) == {""}


def test_who_uses_up_the_time_is_left_behind_once_others_have_waited_enough(world: Told) -> None:
    request = world.ask(what="prod-write", minutes=60)
    world.approve(request, "p050")
    mark, names = world.mark(request), [PersonId(f"p{number:03}") for number in range(MANY)]
    tried = replace(mark, seq=1, told=tuple(names[2:]), attempts=TRIES, version=mark.version + 1)
    world.store.put_mark(tried)

    def answer(notice: Notice) -> None:
        world.time.now += SLOW
        if notice.to in names[:2]:
            down(notice)

    world.post.answer = answer
    world.tell(request)
    assert world.post.told() == ["3.p005"]
    assert (world.mark(request).seq, world.mark(request).told) == (2, ("p005",))


def test_a_slow_server_that_takes_nothing_more_is_left_alone_for_a_while(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = slow(world)
    in_time(world, request)

    def answer(notice: Notice) -> None:
        world.time.now += SLOW
        down(notice)

    world.post.answer = answer
    for attempts in (1, 2, 3):
        began = world.time()
        world.tell(request)
        mark = world.mark(request)
        assert mark.wake_at is not None
        assert world.time() - began == 2 * SLOW
        assert (mark.attempts, mark.told) == (attempts, ("p000", "p001"))
        assert mark.wake_at > world.time()
        world.time.now = mark.wake_at
    world.post.answer = fine
    world.tell(request)
    assert len(set(world.post.told())) == len(world.post.told()) == MANY


def test_the_holder_is_warned_while_many_are_told_slowly(world: Told) -> None:
    request = world.ask(what="prod-write", minutes=60)
    world.tell(request)
    world.approve(request, "p000")  # all the others hear that it is settled
    began = world.now(request).updated_at
    world.time.now = began + timedelta(minutes=51)
    world.post.answer = slow(world)
    world.tell(request)
    assert "warning" in world.post.told()[-1]
    assert len(world.post.sent) == MANY + 3


def test_what_was_told_to_some_and_grew_old_is_given_up_and_said(world: Told) -> None:
    request = world.ask(what="prod-write")
    world.post.answer = slow(world)
    in_time(world, request)
    world.time.now = world.time() + STALE
    assert world.tell(request) == ["Event 2 was given up after a day."]
    assert (world.mark(request).seq, world.mark(request).told) == (2, ())


def test_whom_a_mark_names_is_not_told_again(world: Told) -> None:
    request = world.ask(what="prod-write")
    mark = world.mark(request)
    left = replace(mark, seq=1, told=(PersonId("p000"), PersonId("p002")), version=mark.version + 1)
    world.store.put_mark(left)
    world.tell(request)
    assert len(world.post.sent) == MANY - 2
    assert not {"2.p000", "2.p002"} & set(world.post.told())


def test_a_mark_of_before_names_nobody_and_is_gone_on_from(world: Told) -> None:
    request = world.ask(what="prod-write")
    plain = json.loads(
        codec.encode_mark(replace(world.mark(request), seq=1, attempts=2, version=2))
    )
    del plain["told"]
    world.store.put_mark(codec.decode_mark(json.dumps(plain)))
    world.tell(request)
    assert len(set(world.post.told())) == len(world.post.told()) == MANY
    assert (world.mark(request).seq, world.mark(request).attempts) == (2, 0)
