"""What the network-facing side tells the judge, and what it is told: plain JSON both ways.

Whoever faces the network neither knows who speaks nor decides anything. It passes on what the
caller presents, and the judge verifies that itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jitcloud.model import Presented


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the judge answers: an HTTP status, and a JSON body (a problem where it is 400 or more).

    A body may hold credentials: it is never logged.
    """

    status: int
    body: Mapping[str, object] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


Asked = Callable[[Message], Answer]
"""How the judge is asked: in this process, or by invoking it. Raises ``Unavailable``."""
