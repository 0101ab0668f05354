"""What is found, in which order, and where it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from jitcloud.due import Due
from jitcloud.model import PersonId, Request, RequestId, SlotKey, State
from jitcloud.ports import Change, Page, Store
from tests.contract.stores.opened import LATER, SECOND, Opened, refuses
from tests.factories import (
    ALICE,
    BOB,
    NOW,
    a_slot,
    a_vote,
    asked,
    ended,
    put_off,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
)


class Queries(Opened):
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

    def test_a_finished_request_may_still_be_due(self, store: Store) -> None:
        store.commit(asked(1))
        change = then(the_request(asked(1)), state=State.ENDED, wake_at=LATER, review_by=LATER)
        store.commit(change)
        assert store.due(LATER - SECOND, 10) == ()
        assert store.due(LATER, 10) == (Due(kind="request", id=request_id(1), wake_at=LATER),)
        store.commit(then(the_request(change), state=State.ENDED, wake_at=None))
        assert store.due(LATER, 10) == ()

    def test_a_request_wakes_when_its_last_commit_says(self, store: Store) -> None:
        store.commit(asked(1, wake_at=NOW))
        store.commit(then(the_request(asked(1)), wake_at=LATER))
        assert store.due(LATER - SECOND, 10) == ()
        assert [due.wake_at for due in store.due(LATER, 10)] == [LATER]

    def test_a_wake_up_moves_without_an_event(self, store: Store) -> None:
        store.commit(asked(1, wake_at=NOW))
        store.commit(put_off(the_request(asked(1)), LATER))
        assert store.wake_at(request_id(1)) == LATER
        assert store.due(NOW, 10) == ()
        assert store.request(request_id(1)) == the_request(asked(1))
        assert store.events(request_id(1)) == the_events(asked(1))

    def test_a_wake_up_is_not_moved_by_who_has_not_seen_the_last_event(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(then(the_request(asked(1)), wake_at=NOW))
        refuses(store, put_off(the_request(asked(1)), LATER))
        assert store.wake_at(request_id(1)) == NOW

    def test_a_snapshot_does_not_change_without_an_event(self, store: Store) -> None:
        store.commit(asked(1))
        forged = replace(the_request(asked(1)), state=State.ACTIVE, reason="no event says so")
        store.commit(put_off(forged, LATER))
        assert store.request(request_id(1)) == the_request(asked(1))
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

    def test_requests_are_found_by_name_as_last_committed_and_the_missing_left_out(
        self, store: Store
    ) -> None:
        for number in (1, 2, 3):
            store.commit(asked(number))
        store.commit(then(the_request(asked(2)), a_vote()))
        names = [request_id(number) for number in (3, 9, 2, 3)]
        found = store.requests(names)
        assert sorted(request.id for request in found) == [request_id(2), request_id(3)]
        assert {request.id: request for request in found} == {
            name: store.request(name) for name in (request_id(2), request_id(3))
        }
        assert store.requests([]) == ()

    def test_more_requests_are_found_than_a_page_holds(self, store: Store) -> None:
        for number in range(1, 31):
            store.commit(asked(number))
        names = [request_id(number) for number in range(1, 2_000)]
        assert len(store.requests(names)) == 30

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
        assert store.by_person(ALICE, 5).requests == (the_request(change),)
        assert store.by_state(State.ACTIVE, 5).requests == (the_request(change),)
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

    # ── Outstanding reviews ──

    def test_what_must_be_reviewed_first_is_told_first(self, store: Store) -> None:
        for number, seconds in {1: 3, 2: 1, 3: 4, 4: 2}.items():
            _let_in(store, number, NOW + seconds * SECOND)
        store.commit(asked(5))
        assert _names(store.unreviewed(10)) == _ids(2, 4, 1, 3)
        assert _names(store.unreviewed(2)) == _ids(2, 4)
        for request in store.unreviewed(10):
            assert request == store.request(request.id)

    def test_reviews_are_found_by_person_and_by_time(self, store: Store) -> None:
        for number in range(1, 9):
            person = BOB if number in {2, 5, 6} else ALICE
            _let_in(store, number, NOW + number * SECOND, person)
        at = NOW + 5 * SECOND
        assert _names(store.unreviewed(10, before=at)) == _ids(1, 2, 3, 4, 5)
        assert _names(store.unreviewed(10, BOB)) == _ids(2, 5, 6)
        assert _names(store.unreviewed(10, BOB, at)) == _ids(2, 5)
        assert _names(store.unreviewed(1, BOB, at)) == _ids(2)
        assert store.unreviewed(10, BOB, NOW) == ()
        assert store.unreviewed(10, PersonId("u-nobody")) == ()

    def test_a_review_is_outstanding_while_the_last_event_leaves_it_so(self, store: Store) -> None:
        request = _let_in(store, 1, NOW)
        moved = then(request, wake_at=LATER, review_by=LATER)
        store.commit(moved)
        assert store.unreviewed(10, before=NOW) == ()
        assert store.unreviewed(10) == (the_request(moved),)
        over = then(the_request(moved), state=State.ENDED, wake_at=LATER, review_by=LATER)
        store.commit(over)
        assert store.unreviewed(10, ALICE) == (the_request(over),)
        store.commit(then(the_request(over), state=State.ENDED, wake_at=None))
        assert store.unreviewed(10) == store.unreviewed(10, ALICE) == ()

    def test_no_review_comes_or_goes_without_an_event(self, store: Store) -> None:
        request = _let_in(store, 1, NOW)
        store.commit(asked(2))
        store.commit(put_off(replace(request, review_by=None), LATER))
        store.commit(put_off(replace(the_request(asked(2)), review_by=NOW), LATER))
        assert store.unreviewed(10) == (request,)

    # ── Everything ──

    def test_ids_are_paged_oldest_first_whatever_their_state(self, store: Store) -> None:
        for number in (3, 1, 5, 2, 4):
            store.commit(asked(number))
        store.commit(ended(the_request(asked(2))))
        assert store.ids(2) == _ids(1, 2)
        assert store.ids(2, request_id(2)) == _ids(3, 4)
        assert store.ids(2, request_id(4)) == _ids(5)
        assert store.ids(2, request_id(5)) == ()
        assert store.ids(1000) == _ids(1, 2, 3, 4, 5)

    def test_slots_are_paged_by_key_whatever_they_wait_for(self, store: Store) -> None:
        for number, wake_at in {3: NOW, 1: None, 5: LATER, 2: None, 4: NOW}.items():
            store.commit(Change(slots=(a_slot(number, wake_at=wake_at),)))
        store.commit(Change(slots=(a_slot(2, 2, wake_at=LATER),)))
        assert store.all_slots(2) == (a_slot(1), a_slot(2, 2, wake_at=LATER))
        assert store.all_slots(2, slot_key(2)) == (a_slot(3, wake_at=NOW), a_slot(4, wake_at=NOW))
        assert store.all_slots(2, slot_key(4)) == (a_slot(5, wake_at=LATER),)
        assert store.all_slots(2, slot_key(5)) == ()
        assert [slot.key for slot in store.all_slots(1000)] == list(map(slot_key, range(1, 6)))

    def test_pages_of_slots_stay_in_step_while_others_come_and_change(self, store: Store) -> None:
        for number in (2, 4, 6):
            store.commit(Change(slots=(a_slot(number),)))
        first = store.all_slots(2)
        for number, version in ((1, 1), (4, 2), (5, 1), (6, 2)):
            store.commit(Change(slots=(a_slot(number, version),)))
        assert store.all_slots(2, first[-1].key) == (a_slot(5), a_slot(6, 2))

    @pytest.mark.parametrize("limit", [-1, 0, 1001])
    def test_a_limit_is_from_1_to_1000(self, store: Store, limit: int) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.due(NOW, limit),
            lambda: store.due_marks(NOW, limit),
            lambda: store.by_person(ALICE, limit),
            lambda: store.by_state(State.PENDING, limit),
            lambda: store.unreviewed(limit),
            lambda: store.unreviewed(limit, ALICE, NOW),
            lambda: store.all_slots(limit),
            lambda: store.ids(limit),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=f"limit .* {limit}"):
                call()


def _ids(*numbers: int) -> tuple[RequestId, ...]:
    return tuple(request_id(number) for number in numbers)


def _let_in(store: Store, number: int, until: datetime, person: PersonId = ALICE) -> Request:
    """Commit a request that must be reviewed by then."""
    store.commit(asked(number, person=person))
    change = then(the_request(asked(number, person=person)), review_by=until)
    store.commit(change)
    return the_request(change)


def _names(requests: tuple[Request, ...]) -> tuple[RequestId, ...]:
    return tuple(request.id for request in requests)


def _pages(turn: Callable[[RequestId | None], Page]) -> list[tuple[RequestId, ...]]:
    pages = [turn(None)]
    while (after := pages[-1].after) is not None:
        pages.append(turn(after))
    return [tuple(request.id for request in page.requests) for page in pages]
