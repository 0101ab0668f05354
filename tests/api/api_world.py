"""A deployment behind the HTTP API: real routes, a real judge, clouds in memory.

Events go in as API Gateway makes them, and answers come out as it takes them. Only who speaks is
said by a table here: tokens have tests of their own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jitcloud.api.application import application
from jitcloud.api.judging import EVERYTHING, Judging
from jitcloud.api.message import Answer, Message, answer_of
from jitcloud.api.routes import ALL
from jitcloud.config import Deployment
from jitcloud.errors import Unauthenticated
from jitcloud.model import Caller, PersonId, Presented, Request, RequestId, Token
from jitcloud.ports import Answers
from jitcloud.providers.memory import KIND, MemoryMechanism
from jitcloud.settings import Settings
from jitcloud.stores.memory_answers import MemoryAnswers
from tests.cli_world import BRAKES, CATALOG, GLASS, POLICY, MemorySessions
from tests.world import PEOPLE, World

MORE_PEOPLE = """
[[person]]
id = "dora"
name = "Dora"
emails = ["dora@example.com"]

[[person]]
id = "emil"
name = "Emil"
disabled = true

[groups.security]
members = ["dora"]
"""


class Table:
    """Knows whose token is whose by what it says."""

    def __init__(self) -> None:
        self.asked = 0
        self.signed_in_at: datetime | None = None

    def identify(self, presented: Presented, now: datetime) -> Caller:
        self.asked += 1
        who = presented.text.removeprefix("token-of-")
        if presented.text == who:
            raise Unauthenticated("This token proves nobody; sign in again.")
        token = Token(kind=presented.kind, id=f"{presented.kind}-of-{who}")
        at = self.signed_in_at or now - timedelta(minutes=3)
        return Caller(person=PersonId(who), token=token, signed_in_at=at)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of one call."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class ApiWorld:
    """Makes calls as people do."""

    folder: Path
    parts: AbstractSet[str] = ALL
    commands: AbstractSet[str] = EVERYTHING
    answers: Answers = field(default_factory=MemoryAnswers)
    advances: bool = True

    def __post_init__(self) -> None:
        self.sessions = MemorySessions()
        self.world = World(
            self.folder,
            policy_text=POLICY + GLASS + BRAKES,
            catalog_text=CATALOG,
            people_text=PEOPLE + MORE_PEOPLE,
            mechanisms={KIND: MemoryMechanism(), self.sessions.name: self.sessions},
        )
        self.table = Table()
        self.messages: list[Message] = []
        self.put_together()

    def put_together(self) -> None:
        """Build the judge and the routes anew, as a restarted process would."""
        self.world.put_together()
        self.deployment = Deployment(
            settings=Settings(),
            folder=self.folder,
            broker=self.world.broker,
            advance=self.world.advance,
            clock=self.world.time,
            advances=self.advances,
        )
        self.judging = Judging(
            deployment=self.deployment,
            identities=self.table,
            answers=self.answers,
            clock=self.world.time,
            commands=self.commands,
        )
        self.resolver = application(self.asked, self.parts)

    def asked(self, message: Message) -> Answer:
        """Ask the judge as another process would: by JSON, both ways."""
        self.messages.append(message)
        sent = json.loads(json.dumps(message.as_dict()))
        return answer_of(json.loads(json.dumps(self.judging.answer(sent))))

    # ── Calls ────────────────────────────────────────────────────────────────────────────────

    def call(  # noqa: PLR0913 - keyword-only, each a part of a call
        self,
        method: str,
        path: str,
        *,
        by: str | None = "ana",
        body: object = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Reply:
        """Make one call; ``by`` names whose token it bears."""
        told = {} if by is None else {"authorization": f"Bearer token-of-{by}"}
        if key is not None:
            told["idempotency-key"] = key
        if body is not None:
            told["content-type"] = "application/json"
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        return self.send(event(method, path, {**told, **(headers or {})}, text, urlencode(query)))

    def send(self, event: object) -> Reply:
        """Hand one event over, as it is."""
        return reply_of(self.resolver.resolve(event, None))  # type: ignore[arg-type] # whatever it is

    def get(self, path: str, by: str | None = "ana", **query: Any) -> Reply:
        return self.call("GET", path, by=by, **query)

    def post(self, path: str, body: object = None, by: str | None = "ana", **more: Any) -> Reply:
        return self.call("POST", path, by=by, body=body, **more)

    # ── Shortcuts ────────────────────────────────────────────────────────────────────────────

    def ask(self, what: str = "dev-read", by: str = "ana", **more: object) -> str:
        """Ask; return the id of the request."""
        reply = self.post("/v1/requests", wish(what, **more), by)
        assert reply.status == 201, reply.text
        name: str = reply.json["requests"][0]["id"]
        return name

    def granted(self) -> str:
        """Let Ana write in production; return the request's id."""
        name = self.ask("prod-write")
        assert self.post(f"/v1/requests/{name}/approve", {}, "ben").status == 200
        return name

    def now(self, name: str) -> Request:
        return self.world.now(RequestId(name))

    def trail(self, name: str) -> list[str]:
        """What happened to a request."""
        return [line.event.what.type for line in self.world.store.events(RequestId(name))]

    def clone(self, **changes: Any) -> ApiWorld:
        """Return another process of the same deployment."""
        other = replace(self, **changes)
        other.world = self.world
        other.put_together()
        return other


def wish(*what: str, **more: object) -> dict[str, object]:
    """Write what is asked for."""
    asked = list(what or ("dev-read",))
    return {"entitlements": asked, "duration": "30m", "justification": "testing", **more}


def event(
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    query: str = "",
) -> dict[str, Any]:
    """Make an event of an HTTP API, payload format 2.0."""
    is_bytes = isinstance(body, bytes)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers or {}),
        "requestContext": {
            "stage": "$default",
            "requestId": "JKJaXmPLvHcESHA=",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": is_bytes,
    }


def reply_of(answered: Mapping[str, Any]) -> Reply:
    """Read an answer as API Gateway does."""
    assert type(answered["statusCode"]) is int
    json.dumps(answered)
    body = answered["body"] or ""
    text = base64.b64decode(body).decode("latin-1") if answered["isBase64Encoded"] else body
    headers = {name.lower(): value for name, value in answered["headers"].items()}
    return Reply(answered["statusCode"], headers, text)


def escaped(text: str) -> str:
    """Write text into a path."""
    return quote(text, safe="")
