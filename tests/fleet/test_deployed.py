"""The fleet as it is deployed, on an emulated AWS that enforces IAM: whole lifetimes over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from jitcloud.emulators.account import OK
from jitcloud.emulators.fleet import ON_CALL, Fleet, Reply

DENIED = "AccessDenied"


def let_in(fleet: Fleet, person: str = "ana", duration: str = "10m") -> str:
    """Ask, and have a colleague say yes; return the request's id."""
    asked = fleet.ask(person, ON_CALL, duration)
    assert asked.status == 201, asked.body
    name = str(asked["requests"][0]["id"])
    yes = fleet.call("ben", "POST", f"/v1/requests/{name}/approve", {})
    assert yes.status == 200, yes.body
    return name


def shown(fleet: Fleet, name: str, person: str = "ana") -> Reply:
    found = fleet.call(person, "GET", f"/v1/requests/{name}")
    assert found.status == 200, found.body
    return found


def is_in(fleet: Fleet, person: str = "ana") -> None:
    fleet.until(lambda: fleet.can(person) == OK, f"{person} is let in")


def is_out(fleet: Fleet, person: str = "ana", within: float = 30) -> None:
    fleet.until(lambda: fleet.can(person) == DENIED, f"{person} is put out", within)


def has_ended(fleet: Fleet, name: str, person: str = "ana", within: float = 30) -> None:
    fleet.until(
        lambda: shown(fleet, name, person)["state"] == "ended", "it is seen to have ended", within
    )


@contextmanager
def stopped(fleet: Fleet, source: str) -> Iterator[None]:
    """Let nothing of a queue or of the stream reach ``advance`` for the time of a block."""
    functions = fleet.deployed.client("lambda")
    name = fleet.deployed.name("advance-aws")
    (mapping,) = (
        each["UUID"]
        for each in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        if f":{source}:" in each["EventSourceArn"]
    )
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def looks_ahead(fleet: Fleet) -> dict[str, int]:
    """What the schedule does once a minute."""
    found = fleet.deployed.invoke("expire", {})
    assert found.error is None, found.payload
    counts: dict[str, int] = found.payload
    return counts


def test_given_back_it_ends_at_once_and_stays_on_record(fleet: Fleet) -> None:
    name = let_in(fleet)
    is_in(fleet)
    back = fleet.call("ana", "POST", f"/v1/requests/{name}/give-back", {"reason": "done"})
    assert back.status == 200, back.body
    is_out(fleet)
    has_ended(fleet, name)
    trail = fleet.call("ana", "GET", f"/v1/requests/{name}/trail")
    types = [event["what"]["type"] for event in trail["events"]]
    assert types[:4] == ["asked", "decided", "voted", "approved"]
    assert types[-2:] == ["ending", "ended"]


def test_the_deadline_ends_it_with_nobody_asking(fleet: Fleet) -> None:
    name = let_in(fleet, "caro", "20s")
    is_in(fleet, "caro")
    deadline = datetime.fromisoformat(shown(fleet, name, "caro")["window"]["deadline"])
    is_out(fleet, "caro")
    assert datetime.now(UTC) >= deadline, "nobody is put out early"
    has_ended(fleet, name, "caro")


def test_a_lost_message_costs_until_the_next_look_ahead(fleet: Fleet) -> None:
    with stopped(fleet, "sqs"):
        name = let_in(fleet)
        fleet.deployed.client("sqs").purge_queue(QueueUrl=fleet.deployed.queue)
    assert fleet.can("ana") == DENIED
    assert looks_ahead(fleet)["wakes"] >= 1
    is_in(fleet)
    fleet.call("ana", "POST", f"/v1/requests/{name}/give-back", {})
    is_out(fleet)


def test_while_the_stream_has_stopped_the_look_ahead_ends_what_is_over(fleet: Fleet) -> None:
    name = let_in(fleet)
    is_in(fleet)
    with stopped(fleet, "dynamodb"):
        fleet.call("ana", "POST", f"/v1/requests/{name}/give-back", {})
        looks_ahead(fleet)
        is_out(fleet)
    has_ended(fleet, name)


def test_what_a_queue_gave_up_on_is_put_back(fleet: Fleet) -> None:
    sqs = fleet.deployed.client("sqs")
    wake = {"v": 1, "kind": "slot", "id": "nobody", "at": datetime.now(UTC).isoformat()}
    sqs.send_message(QueueUrl=fleet.deployed.dead, MessageBody=json.dumps(wake))
    sqs.send_message(QueueUrl=fleet.deployed.dead, MessageBody="junk")
    assert looks_ahead(fleet)["revived"] == 2
    assert looks_ahead(fleet)["revived"] == 0


def test_a_policy_that_was_deployed_is_taken_up_by_the_schedule(fleet: Fleet) -> None:
    found = fleet.deployed.invoke("judge", {"take_up": True})
    assert (found.error, found.payload) == (None, {"policy": 1})


@pytest.mark.parametrize("person", ["ben", "caro"])
def test_another_persons_request_is_shown_to_whoever_is_asked(fleet: Fleet, person: str) -> None:
    asked = fleet.ask("ana", ON_CALL)
    name = asked["requests"][0]["id"]
    assert shown(fleet, name, person)["person"] == "ana"
    assert fleet.call("ana", "POST", f"/v1/requests/{name}/withdraw", {}).status == 200
