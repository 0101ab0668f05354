"""IAM users, groups and roles of an emulated account, people who are those users, and a proxy
before AWS that loses, delays and refuses what changes something.
"""

from __future__ import annotations

import json
import threading
import tomllib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.model import OperationModel
from pydantic import BaseModel

from jitcloud.model import (
    Cloud,
    Credentials,
    Entitlement,
    EntitlementId,
    GroupId,
    Privilege,
    Request,
)
from jitcloud.providers.aws.clients import Clients
from tests.aws.conftest import Aws, named, now, policy, unique
from tests.docs.pages import bare, blocks, table
from tests.world import Time, World

NOTHING = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
PEOPLE = ("ana", "ben", "caro")


@dataclass(frozen=True)
class Member:
    """Somebody with an IAM user of their own, which may do nothing yet, and its key."""

    arn: str
    key: Credentials

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


def member(aws: Aws) -> Member:
    key = aws.user(NOTHING)
    return Member(aws.sts(key).get_caller_identity()["Arn"], key)


def group(aws: Aws, *buckets: str) -> str:
    """Make a group whose members may read these buckets; return its ARN."""
    name = unique("group")
    arn = aws.iam().create_group(GroupName=name)["Group"]["Arn"]
    aws.iam().put_group_policy(
        GroupName=name, PolicyName="rights", PolicyDocument=policy(NOTHING, *map(reading, buckets))
    )
    return arn


def reading(bucket: str) -> dict[str, object]:
    """The statement that allows reading a bucket's objects, and nothing that outlives a grant."""
    resource = f"arn:aws:s3:::{bucket}/*"
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}


def rights(*statements: object) -> dict[str, object]:
    """The policy of an ``aws.iam-policy`` target."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def documented(action: str, **names: str) -> list[dict[str, Any]]:
    """The rights that the operations page asks for, where one of them is this action.

    ``names`` says what stands for the names in capitals; several, with commas between, make a
    statement apply to several. Without the condition that the emulator does not know.
    """
    (text,) = (b.text for b in blocks("docs/operations.md") if f'"{action}"' in b.text)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    for statement in statements:
        statement.pop("Condition", None)
        place = statement["Resource"].rpartition("/")[2]
        statement["Resource"] = names[place.lower()].split(",")
    return statements


def keys_on_page(first: str) -> dict[str, str]:
    """The keys of the target table that begins so, and whether each is needed."""
    rows = table("docs/policy.md", "key", "needed", "is", begins=f"`{first}`")
    return {bare(row["key"]): row["needed"] for row in rows}


def needed(model: type[BaseModel]) -> dict[str, str]:
    return {
        name: "yes" if field.is_required() else "no" for name, field in model.model_fields.items()
    }


def on_page(mechanism: str) -> Entitlement:
    """The entitlement that the policy page shows for a mechanism."""
    (text,) = (b.text for b in blocks("docs/policy.md") if f'"{mechanism}"' in b.text)
    (entry,) = tomllib.loads(text)["entitlement"]
    return an_entitlement(mechanism, **entry["target"])


def an_entitlement(mechanism: str, /, **target: object) -> Entitlement:
    return Entitlement(
        id=EntitlementId("dev-read"),
        title="Read in development",
        cloud=Cloud.AWS,
        mechanism=mechanism,
        target=target,
        privilege=Privilege.READ,
        environment="dev",
        owner=GroupId("leads"),
    )


def catalog(mechanism: str, **targets: Mapping[str, object]) -> str:
    """A catalog with an entitlement for each target; ``_`` in its name stands for ``-``."""
    return "\n".join(
        f"""
[[entitlement]]
id = "{name.replace("_", "-")}"
title = "Test"
cloud = "aws"
mechanism = "{mechanism}"
privilege = "{name.rpartition("_")[2]}"
environment = "{name.partition("_")[0]}"
owner = "leads"
target = {_toml(target)}
"""
        for name, target in targets.items()
    )


def _toml(value: object) -> str:
    match value:
        case Mapping():
            lines = [f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()]
            return f"{{ {', '.join(lines)} }}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return json.dumps(value)


@contextmanager
def counting(clients: Clients, through: str | None = None) -> Iterator[list[str]]:
    """Count what is asked of STS and IAM meanwhile."""
    calls: list[str] = []

    def note(model: OperationModel, **_: object) -> None:
        calls.append(model.name)

    both = (clients.sts("aws"), clients.iam("aws", through))
    for client in both:
        client.meta.events.register("before-call", note)
    yield calls
    for client in both:
        client.meta.events.unregister("before-call", note)


# ── What goes wrong on the way ───────────────────────────────────────────────────────────────


class Fault(StrEnum):
    """What becomes of the next call that changes something."""

    REFUSED = "refused"
    THROTTLED = "throttled"
    LOST = "lost"
    """It never arrives, and no answer does."""
    UNANSWERED = "unanswered"
    """It has its effect, and no answer arrives."""
    LATE = "late"
    """No answer arrives, and it has its effect five seconds later."""


CHANGES = (
    "AddUserToGroup",
    "RemoveUserFromGroup",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "PutUserPolicy",
    "DeleteUserPolicy",
)
_ERRORS = {Fault.REFUSED: (403, "AccessDenied"), Fault.THROTTLED: (400, "Throttling")}
_LATE = timedelta(seconds=5)
_Request = tuple[str, bytes, dict[str, str]]


class Proxy(ThreadingHTTPServer):
    """Passes on to an emulated AWS what no fault befalls. Late calls land as ``time`` passes."""

    daemon_threads = True

    def __init__(self, endpoint_url: str, time: Time) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: deque[Fault | None] = deque()
        self.changes: list[str] = []
        """Which changes were asked for, whatever became of them."""
        self._endpoint = endpoint_url.removeprefix("http://")
        self.time = time
        """The clock of the broker that is tried just now."""
        self._late: list[tuple[datetime, _Request]] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def begin(self) -> Time:
        """Forget what was tried before; return the clock for what is tried next."""
        self.faults.clear()
        self.changes.clear()
        self.time = this_second()
        return self.time

    def fault(self, action: str) -> Fault | None:
        with self._lock:
            if action not in CHANGES:
                return None
            self.changes.append(action)
            return self.faults.popleft() if self.faults else None

    def send(self, request: _Request) -> tuple[int, bytes]:
        connection = HTTPConnection(self._endpoint, timeout=10)
        try:
            connection.request("POST", request[0], request[1], request[2])
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def keep(self, request: _Request) -> None:
        with self._lock:
            self._late.append((self.time() + _LATE, request))

    def land(self) -> None:
        """Deliver what is late no longer."""
        with self._lock:
            due = [request for at, request in self._late if at <= self.time()]
            self._late = [late for late in self._late if late[0] > self.time()]
        for request in due:
            self.send(request)


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request: _Request = (self.path, body, dict(self.headers))
        action = parse_qs(body.decode()).get("Action", [""])[0]
        self.server.land()
        fault = self.server.fault(action)
        match fault:
            case Fault.REFUSED | Fault.THROTTLED:
                status, code = _ERRORS[fault]
                said = f"<Error><Code>{code}</Code><Message>as told</Message></Error>"
                self._answer(status, f"<ErrorResponse>{said}</ErrorResponse>".encode())
                return
            case Fault.LATE:
                self.server.keep(request)
            case Fault.UNANSWERED:
                self.server.send(request)
            case None:
                self._answer(*self.server.send(request))
                return
        self.close_connection = True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxied(endpoint_url: str) -> Iterator[Proxy]:
    with Proxy(endpoint_url, this_second()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def behind(proxy: Proxy, credentials: Credentials) -> Clients:
    """Reach AWS through the proxy, as whoever has these credentials."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_PROFILE", raising=False)
        environment.delenv("AWS_SESSION_TOKEN", raising=False)
        environment.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        environment.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        clients = Clients(clock=now, endpoint_url=proxy.url)
        clients.sts("aws")  # it has found its credentials now, and keeps them
        return clients


@dataclass
class Here:
    """A broker over an emulated account, in which a grant lets somebody read a bucket."""

    aws: Aws
    proxy: Proxy
    sessions: dict[str, Credentials]
    """With which each person would use what is granted."""
    bucket: str
    world: World

    def can_read(self, person: str = "ana") -> bool:
        self.proxy.land()
        return self.aws.can_read(self.sessions[person], self.bucket)

    def give_back(self, request: Request) -> Request:
        """Give back, and look again once IAM has had its time."""
        self.world.give_back(request, request.person)
        self.world.time.forward(seconds=60)
        self.world.sweep()
        return self.world.now(request)

    def ended_is_never_said_while_access_can_come_back(self, request: Request) -> None:
        for _ in range(60):
            self.world.sweep()
            if self.world.now(request).state.is_finished:
                break
            self.proxy.land()
            self.world.time.forward(seconds=2)
        assert self.world.now(request).state.is_finished
        assert not self.can_read()
        self.world.time.forward(minutes=5)
        self.world.sweep()
        assert not self.can_read()
        self.world.verify_all()


def may(aws: Aws, credentials: Credentials, *statements: object) -> None:
    """Let an IAM user do this from now on, and nothing else."""
    name = named(aws.sts(credentials).get_caller_identity()["Arn"])
    aws.iam().put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy(*statements))


def this_second() -> Time:
    """A clock of ours that begins now, so that AWS's own means the same by a deadline."""
    return Time(datetime.now(UTC).replace(microsecond=0))


def goes_on_until(holds: Callable[[], bool], at: datetime) -> bool:
    """Try again and again until it holds, for some seconds past an instant at the most."""
    while not holds():
        if now() > at + timedelta(seconds=5):
            return False
    return True
