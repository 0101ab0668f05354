"""HTTP/1.1 by uvicorn, for callers that are slow, silent or many.

uvicorn waits for ever for the head of a request and for the reader of an answer, takes any number
of connections, and answers what is no HTTP in plain text. Behind no proxy each of these would be
somebody's way to be in the way of others.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from jitcloud.api import problems

SLOWEST_HEAD = 10.0
"""Seconds from when a connection is made, or a request begun, until its headers have come."""

SLOWEST_READER = 30.0
"""Seconds in which a reader takes all that waits for them but its last few KiB."""

MOST_CONNECTIONS = 800
"""How many connections are open; the next is let go of at once."""

LARGEST_HEAD = 32 * 1024
"""How many bytes of a head are kept while it is not whole. Larger ones are refused with 400."""


class Protocol(H11Protocol):
    """One connection."""

    _waiting: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        self._is_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the reader, for whom more waits than is to be kept; not for ever."""
        super().pause_writing()
        self._stuck = self.loop.call_later(SLOWEST_READER, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it was taken."""
        self._is_read()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Read on; what has begun must come to the end of its head in time."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._wait_no_more()
        elif self._waiting is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Be ready for the next request; uvicorn itself waits for its first byte."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._wait_no_more()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless it comes after an answer was begun."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        told = problems.problem(HTTPStatus.BAD_REQUEST, error="Invalid", detail=msg)
        body = json.dumps(dict(told.body)).encode()
        headers = [
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(cast("bytes", self.conn.send(cast("Any", event))))
        self.transport.close()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(SLOWEST_HEAD, self._give_up)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _is_read(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
