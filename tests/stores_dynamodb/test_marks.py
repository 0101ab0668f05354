"""Marks that a commit makes due without having read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Tampered
from jitcloud.model import Mark
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.contract.stores.opened import LATER, SECOND
from tests.dynamodb_tables import client_of
from tests.factories import NOW, a_mark, a_vote, asked, ended, request_id, the_request, then
from tests.stores_dynamodb.between import Between, after, answer_lost, passed_on

TRANSACT = "TransactWriteItems"
NOTICES = ("notices",)


@pytest.mark.parametrize(("wake_at", "calls"), [(None, 1), (NOW - SECOND, 1), (NOW, 1), (LATER, 2)])
def test_only_a_mark_that_waits_for_later_costs_a_second_try(
    store: DynamoStore, proxy: Between, waits: list[float], wake_at: datetime | None, calls: int
) -> None:
    store.commit(asked(1))
    store.put_mark(a_mark(1, wake_at=wake_at))
    proxy.forget()
    store.commit(replace(then(the_request(asked(1))), channels=NOTICES))
    assert proxy.counted() == {TRANSACT: calls}
    assert waits == []
    assert store.mark("notices", request_id(1)) == replace(
        a_mark(1, 2), wake_at=min(wake_at or NOW, NOW)
    )


def test_each_mark_is_made_due_in_its_own_way(store: DynamoStore, proxy: Between) -> None:
    channels = ("asleep", "awake", "new", "overdue")
    store.commit(asked(1))
    for channel, wake_at in {"asleep": LATER, "awake": None, "overdue": NOW - SECOND}.items():
        store.put_mark(replace(a_mark(1, wake_at=wake_at), channel=channel))
    proxy.forget()
    store.commit(replace(then(the_request(asked(1))), channels=channels))
    assert proxy.counted() == {TRANSACT: 2}
    found = {channel: store.mark(channel, request_id(1)) for channel in channels}
    wakes = {channel: (mark.wake_at, mark.version) for channel, mark in found.items() if mark}
    assert wakes == {
        "asleep": (NOW, 2),
        "awake": (NOW, 2),
        "new": (NOW, 1),
        "overdue": (NOW - SECOND, 2),
    }


def test_whoever_keeps_writing_a_mark_keeps_no_commit_from_being_written(
    store: DynamoStore, other: DynamoStore, proxy: Between
) -> None:
    store.commit(replace(asked(1), channels=NOTICES))
    wakes = iter([LATER, NOW - SECOND, LATER, NOW - SECOND, LATER])

    def write() -> None:
        mark = other.mark("notices", request_id(1))
        assert mark is not None
        other.put_mark(replace(mark, wake_at=next(wakes), version=mark.version + 1))

    proxy.forget()
    proxy.on(TRANSACT, *[after(write)] * 5)
    change = replace(ended(the_request(asked(1))), channels=NOTICES)
    store.commit(change)
    assert proxy.counted() == {TRANSACT: 4}
    assert store.request(request_id(1)) == the_request(change)
    assert [due.wake_at for due in store.due_marks(NOW, 1)] == [NOW]


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({"version": {"S": "one"}}, id="version-is-text"),
        pytest.param({"version": {"NULL": True}}, id="version-is-nothing"),
        pytest.param({"version": {"S": "one"}, "wake": {"N": "9e40"}}, id="and-never-due"),
        pytest.param({"body": {"S": "{"}}, id="body"),
        pytest.param({"body": {"N": "7"}}, id="body-is-a-number"),
    ],
)
def test_a_spoilt_mark_does_not_keep_a_grant_from_ending(
    store: DynamoStore, ministack: Ministack, table: str, spoilt: dict[str, Any]
) -> None:
    store.commit(replace(asked(1), channels=NOTICES))
    client = client_of(ministack.endpoint_url, ministack.account)
    key = keys.key(keys.mark("notices", request_id(1)))
    item: Any = client.get_item(TableName=table, Key=key)["Item"]
    client.put_item(TableName=table, Item=item | spoilt)
    with pytest.raises(Tampered):
        store.mark("notices", request_id(1))
    change = replace(then(the_request(asked(1)), a_vote()), channels=NOTICES)
    store.commit(change)
    assert store.request(request_id(1)) == the_request(change)
    assert [due.wake_at for due in store.due_marks(NOW, 10)] == [NOW]
    if "version" in spoilt:  # all of it is passed on once more
        anew = Mark(channel="notices", request=request_id(1), wake_at=NOW, version=1)
        assert store.mark("notices", request_id(1)) == anew


def test_a_token_stands_for_one_wording_and_a_wording_for_one_token(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(asked(1))
    store.put_mark(a_mark(1, wake_at=LATER))
    proxy.forget()
    proxy.on(TRANSACT, answer_lost, passed_on, answer_lost)
    store.commit(replace(then(the_request(asked(1))), channels=NOTICES))
    said = [(call.asked.pop("ClientRequestToken"), str(call.asked)) for call in proxy.calls]
    assert len(said) == 4
    assert (
        len(set(said)) == len({token for token, _ in said}) == len({text for _, text in said}) == 2
    )
