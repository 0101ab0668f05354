"""Whatever a function is handed: it answers, or says in words of ours that it will not.

And by none of it is anybody let in, or put out before the end.
"""

from __future__ import annotations

import importlib
import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from jitcloud.emulators.account import OK
from jitcloud.emulators.fleet import ON_CALL, Fleet
from jitcloud.errors import JitError
from jitcloud.observing import logs
from tests.fleet.events import Json, junk, nearly
from tests.fleet.test_deployed import DENIED, is_in, let_in
from tests.fleet.test_functions import FLEET, over_http

# What was drawn in an earlier run means nothing in this one: names and tokens are others.
LONG = settings(max_examples=600, database=None, suppress_health_check=list(HealthCheck))
SHORT = settings(max_examples=12, derandomize=True, suppress_health_check=list(HealthCheck))
WITHIN = 120_000
_ARN = "arn:aws:lambda:us-east-1:111122223333:function:jitcloud-{}"


class Context:
    """What the platform says of a call."""

    aws_request_id = "r"
    function_name = "f"
    memory_limit_in_mb = 512
    invoked_function_arn = _ARN.format("f")

    def get_remaining_time_in_millis(self) -> int:
        return WITHIN


class Hands:
    """Hands events to functions in this process, with what the deployed ones are told."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet = fleet
        self.name = name
        """The request by which Caro is in, and is to stay in."""
        self.trail = self.recorded()
        self.events = {function: list(_events(self, function)) for function in FLEET}
        self._handlers: dict[str, Callable[..., Any]] = {}

    def recorded(self) -> list[Any]:
        found = self.fleet.call("caro", "GET", f"/v1/requests/{self.name}/trail")
        return list(found["events"])

    def over(self, function: str, event: Json) -> None:
        """Hand one over: whatever is raised but an error of ours, fails the test."""
        event = json.loads(json.dumps(event))  # the platform hands over what it has read
        if function not in self._handlers:
            module = importlib.import_module(f"functions.{function}")
            self._handlers[function] = importlib.reload(module).handler
        try:
            answer = self._handlers[function](event, Context())
        except JitError:
            return
        json.dumps(answer)
        if isinstance(answer, dict) and "statusCode" in answer:
            assert answer["statusCode"] == 200 or 400 <= answer["statusCode"] < 500, answer

    def holds(self) -> None:
        """Check that nobody was let in, and nobody put out."""
        assert self.fleet.can("caro") == OK
        for person in ("ana", "ben"):
            assert self.fleet.can(person) == DENIED
        assert self.recorded() == self.trail
        found = self.fleet.call("ana", "GET", "/v1/requests")["requests"]
        assert {each["state"] for each in found} <= {"pending", "withdrawn", "ended"}


@pytest.fixture(scope="module")
def fleet(fleet_of_its_own: Fleet) -> Fleet:
    """What is put off here comes back to nobody, so what it did is not over in time."""
    return fleet_of_its_own


@pytest.fixture(scope="module")
def hands(fleet: Fleet) -> Iterator[Hands]:
    name = let_in(fleet, "caro", "40m")
    is_in(fleet, "caro")
    fleet.until(
        lambda: fleet.call("caro", "GET", f"/v1/requests/{name}")["state"] == "active", "active"
    )
    deployed = fleet.deployed
    # A queue that nobody reads: what is put off there comes back to nobody.
    aside = deployed.client("sqs").create_queue(QueueName="aside")["QueueUrl"]
    told = {
        "JITCLOUD_CONFIG": str(fleet.folder),
        "JITCLOUD_QUEUE": aside,
        "JITCLOUD_JUDGE": deployed.name("judge"),
        "JITCLOUD_LOOK": deployed.name("look"),
    }
    before = {each: os.environ.get(each) for each in told}
    with fleet.as_root(), logs.written(io.StringIO()):
        os.environ.update(told)
        yield Hands(fleet, name)
    for each, value in before.items():
        if value is None:
            os.environ.pop(each, None)
        else:
            os.environ[each] = value
    assert fleet.call("caro", "POST", f"/v1/requests/{name}/give-back", {}).status == 200


# ── What is sent where ───────────────────────────────────────────────────────────────────────


def _events(hands: Hands, function: str) -> Iterator[Json]:
    """Events as they should be, and from the past or for somebody else: none does anything."""
    fleet = hands.fleet
    if function in {"advance", "publish"}:
        yield {"Records": list(_changes(fleet))}
        for change in _changes(fleet):
            yield {"Records": [change]}
    if function == "advance":
        yield {"Records": list(_messages(hands.name))}
    if function in {"request", "approve", "issue"}:
        yield from _calls(fleet, hands.name)
    if function == "judge":
        yield from _asked(fleet, hands.name)
        yield {"take_up": True}
    if function == "look":
        yield from _looks(fleet)
    yield {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def _changes(fleet: Fleet) -> Iterator[Json]:
    """Records of the stream: all that stands in the table, as if it had just been written."""
    client = fleet.deployed.client("dynamodb")
    items = client.scan(TableName=fleet.deployed.table, Limit=60)["Items"]
    for number, item in enumerate(reversed(items)):
        yield {
            "eventID": str(number),
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": "arn:aws:dynamodb:eu-west-1:999988887777:table/t/stream/s",
            "awsRegion": "eu-west-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1,
                "Keys": {key: item[key] for key in ("pk", "sk")},
                "NewImage": item,
                "SequenceNumber": "1",
                "StreamViewType": "NEW_IMAGE",
            },
        }


def _messages(name: str) -> Iterator[Json]:
    now = datetime.now(UTC)
    for kind, about in (("request", name), ("slot", "nobody"), ("brakes", "brakes")):
        for at in (now - timedelta(days=400), now - timedelta(seconds=5), now + timedelta(days=9)):
            wake = {"v": 1, "kind": kind, "id": about, "at": at.isoformat()}
            yield {
                "messageId": f"{kind}-{at}",
                "receiptHandle": "r",
                "body": json.dumps(wake),
                "attributes": {"ApproximateReceiveCount": "9", "SenderId": "AIDAEXAMPLE"},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:999988887777:another",
                "awsRegion": "eu-west-1",
            }


def _calls(fleet: Fleet, name: str) -> Iterator[Json]:
    expired = fleet.token("caro", exp=1)
    for token in (expired, fleet.token("caro", aud="another"), "e30.e30.", ""):
        for method, path, body in (
            ("POST", f"/v1/requests/{name}/give-back", {}),
            ("POST", f"/v1/requests/{name}/approve", {}),
            ("POST", f"/v1/requests/{name}/credentials", None),
            ("GET", f"/v1/requests/{name}/trail", None),
            ("POST", "/v1/requests", {"entitlements": [ON_CALL], "duration": "10m"}),
        ):
            event = over_http(method, path)
            event["headers"] = {
                "authorization": f"Bearer {token}",
                "content-type": "application/json",
                "idempotency-key": "k",
            }
            if body is not None:
                event["body"] = json.dumps(body)
            yield event


def _asked(fleet: Fleet, name: str) -> Iterator[Json]:
    for text in (fleet.token("caro", exp=1), fleet.token("caro", iss="https://example.com")):
        for command in ("give-back", "approve", "revoke", "extend", "show", "list"):
            yield {
                "command": command,
                "arguments": {"request": name, "duration": "10m", "reason": "because"},
                "presented": {"kind": "oidc", "text": text},
                "key": "k",
                "trace": "t",
            }
    # Whoever may ask for herself, and asks for what is not hers.
    for command in ("give-back", "approve", "revoke", "credentials"):
        yield {
            "command": command,
            "arguments": {"request": name},
            "presented": {"kind": "oidc", "text": fleet.token("ana")},
            "key": None,
            "trace": "",
        }


def _looks(fleet: Fleet) -> Iterator[Json]:
    entitlement = {
        "id": ON_CALL,
        "title": "t",
        "cloud": "aws",
        "mechanism": "aws.iam-group",
        "privilege": "write",
        "environment": "prod",
        "owner": "leads",
        "target": {
            "group_arn": f"arn:aws:iam::{fleet.account.id}:group/on-call",
            "users": {"ana": fleet.account.arn("user", "ana")},
        },
    }
    yield {"verb": "plan", "entitlement": entitlement, "duration": "PT600S"}
    yield {"verb": "parts", "entitlement": entitlement}


# ── What comes of it ─────────────────────────────────────────────────────────────────────────


def _fuzzed(hands: Hands, function: str, how: settings) -> None:
    for event in hands.events[function]:
        hands.over(function, event)

    @how
    @given(junk() | nearly(hands.events[function]))
    def hostile(event: Json) -> None:
        hands.over(function, event)

    hostile()
    hands.holds()


@pytest.mark.parametrize("function", sorted({*FLEET} - {"reconcile"}))
def test_whatever_a_function_is_handed_it_answers_or_refuses(hands: Hands, function: str) -> None:
    _fuzzed(hands, function, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("function", sorted({*FLEET} - {"reconcile", "expire"}))
def test_nor_does_it_do_otherwise_with_thousands(hands: Hands, function: str) -> None:
    _fuzzed(hands, function, LONG)
