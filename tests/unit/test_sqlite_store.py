"""What only the SQLite store promises: what spoilt records do to it, and how little it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from jitcloud import codec
from jitcloud.errors import Conflict, Tampered
from jitcloud.model import PersonId, State
from jitcloud.ports import Change, Store
from jitcloud.stores.sqlite import SqliteStore
from tests.factories import (
    ALICE,
    NOW,
    a_mark,
    a_slot,
    asked,
    controlled,
    ended,
    fill_sqlite,
    request_id,
    slot_key,
    the_request,
    then,
    together,
)
from tests.sqlite_files import each_new


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jitcloud.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


# ── Spoilt records ──


def test_a_snapshot_that_cannot_be_read_is_tampered_with(path: Path, store: SqliteStore) -> None:
    store.commit(asked(1))
    _edit(path, "UPDATE requests SET body = '{}'")
    with pytest.raises(Tampered, match="stored request cannot be read"):
        store.request(request_id(1))
    assert [due.id for due in store.due(NOW, 1)] == [request_id(1)]


def test_an_event_that_is_there_already_is_tampered_with(path: Path, store: SqliteStore) -> None:
    store.commit(asked(1))
    _edit(path, "INSERT INTO events SELECT request, 2, text, signature, hash FROM events")
    with pytest.raises(Tampered, match="audit verify"):
        store.commit(then(the_request(asked(1))))
    assert store.request(request_id(1)) == the_request(asked(1))


def test_a_spoilt_trail_does_not_keep_a_grant_from_ending(path: Path, store: SqliteStore) -> None:
    store.commit(asked(1))
    _edit(path, "UPDATE events SET text = '', hash = 'x'")
    change = ended(the_request(asked(1)))
    store.commit(change)
    assert store.request(request_id(1)) == the_request(change)


def test_a_spoilt_mark_does_not_keep_a_grant_from_ending(path: Path, store: SqliteStore) -> None:
    store.commit(replace(asked(1), channels=("notices",)))
    _edit(path, "UPDATE marks SET body = '{', wake_at = NULL")
    with pytest.raises(Tampered, match="stored mark cannot be read"):
        store.mark("notices", request_id(1))
    change = replace(ended(the_request(asked(1))), channels=("notices",))
    store.commit(change)
    assert store.request(request_id(1)) == the_request(change)
    assert [due.wake_at for due in store.due_marks(NOW, 10)] == [NOW]


def test_spoilt_controls_are_told_and_do_not_keep_a_grant_from_ending(
    path: Path, store: SqliteStore
) -> None:
    store.commit(replace(asked(1), control=controlled()))
    _edit(path, "UPDATE controls SET body = '{}'")
    with pytest.raises(Tampered, match="what holds for the deployment cannot be read"):
        store.controls()
    change = replace(ended(the_request(asked(1))), control=controlled(controlled().controls))
    store.commit(change)
    assert store.request(request_id(1)) == the_request(change)


def _edit(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


# ── How little is read ──


class Reading:
    """Records what each statement cost."""

    def __init__(self) -> None:
        self.costs: list[tuple[str, dict[str, int]]] = []

    def watch(self, connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._note)

    def _note(self, event: dict[str, Any]) -> None:
        self.costs.append((event["sql"], event["stmt_status"]))


LATER = NOW + timedelta(days=1)
FEW, MANY = 1_000, 20_000
READS: dict[str, Callable[[Store, int], object]] = {
    "due": lambda store, _: store.due(NOW, 100),
    "due_marks": lambda store, _: store.due_marks(NOW, 100),
    "request": lambda store, count: store.request(request_id(count // 2)),
    "wake_at": lambda store, count: store.wake_at(request_id(count // 2)),
    "events": lambda store, count: store.events(request_id(count // 2)),
    "slot": lambda store, _: store.slot(slot_key(2)),
    "slots": lambda store, _: store.slots([slot_key(1), slot_key(2), slot_key(999_999)]),
    "by_person": lambda store, _: store.by_person(PersonId("u-7"), 1),
    "by_state": lambda store, count: store.by_state(State.ACTIVE, 10, request_id(count // 2)),
    "ids": lambda store, count: store.ids(10, request_id(count // 2)),
    "unreviewed": lambda store, _: store.unreviewed(10),
    "unreviewed of a person": lambda store, _: store.unreviewed(1, PersonId("u-7")),
    "unreviewed by then": lambda store, _: store.unreviewed(10, before=NOW),
    "mark": lambda store, count: store.mark("notices", request_id(count // 200)),
    "put_mark": lambda store, _: store.put_mark(a_mark(MANY + 2)),
    "controls": lambda store, _: store.controls(),
    "commit": lambda store, _: store.commit(_all_at_once()),
}


def _all_at_once() -> Change:
    numbers = MANY + 1, MANY + 3
    several = together(*[asked(number, wake_at=LATER, at=LATER) for number in numbers])
    return replace(several, channels=("notices",))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("filled")
    for count in (FEW, MANY):
        path = folder / f"{count}.db"
        fill_sqlite(path, count, due=10)
        store = SqliteStore(path)
        for start in range(0, count // 10, 1000):
            slots = tuple(a_slot(n, wake_at=LATER) for n in range(start, start + count // 100))
            store.commit(Change(slots=slots))
        store.commit(Change(control=controlled()))
        store.close()
        _put_in_the_way(path, count)
    return {count: folder / f"{count}.db" for count in (FEW, MANY)}


@pytest.mark.parametrize("read", READS)
def test_what_is_read_does_not_grow_with_what_is_stored(filled: dict[int, Path], read: str) -> None:
    steps = {}
    for count, path in filled.items():
        reading = Reading()
        with each_new(reading.watch):
            store = SqliteStore(path)
        reading.costs.clear()
        READS[read](store, count)
        store.close()
        assert reading.costs
        for sql, cost in reading.costs:
            assert cost["SQLITE_STMTSTATUS_FULLSCAN_STEP"] == 0, sql
            assert cost["SQLITE_STMTSTATUS_SORT"] == 0, sql
            assert cost["SQLITE_STMTSTATUS_AUTOINDEX"] == 0, sql
        steps[count] = sum(cost["SQLITE_STMTSTATUS_VM_STEP"] for _, cost in reading.costs)
    assert abs(steps[MANY] - steps[FEW]) <= 10
    assert steps[MANY] < 1_000


def _put_in_the_way(path: Path, count: int) -> None:
    """Add marks and reviews, all of them later than what is looked for."""
    later = int(LATER.timestamp()) * 1_000_000
    body = codec.encode_mark(a_mark(0, wake_at=LATER))
    connection = apsw.Connection(str(path))
    with connection:
        connection.execute(
            "INSERT INTO marks SELECT 'notices', id, 1, ?, ? FROM requests LIMIT ?",
            (later, body, count // 10),
        )
        connection.execute(
            "UPDATE requests SET review_by = ? + rowid WHERE rowid % 2 = 0", (later,)
        )
    connection.close()


SEARCHES: dict[str, tuple[Callable[[Store], Sized], int, list[str]]] = {
    "due": (
        lambda store: store.due(LATER, 10),
        2,
        [
            "SEARCH requests USING COVERING INDEX requests_by_wake (wake_at<?)",
            "SEARCH slots USING COVERING INDEX slots_by_wake (wake_at<?)",
        ],
    ),
    "due_marks": (
        lambda store: store.due_marks(LATER, 10),
        2,
        ["SEARCH marks USING COVERING INDEX marks_by_wake (wake_at<?)"],
    ),
    "unreviewed": (
        lambda store: store.unreviewed(10),
        2,
        ["SEARCH requests USING INDEX requests_by_review (review_by<?)"],
    ),
    "unreviewed of a person": (
        lambda store: store.unreviewed(10, PersonId("u-7")),
        3,
        ["SEARCH requests USING INDEX requests_by_reviewed (person=? AND review_by<?)"],
    ),
}


@pytest.mark.parametrize("search", SEARCHES)
def test_what_waits_is_found_by_the_partial_indexes_alone(
    filled: dict[int, Path], search: str
) -> None:
    find, bindings, expected = SEARCHES[search]
    reading = Reading()
    with each_new(reading.watch):
        store = SqliteStore(filled[MANY])
    reading.costs.clear()
    assert len(find(store)) == 10
    ((sql, _),) = reading.costs
    connection = apsw.Connection(str(filled[MANY]))
    plan = [
        detail
        for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * bindings)
        if detail not in {"MERGE (UNION ALL)", "LEFT", "RIGHT"}
    ]
    assert plan == expected
    connection.close()
    store.close()


@pytest.mark.parametrize("search", SEARCHES)
def test_a_limit_stops_the_search_for_what_waits(filled: dict[int, Path], search: str) -> None:
    reading = Reading()
    with each_new(reading.watch):
        store = SqliteStore(filled[MANY])
    reading.costs.clear()
    assert len(SEARCHES[search][0](store)) == 10
    assert reading.costs[0][1]["SQLITE_STMTSTATUS_VM_STEP"] < 200
    store.close()


def test_a_filled_store_is_like_one_committed_to(path: Path, store: SqliteStore) -> None:
    filled = path.with_name("filled.db")
    fill_sqlite(filled, 3, due=1)
    other = SqliteStore(filled)
    for number in range(3):
        store.commit(asked(number, person=PersonId(f"u-{number}")))
        assert other.request(request_id(number)) == store.request(request_id(number))
        assert other.events(request_id(number)) == store.events(request_id(number))
    assert [due.id for due in other.due(NOW, 10)] == [request_id(2)]
    other.commit(then(the_request(asked(2, person=PersonId("u-2")))))
    with pytest.raises(Conflict):
        other.commit(then(the_request(asked(2, person=ALICE))))
    other.close()
