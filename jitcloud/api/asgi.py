"""The HTTP API for a server on one machine: an ASGI application before the resolver of Lambda.

It hands each call on as API Gateway would, so that the same routes answer both. What API Gateway
does before a function is done here: nothing is read past its limit, and nothing waited for past
its time.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from jitcloud.api import problems
from jitcloud.api.answering import SECURITY
from jitcloud.api.gateway import (
    Malformed,
    Reply,
    Request,
    event_of,
    problem_reply,
    reply_of,
    source_of,
    trace_of,
)
from jitcloud.api.reading import (
    METHODS,
    HungUp,
    Limits,
    Message,
    Reading,
    Receive,
    RefusedEarly,
    Scope,
    check,
)
from jitcloud.observing import logs
from jitcloud.observing.call import Call, answering
from jitcloud.ports import Clock

Send = Callable[[Message], Awaitable[None]]
Resolve = Callable[[dict[str, Any], Any], Mapping[str, Any]]
"""Answers an event of API Gateway's HTTP API; called by several threads at once."""

TOO_MANY = "Too many calls are in hand; try again in a moment."
TOO_LONG = (
    "This takes too long to wait for, and may be done yet: look before you try again, or try with"
    " the same Idempotency-Key."
)

_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What became of one call."""

    method: str
    """``other`` where there is no such method."""
    route: str
    """The template of the route; empty where there is none."""
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Context:
    """What Lambda hands a function beside an event, as far as anybody here reads it."""

    aws_request_id: str
    function_name: str = "jitcloud-serve"


class Asgi:
    """Answers HTTP by a resolver, in threads that are lent to it."""

    def __init__(  # noqa: PLR0913 - keyword-only beyond the first
        self,
        resolve: Resolve,
        *,
        threads: Executor,
        clock: Clock,
        limits: Limits | None = None,
        behind_proxy: bool = False,
        served: Callable[[Served], None] | None = None,
    ) -> None:
        """Make one; ``served`` hears of each call once it was answered."""
        self._resolve = resolve
        self._threads = threads
        self._clock = clock
        self._limits = limits or Limits()
        self._behind_proxy = behind_proxy
        self._served = served
        self.in_hand = 0
        """How many calls are being read or answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, or nothing but that there is nothing to wait for (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        trace = trace_of(scope["headers"], uuid.uuid4().hex, behind_proxy=self._behind_proxy)
        self.in_hand += 1
        try:
            with answering(trace) as call:
                await self._serve(scope, receive, send, call)
        finally:
            self.in_hand -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send, call: Call) -> None:
        began = asyncio.get_running_loop().time()
        reading = Reading(receive)
        try:
            reply = await self._answer(scope, reading, call)
        except HungUp:
            logs.event("hung-up", route=call.route)
            return
        except RefusedEarly as refused:
            reply = _refusal(refused, call.trace)
        except asyncio.CancelledError:  # whoever runs us stops, and waits no more
            reply = _refusal(RefusedEarly(HTTPStatus.SERVICE_UNAVAILABLE, TOO_LONG), call.trace)
        except Exception as exc:  # noqa: BLE001 - a defect must not end a connection without a word
            reply = problem_reply(problems.defect(exc, call.trace))
        await _send(send, reply, reading, call.trace)
        self._tell(scope, reply.status, asyncio.get_running_loop().time() - began, call)

    async def _answer(self, scope: Scope, reading: Reading, call: Call) -> Reply:
        check(scope, self._limits)
        if self.in_hand > self._limits.at_once:
            raise RefusedEarly(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY)
        request = Request(
            # What HEAD says is what GET would, without its body (RFC 9110, 9.3.2).
            method="GET" if scope["method"] == "HEAD" else scope["method"],
            path=scope["raw_path"].decode("ascii"),
            query=scope["query_string"],
            version=scope["http_version"],
            headers=scope["headers"],
            body=await reading.whole(scope["headers"], self._limits),
            source=self._source(scope),
            trace=call.trace,
        )
        try:
            event = event_of(request, self._clock())
        except Malformed as exc:
            raise RefusedEarly(HTTPStatus.BAD_REQUEST, str(exc)) from exc
        return _allowed(reply_of(await self._resolved(event, call)), scope["method"])

    async def _resolved(self, event: dict[str, Any], call: Call) -> Mapping[str, Any]:
        """Answer it in a thread, which knows of the call by its context."""
        context = contextvars.copy_context()
        try:
            answered = self._threads.submit(
                context.run, self._resolve, event, _Context(aws_request_id=call.trace)
            )
        except RuntimeError as exc:  # the threads were told to stop
            raise RefusedEarly(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY) from exc
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answered), self._limits.answer)
        except TimeoutError as exc:
            raise RefusedEarly(HTTPStatus.SERVICE_UNAVAILABLE, TOO_LONG) from exc

    def _tell(self, scope: Scope, status: int, seconds: float, call: Call) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        logs.event(
            "http",
            level=logging.WARNING if is_ours else logging.INFO,
            method=method,
            route=call.route,
            status=status,
            ms=seconds * 1000,
            source=self._source(scope),
        )
        if self._served is not None:
            self._served(Served(method=method, route=call.route, status=status, seconds=seconds))

    def _source(self, scope: Scope) -> str:
        peer = scope.get("client")
        return source_of(
            str(peer[0]) if peer else "unknown", scope["headers"], behind_proxy=self._behind_proxy
        )


async def _live(receive: Receive, send: Send) -> None:
    """Say that all is ready: whoever runs us has begun what there is to begin, and ends it."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _refusal(refused: RefusedEarly, trace: str) -> Reply:
    is_busy = refused.status is HTTPStatus.SERVICE_UNAVAILABLE
    return problem_reply(
        problems.problem(
            refused.status,
            error="Unavailable" if is_busy else "Invalid",
            detail=str(refused),
            trace=trace,
            headers={"Retry-After": str(problems.AGAIN)} if is_busy else {},
        )
    )


def _allowed(reply: Reply, method: str) -> Reply:
    """Add what is allowed here besides what routes know of (RFC 9110, 9.3.2 and 9.3.7)."""
    told = dict(reply.headers).get("allow")
    if reply.status != HTTPStatus.METHOD_NOT_ALLOWED or told is None:
        return reply
    known = {each.strip() for each in told.split(",")}
    methods = sorted(known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set()))
    if method == "OPTIONS":
        return Reply(
            status=HTTPStatus.NO_CONTENT, body=b"", headers=(("allow", ", ".join(methods)),)
        )
    return replace(reply, headers=(*reply.headers, ("allow", ", ".join(methods))))


async def _send(send: Send, reply: Reply, reading: Reading, trace: str) -> None:
    headers = {
        **{name.lower(): value for name, value in SECURITY.items()},
        **dict(reply.headers),
        "x-request-id": trace,
    }
    if reply.status not in _WITHOUT_BODY:
        headers["content-length"] = str(len(reply.body))
    unread = not reading.is_over
    if unread:
        headers["connection"] = "close"
    pairs = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": pairs})
    await send({"type": "http.response.body", "body": reply.body, "more_body": unread})
    if unread:
        await reading.drain()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
