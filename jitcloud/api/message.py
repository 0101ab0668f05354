"""What the network-facing side tells the judge, and what it is told: plain JSON both ways.

Whoever faces the network neither knows who speaks nor decides anything. It passes on what the
caller presents, and the judge verifies that itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from jitcloud.errors import Invalid, Unavailable
from jitcloud.finite import is_finite
from jitcloud.model import Presented

LONGEST_TOKEN = 16 * 1024
"""Characters of what somebody presents; API Gateway passes on no more than 10 KB of headers."""

LONGEST_KEY = 255

MOST_ARGUMENTS = 20

_COMMAND = re.compile(r"[a-z-]{1,40}")
_KEY = re.compile(rf"[!-~]{{1,{LONGEST_KEY}}}")
_TRACE = re.compile(r"[!-~]{0,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One command on its way to the judge."""

    command: str
    """``ask``, ``approve`` …: what the judge knows, see ``api.commands``."""
    arguments: Mapping[str, object] = field(repr=False)
    """As the caller wrote them, in shape but not in meaning checked. Holds people's text."""
    presented: Presented | None
    """None where the caller presented nothing."""
    key: str | None = None
    """The caller's ``Idempotency-Key``."""
    trace: str = ""
    """Names this call in every log; never secret."""

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON, to be read by ``message_of``. Holds what the caller presents."""
        who = self.presented
        return {
            "command": self.command,
            "arguments": dict(self.arguments),
            "presented": None if who is None else {"kind": who.kind, "text": who.text},
            "key": self.key,
            "trace": self.trace,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the judge answers: an HTTP status, and a JSON body (a problem where it is 400 or more).

    A body may hold credentials: it is never logged.
    """

    status: int
    body: Mapping[str, object] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON, to be read by ``answer_of``."""
        return {"status": self.status, "body": dict(self.body), "headers": dict(self.headers)}


Asked = Callable[[Message], Answer]
"""How the judge is asked: in this process, or by invoking it. Raises ``Unavailable``."""


def message_of(table: object) -> Message:
    """Read a message that another process sent. Raises ``Invalid``, and quotes nothing of it."""
    match table:
        case {
            "command": str(command),
            "arguments": dict(arguments),
            "presented": presented,
            "key": (str() | None) as key,
            "trace": str(trace),
            **rest,
        } if (
            not rest
            and _COMMAND.fullmatch(command)
            and len(arguments) <= MOST_ARGUMENTS
            and all(isinstance(name, str) for name in arguments)
            and (key is None or _KEY.fullmatch(key))
            and _TRACE.fullmatch(trace)
        ):
            return Message(
                command=command,
                arguments=arguments,
                presented=_presented(presented),
                key=key,
                trace=trace,
            )
        case _:
            raise Invalid("This is no message to the judge; invoke it as jitcloud.api does.")


def answer_of(table: object) -> Answer:
    """Read what the judge answered from another process. Raises ``Unavailable``."""
    match table:
        case {"status": int(status), "body": dict(body), "headers": dict(headers), **rest} if (
            not rest
            and 200 <= status <= 599  # noqa: PLR2004 - RFC 9110: what ends an exchange
            and all(isinstance(each, str) for pair in headers.items() for each in pair)
            and is_finite(body)
        ):
            return Answer(status=status, body=body, headers=headers)
        case _:
            raise Unavailable("The judge did not answer as it should; try again soon.")


def _presented(table: object) -> Presented | None:
    match table:
        case None:
            return None
        case {"kind": ("oidc" | "aws") as kind, "text": str(text), **rest} if (
            not rest and 0 < len(text) <= LONGEST_TOKEN
        ):
            known: Literal["oidc", "aws"] = "oidc" if kind == "oidc" else "aws"
            return Presented(kind=known, text=text)
        case _:
            raise Invalid("This is no message to the judge; invoke it as jitcloud.api does.")
