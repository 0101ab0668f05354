"""What a commit writes, and when it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jitcloud.model import CONTROLS, GENESIS, Digest, Request, State
from jitcloud.ports import Change, Control, Move, Page, Store
from tests.contract.stores.opened import LATER, Opened, refuses
from tests.factories import (
    ALICE,
    NOW,
    a_signature,
    a_slot,
    a_stop,
    a_vote,
    asked,
    controlled,
    put_off,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
    together,
)

JUSTIFICATIONS = [
    pytest.param("", id="empty"),
    pytest.param("reason: with: colons, \"quotes\", 'more', back\\slash, {braces}", id="quotes"),
    pytest.param("tab\tline\r\nnul\x00bell\x07 separators\u2028\u2029", id="controls"),
    pytest.param("Zoë Zoe\u0308 Łódź 東京 مرحبا \u202eright-to-left", id="scripts"),
    pytest.param("👩‍🚒 on 🔥 duty 🏳️‍🌈 \U0010fffd", id="emoji"),
    pytest.param("ß" * 1024, id="2-KB"),
]

MALFORMED = [
    pytest.param(lambda c: _with_move(c, wake_at=None), id="unfinished-but-never-woken"),
    pytest.param(lambda c: _with_move(c, events=the_events(c)[:1]), id="last-event-missing"),
    pytest.param(lambda c: _with_move(c, events=the_events(c)[::-1]), id="events-in-disorder"),
    pytest.param(
        lambda c: _with_move(c, events=the_events(c) + the_events(c)[1:]), id="event-twice"
    ),
    pytest.param(
        lambda c: _with_move(c, events=(the_events(c)[0], the_events(asked(8))[0])),
        id="event-of-another",
    ),
    pytest.param(lambda c: _renamed(c, 1), id="event-under-another-name"),
    pytest.param(lambda _: _from(1, GENESIS), id="genesis-after-the-first-event"),
    pytest.param(lambda c: _from(0, the_events(c)[0].hash), id="first-event-without-genesis"),
    pytest.param(lambda c: _with_request(c, head=GENESIS), id="head-is-not-the-last-hash"),
    pytest.param(lambda c: _with_request(c, seq=9), id="seq-is-not-the-last-events"),
    pytest.param(lambda c: put_off(_blank(c), NOW), id="request-without-any-event"),
    pytest.param(lambda c: together(c, c), id="request-twice"),
    pytest.param(
        lambda c: together(asked(2), c, put_off(the_request(asked(1)), NOW)),
        id="request-twice-apart",
    ),
    pytest.param(lambda _: _as_request(controlled()), id="deployments-trail-as-a-request"),
    pytest.param(lambda _: Change(slots=(a_slot(1), a_slot(1))), id="slot-twice"),
    pytest.param(
        lambda _: Change(slots=(a_slot(1, 2),), unmoved=((slot_key(1), 1),)),
        id="slot-both-written-and-unmoved",
    ),
    pytest.param(lambda _: Change(slots=(a_slot(1, 0),)), id="slot-of-no-version"),
    pytest.param(
        lambda c: replace(c, control=replace(controlled(), events=())), id="controls-without-events"
    ),
    pytest.param(
        lambda c: replace(
            c, control=replace(controlled(), events=controlled(None, a_stop("x")).events)
        ),
        id="events-do-not-lead-to-the-controls",
    ),
    pytest.param(
        lambda c: replace(c, control=_as_control(asked(2))),
        id="event-of-a-request-among-the-controls",
    ),
    pytest.param(
        lambda c: replace(c, control=controlled(replace(controlled().controls, seq=0))),
        id="controls-that-begin-without-genesis",
    ),
    pytest.param(lambda c: replace(c, channels=("notices", "notices")), id="channel-twice"),
    pytest.param(lambda c: replace(c, channels=("",)), id="channel-without-a-name"),
    pytest.param(lambda c: replace(c, channels=("a/b",)), id="channel-with-a-slash"),
    pytest.param(lambda c: replace(c, channels=("-a",)), id="channel-that-begins-with-a-hyphen"),
    pytest.param(lambda c: replace(c, channels=("notices\n",)), id="channel-with-a-line-feed"),
    pytest.param(lambda c: replace(c, channels=("Notices",)), id="channel-in-capitals"),
]


class Commits(Opened):
    # ── One commit ──

    def test_an_empty_store_knows_nothing(self, store: Store) -> None:
        assert store.request(request_id(1)) is None
        assert store.wake_at(request_id(1)) is None
        assert store.events(request_id(1)) == ()
        assert store.slot(slot_key(1)) is None
        assert store.slots([slot_key(1)]) == ()
        assert store.slots([]) == ()
        assert store.controls() is None
        assert store.control_events() == ()
        assert store.mark("notices", request_id(1)) is None
        assert store.due(LATER, 10) == ()
        assert store.due_marks(LATER, 10) == ()
        assert store.unreviewed(10) == ()
        assert store.ids(10) == ()
        assert store.by_person(ALICE, 10) == Page(requests=(), after=None)
        assert store.by_state(State.PENDING, 10) == Page(requests=(), after=None)

    def test_a_commit_is_read_back_whole(self, store: Store) -> None:
        change = replace(asked(1, wake_at=LATER), slots=(a_slot(1, wake_at=NOW), a_slot(2)))
        store.commit(change)
        assert store.request(request_id(1)) == the_request(change)
        assert store.wake_at(request_id(1)) == LATER
        assert store.events(request_id(1)) == the_events(change)
        assert store.slot(slot_key(1)) == change.slots[0]
        assert store.slot(slot_key(2)) == change.slots[1]

    def test_events_stay_in_order_over_several_commits(self, store: Store) -> None:
        changes = [asked(1)]
        for length in range(1, 7):
            votes = [a_vote(f"{length}.{number}") for number in range(length)]
            changes.append(then(the_request(changes[-1]), *votes))
        for change in changes:
            store.commit(change)
        assert store.events(request_id(1)) == tuple(e for c in changes for e in the_events(c))
        assert store.request(request_id(1)) == the_request(changes[-1])

    @pytest.mark.parametrize("said", JUSTIFICATIONS)
    def test_what_people_write_is_kept_byte_for_byte(self, store: Store, said: str) -> None:
        first = asked(1, justification=said)
        second = then(the_request(first), a_vote(said), signature=a_signature())
        store.commit(first)
        store.commit(second)
        for stored, given in zip(
            store.events(request_id(1)), the_events(first) + the_events(second), strict=True
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
        assert store.events(request_id(1)) == the_events(asked(1))
        assert store.control_events() == ()
        store.commit(good)

    # ── Fences ──

    def test_a_request_begins_only_once(self, store: Store) -> None:
        store.commit(asked(1))
        refuses(store, asked(1, justification="another wish under the same id"))
        assert store.events(request_id(1)) == the_events(asked(1))

    def test_a_request_does_not_begin_in_the_middle(self, store: Store) -> None:
        refuses(store, then(the_request(asked(1))))
        refuses(store, put_off(the_request(asked(1)), NOW))
        assert store.request(request_id(1)) is None
        assert store.events(request_id(1)) == ()

    def test_the_second_of_two_writers_loses(self, store: Store) -> None:
        store.commit(asked(1))
        first = then(the_request(asked(1)), a_vote("first"))
        store.commit(first)
        refuses(store, then(the_request(asked(1)), a_vote("second")))
        refuses(store, then(the_request(asked(1)), a_vote("second"), a_vote("longer")))
        assert store.request(request_id(1)) == the_request(first)
        assert store.events(request_id(1)) == the_events(asked(1)) + the_events(first)

    def test_the_same_commit_twice_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        change = then(the_request(asked(1)))
        store.commit(change)
        refuses(store, change)

    def test_a_commit_from_the_future_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        unseen = then(the_request(asked(1)))
        refuses(store, then(the_request(unseen)))
        assert store.events(request_id(1)) == the_events(asked(1))

    def test_an_equal_sequence_with_another_history_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(then(the_request(asked(1)), a_vote("what happened")))
        other = then(the_request(asked(1)), a_vote("what did not"))
        refuses(store, then(the_request(other)))
        refuses(store, put_off(the_request(other), LATER))
        assert store.wake_at(request_id(1)) == NOW

    def test_a_gap_in_the_sequence_is_a_conflict(self, store: Store) -> None:
        store.commit(asked(1))
        refuses(store, _from(4, the_request(asked(1)).head))
        assert store.events(request_id(1)) == the_events(asked(1))

    def test_a_slot_moves_one_version_at_a_time(self, store: Store) -> None:
        refuses(store, Change(slots=(a_slot(1, 2),)))
        assert store.slot(slot_key(1)) is None
        for version in (1, 2, 3):
            store.commit(Change(slots=(a_slot(1, version),)))
        for version in (1, 2, 3, 5):
            refuses(store, Change(slots=(a_slot(1, version, wake_at=NOW),)))
        assert store.slot(slot_key(1)) == a_slot(1, 3)

    def test_one_request_moving_does_not_disturb_another(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(asked(2))
        store.commit(then(the_request(asked(1))))
        store.commit(then(the_request(asked(2))))
        assert store.events(request_id(2))[0] == the_events(asked(2))[0]

    # ── All or nothing ──

    def test_a_stale_slot_takes_the_events_down_with_it(self, store: Store) -> None:
        store.commit(replace(asked(1), slots=(a_slot(2),)))
        change = then(the_request(asked(1)), state=State.ACTIVE, wake_at=LATER)
        refuses(store, replace(change, slots=(a_slot(1), a_slot(2, 1))))
        refuses(store, replace(change, slots=(a_slot(2, 1), a_slot(1))))
        assert store.request(request_id(1)) == the_request(asked(1))
        assert store.wake_at(request_id(1)) == NOW
        assert store.events(request_id(1)) == the_events(asked(1))
        assert store.slot(slot_key(1)) is None
        assert store.slot(slot_key(2)) == a_slot(2)
        assert store.by_state(State.ACTIVE, 10).requests == ()
        store.commit(replace(change, slots=(a_slot(1), a_slot(2, 2))))

    def test_a_stale_slot_keeps_a_request_from_beginning(self, store: Store) -> None:
        refuses(store, replace(asked(1), slots=(a_slot(1, 7),)))
        assert store.request(request_id(1)) is None
        assert store.events(request_id(1)) == ()
        assert store.ids(10) == ()
        assert store.due(LATER, 10) == ()

    def test_a_stale_request_takes_the_slots_down_with_it(self, store: Store) -> None:
        store.commit(replace(asked(1), slots=(a_slot(1),)))
        store.commit(then(the_request(asked(1))))
        late = then(the_request(asked(1)), a_vote("too late"))
        refuses(store, replace(late, slots=(a_slot(1, 2, wake_at=NOW), a_slot(2))))
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
        refuses(store, replace(asked(1), slots=(a_slot(3),), unmoved=evidence))
        assert store.request(request_id(1)) is None
        assert store.slot(slot_key(3)) is None


def _from(seq: int, head: Digest) -> Change:
    return then(replace(the_request(asked(1)), seq=seq, head=head))


def _renamed(change: Change, index: int) -> Change:
    events = list(the_events(change))
    events[index] = replace(
        events[index], event=replace(events[index].event, request=request_id(2))
    )
    return _with_move(change, events=tuple(events))


def _with_move(change: Change, **values: Any) -> Change:
    (move,) = change.moves
    return replace(change, moves=(replace(move, **values),))


def _with_request(change: Change, **values: Any) -> Change:
    return _with_move(change, request=replace(the_request(change), **values))


def _blank(change: Change) -> Request:
    return replace(the_request(change), seq=0, head=GENESIS)


def _as_request(control: Control) -> Change:
    after = control.controls
    request = replace(the_request(asked(1)), id=CONTROLS, seq=after.seq, head=after.head)
    return Change(moves=(Move(request=request, wake_at=NOW, events=control.events),))


def _as_control(change: Change) -> Control:
    request = the_request(change)
    after = replace(controlled().controls, seq=request.seq, head=request.head)
    return Control(controls=after, events=the_events(change))
