"""What holds when several use a store at once, and after any history."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Protocol

import pytest

from jitcloud.errors import Conflict
from jitcloud.model import Controls, Mark, Request, State
from jitcloud.ports import Change, Control, Move, Store
from jitcloud.stores.memory import MemoryStore
from tests.contract.stores.opened import SECOND, Opened
from tests.factories import (
    ALICE,
    BOB,
    NOW,
    a_mark,
    a_slot,
    a_stop,
    a_vote,
    asked,
    controlled,
    ended,
    put_off,
    request_id,
    slot_key,
    the_request,
    then,
)


class Races(Opened):
    rounds = 60
    """How long a random history is; shorter where each call crosses a network."""
    turns = 50
    """How often threads race; less often in the same case."""

    def test_of_racing_threads_one_wins_each_round_and_nothing_is_lost(self, store: Store) -> None:
        store.commit(asked(1))
        barrier = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            racers = [
                pool.submit(race, store, name, barrier, self.turns) for name in ("a", "b", "c", "d")
            ]
        check_race(store, {racer.result()[0]: racer.result()[1] for racer in racers})

    def test_threads_with_requests_of_their_own_do_not_disturb_each_other(
        self, store: Store
    ) -> None:
        def live(number: int) -> None:
            change = asked(number)
            store.commit(change)
            for _ in range(25):
                change = then(the_request(change))
                store.commit(change)

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(live, number) for number in range(4)]:
                done.result()
        assert [len(store.events(request_id(number))) for number in range(4)] == [26] * 4

    def test_a_reader_never_sees_half_a_commit(self, store: Store) -> None:
        change = replace(asked(1), slots=(a_slot(1),))
        store.commit(change)
        is_over = threading.Event()

        def watch() -> set[int]:
            gaps = set()
            while not is_over.is_set():
                request = store.request(request_id(1))
                assert request is not None
                # Two reads: the trail may be ahead by then, never behind.
                gaps.add(min(0, len(store.events(request_id(1))) - request.seq))
            return gaps

        with ThreadPoolExecutor(2) as pool:
            watchers = [pool.submit(watch) for _ in range(2)]
            try:
                for version in range(2, 60):
                    change = then(the_request(change), a_vote(), a_vote())
                    store.commit(replace(change, slots=(a_slot(1, version),)))
            finally:
                is_over.set()
        assert [watcher.result() for watcher in watchers] == [{0}, {0}]

    def test_of_threads_that_pull_the_brake_at_once_each_is_heard_in_its_turn(
        self, store: Store
    ) -> None:
        def pull(name: int) -> None:
            pulled = 0
            for _ in range(40):  # whenever one of the four loses, another one has won
                try:
                    store.commit(Change(control=_pulled(store, f"{name}.{pulled}")))
                except Conflict:
                    continue
                pulled += 1
                if pulled == 10:
                    break

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(pull, name) for name in range(4)]:
                done.result()
        trail = store.control_events()
        assert [sealed.event.seq for sealed in trail] == list(range(1, 41))
        assert len({sealed.text for sealed in trail}) == 40
        for before, after in pairwise(trail):
            assert after.event.prev == before.hash

    def test_no_write_of_a_mark_is_lost_between_commits_and_a_channel(self, store: Store) -> None:
        change = replace(asked(1), channels=("notices",))
        store.commit(change)
        is_over = threading.Event()

        def pass_on() -> int:
            written = 0
            while not is_over.is_set():
                mark = store.mark("notices", request_id(1))
                assert mark is not None
                try:
                    store.put_mark(replace(mark, wake_at=None, version=mark.version + 1))
                    written += 1
                except Conflict:
                    continue
            return written

        with ThreadPoolExecutor(2) as pool:
            channels = [pool.submit(pass_on) for _ in range(2)]
            try:
                for _ in range(40):
                    change = replace(then(the_request(change)), channels=("notices",))
                    store.commit(change)
            finally:
                is_over.set()
        mark = store.mark("notices", request_id(1))
        assert mark is not None
        assert mark.version == 41 + sum(channel.result() for channel in channels)

    @pytest.mark.parametrize("seed", range(5))
    def test_it_answers_as_the_memory_store_does(self, store: Store, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
        model = MemoryStore()
        known: list[Request | None] = [None]
        controls: list[Controls | None] = [None]
        for _ in range(self.rounds):
            change = _some_change(chance, known, controls)
            outcome = _outcome(model, change)
            assert _outcome(store, change) == outcome
            if outcome is None:
                known += [move.request for move in change.moves]
                controls += [change.control.controls] if change.control else []
            mark = _some_mark(chance)
            assert _outcome(store, mark) == _outcome(model, mark)
            number, now = chance.randrange(5), _some_time(chance)
            assert _answers(store, number, now) == _answers(model, number, now)


class Barrier(Protocol):
    def wait(self, timeout: float | None = None) -> int: ...

    def abort(self) -> None: ...


def race(store: Store, name: str, barrier: Barrier, rounds: int) -> tuple[str, list[bool]]:
    """Write to one request at the same moment as others do; say which rounds were won."""
    won = []
    try:
        for number in range(rounds):
            request = store.request(request_id(1))
            assert request is not None
            change = then(request, a_vote(f"round {number}"), by=name)
            barrier.wait(30)  # all have read the same
            try:
                store.commit(change)
                won.append(True)
            except Conflict:
                won.append(False)
            barrier.wait(30)  # all have tried
    except BaseException:
        barrier.abort()
        raise
    return name, won


def check_race(store: Store, won: dict[str, list[bool]]) -> None:
    winners = []
    for results in zip(*won.values(), strict=True):
        assert sum(results) == 1
        winners.append(list(won)[results.index(True)])
    trail = store.events(request_id(1))
    assert [sealed.event.seq for sealed in trail] == list(range(1, len(winners) + 2))
    assert [sealed.event.actor.id for sealed in trail[1:]] == winners
    for before, after in pairwise(trail):
        assert after.event.prev == before.hash


def _pulled(store: Store, reason: str) -> Control:
    return controlled(store.controls(), a_stop(reason))


def _some_time(chance: random.Random) -> datetime:
    return NOW + chance.randrange(-5, 5) * SECOND


def _some_change(
    chance: random.Random, known: Sequence[Request | None], controls: Sequence[Controls | None]
) -> Change:
    """Make a change that follows something known, often something stale."""
    moves = {}
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        move = _some_move(chance, chance.choice(known[-6:]))
        moves[move.request.id] = move
    slots = tuple(
        a_slot(number, chance.randrange(1, 5), chance.choice([None, _some_time(chance)]))
        for number in chance.sample(range(4), chance.choice([0, 0, 1, 2]))
    )
    return Change(
        moves=tuple(moves.values()),
        slots=slots,
        unmoved=((slot_key(4), chance.choice([0, 0, 0, 1])),),
        control=chance.choice([None, None, controlled(chance.choice(controls[-2:]))]),
        channels=chance.choice([(), ("notices",), ("notices", "other")]),
    )


def _some_move(chance: random.Random, request: Request | None) -> Move:
    wake_at, at = _some_time(chance), _some_time(chance)
    match chance.randrange(4):
        case 0 if request is not None:
            change = put_off(request, wake_at)
        case 1 if request is not None:
            change = ended(request)
        case 2 if request is not None:
            review_by = chance.choice([None, _some_time(chance)])
            votes = a_vote(), a_vote("more")
            change = then(
                request,
                *votes,
                state=State.ACTIVE,
                wake_at=wake_at,
                review_by=review_by,
                at=at,
            )
        case _:
            person = chance.choice([ALICE, BOB])
            change = asked(chance.randrange(5), person=person, wake_at=wake_at)
    return change.moves[0]


def _some_mark(chance: random.Random) -> Mark:
    wake_at = chance.choice([None, _some_time(chance)])
    return a_mark(chance.randrange(5), chance.randrange(1, 6), wake_at)


def _outcome(store: Store, what: Change | Mark) -> str | None:
    try:
        if isinstance(what, Mark):
            store.put_mark(what)
        else:
            store.commit(what)
    except Conflict as exc:
        return str(exc)
    return None


def _answers(store: Store, number: int, now: datetime) -> list[object]:
    id_ = request_id(number)
    due = store.due(now, 100) + store.due_marks(now, 100)
    return [
        store.request(id_),
        store.wake_at(id_),
        store.events(id_),
        {slot.key: slot for slot in store.slots([slot_key(n) for n in range(5)])},
        [item.wake_at for item in due],
        {(item.kind, item.id) for item in due},
        store.ids(3, id_),
        store.by_person(ALICE, 2, id_),
        store.by_person(BOB, 2),
        store.by_state(State.PENDING, 2),
        store.by_state(State.ACTIVE, 2, id_),
        store.controls(),
        store.control_events(),
        store.mark("notices", id_),
        store.mark("other", id_),
        store.unreviewed(10),
        store.unreviewed(10, ALICE),
        store.unreviewed(10, BOB, now),
    ]
