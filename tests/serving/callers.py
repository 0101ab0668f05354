"""Callers who speak HTTP byte by byte, to see what a server makes of each."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


def read_answer(connection: socket.socket) -> Answer:
    """Read one answer, by its length, or up to the end where it has none."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        more = connection.recv(65536)
        if not more:
            break
        seen += more
    assert seen, "the connection was closed without an answer"
    head, _, body = seen.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return Answer(int(status.split()[1]), headers, body)


@dataclass
class Caller:
    """Calls a port of this machine."""

    port: int

    def call(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one call, and read the answer up to the end of the connection."""
        fields = {"Host": "localhost", "Connection": "close", **(headers or {})}
        if body:
            fields.setdefault("Content-Length", str(len(body)))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)

    def raw(self, sent: bytes) -> Answer:
        """Send these bytes, and read what comes until the connection is closed."""
        with self.connected() as connection:
            connection.sendall(sent)
            return read_answer(connection)

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            yield connection
