"""Reads what a caller sends, and stops reading where that is too much or takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from jitcloud.api.gateway import Pairs
from jitcloud.api.strict_json import MOST_BYTES

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

LINGER, LINGER_BYTES = 5.0, 32 * 1024 * 1024
"""For how many seconds, and bytes, a body that nobody reads is let in after its answer.

A connection that is closed on a sender who still sends is reset, and the answer with it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one caller may ask of the process; times in seconds."""

    body: int = MOST_BYTES
    target: int = 4 * 1024
    """Of path and query together."""
    headers: int = 64
    header_bytes: int = 24 * 1024
    """Of names and values together; a token may take 16 KiB of it."""
    slowest_body: float = 10
    """Until the last byte of it has come."""
    answer: float = 30
    """For one answer. What takes longer goes on, and whoever asked is told to look again."""
    at_once: int = 512
    """How many calls are in hand; the next is sent away."""


class RefusedEarly(Exception):
    """A call that is answered before anybody else sees it; the message is for whoever made it."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        """With which status, and why."""
        super().__init__(detail)
        self.status = status


class HungUp(Exception):
    """Whoever called has gone."""


def check(scope: Scope, limits: Limits) -> None:
    """Refuse what need not be read to be refused."""
    headers: Pairs = scope["headers"]
    if scope["method"] not in METHODS:
        message = "There is no such method here."
        raise RefusedEarly(HTTPStatus.NOT_IMPLEMENTED, message)
    if len(scope["raw_path"]) + len(scope["query_string"]) > limits.target:
        message = f"The URL is longer than {limits.target} characters."
        raise RefusedEarly(HTTPStatus.REQUEST_URI_TOO_LONG, message)
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > limits.headers or size > limits.header_bytes:
        raise RefusedEarly(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"There are more than {limits.headers} header fields, or more than"
            f" {limits.header_bytes // 1024} KiB of them.",
        )
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
        # A proxy might believe the other of the two, and see another call (RFC 9112, 6.1).
        message = "Content-Length and Transfer-Encoding exclude each other."
        raise RefusedEarly(HTTPStatus.BAD_REQUEST, message)


class Reading:
    """Reads one body, and knows whether all of it was read."""

    def __init__(self, receive: Receive) -> None:
        """Of the call that ``receive`` is about; reads nothing yet."""
        self._receive = receive
        self.is_over = False

    async def whole(self, headers: Pairs, limits: Limits) -> bytes:
        """Return the body, or refuse it as soon as it is known to be too large or too slow."""
        told = [int(value) for name, value in headers if name == b"content-length"]
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limits.slowest_body):
                while not self.is_over:
                    if max(size, *told, 0) > limits.body:
                        message = f"The body is larger than {limits.body // 1024} KiB."
                        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                        raise RefusedEarly(status, message)
                    parts.append(await self._part())
                    size += len(parts[-1])
        except TimeoutError as exc:
            message = f"The body did not come within {limits.slowest_body:g} seconds."
            raise RefusedEarly(HTTPStatus.REQUEST_TIMEOUT, message) from exc
        return b"".join(parts)

    async def drain(self) -> None:
        """Let the rest come for a while, and keep nothing of it."""
        size = 0
        try:
            async with asyncio.timeout(LINGER):
                while not self.is_over and size < LINGER_BYTES:
                    size += len(await self._part())
        except (TimeoutError, HungUp):
            return

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_over = True
            raise HungUp
        self.is_over = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part
