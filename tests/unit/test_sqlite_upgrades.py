"""A file that jitcloud wrote before there were reviews, stops and marks, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud import codec
from jitcloud.audit import chain
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.model import Approved, Asked, Decided, Facts, Mark, State
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.stores.sqlite_schema import MIGRATIONS
from tests.factories import NOW, controlled, ended, then, together

VERSION_1 = Path(__file__).parent.parent / "fixtures" / "version-1.sql"
VERIFIER = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32)).verifier()

ROWS = {
    "requests": "SELECT id, person, state, seq, head, wake_at, body FROM requests ORDER BY id",
    "events": "SELECT request, seq, text, signature, hash FROM events ORDER BY request, seq",
    "slots": "SELECT key, version, wake_at, body FROM slots ORDER BY key",
}
SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jitcloud.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(VERSION_1.read_text())
    return path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def test_a_version_1_file_is_brought_forward_with_all_it_holds(path: Path) -> None:
    before = _rows(path)
    assert [len(rows) for rows in before.values()] == [5, 19, 2]
    SqliteStore(path).close()
    assert _rows(path) == before
    assert _read(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    new = path.with_name("new.db")
    SqliteStore(new).close()
    assert _read(path, SCHEMA) == _read(new, SCHEMA)


def test_what_was_recorded_then_proves_itself_still(store: SqliteStore) -> None:
    names = store.ids(10)
    for name in names:
        request = store.request(name)
        assert request is not None
        assert chain.verify(request, store.events(name), VERIFIER) == request
    assert len(names) == 5


def test_a_trail_of_then_is_proven_by_its_own_text_alone(store: SqliteStore) -> None:
    trail = [line for name in store.ids(10) for line in store.events(name)]
    anew = [line for line in trail if codec.encode_event(line.event) != line.text]
    # These would be written in other words today, and so have another hash.
    assert {line.event.what.type for line in anew} >= {"asked", "decided", "approved"}
    for line in trail:
        assert chain.digest(line.text, line.signature) == line.hash


def test_what_was_not_known_then_has_its_default_now(store: SqliteStore) -> None:
    for name in store.ids(10):
        request = store.request(name)
        assert request is not None
        assert (request.review_by, request.review_missed, request.reviews) == (None, False, ())
        assert (request.escalated, request.prolonged_by) == ((), ())
        assert request.policy is not None
        assert request.policy.number == 0
        for line in store.events(name):
            what = line.event.what
            if isinstance(what, Asked):
                assert (what.ask.break_glass, what.ask.extends, what.ask.together) == (
                    False,
                    None,
                    (),
                )
                assert what.ask.entitlement.ticket_projects == ()
            if isinstance(what, Decided | Approved):
                assert what.facts == Facts()


def test_an_upgraded_file_is_used_as_any_other(store: SqliteStore) -> None:
    (active,) = store.by_state(State.ACTIVE, 10).requests
    first, second = store.by_state(State.PENDING, 10).requests
    at = active.updated_at
    review_by = at + timedelta(days=1)
    reviewed = then(active, state=State.ACTIVE, review_by=review_by, wake_at=review_by, at=at)
    change = together(reviewed, ended(first), then(second, at=at))
    store.commit(replace(change, control=controlled(), channels=("notices",)))
    assert [request.id for request in store.unreviewed(10)] == [active.id]
    assert store.controls() == controlled().controls
    made = Mark(channel="notices", request=second.id, wake_at=at, version=1)
    assert store.mark("notices", second.id) == made
    assert len(store.due_marks(NOW, 10)) == 3
    # What has not moved since is nothing new to anybody.
    assert store.mark("notices", store.by_state(State.DENIED, 1).requests[0].id) is None


def test_nothing_is_due_that_was_not_due_before(path: Path, store: SqliteStore) -> None:
    asleep = (
        "SELECT id FROM requests WHERE wake_at > 0 UNION SELECT key FROM slots WHERE wake_at > 0"
    )
    due = store.due(NOW, 100)
    assert {(item.id,) for item in due} == set(_read(path, asleep))
    assert len(due) == 4
    assert store.due_marks(NOW, 100) == ()
    assert store.unreviewed(10) == ()
    assert store.controls() is None
    assert store.control_events() == ()


def _rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    return {name: _read(path, sql) for name, sql in ROWS.items()}


def _read(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(path))) as connection:
        return connection.execute(sql).fetchall()
