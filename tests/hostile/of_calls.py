"""Parsers of what is sent to the API and to functions, and of what an API answers to commands."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from jitcloud import shapes
from jitcloud.api import callers, events, gateway, message, problems, strict_json
from jitcloud.api.commands import COMMANDS
from jitcloud.api.commands.reading import _event, _number, _passed_in, cursor
from jitcloud.api.message import Answer
from jitcloud.binding import plain
from jitcloud.errors import (
    CloudError,
    Invalid,
    JitError,
    Misconfigured,
    Refused,
    Unauthenticated,
    Unavailable,
)
from jitcloud.fleet.expiring import _urls
from jitcloud.looking import Asked, Looking
from jitcloud.model import Presented
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_group import IamGroup
from jitcloud.providers.aws.invoke import _read as read_invoked
from jitcloud.queues import sqs
from jitcloud.remote.calls import Calls
from jitcloud.remote.remote import Remote
from jitcloud.secret import Secret
from jitcloud.text import is_unsafe
from jitcloud.tickets.jira import JiraTickets
from tests.factories import a_person, request_id
from tests.hostile import mangling
from tests.hostile.anybody import Anybody, answering
from tests.hostile.of_records import granted, lived
from tests.hostile.parser import Parser, leaves

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)

# ── What is sent to the API ──────────────────────────────────────────────────────────────────

ASK: dict[str, Any] = {
    "entitlements": ["dev-read"],
    "duration": "1h30m",
    "justification": "Look into INC-7",
    "start": "2026-12-01T09:00:00[Europe/Berlin]",
    "ticket": "INC-7",
    "incident": None,
    "break_glass": False,
}
EVENT: dict[str, Any] = {
    "version": "2.0",
    "rawPath": "/v1/requests",
    "rawQueryString": "limit=5&after=abc",
    "headers": {
        "authorization": "Bearer abc.def.ghi",
        "content-type": "application/json",
        "idempotency-key": '"k-1"',
        "x-jitcloud-identity": "",
    },
    "requestContext": {
        "stage": "$default",
        "requestId": "r=",
        "http": {"method": "POST", "path": "/v1/requests"},
    },
    "body": json.dumps(ASK),
    "isBase64Encoded": False,
}
_REASON = {"request": request_id(1), "reason": "because"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "ask": ASK,
    "extend": {"request": request_id(1), "duration": "1h", "justification": "more"},
    "list": {"limit": 5, "after": "abc", "state": "active", "of": "everybody"},
    "trail": {"request": request_id(1), "limit": "5", "after": "MQ"},
    "approve": _REASON,
    "revoke": _REASON,
    "review": {"request": request_id(1), "note": "fine", "fine": True},
    "stop": {"reach": "person", "id": "ana", "reason": "because"},
    "outlook": {"entitlement": "dev-read", "duration": "1h"},
}


def _message(command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "command": command,
        "arguments": dict(arguments),
        "presented": {"kind": "oidc", "text": "a.b.c"},
        "key": "k",
        "trace": "t",
    }


def _harmless(answer: Answer) -> None:
    """What a problem says is JSON, and nothing in it acts on whoever shows it."""
    json.dumps(dict(answer.body)).encode()
    for each in leaves(answer.body):
        assert not isinstance(each, str) or not any(map(is_unsafe, each)), ascii(each)


def _judged(table: Any) -> object:
    """A message as the judge reads it, up to where its command begins."""
    asked = message.message_of(table)
    command = COMMANDS.get(asked.command)
    if command is None:
        return None
    try:
        return command.takes.model_validate(dict(asked.arguments))
    except ValidationError as exc:
        wrong: Any = exc.errors(include_url=False, include_input=False, include_context=False)
        _harmless(problems.wrong(wrong, "t"))
        return None


def _called(event: Any) -> object:
    """An event as the front reads it, up to where its route begins."""
    found = events.read(event, events.trace_of(event))
    if isinstance(found, Answer):
        _harmless(found)
        return None
    events.queried(found.raw_query_string)
    return (
        callers.presented(found.headers),
        callers.key(found.headers),
        None if found.body is None else strict_json.loads(found.body),
    )


def _over_asgi(octets: bytes) -> object:
    """A call of ``serve`` as API Gateway would have passed it on."""
    query, _, rest = octets.partition(b"\n")
    name, _, body = rest.partition(b"\n")
    request = gateway.Request(
        method="POST",
        path="/v1/requests",
        query=bytes(each for each in query if each < 128),  # as the server lets it in
        version="1.1",
        headers=[(b"x-forwarded-for", name), (b"x-request-id", name), (b"cookie", name)],
        body=body,
        source=gateway.source_of("127.0.0.1", [(b"x-forwarded-for", name)], behind_proxy=True),
        trace=gateway.trace_of([(b"x-request-id", name)], "own", behind_proxy=True),
    )
    try:
        event = gateway.event_of(request, NOW)
    except gateway.Malformed:
        return None
    json.dumps(event).encode()
    return None if isinstance(events.read(event, "t"), Answer) else True


def _urls_of(text: str) -> object:
    try:
        os.environ["JITCLOUD_HOSTILE"] = text
    except ValueError:
        return None  # no variable holds that
    try:
        return _urls("JITCLOUD_HOSTILE")
    finally:
        del os.environ["JITCLOUD_HOSTILE"]


# ── What is looked at for somebody else ──────────────────────────────────────────────────────

_GROUPS = {"aws.iam-group": IamGroup(Clients(clock=lambda: NOW))}


def _question(table: Any) -> object:
    if not isinstance(table, dict):
        return None
    return Looking(mechanisms=lived().mechanisms, clock=lambda: NOW).answer(table)


def _reply(table: Any) -> object:
    if not isinstance(table, dict):
        return None
    entry = granted().entitlement
    asked = Asked(_GROUPS["aws.iam-group"], lambda _: table)
    return asked.plan(entry, HOUR, NOW, person=a_person())


QUESTION: dict[str, Any] = {
    "verb": "plan",
    "entitlement": {
        "id": "dev-read",
        "title": "Read",
        "cloud": "aws",
        "mechanism": "memory.assignment",
        "privilege": "read",
        "environment": "dev",
        "owner": "leads",
        "target": {"role": "reader"},
    },
    "duration": "PT600S",
    "part": "",
    "person": {"id": "ana", "name": "Ana", "emails": [], "groups": [], "rotations": []},
}
PLAN = {
    "guarantee": "broker",
    "early_end": "At once.",
    "residual": [],
    "notes": ["n"],
    "problems": [],
}

# ── What an API answers ──────────────────────────────────────────────────────────────────────


def _remote(ask: Callable[[Remote], object]) -> Callable[[Anybody], object]:
    def handed(server: Anybody) -> object:
        def present() -> Presented:
            return Presented(kind="oidc", text="a.b.c")

        return ask(Remote(Calls(server.url, present, lambda _: None)))

    return handed


def _nothing(*_: object) -> Any:
    return Presented(kind="oidc", text="a.b.c")


REQUEST = json.loads(
    json.dumps({**shapes.of_request(granted()), **shapes.of_age(granted(), NOW), "names": {}})
)
SHOWN = {**REQUEST, "troubles": [], "ask": json.loads(json.dumps(plain(granted().ask)))}
NAME = granted().id
TRAIL = {
    "id": NAME,
    "events": [_event(line) for line in lived().store.events(NAME)],
    "next": None,
}
PERSON = {"id": "ana", "name": "Ana"}
DECISION = {"kind": "denied", "rules": ["x"], "because": ["No."]}
ADVICE = {
    "decision": DECISION,
    "asked": [
        {
            "stage": 0,
            "need": "1 of leads",
            "people": [PERSON],
            "joining_after": 60,
            "joining": [PERSON],
        }
    ],
    "reviewers": [],
    "hearing": [{"who": "security", "people": [PERSON]}],
    "hints": ["h"],
    "offers": [{"duration": 60, "kind": "activate"}],
}
CREDENTIALS = {
    "request": NAME,
    "access_key_id": "A",
    "secret_access_key": "s",
    "session_token": "t",
    "expires_at": "2026-12-01T09:30:00Z",
}
BRAKE = {
    "reach": "person",
    "id": "ana",
    "by": "ben",
    "at": "2026-12-01T09:30:00Z",
    "reason": "Drill",
}
BRAKES = {
    "policy": {"number": 1, "sha256": "0" * 64},
    "stops": [BRAKE],
    "endings": [BRAKE],
    "restored_at": None,
    "reconciled_at": None,
    "names": {"ana": "Ana"},
}
ME = {
    "id": "ana",
    "name": "Ana",
    "emails": [],
    "groups": ["g"],
    "rotations": [],
    "token": "oidc",
    "signed_in_at": None,
}
JUDGED = {**REQUEST["entitlement"], "decision": DECISION}
PROBLEM = {"error": "Refused", "detail": "You may not.", "trace": "t", "status": 403}
ISSUE = {
    "key": "OPS-7",
    "fields": {
        "project": {"key": "OPS"},
        "status": {"statusCategory": {"key": "new"}},
    },
}

_ANY: tuple[type[JitError], ...] = (JitError,)
_API: tuple[type[JitError], ...] = (Misconfigured, Unavailable)


def _answer(
    name: str,
    ask: Callable[[Remote], object],
    *valid: Any,
    status: int = 200,
    headers: str = "",
    found: tuple[tuple[bytes, str], ...] = (),
) -> Parser:
    return Parser(
        name=f"an API's answer: {name}",
        read=answering(_remote(ask), status, headers),
        valid=valid if status == 200 else (),
        also=() if status == 200 else valid,
        mangled=mangling.JSON_BYTES,
        raises=_API if status == 200 else _ANY,
        no_zone="events are those of a record" if name == "a trail" else "",
        longer="the same" if name == "a trail" else "",
        found=found,
        longest_line=2000 * 10 + 200,  # what an API says of a refusal is shown, escaped and cut
    )


def _ticket(server: Anybody) -> object:
    os.environ["JITCLOUD_HOSTILE"] = "token"
    try:
        return JiraTickets(server.url, Secret(variable="JITCLOUD_HOSTILE")).look("OPS-7")
    finally:
        del os.environ["JITCLOUD_HOSTILE"]


def _trail(event: str) -> bytes:
    return f'{{"id": "{NAME}", "events": [{event}], "next": null}}'.encode()


PARSERS = (
    Parser(
        name="a body",
        read=strict_json.loads,
        valid=(ASK, {"limit": 5}),
        mangled=mangling.JSON_TEXT,
        raises=(Invalid,),
        written=json.dumps,
        most=64 * 1024,
    ),
    Parser(
        name="an event of API Gateway",
        read=_called,
        valid=(EVENT,),
        mangled=mangling.TABLE,
        raises=(Invalid, Unauthenticated),
    ),
    Parser(
        name="a call of `serve`",
        read=_over_asgi,
        valid=(b"limit=5&after=%41b\n10.0.0.1, 10.0.0.2\n{}",),
        mangled=mangling.OCTETS,
        most=64 * 1024,
    ),
    Parser(
        name="a message to the judge",
        read=_judged,
        valid=tuple(_message(command, said) for command, said in ARGUMENTS.items()),
        mangled=mangling.TABLE,
        raises=(Invalid,),
    ),
    Parser(
        name="an answer of the judge",
        read=message.answer_of,
        valid=({"status": 200, "body": {"a": 1}, "headers": {"a": "b"}},),
        mangled=mangling.TABLE,
        raises=(Unavailable,),
        written=Answer.as_dict,
    ),
    Parser(
        name="what a function answered",
        read=lambda body: message.answer_of(read_invoked(body, "The function judge")),
        valid=({"status": 200, "body": {"a": 1}, "headers": {"a": "b"}},),
        mangled=mangling.JSON_BYTES,
        raises=(Unavailable,),
        found=((b'{"status": 200, "body": {"a": [1e999]}, "headers": {}}', "JSON has none such"),),
    ),
    Parser(
        name="a cursor of a list",
        read=_passed_in,
        valid=(cursor("01JD8Z6N3V.3"),),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        most=200,
    ),
    Parser(
        name="a cursor of a trail",
        read=_number,
        valid=(cursor("17"),),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        written=lambda number: cursor(str(number)),
        most=200,
    ),
    Parser(
        name="an idempotency key",
        read=lambda text: callers.key({"idempotency-key": text}),
        valid=('"k-1"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        written=str,
    ),
    Parser(
        name="who is presented",
        read=lambda text: callers.presented({"authorization": text}),
        valid=("Bearer abc.def.ghi", "bearer  abc.def.ghi"),
        mangled=mangling.TEXT,
        raises=(Unauthenticated,),
    ),
    Parser(
        name="a message of a queue",
        read=sqs.decode,
        valid=({"v": 1, "kind": "request", "id": "x", "at": "2026-12-01T09:00:00Z", "tries": 3},),
        mangled=mangling.JSON_TEXT,
        raises=(Invalid,),
        written=sqs.encode,
    ),
    Parser(
        name="where queues are",
        read=_urls_of,
        found=(("[" * 50_000, "nested deeply"),),
        valid=({"aws": "https://sqs.eu-central-1.amazonaws.com/1/a"},),
        mangled=mangling.JSON_TEXT,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a question to whoever looks",
        read=_question,
        valid=(QUESTION,),
        mangled=mangling.TABLE,
        raises=(Invalid,),
    ),
    Parser(
        name="what whoever looks answers",
        read=_reply,
        valid=({"plan": PLAN, "parts": [], "refused": "", "failed": ""},),
        also=({"refused": "Nobody is let in there."}, {"failed": "The cloud did not say."}),
        mangled=mangling.TABLE,
        raises=(CloudError, Refused, Invalid),
    ),
    Parser(
        name="what Jira answers",
        read=answering(_ticket),
        valid=(ISSUE,),
        also=({"errorMessages": ["no"]},),
        mangled=mangling.JSON_BYTES,
        raises=(Unavailable, Misconfigured),
    ),
    Parser(
        name="what Jira refuses",
        read=answering(_ticket, status=404),
        valid=({"errorMessages": ["no"]},),
        mangled=mangling.JSON_BYTES,
        raises=(Unavailable, Misconfigured),
    ),
    Parser(
        name="what Jira says when it is asked too often",
        read=answering(_ticket, status=429, headers="Retry-After: 12\r\n"),
        valid=(),
        also=({"errorMessages": ["no"]},),
        mangled=mangling.JSON_BYTES,
        raises=(Unavailable,),
    ),
    _answer("a request", lambda api: api.give_back(NAME, ""), REQUEST),
    _answer(
        "what is revoked",
        lambda api: api.revoke(NAME, "x"),
        REQUEST,
        {"id": NAME, "state": "ended"},
    ),
    _answer(
        "a request on its own page",
        lambda api: api.show(NAME),
        SHOWN,
        found=((b'{"a": [[NaN]]}', "JSON has no such number"),),
    ),
    _answer(
        "a page of requests", lambda api: api.list(5, None), {"requests": [REQUEST], "next": None}
    ),
    _answer(
        "requests that were asked for",
        lambda api: api.request_all(["a"], HOUR, "x"),
        {"requests": [REQUEST]},
    ),
    _answer("what waits", lambda api: api.approvals(5), {"requests": [REQUEST], "more": False}),
    _answer("what a yes is bound to", lambda api: api.approve(NAME, "", _nothing, _nothing), SHOWN),
    _answer(
        "a trail",
        lambda api: api.trail(NAME),
        TRAIL,
        found=(
            (_trail('{"\\ud800é": 1}'), "half of a character in a key: UnicodeEncodeError"),
            (_trail('{"a":' * 800 + "1" + "}" * 800), "nested deeply: RecursionError"),
        ),
    ),
    _answer("advice", lambda api: api.advise(NAME), ADVICE),
    _answer("an outlook", lambda api: api.outlook("dev-read", HOUR), {**ADVICE, **JUDGED}),
    _answer("the catalog", lambda api: api.catalog(HOUR), {"entitlements": [JUDGED], "next": None}),
    _answer("credentials", lambda api: api.credentials(NAME), CREDENTIALS),
    _answer("brakes", lambda api: api.brakes(), BRAKES),
    _answer("oneself", lambda api: api.me(), ME),
    _answer("a refusal", lambda api: api.me(), PROBLEM, status=403),
    _answer(
        "too many", lambda api: api.me(), PROBLEM, status=429, headers="Retry-After: 99999\r\n"
    ),
)
