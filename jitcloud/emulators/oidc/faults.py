"""What the emulated issuer may do instead of answering as it should."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

_HUGE = 4 * 1024 * 1024
_LASTS = 30.0


class Fault(StrEnum):
    """What goes wrong with one answer. Unless that is the right one, nothing is done either."""

    SLOW = "slow"
    """The right answer, from its first line on a byte at a time: half a minute of it."""
    SILENT = "silent"
    """Nothing at all, for half a minute."""
    HANG_UP = "hang up"
    """The connection ends without an answer."""
    LOST = "lost"
    """The same, but what was asked for is done: the right answer is lost on its way."""
    BROKEN = "500"
    UNAVAILABLE = "503"
    """With ``Retry-After``: 30 seconds."""
    HTML = "html"
    """A page with 200, as a log-in in front of the issuer gives it."""
    MALFORMED = "malformed"
    """The right answer, without its end."""
    DEEP = "deep"
    """JSON that is nested a hundred thousand times."""
    OTHER_SHAPE = "other shape"
    """JSON, and not what it should be."""
    HUGE = "huge"
    """The right answer, with four mebibytes more in a member of it."""
    REDIRECT = "redirect"
    """302, to where the right answer is."""
    WRONG_ISSUER = "wrong issuer"
    """The right answer, but that discovery names another issuer."""
    ECHO = "echo"
    """400, with all that was sent in the description of the error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, as it should be."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        """The whole of it, as it goes over the wire (RFC 9112)."""
        kind = "text/html; charset=UTF-8" if self.body.startswith(b"<") else "application/json"
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


def encoded(said: object) -> bytes:
    """Write JSON."""
    return json.dumps(said).encode()


_PAGE = b"<!DOCTYPE html><html><body>Log in to continue</body></html>"

_INSTEAD: Mapping[Fault, Reply] = {
    Fault.BROKEN: Reply(500, _PAGE),
    Fault.UNAVAILABLE: Reply(503, _PAGE, {"Retry-After": "30"}),
    Fault.HTML: Reply(200, _PAGE),
    Fault.DEEP: Reply(200, b"[" * 100_000),
    Fault.OTHER_SHAPE: Reply(200, encoded(["keys", "issuer", "id_token"])),
}


_DONE = {None, Fault.SLOW, Fault.LOST, Fault.MALFORMED, Fault.HUGE, Fault.WRONG_ISSUER}


def is_done(fault: Fault | None) -> bool:
    """Whether what is asked for happens, however it is answered."""
    return fault in _DONE


def spoilt(reply: Reply, fault: Fault | None, url: str, sent: str) -> Reply:
    """What is said instead; ``url`` is the one that was asked for, and ``sent`` came with it."""
    match fault:
        case Fault.HUGE:
            return _with(reply, filling="x" * _HUGE)
        case Fault.WRONG_ISSUER:
            return _with(reply, issuer="https://issuer.example.net")
        case Fault.MALFORMED:
            return Reply(reply.status, reply.body[:-2])
        case Fault.REDIRECT:
            moved = f"{url}{'&' if '?' in url else '?'}moved=1"
            return Reply(302, b"", {"Location": moved})
        case Fault.ECHO:
            return Reply(400, encoded({"error": "invalid_request", "error_description": sent}))
        case _:
            return reply if fault is None else _INSTEAD.get(fault, reply)


def _with(reply: Reply, **members: str) -> Reply:
    said = json.loads(reply.body) if reply.body.startswith(b"{") else {}
    return Reply(reply.status, encoded({**said, **members}), reply.headers)


def pieces(reply: Reply, fault: Fault | None, stopping: threading.Event) -> Iterator[bytes]:
    """Yield what goes over the wire; where that takes long, no longer than until ``stopping``."""
    match fault:
        case Fault.SILENT:
            stopping.wait(_LASTS)
        case Fault.SLOW:
            whole = bytes(reply)
            for at in range(len(whole)):
                if stopping.wait(_LASTS / len(whole)):
                    return
                yield whole[at : at + 1]
        case Fault.HANG_UP | Fault.LOST:
            return
        case _:
            yield bytes(reply)
