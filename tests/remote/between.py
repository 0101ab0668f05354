"""What stands between a person and an API: a way that loses things, or somebody in its place."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Call:
    """One call, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Call], Reply | None]
"""Answers a call; None breaks off without a word."""


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Answer whoever calls; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(Call(self.command, self.path, headers, body))
            self.close_connection = True
            if reply is None:
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            try:
                self.wfile.write(reply.body)
            except OSError:
                return  # nobody wants to read that much

        do_POST = do_GET  # noqa: N815 - as http.server calls it

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


class Way:
    """Passes calls on to a port, but for what ``faults`` says of the next ones."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.faults: deque[str] = deque()
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Reply | None:
        self.calls.append(call)
        fault = self.faults.popleft() if self.faults else ""
        match fault:
            case "down":
                return None
            case "busy":
                return Reply(503, b"", {"Retry-After": "7"})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(call.method, call.path, call.body, dict(call.headers))
            answer = connection.getresponse()
            body = answer.read()
            told = {"Content-Type": answer.headers["Content-Type"]}
            return None if fault == "lost" else Reply(answer.status, body, told)
        finally:
            connection.close()
