"""Indexes that lag behind: what is found in them is never acted on as it stood then."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3

from jitcloud.due import BEHIND, Due, Wake
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Brake, Reach, Scope, State
from jitcloud.ports import Change, Page
from jitcloud.stores.dynamodb import due as due_index
from jitcloud.stores.dynamodb import keys, stream
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.contract.stores.opened import LATER
from tests.dynamodb_tables import REGION, client_of
from tests.factories import (
    ALICE,
    NOW,
    a_slot,
    a_stop,
    asked,
    controlled,
    ended,
    put_off,
    request_id,
    slot_key,
    the_request,
    then,
    together,
)
from tests.stores_dynamodb.between import Answer, Between, Call, Forward


class Index:
    """Answers each query as it was answered first, however the record has changed since."""

    def __init__(self, proxy: Between) -> None:
        self.proxy = proxy
        self.kept: dict[str, Answer] = {}
        self.lags = False
        proxy.on("Query", *[self._answer] * 200)

    def _answer(self, call: Call, forward: Forward) -> Answer:
        asked_ = json.dumps(call.asked, sort_keys=True)
        if not self.lags or asked_ not in self.kept:
            self.kept[asked_] = forward()
        return self.kept[asked_]


def test_pages_leave_out_what_no_longer_fits_and_are_filled_all_the_same(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(together(*(asked(number) for number in range(1, 9))))
    index = Index(proxy)
    before = store.by_state(State.PENDING, 3)
    assert [request.id for request in before.requests] == [request_id(n) for n in (8, 7, 6)]
    index.lags = True
    for number in (8, 6):
        store.commit(ended(the_request(asked(number))))
    page = store.by_state(State.PENDING, 3)
    assert [request.id for request in page.requests] == [request_id(n) for n in (7, 5, 4)]
    assert page.after == request_id(4)
    assert all(request == store.request(request.id) for request in page.requests)


def test_a_page_of_a_person_shows_what_the_record_says_now(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(asked(1))
    index = Index(proxy)
    store.by_person(ALICE, 3)
    index.lags = True
    change = ended(the_request(asked(1)))
    store.commit(change)
    assert store.by_person(ALICE, 3) == Page(requests=(the_request(change),), after=None)


def test_a_review_that_was_done_meanwhile_is_not_owed(store: DynamoStore, proxy: Between) -> None:
    lines = [then(the_request(asked(number)), review_by=NOW) for number in (1, 2)]
    store.commit(together(asked(1), asked(2)))
    store.commit(together(*lines))
    index = Index(proxy)
    assert len(store.unreviewed(1, ALICE, NOW)) == 1
    index.lags = True
    store.commit(then(the_request(lines[0])))
    assert store.unreviewed(1, ALICE, NOW) == (the_request(lines[1]),)


def test_a_slot_is_listed_as_it_stands_now(store: DynamoStore, proxy: Between) -> None:
    store.commit(Change(slots=(a_slot(1),)))
    index = Index(proxy)
    store.all_slots(5)
    index.lags = True
    store.commit(Change(slots=(a_slot(1, 2, wake_at=LATER),)))
    assert store.all_slots(5) == (a_slot(1, 2, wake_at=LATER),)


def test_what_was_due_a_moment_ago_shows_not_to_be_when_it_is_loaded(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(asked(1, wake_at=NOW))
    index = Index(proxy)
    found = store.due(NOW, 5)
    index.lags = True
    store.commit(put_off(the_request(asked(1)), LATER))
    assert store.due(NOW, 5) == found
    assert store.wake_at(request_id(1)) == LATER


# ── Whoever looks at the index alone ─────────────────────────────────────────────────────────


def test_what_is_due_is_told_with_its_cloud(store: DynamoStore, table: str, proxy: Between) -> None:
    client = client_of(proxy.url, "111122223333")
    kinds = {1: "azure.assignment", 2: "gcp.policy", 3: "aws.iam-group", 4: "mainframe.account"}
    for number, kind in kinds.items():
        store.commit(Change(slots=(replace(a_slot(number, wake_at=NOW), kind=kind),)))
    store.commit(replace(asked(1, wake_at=LATER), channels=("notices",)))
    found = list(due_index.due(client, table, LATER, most=10))
    assert {(cloud, item.id) for cloud, item in found} == {
        ("azure", slot_key(1)),
        ("gcp", slot_key(2)),
        ("aws", slot_key(3)),
        ("other", slot_key(4)),
        ("aws", request_id(1)),
    }
    assert found[-1] == ("aws", Due(kind="request", id=request_id(1), wake_at=LATER))
    of_two = due_index.due(client, table, LATER, most=10, clouds=("gcp", "azure"))
    assert {cloud for cloud, _ in of_two} == {"gcp", "azure"}
    assert len(list(due_index.due(client, table, LATER, most=2))) == 2


def test_more_is_due_than_a_page_holds(store: DynamoStore, table: str, proxy: Between) -> None:
    for begin in (0, 100, 200):
        slots = tuple(a_slot(n, wake_at=NOW) for n in range(begin, begin + 100))
        store.commit(Change(slots=slots))
    client: Any = client_of(proxy.url, "111122223333")
    assert len(list(due_index.due(client, table, NOW, most=1000))) == 300
    assert len(store.due(NOW, 250)) == 250


# ── Whoever reads the stream ─────────────────────────────────────────────────────────────────


def test_the_stream_says_what_to_wake_and_when(
    store: DynamoStore, ministack: Ministack, table: str
) -> None:
    store.commit(replace(asked(1, wake_at=LATER), channels=("notices",)))
    store.commit(Change(slots=(a_slot(1, wake_at=NOW), a_slot(2))))
    store.commit(put_off(the_request(asked(1)), NOW))
    store.commit(ended(the_request(asked(1))))
    records = _stream(ministack, table)
    assert len(records) > 6
    wakes = [wake for record in records for wake in stream.wakes(record, NOW)]
    assert wakes == [
        Wake(kind="request", id=request_id(1), at=LATER),
        Wake(kind="slot", id=slot_key(1), at=NOW, behind=BEHIND),
        Wake(kind="request", id=request_id(1), at=NOW),
    ]
    of_aws = [wake for record in records for wake in stream.wakes(record, NOW, "aws")]
    assert {wake.kind for wake in of_aws} == {"request"}


def test_the_stream_says_that_everything_is_to_end(
    store: DynamoStore, ministack: Ministack, table: str
) -> None:
    first = controlled(None, a_stop())
    store.commit(Change(control=first))
    assert [w for record in _stream(ministack, table) for w in stream.wakes(record, NOW)] == []
    brake = Brake(scope=Scope(reach=Reach.EVERYTHING), by=ALICE, at=NOW, reason="Drill")
    second = controlled(first.controls)
    second = replace(second, controls=replace(second.controls, endings=(brake,)))
    store.commit(Change(control=second))
    wakes = [w for record in _stream(ministack, table) for w in stream.wakes(record, NOW)]
    assert wakes == [Wake(kind="brakes", id="brakes", at=second.controls.updated_at)]


def test_a_record_that_is_none_of_ours_wakes_nothing() -> None:
    due = {"due": {"S": "aws#0"}, "wake": {"N": "1"}}
    records: list[Any] = [
        {},
        {"dynamodb": None},
        {"dynamodb": {"NewImage": 7}},
        {"dynamodb": {"NewImage": {"pk": "x"}}},
        {"dynamodb": {"NewImage": due}},
        {"dynamodb": {"NewImage": {"pk": {"S": "thing#1"}, **due}}},
        {"dynamodb": {"NewImage": {"pk": {"N": "1"}, **due}}},
        {"dynamodb": {"NewImage": {"pk": {"S": "request#1"}, "due": {"N": "1"}, "wake": {}}}},
        {"dynamodb": {"NewImage": {"pk": {"S": keys.CONTROLS}, "ending": {"S": "now"}}}},
        {"dynamodb": {"NewImage": {"pk": {"S": keys.CONTROLS}, "ending": {"N": []}}}},
        {"eventName": "REMOVE", "dynamodb": {"Keys": {"pk": {"S": "request#1"}}}},
    ]
    assert [wake for record in records for wake in stream.wakes(record, NOW)] == []


def _stream(ministack: Ministack, table: str) -> list[Any]:
    client: Any = boto3.client(
        "dynamodbstreams",
        endpoint_url=ministack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=ministack.account,
        aws_secret_access_key="test",  # noqa: S106 - ministack gives it to every root
    )
    (found,) = client.list_streams(TableName=table)["Streams"]
    shards = client.describe_stream(StreamArn=found["StreamArn"])["StreamDescription"]["Shards"]
    records: list[Any] = []
    for shard in shards:
        iterator = client.get_shard_iterator(
            StreamArn=found["StreamArn"],
            ShardId=shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        records += client.get_records(ShardIterator=iterator)["Records"]
    return records
