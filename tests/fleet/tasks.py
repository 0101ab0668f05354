"""What each function is there for, as seen from outside: one task each, done in seconds.

A task takes nothing for granted: its function starts afresh, and who it is for is somebody who
was not there before. It raises where the function does not do what it is there for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from jitcloud.emulators.account import OK, read
from jitcloud.emulators.fleet import BUCKET, DOCUMENT, KEY, REPORTS
from jitcloud.last_checkpoint import CHANNEL
from jitcloud.model import CONTROLS, Credentials
from jitcloud.stores.dynamodb import keys
from tests.fleet.outfitted import ANCHORS, FEW, LAB, SOMEBODY, Outfitted
from tests.fleet.permissions import permissions, without
from tests.fleet.workers import kill

DENIED = {"AccessDenied", "AccessDeniedException"}
_ANYTHING = "anything"
"""An event that a function refuses, and is loaded by then: on a busy machine that takes long."""

_LONG = "1h"
"""For what is still to be there when all else was tried."""

_MOST_VERSIONS = 5
_MOST_MESSAGES = 200


@dataclass
class Tasks:
    """Whoever sees to it that each function does what it is there for."""

    fleet: Outfitted
    within: float = 30.0
    """Seconds for which one thing is waited for."""
    plans: dict[str, Any] = field(default_factory=dict)
    """What granting each entitlement means, as was seen with all rights."""
    ended: str = ""
    """A request whose access has ended, and is there again and again."""
    numbers: count[int] = field(default_factory=count)
    _people: count[int] = field(default_factory=count)

    def do(self, function: str, *, afresh: bool = True) -> None:
        """Do one function's task; ``afresh``, so that it remembers nothing of the one before.

        Nor may it say that it lacks something, though it goes on without.
        """
        begun = len(self.fleet.deployed.logs(function))
        if afresh:
            kill(self.fleet, function)
            self.fleet.deployed.invoke(function, _ANYTHING)
        TASKS[function](self)
        said = self.fleet.deployed.logs(function)[begun:]
        assert not [line for line in said if '"event": "broken"' in line]

    def somebody(self) -> str:
        """Somebody whom the task before did not leave half-way."""
        return f"p{next(self._people) % len(SOMEBODY)}"

    def duration(self) -> str:
        """One that nobody has asked for lately: plans are remembered."""
        return f"{600 + next(self.numbers)}s"

    def get(self, person: str, path: str) -> Any:
        answer = self.fleet.call(person, "GET", f"/v1/{path}")
        assert answer.status == 200, answer.body
        return answer.body

    def post(self, person: str, path: str, body: object, key: str | None = None) -> Any:
        answer = self.fleet.call(person, "POST", f"/v1/{path}", body, key=key)
        assert answer.status in {200, 201}, answer.body
        return answer.body

    def asks(self, person: str, what: str, key: str | None = None, duration: str = "") -> Any:
        body = {
            "entitlements": [what],
            "duration": duration or self.duration(),
            "justification": "a trial",
        }
        (request,) = self.post(person, "requests", body, key)["requests"]
        return request

    def state(self, person: str, name: str, wanted: str) -> None:
        self.until(
            lambda: self.get(person, f"requests/{name}")["state"] == wanted, f"{name} is {wanted}"
        )

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        self.fleet.until(is_so, what, self.within)

    def in_group(self, person: str, what: str, duration: str = "") -> str:
        """Let somebody into a group; return the request."""
        name = self.asks(person, what, duration=duration)["id"]
        lead = "caro" if person == "ben" else "ben"
        self.post(lead, f"requests/{name}/approve", {})
        self.state(person, name, "active")
        return str(name)

    def session(self, person: str) -> tuple[str, Credentials]:
        name = self.asks(person, REPORTS)["id"]
        self.state(person, name, "active")
        made = self.post(person, f"requests/{name}/credentials", None)
        return name, Credentials(
            access_key_id=made["access_key_id"],
            secret_access_key=made["secret_access_key"],
            session_token=made["session_token"],
            expires_at=datetime.fromisoformat(made["expires_at"]),
        )

    def anchored(self) -> int:
        """How many checkpoints of the record there are."""
        s3 = self.fleet.deployed.client("s3")
        return len(s3.list_object_versions(Bucket=ANCHORS).get("Versions", []))

    def forget_the_last_checkpoint(self) -> None:
        """Make the next one due, as it is after a while, for a judge that begins afresh."""
        kill(self.fleet, "judge")
        table, mark = self.fleet.deployed.table, keys.mark(CHANNEL, CONTROLS)
        self.fleet.deployed.client("dynamodb").delete_item(TableName=table, Key=keys.key(mark))

    def reads(self, credentials: Credentials) -> str:
        return read(self.fleet.account.s3(credentials), BUCKET, KEY)


def _request(tasks: Tasks) -> None:
    tasks.get("ana", "me")


def _approve(tasks: Tasks) -> None:
    tasks.get("ben", "approvals")


def _judge(tasks: Tasks) -> None:
    person, key = tasks.somebody(), f"key-{next(tasks.numbers)}"
    duration = tasks.duration()
    tasks.fleet.deployed.invoke("look", _ANYTHING)
    asked = tasks.asks(person, LAB, key, duration)
    name = asked["id"]
    assert not any("could not be asked" in each for each in asked["plan"]["residual"])
    assert tasks.asks(person, LAB, key, duration)["id"] == name, "asked once"
    assert name in {each["id"] for each in tasks.get("ben", "approvals")["requests"]}
    tasks.post("ben", f"requests/{name}/deny", {"reason": "not now"})
    assert name in {each["id"] for each in tasks.get(person, "requests")["requests"]}
    tasks.get(person, f"requests/{name}/trail")
    before = tasks.anchored()
    tasks.forget_the_last_checkpoint()
    taken = tasks.fleet.deployed.invoke("judge", {"take_up": True})
    assert taken.error is None, taken.payload
    assert tasks.anchored() > before


def _look(tasks: Tasks) -> None:
    for what in (FEW, REPORTS):
        plan = tasks.asks("ana", what)["plan"]
        plan["notes"] = [note for note in plan["notes"] if "users already" not in note]
        assert tasks.plans.setdefault(what, plan) == plan


def _issue(tasks: Tasks) -> None:
    _, credentials = tasks.session(tasks.somebody())
    assert tasks.reads(credentials) == OK


def _advance(tasks: Tasks) -> None:
    """Let somebody in by a group and by a session, and put them out again, both early."""
    _fill(tasks)
    person = tasks.somebody()
    group = tasks.in_group(person, LAB)
    _stands(tasks)
    name, credentials = tasks.session(person)
    for each, what in ((group, LAB), (name, REPORTS)):
        _knew_what_it_meant(tasks, person, each, what)
    tasks.until(lambda: tasks.fleet.can(person) == OK, "in the group")
    tasks.post(person, f"requests/{name}/give-back", {})
    _half_a_brake(tasks, person)
    tasks.until(lambda: tasks.fleet.can(person) in DENIED, "out of the group")
    tasks.until(lambda: tasks.reads(credentials) in DENIED, "the session is over")
    for each in (group, name):
        tasks.state(person, each, "ended")


def _knew_what_it_meant(tasks: Tasks, person: str, name: str, what: str) -> None:
    """See that what would be left over was looked for once more when somebody was let in."""
    (residual,) = (
        each["what"]["residual"]
        for each in tasks.get(person, f"requests/{name}/trail")["events"]
        if each["what"]["type"] == "activating"
    )
    assert tasks.plans.setdefault(f"{what} as it began", residual) == residual


def _stands(tasks: Tasks) -> None:
    """Let somebody in who was in already, by others' hand; the journal knows nothing of it."""
    iam, person = tasks.fleet.deployed.client("iam"), tasks.somebody()
    iam.add_user_to_group(GroupName=LAB, UserName=person)
    name = tasks.in_group(person, LAB)
    tasks.post(person, f"requests/{name}/give-back", {})
    tasks.state(person, name, "ended")
    iam.remove_user_from_group(GroupName=LAB, UserName=person)


def _half_a_brake(tasks: Tasks, person: str) -> None:
    """Have all that somebody has ended, by a judge that gets no further than to record that."""
    (search,) = (each for each in permissions(tasks.fleet, "judge") if each.statement == "Search")
    with without(tasks.fleet, search):
        body = {"reach": "person", "id": person, "reason": "a trial"}
        begun = tasks.post("ben", "brakes/end", body)
    assert begun["troubles"], "the judge did it by itself"


def _fill(tasks: Tasks) -> None:
    """Leave no room for another version of the deny document, as after some ends."""
    iam, arn = tasks.fleet.deployed.client("iam"), tasks.fleet.account.arn("policy", DOCUMENT)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    (now,) = (each["VersionId"] for each in versions if each["IsDefaultVersion"])
    text = iam.get_policy_version(PolicyArn=arn, VersionId=now)["PolicyVersion"]["Document"]
    for _ in range(len(versions), _MOST_VERSIONS):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(text))


def _expire(tasks: Tasks) -> None:
    deployed = tasks.fleet.deployed
    sqs = deployed.client("sqs")
    sqs.purge_queue(QueueUrl=deployed.dead)
    wake = {"v": 1, "kind": "slot", "id": "nobody", "at": datetime.now(UTC).isoformat()}
    sqs.send_message(QueueUrl=deployed.dead, MessageBody=json.dumps(wake))
    found = deployed.invoke("expire", {})
    assert found.error is None, found.payload
    assert found.payload["revived"] == 1


def _reconcile(tasks: Tasks) -> None:
    """Find who is in a group though her grant has ended, and who is not though his goes on."""
    fleet, group = tasks.fleet, {"GroupName": FEW}
    iam = fleet.deployed.client("iam")
    if not tasks.ended:
        tasks.ended = tasks.in_group("ana", FEW)
        tasks.post("ana", f"requests/{tasks.ended}/give-back", {})
        for person, what in (("ben", FEW), (tasks.somebody(), LAB)):
            tasks.in_group(person, what, _LONG)
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.remove_user_from_group(**group, UserName="ana")
    iam.add_user_to_group(**group, UserName="ben")
    tasks.state("ana", tasks.ended, "ended")
    before = _compared(tasks)  # what other tasks have left half-way
    iam.add_user_to_group(**group, UserName="ana")
    iam.remove_user_from_group(**group, UserName="ben")
    after = _compared(tasks)
    assert after["leaked"] >= 1
    assert after["missing"] == before["missing"] + 1


def _compared(tasks: Tasks) -> Mapping[str, int]:
    deployed = tasks.fleet.deployed
    begun = len(deployed.logs("reconcile"))
    found = deployed.invoke("reconcile", {})
    assert found.error is None, found.payload
    lines = deployed.logs("reconcile")[begun:]
    assert not [line for line in lines if '"trouble"' in line]
    assert found.payload["finished"], found.payload
    counts: Mapping[str, int] = found.payload
    return counts


def _publish(tasks: Tasks) -> None:
    name = tasks.asks(tasks.somebody(), LAB)["id"]
    sqs, seen = tasks.fleet.deployed.client("sqs"), set()

    def passed_on() -> bool:
        for _ in range(_MOST_MESSAGES):
            answer = sqs.receive_message(QueueUrl=tasks.fleet.heard, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                sqs.delete_message(
                    QueueUrl=tasks.fleet.heard, ReceiptHandle=message["ReceiptHandle"]
                )
                if name in message["Body"]:
                    seen.add("topic" if '"TopicArn"' in message["Body"] else "bus")
            if not answer.get("Messages"):
                break
        if any(name.encode() in mail.raw for mail in tasks.fleet.mailbox.taken):
            seen.add("mail")
        return seen == {"bus", "topic", "mail"}

    tasks.until(passed_on, "passed on to the bus, to the topic and by mail")
    logs = tasks.fleet.deployed.logs
    begun = len(logs("publish"))
    stands = tasks.fleet.deployed.invoke("publish", {})
    assert stands.error is None, stands.payload
    assert any('"OverdueAge"' in line for line in logs("publish")[begun:])


TASKS: Mapping[str, Callable[[Tasks], None]] = {
    "request": _request,
    "approve": _approve,
    "judge": _judge,
    "look": _look,
    "issue": _issue,
    "advance-aws": _advance,
    "expire": _expire,
    "reconcile": _reconcile,
    "publish": _publish,
}
