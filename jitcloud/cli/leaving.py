"""Cleans up whatever a command started, however it is told to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def nothing_behind() -> Iterator[ExitStack]:
    """Hand out a stack of what to clean up, and do it whole at the end.

    Whatever asks the process to end (Ctrl-C, SIGTERM, a closed terminal) is raised inside the
    block as ``KeyboardInterrupt``, once: cleaning up is not interrupted.
    """
    before = {number: signal.signal(number, _interrupt) for number in _ENDINGS}
    left = ExitStack()
    try:
        yield left
    finally:
        _ignore()
        left.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _ignore()
    raise KeyboardInterrupt


def _ignore() -> None:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
