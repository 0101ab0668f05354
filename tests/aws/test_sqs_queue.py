"""Wake-ups through SQS, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.due import Wake
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Invalid, Unavailable
from jitcloud.queues.sqs import BATCH, CONFIG, SqsQueue, decode, encode
from tests.aws.conftest import unique

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def a_wake(name: str = "r1", **after: float) -> Wake:
    return Wake(kind="request", id=name, at=NOW + timedelta(**after))


@pytest.fixture(scope="module")
def sqs(ministack: Ministack) -> SQSClient:
    return boto3.Session().client(
        "sqs",
        endpoint_url=ministack.endpoint_url,
        region_name=ministack.region,
        aws_access_key_id=ministack.access_key_id,
        aws_secret_access_key=ministack.secret_access_key,
        config=CONFIG,
    )


@pytest.fixture
def url(sqs: SQSClient) -> Iterator[str]:
    made = sqs.create_queue(QueueName=unique("wakes"))["QueueUrl"]
    yield made
    sqs.delete_queue(QueueUrl=made)


def received(sqs: SQSClient, url: str) -> list[Wake]:
    found: list[Wake] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [decode(message["Body"]) for message in messages]
    return found


def test_what_is_put_in_comes_out_as_it_was(sqs: SQSClient, url: str) -> None:
    wakes = [a_wake(f"r{number}") for number in range(BATCH + 3)]
    wakes[1] = replace(wakes[1], tries=3, behind=timedelta(microseconds=1))
    SqsQueue(sqs, url).put(wakes, NOW)
    assert sorted(received(sqs, url), key=lambda w: int(w.id[1:])) == wakes


def test_what_is_not_due_stays_in_and_for_15_minutes_at_the_most(sqs: SQSClient, url: str) -> None:
    sent: list[int] = []

    def note(params: dict[str, Any], **_: object) -> None:
        sent.extend(entry["DelaySeconds"] for entry in params["Entries"])

    sqs.meta.events.register("provide-client-params.sqs.SendMessageBatch", note)
    try:
        late = replace(a_wake(seconds=59.9), behind=timedelta(seconds=1))
        wakes = [a_wake(seconds=-5), a_wake(seconds=59.9), late, a_wake(hours=2)]
        SqsQueue(sqs, url).put(wakes, NOW)
    finally:
        sqs.meta.events.unregister("provide-client-params.sqs.SendMessageBatch", note)
    assert sent == [0, 59, 60, 900]
    assert received(sqs, url) == wakes[:1]


def test_a_queue_that_is_not_there_is_told(sqs: SQSClient, url: str) -> None:
    with pytest.raises(Unavailable, match="took no wake-ups"):
        SqsQueue(sqs, f"{url}-gone").put([a_wake()], NOW)


def test_dead_letters_are_put_back_and_junk_is_let_go(sqs: SQSClient, url: str) -> None:
    dead = sqs.create_queue(QueueName=unique("dead"))["QueueUrl"]
    SqsQueue(sqs, dead).put([a_wake("a"), a_wake("b")], NOW)
    sqs.send_message(QueueUrl=dead, MessageBody="not ours")
    assert SqsQueue(sqs, url).sweep(dead, 100, NOW) == 3
    assert sorted(wake.id for wake in received(sqs, url)) == ["a", "b"]
    assert SqsQueue(sqs, url).sweep(dead, 100, NOW) == 0
    sqs.delete_queue(QueueUrl=dead)


def test_dead_letters_stay_where_they_are_while_the_queue_takes_none(
    sqs: SQSClient, url: str
) -> None:
    dead = sqs.create_queue(QueueName=unique("dead"))["QueueUrl"]
    SqsQueue(sqs, dead).put([a_wake("a")], NOW)
    with pytest.raises(Unavailable):
        SqsQueue(sqs, f"{url}-gone").sweep(dead, 100, NOW)
    left = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    kept = int(left["ApproximateNumberOfMessages"])
    hidden = int(left["ApproximateNumberOfMessagesNotVisible"])
    assert kept + hidden == 1
    sqs.delete_queue(QueueUrl=dead)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"v":1}',
        '{"v":2,"kind":"request","id":"a","at":"2026-12-01T09:00:00+00:00"}',
        '{"v":1,"kind":"grant","id":"a","at":"2026-12-01T09:00:00+00:00"}',
        '{"v":1,"kind":"request","id":7,"at":"2026-12-01T09:00:00+00:00"}',
        '{"v":1,"kind":"request","id":"a","at":"2026-12-01T09:00:00"}',
        '{"v":1,"kind":["request"],"id":"a","at":"2026-12-01T09:00:00+00:00"}',
        '{"v":1,"kind":"request","id":"a","at":"9999-12-31T23:59:59-14:00"}',
        '{"v":1,"kind":"request","id":"a","at":"0001-01-01T00:00:00+14:00"}',
        '{"v":1,"kind":"request","id":"\\ud800","at":"2026-12-01T09:00:00+00:00"}',
        "[" * 4000,
        json.dumps({"v": 1, "kind": "slot", "id": "a" * 5000, "at": "2026-12-01T09:00:00+00:00"}),
    ],
)
def test_what_is_no_wake_up_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        decode(text)


@given(st.text(max_size=200))
def test_no_text_makes_reading_fail_otherwise(text: str) -> None:
    try:
        decode(text)
    except Invalid:
        return


@given(st.text(max_size=50), st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back(name: str, at: datetime) -> None:
    wake = Wake(kind="slot", id=name, at=at)
    assert decode(encode(wake)) == wake
