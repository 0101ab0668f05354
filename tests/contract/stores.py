"""What every store must do. To try one of yours, derive from a class here, as test_stores does.

``SharedStoreContract`` adds what is promised by a store that outlives its process, and that
several processes may share.
"""

from __future__ import annotations

import multiprocessing
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import pytest

from jitcloud.errors import Conflict
from jitcloud.model import GENESIS, PersonId, Request, RequestId, SlotKey, State
from jitcloud.ports import Change, Due, Page, Store
from jitcloud.stores.memory import MemoryStore
from tests.factories import (
    ALICE,
    BOB,
    NOW,
    a_signature,
    a_slot,
    a_vote,
    asked,
    ended,
    request_id,
    slot_key,
    the_request,
    then,
)

Opener = Callable[[], Store]
"""Opens the same record each time. Picklable, where other processes are to open it too."""

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(hours=1)

JUSTIFICATIONS = [
    pytest.param("", id="empty"),
    pytest.param("reason: with: colons, \"quotes\", 'more', back\\slash, {braces}", id="quotes"),
    pytest.param("tab\tline\r\nnul\x00bell\x07 separators\u2028\u2029", id="controls"),
    pytest.param("Zoë Zoe\u0308 Łódź 東京 مرحبا \u202eright-to-left", id="scripts"),
    pytest.param("👩‍🚒 on 🔥 duty 🏳️‍🌈 \U0010fffd", id="emoji"),
    pytest.param("ß" * 1024, id="2-KB"),
]

MALFORMED = [
    pytest.param(lambda c: replace(c, request=None), id="events-without-a-request"),
    pytest.param(lambda _: Change(wake_at=NOW), id="wake-up-without-a-request"),
    pytest.param(lambda c: replace(c, wake_at=None), id="unfinished-but-never-woken"),
    pytest.param(lambda c: replace(c, events=c.events[:1]), id="last-event-missing"),
    pytest.param(lambda c: replace(c, events=c.events[::-1]), id="events-in-disorder"),
    pytest.param(lambda c: replace(c, events=c.events + c.events[1:]), id="event-twice"),
    pytest.param(
        lambda c: replace(c, events=(c.events[0], asked(8).events[0])), id="event-of-another"
    ),
    pytest.param(lambda c: _with_request(c, head=GENESIS), id="head-is-not-the-last-hash"),
    pytest.param(lambda c: _with_request(c, seq=9), id="seq-is-not-the-last-events"),
    pytest.param(lambda c: Change(request=_blank(c), wake_at=NOW), id="request-without-any-event"),
    pytest.param(lambda _: Change(slots=(a_slot(1), a_slot(1))), id="slot-twice"),
    pytest.param(
        lambda _: Change(slots=(a_slot(1, 2),), unmoved=((slot_key(1), 1),)),
        id="slot-both-written-and-unmoved",
    ),
    pytest.param(lambda _: Change(slots=(a_slot(1, 0),)), id="slot-of-no-version"),
]


class StoreContract(ABC):
    @pytest.fixture
    @abstractmethod
    def record(self, tmp_path: Path) -> Opener: ...

    @pytest.fixture
    def store(self, record: Opener) -> Iterator[Store]:
        store = record()
        yield store
        store.close()

    # ── One commit ──

    def test_an_empty_store_knows_nothing(self, store: Store) -> None:
        assert store.request(request_id(1)) is None
        assert store.wake_at(request_id(1)) is None
        assert store.events(request_id(1)) == ()
        assert store.slot(slot_key(1)) is None
        assert store.slots([slot_key(1)]) == ()
        assert store.slots([]) == ()
        assert store.due(LATER, 10) == ()
        assert store.ids(10) == ()
        assert store.by_person(ALICE, 10) == Page(requests=(), after=None)
        assert store.by_state(State.PENDING, 10) == Page(requests=(), after=None)

    def test_a_commit_is_read_back_whole(self, store: Store) -> None:
        change = replace(asked(1, wake_at=LATER), slots=(a_slot(1, wake_at=NOW), a_slot(2)))
        store.commit(change)
        assert store.request(request_id(1)) == change.request
        assert store.wake_at(request_id(1)) == LATER
        assert store.events(request_id(1)) == change.events
        assert store.slot(slot_key(1)) == change.slots[0]
        assert store.slot(slot_key(2)) == change.slots[1]

    def test_events_stay_in_order_over_several_commits(self, store: Store) -> None:
        changes = [asked(1)]
        for length in range(1, 7):
            votes = [a_vote(f"{length}.{number}") for number in range(length)]
            changes.append(then(the_request(changes[-1]), *votes))
        for change in changes:
            store.commit(change)
        assert store.events(request_id(1)) == tuple(e for c in changes for e in c.events)
        assert store.request(request_id(1)) == changes[-1].request

    @pytest.mark.parametrize("said", JUSTIFICATIONS)
    def test_what_people_write_is_kept_byte_for_byte(self, store: Store, said: str) -> None:
        first = asked(1, justification=said)
        second = then(the_request(first), a_vote(said), signature=a_signature())
        store.commit(first)
        store.commit(second)
        for stored, given in zip(
            store.events(request_id(1)), first.events + second.events, strict=True
        ):
            assert stored.text.encode() == given.text.encode()
            assert stored.signature == given.signature
            assert stored.hash == given.hash
            assert stored.event == given.event
        kept = store.request(request_id(1))
        assert kept is not None
        assert kept.ask.justification == said

    def test_an_empty_change_changes_nothing(self, store: Store) -> None:
        store.commit(Change())
        assert store.ids(10) == ()

    @pytest.mark.parametrize("spoil", MALFORMED)
    def test_a_change_that_contradicts_itself_is_refused(
        self, store: Store, spoil: Callable[[Change], Change]
    ) -> None:
        store.commit(asked(1))
        good = then(the_request(asked(1)), a_vote(), a_vote("and again"))
        with pytest.raises(ValueError, match=r"\w"):
            store.commit(spoil(good))
        assert store.events(request_id(1)) == asked(1).events
        store.commit(good)

    # ── Fences ──

    def test_a_request_begins_only_once(self, store: Store) -> None:
        store.commit(asked(1))
        _refuses(store, asked(1, justification="another wish under the same id"))
        assert store.events(request_id(1)) == asked(1).events

    def test_a_request_does_not_begin_in_the_middle(self, store: Store) -> None:
        _refuses(store, then(the_request(asked(1))))
        _refuses(store, Change(request=the_request(asked(1)), wake_at=NOW))
        assert store.request(request_id(1)) is None
        assert store.events(request_id(1)) == ()

    def test_the_second_of_two_writers_loses(self, store: Store) -> None:
        store.commit(asked(1))
        first = then(the_request(asked(1)), a_vote("first"))
        store.commit(first)
        _refuses(store, then(the_request(asked(1)), a_vote("second")))
        _refuses(store, then(the_request(asked(1)), a_vote("second"), a_vote("longer")))
        assert store.request(request_id(1)) == first.request
        assert store.events(request_id(1)) == asked(1).events + first.events

    def test_the_same_commit_twice_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        change = then(the_request(asked(1)))
        store.commit(change)
        _refuses(store, change)

    def test_a_commit_from_the_future_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        unseen = then(the_request(asked(1)))
        _refuses(store, then(the_request(unseen)))
        assert store.events(request_id(1)) == asked(1).events

    def test_an_equal_sequence_with_another_history_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(then(the_request(asked(1)), a_vote("what happened")))
        other = then(the_request(asked(1)), a_vote("what did not"))
        _refuses(store, then(the_request(other)))
        _refuses(store, Change(request=other.request, wake_at=LATER))
        assert store.wake_at(request_id(1)) == NOW

    def test_a_slot_moves_one_version_at_a_time(self, store: Store) -> None:
        _refuses(store, Change(slots=(a_slot(1, 2),)))
        assert store.slot(slot_key(1)) is None
        for version in (1, 2, 3):
            store.commit(Change(slots=(a_slot(1, version),)))
        for version in (1, 2, 3, 5):
            _refuses(store, Change(slots=(a_slot(1, version, wake_at=NOW),)))
        assert store.slot(slot_key(1)) == a_slot(1, 3)

    def test_one_request_moving_does_not_disturb_another(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(asked(2))
        store.commit(then(the_request(asked(1))))
        store.commit(then(the_request(asked(2))))
        assert store.events(request_id(2))[0] == asked(2).events[0]

    # ── All or nothing ──

    def test_a_stale_slot_takes_the_events_down_with_it(self, store: Store) -> None:
        store.commit(replace(asked(1), slots=(a_slot(2),)))
        change = then(the_request(asked(1)), state=State.ACTIVE, wake_at=LATER)
        _refuses(store, replace(change, slots=(a_slot(1), a_slot(2, 1))))
        _refuses(store, replace(change, slots=(a_slot(2, 1), a_slot(1))))
        assert store.request(request_id(1)) == asked(1).request
        assert store.wake_at(request_id(1)) == NOW
        assert store.events(request_id(1)) == asked(1).events
        assert store.slot(slot_key(1)) is None
        assert store.slot(slot_key(2)) == a_slot(2)
        assert store.by_state(State.ACTIVE, 10).requests == ()
        store.commit(replace(change, slots=(a_slot(1), a_slot(2, 2))))

    def test_a_stale_slot_keeps_a_request_from_beginning(self, store: Store) -> None:
        _refuses(store, replace(asked(1), slots=(a_slot(1, 7),)))
        assert store.request(request_id(1)) is None
        assert store.events(request_id(1)) == ()
        assert store.ids(10) == ()
        assert store.due(LATER, 10) == ()

    def test_a_stale_request_takes_the_slots_down_with_it(self, store: Store) -> None:
        store.commit(replace(asked(1), slots=(a_slot(1),)))
        store.commit(then(the_request(asked(1))))
        late = then(the_request(asked(1)), a_vote("too late"))
        _refuses(store, replace(late, slots=(a_slot(1, 2, wake_at=NOW), a_slot(2))))
        assert store.slot(slot_key(1)) == a_slot(1)
        assert store.slot(slot_key(2)) is None

    # ── Evidence ──

    def test_a_commit_may_rest_on_slots_it_does_not_write(self, store: Store) -> None:
        store.commit(Change(slots=(a_slot(1),)))
        evidence = ((slot_key(1), 1), (slot_key(2), 0))
        store.commit(replace(asked(1), unmoved=evidence))
        assert store.slot(slot_key(1)) == a_slot(1)
        assert store.slot(slot_key(2)) is None
        assert store.request(request_id(1)) is not None

    @pytest.mark.parametrize("moved", [(1, 0), (1, 1), (1, 3), (2, 1)])
    def test_a_commit_fails_whose_evidence_has_moved(
        self, store: Store, moved: tuple[int, int]
    ) -> None:
        store.commit(Change(slots=(a_slot(1),)))
        store.commit(Change(slots=(a_slot(1, 2),)))
        number, version = moved
        evidence = ((slot_key(number), version),)
        _refuses(store, replace(asked(1), slots=(a_slot(3),), unmoved=evidence))
        assert store.request(request_id(1)) is None
        assert store.slot(slot_key(3)) is None

    # ── Wake-ups ──

    def test_what_is_due_is_told_oldest_first_and_nothing_else(self, store: Store) -> None:
        microsecond = timedelta(microseconds=1)
        wakes = {1: NOW, 2: NOW - SECOND, 3: NOW + microsecond, 4: NOW - 3 * SECOND, 5: LATER}
        for number, wake_at in wakes.items():
            store.commit(asked(number, wake_at=wake_at))
        slots = {1: NOW - 2 * SECOND, 2: NOW - microsecond, 3: LATER, 4: None}
        for number, at in slots.items():
            store.commit(Change(slots=(a_slot(number, wake_at=at),)))
        assert store.due(NOW, 10) == (
            Due(kind="request", id=request_id(4), wake_at=NOW - 3 * SECOND),
            Due(kind="slot", id=slot_key(1), wake_at=NOW - 2 * SECOND),
            Due(kind="request", id=request_id(2), wake_at=NOW - SECOND),
            Due(kind="slot", id=slot_key(2), wake_at=NOW - microsecond),
            Due(kind="request", id=request_id(1), wake_at=NOW),
        )
        assert store.due(NOW, 3) == store.due(NOW, 10)[:3]
        assert store.due(NOW, 1) == store.due(NOW, 10)[:1]

    def test_now_may_be_told_in_any_zone(self, store: Store) -> None:
        store.commit(asked(1, wake_at=NOW))
        store.commit(Change(slots=(a_slot(1, wake_at=NOW + SECOND),)))
        tokyo = timezone(timedelta(hours=9))
        assert [due.id for due in store.due(NOW.astimezone(tokyo), 10)] == [request_id(1)]

    def test_a_finished_request_is_never_due(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(ended(the_request(asked(1))))
        assert store.due(LATER, 10) == ()
        assert store.wake_at(request_id(1)) is None

    def test_a_request_wakes_when_its_last_commit_says(self, store: Store) -> None:
        store.commit(asked(1, wake_at=NOW))
        store.commit(then(the_request(asked(1)), wake_at=LATER))
        assert store.due(LATER - SECOND, 10) == ()
        assert [due.wake_at for due in store.due(LATER, 10)] == [LATER]

    def test_a_wake_up_moves_without_an_event(self, store: Store) -> None:
        store.commit(asked(1, wake_at=NOW))
        store.commit(Change(request=asked(1).request, wake_at=LATER))
        assert store.wake_at(request_id(1)) == LATER
        assert store.due(NOW, 10) == ()
        assert store.request(request_id(1)) == asked(1).request
        assert store.events(request_id(1)) == asked(1).events

    def test_a_wake_up_is_not_moved_by_who_has_not_seen_the_last_event(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(then(the_request(asked(1)), wake_at=NOW))
        _refuses(store, Change(request=asked(1).request, wake_at=LATER))
        assert store.wake_at(request_id(1)) == NOW

    def test_a_snapshot_does_not_change_without_an_event(self, store: Store) -> None:
        store.commit(asked(1))
        forged = replace(the_request(asked(1)), state=State.ACTIVE, reason="no event says so")
        store.commit(Change(request=forged, wake_at=LATER))
        assert store.request(request_id(1)) == asked(1).request
        assert store.by_state(State.ACTIVE, 10).requests == ()

    def test_a_slot_stops_waking_when_it_says_so(self, store: Store) -> None:
        store.commit(Change(slots=(a_slot(1, wake_at=NOW),)))
        store.commit(Change(slots=(a_slot(1, 2, wake_at=NOW - SECOND),)))
        assert [due.wake_at for due in store.due(NOW, 10)] == [NOW - SECOND]
        store.commit(Change(slots=(a_slot(1, 3, wake_at=None),)))
        assert store.due(LATER, 10) == ()

    # ── Reading many ──

    def test_slots_are_found_by_key_and_the_missing_left_out(self, store: Store) -> None:
        odd = replace(a_slot(1), key=SlotKey("arn:aws:iam::1:role/ü \"x\" 'y' %_*?"))
        store.commit(Change(slots=(odd, a_slot(1), a_slot(2), a_slot(3))))
        found = store.slots([slot_key(3), odd.key, slot_key(9), slot_key(1), slot_key(3)])
        assert {slot.key: slot for slot in found} == {
            odd.key: odd,
            slot_key(1): a_slot(1),
            slot_key(3): a_slot(3),
        }
        assert len(found) == 3

    def test_more_slots_are_found_than_a_page_holds(self, store: Store) -> None:
        slots = tuple(a_slot(number) for number in range(40))
        store.commit(Change(slots=slots))
        keys = [slot_key(number) for number in range(2_000)]
        assert sorted(store.slots(keys), key=lambda slot: slot.key) == sorted(
            slots, key=lambda slot: slot.key
        )

    def test_a_persons_requests_are_paged_newest_first(self, store: Store) -> None:
        for number in range(1, 8):
            store.commit(asked(number, person=BOB if number in {2, 5} else ALICE))
        pages = _pages(lambda after: store.by_person(ALICE, 2, after))
        assert pages == [_ids(7, 6), _ids(4, 3), _ids(1)]
        assert _pages(lambda after: store.by_person(BOB, 2, after)) == [_ids(5, 2)]
        assert store.by_person(PersonId("u-nobody"), 2) == Page(requests=(), after=None)

    def test_a_page_shows_the_requests_as_last_committed(self, store: Store) -> None:
        store.commit(asked(1))
        change = then(the_request(asked(1)), state=State.ACTIVE)
        store.commit(change)
        assert store.by_person(ALICE, 5).requests == (change.request,)
        assert store.by_state(State.ACTIVE, 5).requests == (change.request,)
        assert store.by_state(State.PENDING, 5).requests == ()

    def test_a_full_last_page_is_not_followed_by_an_empty_one(self, store: Store) -> None:
        for number in range(1, 5):
            store.commit(asked(number))
        assert _pages(lambda after: store.by_person(ALICE, 2, after)) == [_ids(4, 3), _ids(2, 1)]
        assert _pages(lambda after: store.by_state(State.PENDING, 4, after)) == [_ids(4, 3, 2, 1)]

    def test_pages_stay_in_step_while_new_requests_arrive(self, store: Store) -> None:
        for number in range(1, 6):
            store.commit(asked(number))
        arriving = iter(range(6, 100))

        def page(after: RequestId | None) -> Page:
            found = store.by_person(ALICE, 2, after)
            store.commit(asked(next(arriving)))
            return found

        assert _pages(page) == [_ids(5, 4), _ids(3, 2), _ids(1)]

    def test_pages_of_a_state_stay_in_step_while_requests_leave_it(self, store: Store) -> None:
        for number in range(1, 7):
            store.commit(asked(number))

        def page(after: RequestId | None) -> Page:
            found = store.by_state(State.PENDING, 2, after)
            for request in found.requests:
                store.commit(ended(request))
            return found

        assert _pages(page) == [_ids(6, 5), _ids(4, 3), _ids(2, 1)]
        assert _pages(lambda after: store.by_state(State.ENDED, 6, after)) == [
            _ids(6, 5, 4, 3, 2, 1)
        ]

    def test_ids_are_paged_oldest_first_whatever_their_state(self, store: Store) -> None:
        for number in (3, 1, 5, 2, 4):
            store.commit(asked(number))
        store.commit(ended(the_request(asked(2))))
        assert store.ids(2) == _ids(1, 2)
        assert store.ids(2, request_id(2)) == _ids(3, 4)
        assert store.ids(2, request_id(4)) == _ids(5)
        assert store.ids(2, request_id(5)) == ()
        assert store.ids(1000) == _ids(1, 2, 3, 4, 5)

    @pytest.mark.parametrize("limit", [-1, 0, 1001])
    def test_a_limit_is_from_1_to_1000(self, store: Store, limit: int) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.due(NOW, limit),
            lambda: store.by_person(ALICE, limit),
            lambda: store.by_state(State.PENDING, limit),
            lambda: store.ids(limit),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=f"limit .* {limit}"):
                call()

    # ── Several at once ──

    def test_of_racing_threads_one_wins_each_round_and_nothing_is_lost(self, store: Store) -> None:
        store.commit(asked(1))
        barrier = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            racers = [pool.submit(race, store, name, barrier, 50) for name in ("a", "b", "c", "d")]
        _check_race(store, {racer.result()[0]: racer.result()[1] for racer in racers})

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

    @pytest.mark.parametrize("seed", range(5))
    def test_it_answers_as_the_memory_store_does(self, store: Store, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
        model = MemoryStore()
        known: list[Request | None] = [None]
        for _ in range(60):
            change = _some_change(chance, known)
            outcome = _outcome(model, change)
            assert _outcome(store, change) == outcome
            if outcome is None:
                known.append(change.request)
            number, now = chance.randrange(5), _some_time(chance)
            assert _answers(store, number, now) == _answers(model, number, now)

    # ── The end ──

    def test_a_closed_store_does_nothing_more(self, store: Store) -> None:
        store.commit(asked(1))
        store.close()
        store.close()
        calls: list[Callable[[], object]] = [
            lambda: store.commit(asked(2)),
            lambda: store.request(request_id(1)),
            lambda: store.wake_at(request_id(1)),
            lambda: store.events(request_id(1)),
            lambda: store.slot(slot_key(1)),
            lambda: store.slots([slot_key(1)]),
            lambda: store.due(NOW, 1),
            lambda: store.by_person(ALICE, 1),
            lambda: store.by_state(State.PENDING, 1),
            lambda: store.ids(1),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="closed"):
                call()


class SharedStoreContract(StoreContract):
    def test_what_is_committed_outlives_the_store(self, record: Opener) -> None:
        first = record()
        change = replace(asked(1, wake_at=NOW), slots=(a_slot(1),))
        first.commit(change)
        first.close()
        second = record()
        assert second.request(request_id(1)) == change.request
        assert second.events(request_id(1)) == change.events
        assert second.slot(slot_key(1)) == a_slot(1)
        assert [due.id for due in second.due(NOW, 10)] == [request_id(1)]
        second.close()

    def test_two_stores_of_one_record_see_each_other_at_once(
        self, store: Store, record: Opener
    ) -> None:
        other = record()
        store.commit(asked(1))
        assert other.request(request_id(1)) == asked(1).request
        other.commit(then(the_request(asked(1))))
        _refuses(store, then(the_request(asked(1)), a_vote("too late")))
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
        _check_race(store, results)


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


def _race_alone(record: Opener, name: str, barrier: Barrier, told: Any) -> None:  # noqa: ANN401 - a queue of any context
    result: tuple[str, list[bool]] = name, []
    try:
        store = record()
        result = race(store, name, barrier, 50)
        store.close()
    finally:
        told.put(result)


def _check_race(store: Store, won: dict[str, list[bool]]) -> None:
    winners = []
    for results in zip(*won.values(), strict=True):
        assert sum(results) == 1
        winners.append(list(won)[results.index(True)])
    trail = store.events(request_id(1))
    assert [sealed.event.seq for sealed in trail] == list(range(1, 52))
    assert [sealed.event.actor.id for sealed in trail[1:]] == winners
    for before, after in pairwise(trail):
        assert after.event.prev == before.hash


def _refuses(store: Store, change: Change) -> None:
    with pytest.raises(Conflict, match="read it again"):
        store.commit(change)


def _with_request(change: Change, **values: Any) -> Change:  # noqa: ANN401 - passed on to replace
    return replace(change, request=replace(the_request(change), **values))


def _blank(change: Change) -> Request:
    return replace(the_request(change), seq=0, head=GENESIS)


def _ids(*numbers: int) -> tuple[RequestId, ...]:
    return tuple(request_id(number) for number in numbers)


def _pages(turn: Callable[[RequestId | None], Page]) -> list[tuple[RequestId, ...]]:
    pages = [turn(None)]
    while (after := pages[-1].after) is not None:
        pages.append(turn(after))
    return [tuple(request.id for request in page.requests) for page in pages]


def _some_time(chance: random.Random) -> datetime:
    return NOW + chance.randrange(-5, 5) * SECOND


def _some_change(chance: random.Random, known: Sequence[Request | None]) -> Change:
    """Make a change that follows something known, often something stale."""
    request = chance.choice(known[-6:])
    wake_at = _some_time(chance)
    slots = tuple(
        a_slot(number, chance.randrange(1, 5), chance.choice([None, _some_time(chance)]))
        for number in chance.sample(range(4), chance.choice([0, 0, 1, 2]))
    )
    unmoved = ((slot_key(4), chance.choice([0, 0, 0, 1])),)
    match chance.randrange(5):
        case 0:
            change = Change()
        case 1 if request is not None:
            change = Change(request=request, wake_at=wake_at)
        case 2 if request is not None:
            change = ended(request)
        case 3 if request is not None:
            change = then(request, a_vote(), a_vote("more"), state=State.ACTIVE, wake_at=wake_at)
        case _:
            person = chance.choice([ALICE, BOB])
            change = asked(chance.randrange(5), person=person, wake_at=wake_at)
    return replace(change, slots=slots, unmoved=unmoved)


def _outcome(store: Store, change: Change) -> str | None:
    try:
        store.commit(change)
    except Conflict as exc:
        return str(exc)
    return None


def _answers(store: Store, number: int, now: datetime) -> list[object]:
    id_ = request_id(number)
    due = store.due(now, 20)
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
    ]
