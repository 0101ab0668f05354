"""Where a browser on this machine is sent back to once somebody has signed in (RFC 8252, 7.3).

Anything on this machine, and any page that a browser shows, can send something here. So whatever
does not name our ``state`` is turned away, and the wait for what does goes on.

All of it happens in the thread of the caller, so that Ctrl-C ends it at once and leaves nothing.
Connections on which nothing comes hold nobody up: browsers open some in advance.
"""

from __future__ import annotations

import contextlib
import hmac
import selectors
import socket
import time
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from jitcloud.errors import Misconfigured, Unauthenticated

PATH = "/callback"

_MOST_OPEN = 32
"""Connections at a time; the oldest is ended for a new one."""
_LONGEST = 16 * 1024
"""Bytes of a request."""
_MOST_FIELDS = 20
_ANSWERS_WITHIN = 1.0

_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>jitcloud</title></head>
<body><p>{said}</p></body></html>
"""
_TAKEN = "jitcloud has your answer. Close this page and go back to the terminal."
_NOT_OURS = "This is not the answer that jitcloud is waiting for. Go back to the terminal."


class Redirect:
    """``with Redirect(state) as redirect:`` listens on 127.0.0.1 until it is left."""

    def __init__(self, state: str, *, port: int = 0) -> None:
        """Wait for an answer with this state. With port 0 a free one is taken.

        Raises ``Misconfigured`` where the port is taken.
        """
        self._state = state
        self._answer: Mapping[str, str] | None = None
        self._arrived: dict[socket.socket, bytes] = {}
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as exc:
            raise Misconfigured(
                f"The browser cannot be sent back to port {port} of this machine"
                f" ({exc.strerror}); end what listens there, or name another redirect_port."
            ) from None
        self._listener.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._here = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.uri = f"http://{self._here}{PATH}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._selector.close()
        self._listener.close()
        for found in self._arrived:
            found.close()

    def wait(self, patience: timedelta) -> Mapping[str, str]:
        """Return the parameters of the first answer with our state.

        Raises ``Unauthenticated`` when none has come in time.
        """
        ends = time.monotonic() + patience.total_seconds()
        while self._answer is None and (left := ends - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._arrived:
                    self._read(key.fileobj)
        if self._answer is None:
            raise Unauthenticated(
                "Nobody signed in in the browser in time; sign in again with jitcloud login."
            )
        return self._answer

    def take(self, method: str, target: str, host: str) -> tuple[int, str]:
        """Look at what arrived, and return the status and the text of the answer."""
        try:
            parts = urlsplit(target)
            fields = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return 400, _NOT_OURS
        # A page elsewhere may have a name of its own that leads here; it is not in our URI.
        if method != "GET" or parts.path != PATH or host != self._here:
            return 404, _NOT_OURS
        said = dict(fields)
        state = said.get("state", "").encode(errors="replace")
        if len(said) < len(fields) or not hmac.compare_digest(state, self._state.encode()):
            return 400, _NOT_OURS
        if self._answer is None:
            self._answer = said
        return 200, _TAKEN

    # ── Connections ──────────────────────────────────────────────────────────────────────────

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it has gone again
            found, _ = self._listener.accept()
            found.settimeout(0)
            if len(self._arrived) >= _MOST_OPEN:
                self._end(next(iter(self._arrived)))
            self._arrived[found] = b""
            self._selector.register(found, selectors.EVENT_READ)

    def _read(self, found: socket.socket) -> None:
        try:
            more = found.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        head, is_whole, _ = (self._arrived[found] + more).partition(b"\r\n\r\n")
        if is_whole:
            self._reply(found, head.decode("latin-1"))
        elif more and len(head) < _LONGEST:
            self._arrived[found] = head
            return
        self._end(found)

    def _reply(self, found: socket.socket, head: str) -> None:
        line, *headers = head.split("\r\n")
        method, _, rest = line.partition(" ")
        named = [value.strip() for name, _, value in (h.partition(":") for h in headers)
                 if name.lower() == "host"]  # fmt: skip
        status, said = self.take(method, rest.partition(" ")[0], ",".join(named))
        body = _PAGE.format(said=said)
        lines = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            "Content-Type: text/html; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
            # The address of the page holds the code: nothing else may come to know it.
            "Cache-Control: no-store",
            "Referrer-Policy: no-referrer",
            "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
        )
        with contextlib.suppress(OSError):  # it has gone: whoever sees the page knows enough
            found.settimeout(_ANSWERS_WITHIN)
            found.sendall("\r\n".join((*lines, "", body)).encode())

    def _end(self, found: socket.socket) -> None:
        self._selector.unregister(found)
        del self._arrived[found]
        found.close()
