"""How far a channel has come with a request: what makes it due, and what fences it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from jitcloud.due import Due
from jitcloud.errors import Conflict
from jitcloud.model import CONTROLS, Mark
from jitcloud.ports import Store
from tests.contract.stores.opened import LATER, SECOND, Opened, refuses
from tests.factories import (
    NOW,
    a_mark,
    a_slot,
    a_vote,
    asked,
    controlled,
    ended,
    put_off,
    request_id,
    the_request,
    then,
    together,
)

NOTICES = ("notices",)


class Marks(Opened):
    # ── What a commit does to them ──

    def test_the_first_event_makes_a_mark_that_is_due(self, store: Store) -> None:
        store.commit(replace(asked(1), channels=("notices", "chat-room")))
        for channel in ("notices", "chat-room"):
            made = Mark(channel=channel, request=request_id(1), wake_at=NOW, version=1)
            assert store.mark(channel, request_id(1)) == made
        assert store.mark("other", request_id(1)) is None
        assert store.mark("notices", request_id(2)) is None

    def test_a_commit_without_channels_leaves_marks_alone(self, store: Store) -> None:
        store.commit(asked(1))
        assert store.mark("notices", request_id(1)) is None
        store.commit(replace(then(the_request(asked(1))), channels=NOTICES))
        mark = store.mark("notices", request_id(1))
        store.commit(then(the_request(then(the_request(asked(1))))))
        assert store.mark("notices", request_id(1)) == mark

    def test_a_mark_is_due_at_the_last_event_of_each_request(self, store: Store) -> None:
        store.commit(asked(1))
        voted = then(the_request(asked(1)), a_vote(), a_vote("again"), at=NOW + SECOND)
        change = together(voted, asked(2), asked(3))
        store.commit(replace(change, channels=NOTICES))
        wakes = {1: NOW + SECOND, 2: NOW, 3: NOW}
        for number, wake_at in wakes.items():
            mark = store.mark("notices", request_id(number))
            assert mark is not None
            assert (mark.seq, mark.wake_at, mark.version) == (0, wake_at, 1)

    def test_only_events_make_a_mark_due(self, store: Store) -> None:
        store.commit(asked(1))
        change = together(put_off(the_request(asked(1)), LATER), asked(2))
        store.commit(replace(change, control=controlled(), channels=NOTICES))
        assert store.mark("notices", request_id(1)) is None
        assert store.mark("notices", request_id(2)) is not None
        assert store.mark("notices", CONTROLS) is None

    @pytest.mark.parametrize("seconds", [-1, 0, 1, None])
    def test_a_mark_is_due_at_the_earlier_of_both_and_one_version_on(
        self, store: Store, seconds: int | None
    ) -> None:
        store.commit(replace(asked(1), channels=NOTICES))
        wake_at = None if seconds is None else NOW + seconds * SECOND
        stored = Mark(
            channel="notices",
            request=request_id(1),
            seq=1,
            warned=LATER,
            attempts=3,
            trouble="The mail server said no: ü\u2028",
            wake_at=wake_at,
            version=2,
        )
        store.put_mark(stored)
        store.commit(replace(then(the_request(asked(1))), channels=NOTICES))
        earlier = NOW if wake_at is None else min(NOW, wake_at)
        assert store.mark("notices", request_id(1)) == replace(stored, wake_at=earlier, version=3)

    def test_a_commit_that_fails_makes_nothing_due(self, store: Store) -> None:
        store.commit(replace(asked(1), channels=NOTICES))
        before = store.mark("notices", request_id(1))
        change = together(then(the_request(asked(1))), asked(2))
        refuses(store, replace(change, channels=NOTICES, slots=(a_slot(1, 7),)))
        assert store.mark("notices", request_id(1)) == before
        assert store.mark("notices", request_id(2)) is None

    # ── Writing one ──

    @pytest.mark.parametrize("wake_at", [LATER, None])
    def test_a_mark_is_read_back_whole(self, store: Store, wake_at: datetime | None) -> None:
        said = {"warned": LATER, "attempts": 2, "trouble": "none ü\u2028", "cursor": '{"at": "ü"}'}
        mark = replace(a_mark(1, wake_at=wake_at), **said)  # type: ignore[arg-type] # a table of facts
        store.put_mark(mark)
        assert store.mark("notices", request_id(1)) == mark
        assert store.mark("other", request_id(1)) is None
        other = replace(a_mark(1), channel="other")
        store.put_mark(other)
        assert store.mark("notices", request_id(1)) == mark
        assert store.mark("other", request_id(1)) == other

    def test_a_mark_moves_one_version_at_a_time(self, store: Store) -> None:
        _refuses(store, a_mark(1, 2))
        assert store.mark("notices", request_id(1)) is None
        for version in (1, 2, 3):
            store.put_mark(a_mark(1, version))
        for version in (1, 2, 3, 5):
            _refuses(store, a_mark(1, version, wake_at=NOW))
        assert store.mark("notices", request_id(1)) == a_mark(1, 3)

    def test_a_mark_is_not_written_by_who_has_not_seen_the_last_event(self, store: Store) -> None:
        store.commit(replace(asked(1), channels=NOTICES))
        seen = store.mark("notices", request_id(1))
        assert seen is not None
        store.commit(replace(then(the_request(asked(1))), channels=NOTICES))
        _refuses(store, replace(seen, seq=1, wake_at=None, version=seen.version + 1))
        assert [due.wake_at for due in store.due_marks(NOW, 10)] == [NOW]
        seen = store.mark("notices", request_id(1))
        assert seen is not None
        store.put_mark(replace(seen, seq=2, wake_at=None, version=seen.version + 1))

    def test_a_first_mark_is_not_written_over_one_that_a_commit_made(self, store: Store) -> None:
        store.commit(replace(asked(1), channels=NOTICES))
        _refuses(store, a_mark(1))

    def test_one_channel_does_not_disturb_another(self, store: Store) -> None:
        store.commit(replace(asked(1), channels=("notices", "other")))
        store.put_mark(a_mark(1, 2))
        mark = store.mark("other", request_id(1))
        assert mark == Mark(channel="other", request=request_id(1), wake_at=NOW, version=1)
        store.put_mark(replace(mark, seq=1, version=2))

    @pytest.mark.parametrize(
        "mark", [a_mark(1, 0), replace(a_mark(1), channel="a/b"), replace(a_mark(1), channel="")]
    )
    def test_a_mark_that_contradicts_itself_is_refused(self, store: Store, mark: Mark) -> None:
        with pytest.raises(ValueError, match=r"version 1 or more|channel's name"):
            store.put_mark(mark)
        assert store.mark(mark.channel, mark.request) is None

    # ── What is due ──

    def test_marks_that_are_due_are_told_oldest_first_and_nothing_else(self, store: Store) -> None:
        microsecond = timedelta(microseconds=1)
        store.commit(replace(asked(1), slots=(a_slot(1, wake_at=NOW),)))
        wakes = {1: NOW, 2: NOW - 3 * SECOND, 3: NOW + microsecond, 4: None}
        for number, wake_at in wakes.items():
            store.put_mark(a_mark(number, wake_at=wake_at))
        store.put_mark(replace(a_mark(2, wake_at=NOW - microsecond), channel="chat-room"))
        due = store.due_marks(NOW, 10)
        assert due == (
            Due(kind="mark", id=f"notices/{request_id(2)}", wake_at=NOW - 3 * SECOND),
            Due(kind="mark", id=f"chat-room/{request_id(2)}", wake_at=NOW - microsecond),
            Due(kind="mark", id=f"notices/{request_id(1)}", wake_at=NOW),
        )
        for limit in (1, 2):
            assert store.due_marks(NOW, limit) == due[:limit]

    def test_no_mark_stands_among_requests_and_slots(self, store: Store) -> None:
        store.commit(replace(asked(1), slots=(a_slot(1, wake_at=NOW),), channels=NOTICES))
        store.put_mark(a_mark(2, wake_at=NOW - SECOND))
        assert {due.kind for due in store.due(LATER, 10)} == {"request", "slot"}

    def test_a_mark_stops_waking_when_it_says_so(self, store: Store) -> None:
        store.commit(asked(1))
        store.commit(replace(ended(the_request(asked(1))), channels=NOTICES))
        assert [due.wake_at for due in store.due_marks(LATER, 10)] == [NOW]
        store.put_mark(a_mark(1, 2, wake_at=LATER))
        assert store.due_marks(LATER - SECOND, 10) == ()
        store.put_mark(a_mark(1, 3, wake_at=None))
        assert store.due_marks(LATER, 10) == ()


def _refuses(store: Store, mark: Mark) -> None:
    with pytest.raises(Conflict, match="read it again"):
        store.put_mark(mark)
