"""A proxy between the store and an emulator: counts what passes, and loses or spoils some of it."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """One request that came by."""

    operation: str
    asked: dict[str, Any]
    headers: dict[str, str]
    body: bytes = field(repr=False)


Answer = tuple[int, bytes] | tuple[int, bytes, int]
"""Status and body, and a checksum where one is sent, as AWS does."""

Forward = Callable[[], Answer]
Fault = Callable[[Call, Forward], Answer | None]
"""What happens instead of passing a call on; None closes the connection without an answer."""


class Between(ThreadingHTTPServer):
    """Passes everything on but what a test has queued a fault for."""

    daemon_threads = True

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(endpoint_url).netloc
        self.faults: dict[str, list[Fault]] = {}
        self.calls: list[Call] = []
        self.answers: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def on(self, operation: str, *faults: Fault) -> None:
        """Meet the next calls of an operation with these faults, one each."""
        self.faults.setdefault(operation, []).extend(faults)

    def counted(self) -> dict[str, int]:
        """How often each operation was called."""
        return dict(Counter(call.operation for call in self.calls))

    def forget(self) -> None:
        """Count from here on."""
        self.calls.clear()
        self.answers.clear()

    def forward(self, call: Call) -> Answer:
        connection = HTTPConnection(self.behind, timeout=10)
        try:
            connection.request("POST", "/", call.body, call.headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    server: Between
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or the kernel waits before it sends the second
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        call = Call(operation, json.loads(body), dict(self.headers.items()), body)
        self.server.calls.append(call)
        queued = self.server.faults.get(operation)
        fault = queued.pop(0) if queued else passed_on
        answer = fault(call, lambda: self.server.forward(call))
        if answer is None:
            self.close_connection = True
            return
        status, said, *checksum = answer
        with suppress(ValueError):
            self.server.answers.append(json.loads(said))
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(said)))
        for number in checksum:
            self.send_header("X-Amz-Crc32", str(number))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def between(endpoint_url: str) -> Iterator[Between]:
    """Stand between a client and an emulator."""
    server = Between(endpoint_url)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# ── Faults ───────────────────────────────────────────────────────────────────────────────────


def passed_on(_: Call, forward: Forward) -> Answer:
    return forward()


def lost_on_the_way(_: Call, __: Forward) -> None:
    """Nothing has arrived, and there is no answer."""


def answer_lost(_: Call, forward: Forward) -> None:
    """It is done, and there is no answer."""
    forward()


def answer_cut(_: Call, forward: Forward) -> Answer:
    status, said = forward()[:2]
    return status, said[: len(said) // 2]


def answer_emptied(_: Call, forward: Forward) -> Answer:
    """It is done, and the answer looks like one that says nothing, but for its checksum."""
    status, said = forward()[:2]
    return status, b"{}", zlib.crc32(said + b" ")


def with_checksum(_: Call, forward: Forward) -> Answer:
    status, said = forward()[:2]
    return status, said, zlib.crc32(said)


def failed(status: int, code: str, **more: Any) -> Fault:
    """Say no without passing it on."""
    said = json.dumps(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **more}
    )
    return lambda _, __: (status, said.encode())


def done_and_failed(_: Call, forward: Forward) -> Answer:
    """It is done, and the answer says that something broke."""
    forward()
    return 500, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}'


def cancelled(code: str) -> Fault:
    """Cancel a transaction for what has happened to its first item."""

    def fault(call: Call, _: Forward) -> Answer:
        others = [{"Code": "None"}] * (len(call.asked["TransactItems"]) - 1)
        reasons = [{"Code": code, "Message": "as told"}, *others]
        said = {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "Transaction cancelled",
            "CancellationReasons": reasons,
        }
        return 400, json.dumps(said).encode()

    return fault


def after(happening: Callable[[], object], fault: Fault = passed_on) -> Fault:
    """Let something happen first."""

    def then(call: Call, forward: Forward) -> Answer | None:
        happening()
        return fault(call, forward)

    return then


def before(happening: Callable[[], object], fault: Fault) -> Fault:
    """Let something happen afterwards, before the answer is seen or missed."""

    def then(call: Call, forward: Forward) -> Answer | None:
        answer = fault(call, forward)
        happening()
        return answer

    return then
