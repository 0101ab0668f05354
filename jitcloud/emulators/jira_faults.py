"""What the emulated Jira may do instead of answering as it should."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

_HUGE = 4 * 1024 * 1024
_LASTS = 30.0
_PAGE = b"<!DOCTYPE html><html><body>Log in to continue</body></html>"


class Fault(StrEnum):
    """What goes wrong with one answer."""

    HTML = "html"
    """A page with 200, as a log-in in front of Jira gives it."""
    HTML_404 = "html 404"
    """A page with 404, as a proxy gives it."""
    MALFORMED = "malformed"
    """JSON without its end."""
    OTHER_SHAPE = "other shape"
    """JSON that is no issue."""
    HUGE = "huge"
    """The right answer, with four mebibytes more in a field of it."""
    SLOW = "slow"
    """The right answer, from its first line on a byte at a time: half a minute of it."""
    SILENT = "silent"
    """Nothing at all, for half a minute."""
    HANG_UP = "hang up"
    """The connection ends without an answer."""
    CUT_SHORT = "cut short"
    """The connection ends in the middle of the answer."""
    NOT_HTTP = "not http"
    """The greeting of a mail server."""
    REDIRECT = "redirect"
    """302, to where the right answer is."""
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    """There is no such issue, says Jira."""
    THROTTLED = "429"
    """With ``Retry-After``: 30 seconds."""
    BROKEN = "500"
    EXPIRED = "expired"
    """The token counts for nothing any more: whoever asks is nobody, and sees no issue."""
    EXPIRED_PUBLIC = "expired public"
    """The same, where anybody may see the issue."""
    ECHO = "echo"
    """The credentials come back: in the status line, in a header and in the body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, as it should be."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        """The whole of it, as it goes over the wire (RFC 9112)."""
        kind = "text/html" if self.body.startswith(b"<") else "application/json;charset=UTF-8"
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


_FAILED = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}

PAGE = Reply(404, _PAGE)
"""There is nothing of Jira's at that path."""

ABSENT = Reply(
    404,
    encoded(
        {
            "errorMessages": ["Issue does not exist or you do not have permission to see it."],
            "errors": {},
        }
    ),
)
"""There is no such issue, or none that may be seen."""

NOBODY = Reply(
    401,
    encoded(
        {"message": "Client must be authenticated to access this resource.", "status-code": 401}
    ),
    _FAILED,
)
"""The credentials are not right."""

_INSTEAD: Mapping[Fault, Reply] = {
    Fault.HTML: Reply(200, _PAGE),
    Fault.HTML_404: PAGE,
    Fault.OTHER_SHAPE: Reply(200, encoded({"key": "OPS-1", "fields": {"status": "open"}})),
    Fault.UNAUTHORIZED: NOBODY,
    Fault.FORBIDDEN: Reply(403, encoded({"errorMessages": ["Forbidden."], "errors": {}})),
    Fault.NOT_FOUND: ABSENT,
    Fault.THROTTLED: Reply(429, encoded({"errorMessages": ["Rate limit."]}), {"Retry-After": "30"}),
    Fault.BROKEN: Reply(500, _PAGE),
    Fault.EXPIRED: Reply(404, ABSENT.body, _FAILED),
}


def spoilt(reply: Reply, fault: Fault | None, url: str) -> Reply:
    """What is said instead; ``url`` is the one that was asked for."""
    match fault:
        case Fault.HUGE:
            issue = json.loads(reply.body)
            return Reply(reply.status, encoded({**issue, "filling": "x" * _HUGE}))
        case Fault.MALFORMED:
            return Reply(reply.status, reply.body[:-20])
        case Fault.REDIRECT:
            return Reply(302, b"", {"Location": f"{url}&moved=1"})
        case Fault.EXPIRED_PUBLIC:
            return Reply(reply.status, reply.body, _FAILED)
        case None:
            return reply
        case _:
            return _INSTEAD.get(fault, reply)


def pieces(
    reply: Reply, fault: Fault | None, authorization: str, stopping: threading.Event
) -> Iterator[bytes]:
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
        case Fault.HANG_UP:
            return
        case Fault.CUT_SHORT:
            yield bytes(reply)[:-20]
        case Fault.NOT_HTTP:
            yield b"220 mail.example.org ESMTP\r\n"
        case Fault.ECHO:
            said = authorization.encode("latin-1")
            yield b"HTTP/1.1 %s\r\nX-Seen: %s\r\n\r\n%s" % (said, said, said)
        case _:
            yield bytes(reply)
