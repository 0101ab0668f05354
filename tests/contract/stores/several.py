"""Commits of several requests, and of the deployment's own trail: together or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jitcloud.model import CONTROLS, State
from jitcloud.ports import Change, Store
from tests.contract.stores.opened import LATER, Opened, refuses
from tests.factories import (
    BOB,
    a_slot,
    a_stop,
    a_vote,
    asked,
    controlled,
    ended,
    put_off,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
    together,
)


class Several(Opened):
    # ── Several requests ──

    def test_several_requests_begin_in_one_commit(self, store: Store) -> None:
        changes = [asked(1), asked(2, person=BOB, wake_at=LATER), asked(3)]
        store.commit(together(*changes))
        assert store.ids(10) == tuple(request_id(number) for number in (1, 2, 3))
        for number, change in enumerate(changes, start=1):
            assert store.request(request_id(number)) == the_request(change)
            assert store.events(request_id(number)) == the_events(change)
        assert store.wake_at(request_id(2)) == LATER
        assert [request.id for request in store.by_person(BOB, 10).requests] == [request_id(2)]

    def test_each_request_moves_in_its_own_way(self, store: Store) -> None:
        store.commit(together(asked(1), asked(2), asked(3)))
        over = ended(the_request(asked(1)))
        voted = then(the_request(asked(2)), a_vote(), a_vote("again"), wake_at=LATER)
        change = together(over, put_off(the_request(asked(3)), LATER), voted, asked(4))
        store.commit(replace(change, slots=(a_slot(1),)))
        assert store.request(request_id(1)) == the_request(over)
        assert store.wake_at(request_id(1)) is None
        assert store.events(request_id(2)) == the_events(asked(2)) + the_events(voted)
        assert store.wake_at(request_id(2)) == LATER
        assert store.events(request_id(3)) == the_events(asked(3))
        assert store.wake_at(request_id(3)) == LATER
        assert store.request(request_id(4)) == the_request(asked(4))
        assert store.slot(slot_key(1)) == a_slot(1)

    @pytest.mark.parametrize("stale", [1, 2, 3])
    @pytest.mark.parametrize("has_events", [True, False])
    def test_one_stale_request_takes_all_others_down_with_it(
        self, store: Store, stale: int, *, has_events: bool
    ) -> None:
        store.commit(together(asked(1), asked(2), asked(3)))
        late = then(the_request(asked(stale)), a_vote("was first"))
        store.commit(late)
        before = _everything(store)
        changes = [
            then(the_request(asked(number)), state=State.ACTIVE, wake_at=LATER, review_by=LATER)
            if has_events or number != stale
            else put_off(the_request(asked(number)), LATER)
            for number in (1, 2, 3)
        ]
        change = together(*changes, asked(4))
        refuses(
            store,
            replace(change, slots=(a_slot(1),), control=controlled(), channels=("notices",)),
        )
        assert _everything(store) == before
        changes[stale - 1] = then(the_request(late), state=State.ACTIVE, wake_at=LATER)
        store.commit(together(*changes, asked(4)))

    def test_a_stale_slot_takes_all_requests_down_with_it(self, store: Store) -> None:
        store.commit(together(asked(1), asked(2)))
        before = _everything(store)
        change = together(then(the_request(asked(1))), then(the_request(asked(2))), asked(3))
        refuses(store, replace(change, slots=(a_slot(1), a_slot(2, 7))))
        refuses(store, replace(change, unmoved=((slot_key(1), 1),)))
        assert _everything(store) == before

    # ── The deployment's own trail ──

    def test_the_deployments_trail_is_read_back_whole(self, store: Store) -> None:
        first = controlled()
        second = controlled(first.controls, a_stop("ü \u2028 {1}: \"x\" 'y'"), a_stop("more"))
        for control in (first, second):
            store.commit(Change(control=control))
            assert store.controls() == control.controls
        assert store.control_events() == first.events + second.events

    def test_the_deployments_trail_is_no_request(self, store: Store) -> None:
        store.commit(Change(control=controlled()))
        assert store.request(CONTROLS) is None
        assert store.wake_at(CONTROLS) is None
        assert store.events(CONTROLS) == ()
        assert store.ids(10) == ()
        assert store.due(LATER, 10) == ()

    def test_the_second_of_two_who_write_the_deployments_trail_loses(self, store: Store) -> None:
        refuses(store, Change(control=controlled(controlled().controls)))
        store.commit(Change(control=controlled()))
        refuses(store, Change(control=controlled()))
        after = controlled().controls
        first = controlled(after, a_stop("first"))
        store.commit(Change(control=first))
        refuses(store, Change(control=controlled(after, a_stop("second"))))
        refuses(store, Change(control=controlled(after, a_stop("second"), a_stop("longer"))))
        other = controlled(after, a_stop("what did not happen")).controls
        refuses(store, Change(control=controlled(other)))
        assert store.controls() == first.controls
        assert store.control_events() == controlled().events + first.events

    def test_controls_and_requests_are_written_together(self, store: Store) -> None:
        change = replace(together(asked(1), asked(2)), control=controlled(), slots=(a_slot(1),))
        store.commit(change)
        assert store.controls() == controlled().controls
        assert store.control_events() == controlled().events
        assert store.ids(10) == (request_id(1), request_id(2))

    def test_stale_controls_take_the_requests_down_with_them(self, store: Store) -> None:
        store.commit(replace(asked(1), control=controlled()))
        before = _everything(store)
        change = together(then(the_request(asked(1))), asked(2))
        refuses(store, replace(change, control=controlled(), slots=(a_slot(1),)))
        assert _everything(store) == before

    def test_a_stale_request_takes_the_controls_down_with_it(self, store: Store) -> None:
        store.commit(together(asked(1), asked(2)))
        store.commit(then(the_request(asked(2))))
        change = together(then(the_request(asked(1))), then(the_request(asked(2))))
        refuses(store, replace(change, control=controlled()))
        assert store.controls() is None
        assert store.control_events() == ()

    def test_a_commit_may_rest_on_where_the_deployments_trail_stands(self, store: Store) -> None:
        store.commit(replace(asked(1), control_seq=0))
        store.commit(Change(control=controlled(), control_seq=0))
        after = controlled().controls
        store.commit(replace(asked(2), control_seq=after.seq))
        assert store.controls() == after
        assert store.control_events() == controlled().events
        assert store.ids(10) == (request_id(1), request_id(2))

    def test_a_commit_fails_that_rests_on_another_state_of_the_deployments_trail(
        self, store: Store
    ) -> None:
        store.commit(asked(1))
        change = replace(
            together(then(the_request(asked(1))), asked(2)),
            slots=(a_slot(1),),
            channels=("notices",),
        )
        before = _everything(store)
        refuses(store, replace(change, control_seq=1))
        assert _everything(store) == before
        first = controlled()
        second = controlled(first.controls, a_stop("more"), a_stop("and more"))
        for control in (first, second):
            store.commit(Change(control=control))
        before = _everything(store)
        for stale in (0, first.controls.seq, second.controls.seq - 1, second.controls.seq + 1):
            refuses(store, replace(change, control_seq=stale))
            more = controlled(second.controls, a_stop("what rests on nothing"))
            refuses(store, Change(control=more, control_seq=stale))
        assert _everything(store) == before
        store.commit(replace(change, control_seq=second.controls.seq))


def _everything(store: Store) -> list[object]:
    """What these tests could have changed."""
    names = [request_id(number) for number in range(1, 5)]
    return [
        [store.request(name) for name in names],
        [store.wake_at(name) for name in names],
        [store.events(name) for name in names],
        [store.mark("notices", name) for name in names],
        [store.slot(slot_key(number)) for number in range(1, 5)],
        store.controls(),
        store.control_events(),
        store.ids(10),
        store.by_state(State.PENDING, 10),
        store.by_state(State.ACTIVE, 10),
        store.unreviewed(10),
        {(due.kind, due.id, due.wake_at) for due in store.due(LATER, 100)},
        store.due_marks(LATER, 100),
    ]
