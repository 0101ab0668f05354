"""A server that answers anything: whatever bytes it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import cache

from jitcloud.address import Address


class Anybody:
    """Answers each connection with the same bytes, once it was asked something, and ends it."""

    def __init__(self) -> None:
        self.raw = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address.parse(self.url)
        threading.Thread(target=self._answer, name="anybody", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def says(self, body: bytes, status: int = 200, headers: str = "") -> None:
        head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.raw = head.encode() + body

    def _answer(self) -> None:
        while True:
            found, _ = self._listener.accept()
            with found:
                try:
                    found.settimeout(10)
                    self._read(found)
                    found.sendall(self.raw)
                except OSError:  # it has gone
                    continue

    @staticmethod
    def _read(found: socket.socket) -> None:
        """Let the question come, all of it: who hangs up on an asker resets the answer, too."""
        arrived = b""
        while b"\r\n\r\n" not in arrived and (more := found.recv(65536)):
            arrived += more
        head, _, body = arrived.partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ]
        while len(body) < sum(lengths) and (more := found.recv(65536)):
            body += more


@cache
def anybody() -> Anybody:
    """The one of this process."""
    return Anybody()


def answering(
    ask: Callable[[Anybody], object], status: int = 200, headers: str = ""
) -> Callable[[bytes], object]:
    """Have somebody asked who answers with this body."""

    def handed(body: bytes) -> object:
        server = anybody()
        server.says(body, status, headers)
        return ask(server)

    return handed
