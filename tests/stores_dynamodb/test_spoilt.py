"""What somebody with the right to write the table can do to the store, and what it then says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jitcloud import codec
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Conflict, Tampered
from jitcloud.model import State
from jitcloud.ports import Change
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.contract.stores.opened import LATER, refuses
from tests.dynamodb_tables import client_of
from tests.factories import (
    ALICE,
    NOW,
    a_slot,
    a_vote,
    asked,
    controlled,
    ended,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
)

Edit = Callable[[str, dict[str, Any]], None]

WRONG: list[Any] = [{"S": "{}"}, {"S": "\x00"}, {"N": "7"}, {"NULL": True}, {"L": []}, None]


@pytest.fixture
def edit(ministack: Ministack, table: str) -> Edit:
    """Put other attributes into the one item of a partition; None takes one out."""

    def edit(partition: str, attributes: dict[str, Any], sort: str = keys.SNAPSHOT) -> None:
        client: Any = client_of(ministack.endpoint_url, ministack.account)
        found = client.query(
            TableName=table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": {"S": partition}, ":s": {"S": sort}},
        )
        (item,) = found["Items"]
        changed = {k: v for k, v in (item | attributes).items() if v is not None}
        client.put_item(TableName=table, Item=changed)

    return edit


@pytest.mark.parametrize("body", WRONG, ids=str)
def test_a_body_that_cannot_be_read_is_tampered_with(
    store: DynamoStore, edit: Edit, body: Any
) -> None:
    store.commit(Change(moves=asked(1).moves, slots=(a_slot(1),), control=controlled()))
    for partition in (keys.request(request_id(1)), keys.slot(slot_key(1)), keys.CONTROLS):
        edit(partition, {"body": body})
    calls: list[Callable[[], object]] = [
        lambda: store.request(request_id(1)),
        lambda: store.by_person(ALICE, 10),
        lambda: store.by_state(State.PENDING, 10),
        lambda: store.slot(slot_key(1)),
        lambda: store.slots([slot_key(1)]),
        lambda: store.all_slots(10),
        store.controls,
    ]
    for call in calls:
        with pytest.raises(Tampered):
            call()
    assert [due.id for due in store.due(NOW, 1)] == [request_id(1)]
    assert store.ids(1) == (request_id(1),)


@pytest.mark.parametrize(
    "lines", [None, {"S": "x"}, {"L": [{"S": "x"}]}, {"L": [{"M": {}}]}], ids=str
)
def test_events_that_cannot_be_read_are_tampered_with(
    store: DynamoStore, edit: Any, lines: Any
) -> None:
    store.commit(asked(1))
    edit(keys.request(request_id(1)), {"lines": lines}, keys.EVENTS)
    with pytest.raises(Tampered):
        store.events(request_id(1))
    change = ended(the_request(asked(1)))
    store.commit(change)
    assert store.request(request_id(1)) == the_request(change)


@pytest.mark.parametrize(
    "fence", [{"seq": {"S": "1"}}, {"seq": None}, {"head": {"N": "1"}}, {"head": None}], ids=str
)
def test_a_fence_that_cannot_be_read_is_tampered_with(
    store: DynamoStore, edit: Edit, fence: Any
) -> None:
    store.commit(Change(moves=asked(1).moves, slots=(a_slot(1),)))
    edit(keys.request(request_id(1)), fence)
    with pytest.raises(Tampered, match=r"no (seq|head) as jitcloud writes it"):
        store.commit(then(the_request(asked(1))))
    edit(keys.slot(slot_key(1)), {"version": {"S": "1"}})
    with pytest.raises(Tampered, match="no version as jitcloud writes it"):
        store.commit(Change(slots=(a_slot(1, 2),)))


def test_an_item_that_holds_another_request_is_tampered_with(
    store: DynamoStore, edit: Edit
) -> None:
    store.commit(asked(1))
    store.commit(asked(2))
    body = {"S": codec.encode_request(the_request(asked(2)))}
    edit(keys.request(request_id(1)), {"body": body})
    with pytest.raises(Tampered, match="holds another one"):
        store.request(request_id(1))


def test_a_strangers_event_neither_keeps_a_grant_from_ending_nor_is_written_over(
    store: DynamoStore, ministack: Ministack, table: str
) -> None:
    store.commit(asked(1))
    forged = then(the_request(asked(1)), a_vote("forged"))
    (line,) = the_events(forged)
    client: Any = client_of(ministack.endpoint_url, ministack.account)
    lines = {"L": [{"M": {"text": {"S": line.text}, "hash": {"S": line.hash}}}]}
    item = keys.key(keys.request(request_id(1)), keys.events(2, "")) | {"lines": lines}
    client.put_item(TableName=table, Item=item)
    change = ended(the_request(asked(1)))
    store.commit(change)
    assert store.request(request_id(1)) == the_request(change)
    trail = the_events(asked(1)) + the_events(forged) + the_events(change)
    assert store.events(request_id(1)) == trail


@pytest.mark.parametrize("wake", [{"N": "-99999999999999999999"}, {"N": "1.5"}])
def test_a_wake_up_that_nobody_of_ours_wrote_is_due(
    store: DynamoStore, edit: Edit, wake: Any
) -> None:
    store.commit(asked(1, wake_at=LATER))
    store.commit(asked(2, wake_at=NOW))
    edit(keys.request(request_id(1)), {"wake": wake})
    assert [due.id for due in store.due(NOW, 10)] == [request_id(1), request_id(2)]
    with pytest.raises(Tampered, match="no wake as jitcloud writes it"):
        store.wake_at(request_id(1))


def test_what_is_of_no_kind_we_know_is_not_due(
    store: DynamoStore, ministack: Ministack, table: str
) -> None:
    client: Any = client_of(ministack.endpoint_url, ministack.account)
    for partition in ("nothing", "thing#1", "#"):
        item = keys.key(partition) | {"due": {"S": "aws#0"}, "wake": {"N": "1"}}
        client.put_item(TableName=table, Item=item)
    store.commit(asked(1))
    assert [due.id for due in store.due(NOW, 10)] == [request_id(1)]


def test_copies_of_a_fence_that_are_gone_are_made_again_by_the_next_commit_of_the_controls(
    store: DynamoStore, ministack: Ministack, table: str
) -> None:
    store.commit(Change(control=controlled()))
    client: Any = client_of(ministack.endpoint_url, ministack.account)
    for copy in range(keys.FENCES):
        client.delete_item(TableName=table, Key=keys.key(keys.fence(copy)))
    resting = Change(moves=asked(1).moves, control_seq=controlled().controls.seq)
    refuses(store, resting)
    second = controlled(controlled().controls)
    store.commit(Change(control=second))
    with pytest.raises(Conflict):
        store.commit(resting)
    store.commit(Change(moves=asked(1).moves, control_seq=second.controls.seq))
