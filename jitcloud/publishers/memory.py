"""Passes nothing on: keeps it, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jitcloud.envelopes import text_of
from jitcloud.model import Request, Sealed


@dataclass(slots=True)
class MemoryPublisher:
    """Keeps what it is given, as it would be sent."""

    channel: str
    texts: bool = False
    sent: list[str] = field(default_factory=list)

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        self.sent += [text_of(line, request, texts=self.texts) for line in events]
