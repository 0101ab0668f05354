"""A notifier that keeps what it was given: for tests, and for trying things out."""

from __future__ import annotations

from jitcloud.model import Notice


class MemoryNotifier:
    """Delivers to a list. Nobody reads it but whoever made it."""

    def __init__(self) -> None:
        self.sent: list[Notice] = []

    def send(self, notice: Notice) -> None:
        self.sent.append(notice)
