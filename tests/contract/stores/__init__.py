"""What every store must do. To try one of yours, derive from a class here, as test_stores does.

``SharedStoreContract`` adds what is promised by a store that outlives its process, and that
several processes may share.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jitcloud.model import State
from jitcloud.ports import Store
from tests.contract.stores.commits import Commits
from tests.contract.stores.marks import Marks
from tests.contract.stores.opened import Opener, refuses
from tests.contract.stores.queries import Queries
from tests.contract.stores.races import Barrier, Races, check_race, race
from tests.contract.stores.several import Several
from tests.factories import (
    ALICE,
    NOW,
    a_mark,
    a_slot,
    a_vote,
    asked,
    controlled,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
)

__all__ = ["Opener", "SharedStoreContract", "StoreContract"]


class StoreContract(Commits, Several, Marks, Queries, Races):
    def test_a_closed_store_does_nothing_more(self, store: Store) -> None:
        store.commit(asked(1))
        store.close()
        store.close()
        calls: list[Callable[[], object]] = [
            lambda: store.commit(asked(2)),
            lambda: store.request(request_id(1)),
            lambda: store.requests([request_id(1)]),
            lambda: store.wake_at(request_id(1)),
            lambda: store.events(request_id(1)),
            store.controls,
            store.control_events,
            lambda: store.slot(slot_key(1)),
            lambda: store.slots([slot_key(1)]),
            lambda: store.due(NOW, 1),
            lambda: store.due_marks(NOW, 1),
            lambda: store.by_person(ALICE, 1),
            lambda: store.by_state(State.PENDING, 1),
            lambda: store.unreviewed(1),
            lambda: store.mark("notices", request_id(1)),
            lambda: store.put_mark(a_mark(1)),
            lambda: store.all_slots(1),
            lambda: store.ids(1),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="closed"):
                call()


class SharedStoreContract(StoreContract):
    def test_what_is_committed_outlives_the_store(self, record: Opener) -> None:
        first = record()
        change = replace(asked(1, wake_at=NOW), slots=(a_slot(1),), control=controlled())
        first.commit(change)
        first.put_mark(a_mark(1))
        first.close()
        second = record()
        assert second.request(request_id(1)) == the_request(change)
        assert second.events(request_id(1)) == the_events(change)
        assert second.slot(slot_key(1)) == a_slot(1)
        assert second.controls() == controlled().controls
        assert second.control_events() == controlled().events
        assert second.mark("notices", request_id(1)) == a_mark(1)
        assert [due.id for due in second.due(NOW, 10)] == [request_id(1)]
        second.close()

    def test_two_stores_of_one_record_see_each_other_at_once(
        self, store: Store, record: Opener
    ) -> None:
        other = record()
        store.commit(asked(1))
        assert other.request(request_id(1)) == the_request(asked(1))
        other.commit(then(the_request(asked(1))))
        refuses(store, then(the_request(asked(1)), a_vote("too late")))
        other.close()

    def test_of_racing_processes_one_wins_each_round_and_nothing_is_lost(
        self, store: Store, record: Opener
    ) -> None:
        store.commit(asked(1))
        context = multiprocessing.get_context("spawn")
        barrier, told = context.Barrier(4), context.SimpleQueue()
        racers = [
            context.Process(target=_race_alone, args=(record, name, barrier, told))
            for name in ("a", "b", "c", "d")
        ]
        for racer in racers:
            racer.start()
        results = dict(told.get() for _ in racers)
        for racer in racers:
            racer.join(30)
        assert [racer.exitcode for racer in racers] == [0] * 4
        check_race(store, results)


def _race_alone(record: Opener, name: str, barrier: Barrier, told: Any) -> None:
    result: tuple[str, list[bool]] = name, []
    try:
        store = record()
        result = race(store, name, barrier, 50)
        store.close()
    finally:
        told.put(result)
