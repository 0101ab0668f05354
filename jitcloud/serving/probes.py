"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever runs the process, before any API.

They take no thread from those who call the API, so a process that has much to do still says so.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from jitcloud import metrics
from jitcloud.api.asgi import Asgi, Send
from jitcloud.api.reading import Receive, Scope
from jitcloud.errors import JitError
from jitcloud.serving.current import Current
from jitcloud.serving.figures import Figures
from jitcloud.serving.health import Health
from jitcloud.serving.pulse import Pulse

PATIENCE = 5.0
"""Seconds after which what is looked up for an answer counts as out of reach."""

T = TypeVar("T")
_JSON = "application/json"
_FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"}
)
"""What a proxy adds: a call with one of these does not come from this machine."""


class Probes:
    """An ASGI application that answers these three, and hands on everything else."""

    def __init__(  # noqa: PLR0913 - keyword-only
        self,
        *,
        api: Asgi,
        current: Current[Any],
        health: Health,
        figures: Figures,
        pulse: Pulse,
        looks: Executor,
        metrics_for: Literal["loopback", "all", "off"],
    ) -> None:
        """Put it before ``api``; what has to be looked up is by ``looks``."""
        self._api = api
        self._current = current
        self._health = health
        self._figures = figures
        self._pulse = pulse
        self._looks = looks
        self._metrics_for = metrics_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call (ASGI 3)."""
        answer = self._answer_to(scope) if scope["type"] == "http" else None
        if answer is None:
            await self._api(scope, receive, send)
            return
        status, kind, body = await answer()
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if {b"content-length", b"transfer-encoding"} & {name for name, _ in scope["headers"]}:
            headers.append((b"connection", b"close"))  # a body that nobody reads
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer_to(self, scope: Scope) -> Callable[[], Awaitable[tuple[int, str, bytes]]] | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        match scope["path"]:
            case "/healthz":
                return self._alive
            case "/readyz":
                return self._ready
            case "/metrics" if self._may_read_metrics(scope):
                return self._measured
            case _:
                return None

    def _may_read_metrics(self, scope: Scope) -> bool:
        if self._metrics_for != "loopback":
            return self._metrics_for == "all"
        if any(name in _FORWARDED for name, _ in scope["headers"]):
            return False
        peer = scope.get("client")
        return peer is not None and ipaddress.ip_address(peer[0]).is_loopback

    async def _alive(self) -> tuple[int, str, bytes]:
        return HTTPStatus.OK, _JSON, b'{"status": "ok"}'

    async def _ready(self) -> tuple[int, str, bytes]:
        wrong = await self._looked(lambda: list(self._health.wrong()), ["record"])
        told = {"status": "not ready" if wrong else "ready", "wrong": wrong}
        status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
        return status, _JSON, json.dumps(told).encode()

    async def _measured(self) -> tuple[int, str, bytes]:
        record = await self._looked(self._recorded, "")
        own = self._figures.exposition(
            self._pulse, in_hand=self._api.in_hand, is_recorded=bool(record)
        )
        return HTTPStatus.OK, metrics.CONTENT_TYPE, (record + own).encode()

    def _recorded(self) -> str:
        deployment = self._current.deployment
        try:
            found = metrics.snapshot(deployment.ledger.store, deployment.clock())
        except JitError:
            return ""
        return metrics.exposition(found)

    async def _looked(self, look: Callable[[], T], otherwise: T) -> T:
        """Look it up in a thread, and no longer than for a while."""
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._looks, look), PATIENCE)
        except TimeoutError:
            return otherwise
