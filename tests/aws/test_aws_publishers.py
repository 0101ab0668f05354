"""EventBridge and SNS, on an AWS that routes and enforces: read by a queue behind each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitcloud.errors import Unavailable
from jitcloud.model import Request, Sealed
from jitcloud.publishers import aws as reach
from jitcloud.publishers.eventbridge import EventBridgePublisher
from jitcloud.publishers.sns import SnsPublisher
from tests.aws.conftest import Aws, policy, unique
from tests.aws.fake_aws import FakeAws, closes, hangs, says
from tests.contract.publishers import Inbox, PublisherContract
from tests.world import World

WAIT = 3.0
"""Seconds after which what has not arrived never will."""


@dataclass
class Reader:
    """Reads a queue, and remembers what was in it."""

    aws: Aws
    url: str
    unwrap: Callable[[dict[str, Any]], str]
    raw: list[dict[str, Any]] = field(default_factory=list)

    def arrived(self, count: int) -> list[str]:
        sqs, give_up = self.aws.client("sqs"), time.monotonic() + WAIT
        while len(self.raw) < count and time.monotonic() < give_up:
            got = sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in got.get("Messages", []):
                self.raw.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [self.unwrap(body) for body in self.raw]


def a_queue(aws: Aws, *, fifo: bool = False) -> tuple[str, str]:
    sqs = aws.client("sqs")
    name = unique("published") + (".fifo" if fifo else "")
    how = {"FifoQueue": "true"} if fifo else {}
    url = sqs.create_queue(QueueName=name, Attributes=how)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(anybody)})
    return url, arn


@pytest.fixture
def as_root(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def a_bus(aws: Aws) -> tuple[str, Reader]:
    events = aws.client("events")
    arn = events.create_event_bus(Name=unique("bus"))["EventBusArn"]
    url, queue = a_queue(aws)
    bus = arn.rpartition("/")[2]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["jitcloud"]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue}])
    return arn, Reader(aws, url, lambda body: json.dumps(body["detail"]))


def a_topic(aws: Aws, *, fifo: bool) -> tuple[str, Reader]:
    sns = aws.client("sns")
    name = unique("topic") + (".fifo" if fifo else "")
    how = {"FifoTopic": "true"} if fifo else {}
    arn = sns.create_topic(Name=name, Attributes=how)["TopicArn"]
    url, queue = a_queue(aws, fifo=fifo)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    return arn, Reader(aws, url, lambda body: str(body["Message"]))


@pytest.mark.usefixtures("as_root")
class TestEventBridgePublisher(PublisherContract):
    @pytest.fixture
    def on_bus(self, aws: Aws) -> tuple[str, Reader]:
        return a_bus(aws)

    @pytest.fixture
    def inbox(self, aws: Aws, on_bus: tuple[str, Reader]) -> Inbox:
        publisher, with_texts = (
            EventBridgePublisher(
                "publish-bus", on_bus[0], texts=texts, endpoint_url=aws.endpoint_url
            )
            for texts in (False, True)
        )
        return Inbox(publisher, with_texts, on_bus[1].arrived)

    def test_rules_select_by_source_type_and_what_is_in_it(
        self, world: World, inbox: Inbox, on_bus: tuple[str, Reader]
    ) -> None:
        request = world.ask()
        inbox.publisher.publish(request, world.store.events(request.id)[:1])
        inbox.read(1)
        (event,) = on_bus[1].raw
        assert (event["source"], event["detail-type"]) == ("jitcloud", "request.asked")


class OnSns(PublisherContract):
    fifo = False

    @pytest.fixture
    def on_topic(self, aws: Aws) -> tuple[str, Reader]:
        return a_topic(aws, fifo=self.fifo)

    @pytest.fixture
    def inbox(self, aws: Aws, on_topic: tuple[str, Reader]) -> Inbox:
        publisher, with_texts = (
            SnsPublisher("publish-topic", on_topic[0], texts=texts, endpoint_url=aws.endpoint_url)
            for texts in (False, True)
        )
        return Inbox(publisher, with_texts, on_topic[1].arrived)

    def test_subscriptions_select_by_type_and_entitlement(
        self, world: World, inbox: Inbox, on_topic: tuple[str, Reader]
    ) -> None:
        request = world.ask()
        inbox.publisher.publish(request, world.store.events(request.id)[:1])
        inbox.read(1)
        attributes = on_topic[1].raw[0]["MessageAttributes"]
        assert {name: each["Value"] for name, each in attributes.items()} == {
            "type": "request.asked",
            "entitlement": "dev-read",
        }


@pytest.mark.usefixtures("as_root")
class TestSnsPublisher(OnSns):
    pass


@pytest.mark.usefixtures("as_root")
def test_a_fifo_topic_keeps_the_order_and_drops_what_comes_twice(aws: Aws, world: World) -> None:
    arn, reader = a_topic(aws, fifo=True)
    publisher = SnsPublisher("publish-topic", arn, endpoint_url=aws.endpoint_url)
    requests = [world.ask(what="prod-write") for _ in range(2)]
    for request in requests:
        world.approve(request)
    for request in (*requests, *requests):
        publisher.publish(request, world.store.events(request.id)[:4])
    messages = [json.loads(text) for text in reader.arrived(8)]
    for request in requests:
        mine = [each["seq"] for each in messages if each["request"] == request.id]
        assert mine == [1, 2, 3, 4]
    assert len(messages) == 8


# ── AWS in trouble ───────────────────────────────────────────────────────────────────────────

BUS = "arn:aws:events:us-east-1:111122223333:event-bus/security"
TOPIC = "arn:aws:sns:us-east-1:111122223333:security"

Asked = tuple[Request, tuple[Sealed, ...]]


@pytest.fixture
def asked(world: World) -> Asked:
    request = world.ask()
    return request, world.store.events(request.id)[:1]


def on_the_bus(url: str) -> EventBridgePublisher:
    return EventBridgePublisher("publish-bus", BUS, endpoint_url=url)


def to_the_topic(url: str) -> SnsPublisher:
    return SnsPublisher("publish-topic", TOPIC, endpoint_url=url)


def failed(code: str, said: str = "as told") -> str:
    entry = {"ErrorCode": code, "ErrorMessage": said}
    return json.dumps({"FailedEntryCount": 1, "Entries": [entry]})


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (failed("ThrottlingException"), "AWS did not do events:PutEvents on the bus arn:.*Throttl"),
        (failed("InternalFailure"), "did not do events:PutEvents"),
        (failed("NotAuthorizedForSourceException"), "the role of this process needs that right"),
        (failed("MalformedDetail"), "did not do events:PutEvents"),
        (json.dumps({"FailedEntryCount": 1, "Entries": [{}]}), "did not do events:PutEvents"),
    ],
    ids=["throttled", "internal", "not-authorized", "malformed", "nothing"],
)
def test_an_entry_that_the_bus_does_not_take_is_tried_again_and_nothing_after_it(
    fake: FakeAws, asked: Asked, answer: str, why: str
) -> None:
    fake.answers.append(says(200, answer))
    request, lines = asked
    with pytest.raises(Unavailable, match=why):
        on_the_bus(fake.url).publish(request, (*lines, *lines))
    assert len(fake.asked) == 1, "what comes after it is not sent before it"


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AuthorizationErrorException", "AWS refused sns:Publish on the topic"),
        ("NotFoundException", "AWS did not do sns:Publish on the topic"),
        ("ExpiredTokenException", "have not expired"),
        ("ThrottlingException", "Throttl"),
        ("InvalidParameterException", "AWS did not do sns:Publish"),
    ],
)
def test_what_a_topic_does_not_take_is_tried_again(
    fake: FakeAws, asked: Asked, code: str, why: str
) -> None:
    body = f"<Error><Code>{code}</Code><Message>AQoDYXdz \x7f</Message></Error>"
    fake.answers.append(says(400, f"<ErrorResponse>{body}</ErrorResponse>"))
    with pytest.raises(Unavailable, match=why) as caught:
        to_the_topic(fake.url).publish(*asked)
    assert str(caught.value).isprintable()
    assert len(fake.asked) == 1
    if "Expired" in code:
        assert "AQoDYXdz" not in str(caught.value)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("make", [on_the_bus, to_the_topic])
@pytest.mark.parametrize("answer", [hangs, closes], ids=["hangs", "closes"])
def test_no_answer_is_waited_for_a_bounded_time(
    fake: FakeAws,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[str], EventBridgePublisher | SnsPublisher],
    answer: Callable[[Any], None],
) -> None:
    quick = reach.CONFIG.merge(type(reach.CONFIG)(read_timeout=0.05))
    monkeypatch.setattr(reach, "CONFIG", quick)
    fake.answers.append(answer)
    with pytest.raises(Unavailable, match="did not answer"):
        make(fake.url).publish(*asked)
    assert fake.answers == []


def test_a_right_that_is_missing_is_named(
    aws: Aws, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = aws.user({"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", nobody.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", nobody.secret_access_key)
    for make, right in ((on_the_bus, "events:PutEvents"), (to_the_topic, "sns:Publish")):
        with pytest.raises(Unavailable, match=f"AWS refused {right} on the"):
            make(aws.endpoint_url).publish(*asked)
