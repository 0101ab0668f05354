"""What becomes of a commit when DynamoDB, or the way to it, does not do as it should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Conflict, Misconfigured, Unavailable
from jitcloud.ports import Change
from jitcloud.stores.dynamodb.reach import LOST, TRIES
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.contract.stores.opened import LATER, refuses
from tests.dynamodb_tables import a_table, client_of
from tests.factories import (
    ALICE,
    NOW,
    a_mark,
    a_slot,
    a_vote,
    asked,
    controlled,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
)
from tests.stores_dynamodb.between import (
    Between,
    Fault,
    answer_cut,
    answer_emptied,
    answer_lost,
    before,
    cancelled,
    done_and_failed,
    failed,
    lost_on_the_way,
    with_checksum,
)

TRANSACT = "TransactWriteItems"

PASSING = [
    pytest.param(answer_lost, id="answer-lost"),
    pytest.param(answer_cut, id="answer-cut"),
    pytest.param(answer_emptied, id="answer-emptied"),
    pytest.param(done_and_failed, id="done-and-500"),
    pytest.param(lost_on_the_way, id="lost-on-the-way"),
    pytest.param(failed(500, "InternalServerError"), id="500"),
    pytest.param(failed(503, "ServiceUnavailable"), id="503"),
    pytest.param(failed(400, "ThrottlingException"), id="throttled"),
    pytest.param(failed(400, "ProvisionedThroughputExceededException"), id="too-much"),
    pytest.param(failed(400, "RequestLimitExceeded"), id="too-much-for-the-account"),
    pytest.param(failed(400, "TransactionInProgressException"), id="still-at-it"),
    pytest.param(cancelled("TransactionConflict"), id="contended"),
    pytest.param(cancelled("ThrottlingError"), id="an-item-throttled"),
    pytest.param(cancelled("ProvisionedThroughputExceeded"), id="too-much-for-an-item"),
]
"""What passes by itself, whether it has kept the commit from being written or not."""


@pytest.mark.parametrize("fault", PASSING)
def test_a_commit_is_written_once_whatever_happens_to_its_first_try(
    store: DynamoStore, proxy: Between, waits: list[float], fault: Fault
) -> None:
    store.commit(asked(1))
    change = then(the_request(asked(1)), a_vote(), a_vote("again"))
    change = replace(change, slots=(a_slot(1),), control=controlled(), channels=("notices",))
    proxy.forget()
    proxy.on(TRANSACT, fault)
    store.commit(change)
    assert proxy.counted() == {TRANSACT: 2}
    assert store.request(request_id(1)) == the_request(change)
    assert store.events(request_id(1)) == the_events(asked(1)) + the_events(change)
    assert store.slot(slot_key(1)) == a_slot(1)
    assert store.control_events() == controlled().events
    mark = store.mark("notices", request_id(1))
    assert mark is not None
    assert mark.version == 1
    assert len(waits) == 1
    refuses(store, change)


def test_an_answer_that_is_lost_each_time_does_not_hide_that_it_was_written(
    store: DynamoStore, proxy: Between
) -> None:
    proxy.on(TRANSACT, *[answer_lost] * LOST)
    store.commit(asked(1))
    assert proxy.counted() == {TRANSACT: LOST, "GetItem": 1}
    assert store.events(request_id(1)) == the_events(asked(1))


def test_what_never_arrives_is_not_written_and_said_to_be_unknown(
    store: DynamoStore, proxy: Between
) -> None:
    proxy.on(TRANSACT, *[lost_on_the_way] * LOST)
    with pytest.raises(Unavailable, match=r"gives no answer .* look at what is there"):
        store.commit(asked(1))
    assert proxy.counted() == {TRANSACT: LOST, "GetItem": 1}
    assert store.request(request_id(1)) is None


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (failed(400, "ThrottlingException"), Unavailable, "limits the rate .*ThrottlingException"),
        (cancelled("ThrottlingError"), Unavailable, "limits the rate"),
        (cancelled("TransactionConflict"), Conflict, "Somebody else .* read it again"),
        (failed(500, "InternalServerError"), Unavailable, "fails for table"),
    ],
)
def test_what_does_not_pass_is_given_up_soon_and_nothing_is_written(  # noqa: PLR0913, PLR0917 - three are one case
    store: DynamoStore, proxy: Between, waits: list[float], fault: Fault, error: Any, said: str
) -> None:
    proxy.on(TRANSACT, *[fault] * (TRIES + 1))
    with pytest.raises(error, match=said):
        store.commit(asked(1))
    assert proxy.counted()[TRANSACT] == TRIES
    assert sum(waits) < 1
    assert waits == sorted(waits)
    assert store.request(request_id(1)) is None


def test_a_transaction_that_is_refused_for_good_is_not_tried_again(
    store: DynamoStore, proxy: Between
) -> None:
    for fault in (cancelled("ItemCollectionSizeLimitExceeded"), cancelled("ValidationError")):
        proxy.forget()
        proxy.on(TRANSACT, fault)
        with pytest.raises(Misconfigured, match="refuses to write to table"):
            store.commit(replace(asked(1), channels=("notices",)))
        assert proxy.counted() == {TRANSACT: 1}
    proxy.on(TRANSACT, failed(400, "TransactionCanceledException"))
    with pytest.raises(Misconfigured, match="says nothing of why"):
        store.commit(asked(1))


def test_who_was_written_and_then_overtaken_is_not_told_of_a_conflict(
    store: DynamoStore, other: DynamoStore, proxy: Between
) -> None:
    first = replace(asked(1), slots=(a_slot(1),))
    second = then(the_request(first), a_vote("meanwhile"))
    overtaken = before(lambda: other.commit(replace(second, slots=(a_slot(1, 2),))), answer_lost)
    proxy.on(TRANSACT, overtaken)
    store.commit(first)
    assert store.events(request_id(1)) == the_events(first) + the_events(second)
    overtaken = before(lambda: other.commit(Change(slots=(a_slot(1, 4),))), answer_lost)
    proxy.on(TRANSACT, overtaken)
    store.commit(Change(slots=(a_slot(1, 3),)))
    assert store.slot(slot_key(1)) == a_slot(1, 4)


def test_who_was_overtaken_and_never_written_is(
    store: DynamoStore, other: DynamoStore, proxy: Between
) -> None:
    proxy.on(TRANSACT, before(lambda: other.commit(asked(1)), lost_on_the_way))
    with pytest.raises(Conflict, match="read it again"):
        store.commit(asked(1, justification="too late"))
    assert store.events(request_id(1)) == the_events(asked(1))


# ── Where nobody remembers tokens ────────────────────────────────────────────────────────────


@pytest.fixture
def forgetful() -> Iterator[tuple[DynamoStore, Any]]:
    """A store on moto, which does not know a transaction that it has done already."""
    with mock_aws():
        client: Any = client_of(None)
        yield DynamoStore(a_table(client), client=lambda: client, pause=lambda _: None), client


def _lose_next_answer(client: Any, meanwhile: Any = None) -> None:
    def lose(**_: object) -> None:
        client.meta.events.unregister("after-call.dynamodb.TransactWriteItems", lose)
        if meanwhile is not None:
            meanwhile()
        raise ReadTimeoutError(endpoint_url="moto")

    client.meta.events.register("after-call.dynamodb.TransactWriteItems", lose)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(asked(1), id="a-request"),
        pytest.param(Change(slots=(a_slot(1),)), id="a-slot"),
        pytest.param(Change(control=controlled()), id="the-controls"),
    ],
)
def test_a_commit_knows_its_own_where_a_token_means_nothing(
    forgetful: tuple[DynamoStore, Any], change: Change
) -> None:
    store, client = forgetful
    _lose_next_answer(client)
    store.commit(change)
    refuses(store, change)


def test_a_commit_that_was_overtaken_knows_its_own_events(
    forgetful: tuple[DynamoStore, Any],
) -> None:
    store, client = forgetful
    second = then(the_request(asked(1)))
    _lose_next_answer(client, lambda: store.commit(second))
    store.commit(asked(1))
    assert store.events(request_id(1)) == the_events(asked(1)) + the_events(second)


# ── One mark alone ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [each for each in PASSING if "contended" not in str(each.id)])
def test_a_mark_is_written_once_whatever_happens_to_its_first_try(
    store: DynamoStore, proxy: Between, fault: Fault
) -> None:
    proxy.on("PutItem", _of_one(fault))
    store.put_mark(a_mark(1))
    assert proxy.counted() == {"PutItem": 2}
    assert store.mark("notices", request_id(1)) == a_mark(1)
    with pytest.raises(Conflict, match="read it again"):
        store.put_mark(a_mark(1))


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (failed(400, "TransactionConflictException"), Conflict, "Somebody else .* read it again"),
        (failed(400, "ThrottlingException"), Unavailable, "limits the rate"),
    ],
)
def test_a_mark_that_cannot_be_written_is_given_up_soon(
    store: DynamoStore, proxy: Between, fault: Fault, error: Any, said: str
) -> None:
    proxy.on("PutItem", *[fault] * TRIES)
    with pytest.raises(error, match=said):
        store.put_mark(a_mark(1))
    assert proxy.counted() == {"PutItem": TRIES}
    assert store.mark("notices", request_id(1)) is None


def _of_one(fault: Fault) -> Fault:
    """What cancels a transaction, for a write that is none."""

    def other(call: Any, forward: Any) -> Any:
        if "TransactItems" in call.asked or fault.__qualname__.startswith("cancelled"):
            return failed(400, "TransactionConflictException")(call, forward)
        return fault(call, forward)

    return other


# ── Reads ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", PASSING[:-3])
def test_a_read_is_tried_again(store: DynamoStore, proxy: Between, fault: Fault) -> None:
    store.commit(replace(asked(1, wake_at=NOW), slots=(a_slot(1),)))
    for operation in ("GetItem", "Query", "BatchGetItem"):
        proxy.on(operation, fault)
    assert store.request(request_id(1)) == the_request(asked(1))
    assert [due.id for due in store.due(LATER, 5)] == [request_id(1)]
    assert store.slots([slot_key(1)]) == (a_slot(1),)


def test_an_answer_with_its_checksum_is_taken(store: DynamoStore, proxy: Between) -> None:
    store.commit(asked(1))
    proxy.on("GetItem", with_checksum)
    assert store.request(request_id(1)) == the_request(asked(1))
    assert proxy.counted()["GetItem"] == 1


def test_whatever_is_read_by_its_name_is_read_as_last_committed(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(Change(moves=asked(1).moves, slots=(a_slot(1),), control=controlled()))
    proxy.forget()
    store.request(request_id(1))
    store.wake_at(request_id(1))
    store.events(request_id(1))
    store.slot(slot_key(1))
    store.slots([slot_key(1)])
    store.controls()
    store.control_events()
    store.mark("notices", request_id(1))
    store.by_person(ALICE, 1)
    asked_for = [
        next(iter(call.asked["RequestItems"].values())) if "Batch" in call.operation else call.asked
        for call in proxy.calls
        if "IndexName" not in call.asked
    ]
    assert len(asked_for) == 9
    assert [asked_["ConsistentRead"] for asked_ in asked_for] == [True] * 9


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (failed(400, "ThrottlingException"), "limits the rate .* try again shortly"),
        (lost_on_the_way, "gives no answer"),
        (failed(500, "InternalServerError"), "fails for table"),
    ],
)
def test_a_read_is_given_up_soon(
    store: DynamoStore, proxy: Between, fault: Fault, said: str
) -> None:
    proxy.on("GetItem", *[fault] * TRIES)
    with pytest.raises(Unavailable, match=said):
        store.request(request_id(1))
    assert proxy.counted()["GetItem"] in {TRIES, LOST}


def test_what_does_not_fit_into_one_answer_is_asked_for_again(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(Change(slots=(a_slot(1), a_slot(2))))

    def half(call: Any, _: Any) -> tuple[int, bytes]:
        return 200, json.dumps(
            {"Responses": {}, "UnprocessedKeys": call.asked["RequestItems"]}
        ).encode()

    proxy.on("BatchGetItem", half, half)
    assert len(store.slots([slot_key(1), slot_key(2)])) == 2
    proxy.on("BatchGetItem", *[half] * TRIES)
    with pytest.raises(Unavailable, match=r"rate at which table .* is read"):
        store.slots([slot_key(1)])


# ── Races ────────────────────────────────────────────────────────────────────────────────────


def test_of_two_clients_that_race_on_one_request_one_wins_and_the_other_knows(
    store: DynamoStore, other: DynamoStore
) -> None:
    store.commit(asked(1))
    barrier = Barrier(2)

    def vote(one: DynamoStore, name: str) -> bool:
        change = then(the_request(asked(1)), a_vote(name))
        barrier.wait(10)
        try:
            one.commit(change)
        except Conflict as exc:
            assert "read it again" in str(exc)  # noqa: PT017 - both outcomes are looked at
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        tried = [pool.submit(vote, one, str(n)) for n, one in enumerate((store, other))]
        won = [one.result() for one in tried]
    assert sorted(won) == [False, True]
    trail = store.events(request_id(1))
    assert [line.event.what for line in trail[1:]] == [a_vote(str(won.index(True)))]


def test_a_commit_through_a_table_that_is_not_there_names_it(ministack: Ministack) -> None:
    client = client_of(ministack.endpoint_url, ministack.account)
    store = DynamoStore("nowhere", client=lambda: client)
    calls: list[Any] = [
        lambda: store.commit(asked(1)),
        lambda: store.put_mark(a_mark(1)),
        lambda: store.request(request_id(1)),
        lambda: store.due(NOW, 1),
        lambda: store.slots([slot_key(1)]),
    ]
    for call in calls:
        with pytest.raises(Misconfigured, match='There is no table "nowhere" here'):
            call()
