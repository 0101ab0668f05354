"""Ends what goes on and on when it is asked to: after the item in hand, and at once in a pause."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Stopping:
    """Whether somebody has asked to stop, and how."""

    by: int = 0
    """By which signal; 0 while nobody has."""
    _pauses: bool = False

    def __call__(self) -> bool:
        return bool(self.by)

    def pause(self, sleep: Callable[[float], None], seconds: float) -> None:
        """Sleep, and no longer than until somebody asks to stop."""
        self._pauses = True
        try:
            if not self.by:
                sleep(seconds)
        except KeyboardInterrupt:
            self.by = self.by or signal.SIGINT
        finally:
            self._pauses = False

    def ask(self, number: int, _frame: FrameType | None) -> None:
        """Take note; wake whoever sleeps. Asked once more, do not wait for the item in hand."""
        again, self.by = bool(self.by), self.by or number
        if again or self._pauses:
            raise KeyboardInterrupt


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Take note of Ctrl-C, SIGTERM and a closed terminal instead of ending at once."""
    asked = Stopping()
    before = {number: signal.signal(number, asked.ask) for number in _ASKING}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
