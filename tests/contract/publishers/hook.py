"""A receiver of webhooks on this machine, which answers what it is told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from jitcloud.publishers.webhook import WebhookPublisher
from jitcloud.secret import Secret
from tests.world import START

KEYS = [bytes(range(n, n + 32)) for n in (1, 2)]
SECRETS = [f"whsec_{base64.b64encode(key).decode()}" for key in KEYS]


@dataclass(frozen=True)
class Post:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def is_signed_by(self, key: bytes) -> bool:
        """As the specification of Standard Webhooks says it is verified."""
        told = self.headers
        text = f"{told['webhook-id']}.{told['webhook-timestamp']}.".encode() + self.body
        digest = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return f"v1,{digest}" in told["webhook-signature"].split(" ")


Answer = Callable[["_Handler"], None]


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.send_response_only(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs(handler: _Handler) -> None:
    handler.server.closing.wait(30)


def drips(handler: _Handler) -> None:
    """Say a byte now and then, and never all of it."""
    handler.wfile.write(b"HTTP/1.1 200 ")
    for _ in range(3000):
        if handler.server.closing.wait(0.01):
            return
        handler.wfile.write(b"x")


def closes(handler: _Handler) -> None:
    handler.close_connection = True


class Hook(ThreadingHTTPServer):
    """Keeps what it gets, and answers 204 but where a test queued something else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[Post] = []
        self.answers: list[Answer] = []
        self.closing = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/jitcloud"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append(Post(self.path, headers, body))
        answer = self.server.answers.pop(0) if self.server.answers else says(204)
        try:
            answer(self)
        except OSError:
            self.close_connection = True  # whoever asked is gone

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Hook]:
    with Hook() as hook:
        thread = Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hook
        finally:
            hook.closing.set()
            hook.shutdown()
            thread.join()


def a_webhook(  # noqa: PLR0913 - what one receiver differs in from another
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    secrets: int = 1,
    texts: bool = False,
    seconds: float = 10,
    clock: Callable[[], datetime] = lambda: START,
) -> WebhookPublisher:
    for number, secret in enumerate(SECRETS):
        monkeypatch.setenv(f"HOOK_{number}", secret)
    places = [Secret(variable=f"HOOK_{number}") for number in range(secrets)]
    timeout = timedelta(seconds=seconds)
    return WebhookPublisher("publish-hook", url, places, clock=clock, texts=texts, timeout=timeout)
