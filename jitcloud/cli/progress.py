"""Says how far a long computation has come; one that is short says nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jitcloud.cli import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0
"""Seconds before anything is shown."""

EVERY = 10.0
"""Seconds between two lines, where there is no terminal to draw on."""

Clock = Callable[[], float]


@contextmanager
def progress(
    total: int, *, quiet: bool, clock: Clock = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and now and then a line elsewhere; both on stderr."""
    if quiet:
        yield lambda _: None
        return
    shown = _Bar(total) if sys.stderr.isatty() else _Lines(total)
    begun, done = clock(), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        passed = clock() - begun
        if passed >= PATIENCE:
            shown.show(done, passed)

    try:
        yield advance
    finally:
        shown.close()


class _Lines:
    def __init__(self, total: int) -> None:
        self._total = total
        self._next = PATIENCE

    def show(self, done: int, passed: float) -> None:
        if passed >= self._next:
            self._next = passed + EVERY
            say.aside(f"jitcloud: {done:,} of {self._total:,} looked at …")

    def close(self) -> None:
        """Leave the lines where they are."""


class _Bar:
    def __init__(self, total: int) -> None:
        self._total = total
        self._drawn: tuple[Progress, TaskID] | None = None

    def show(self, done: int, passed: float) -> None:  # noqa: ARG002 - a bar has its own clock
        if self._drawn is None:
            self._drawn = self._begun()
        bar, task = self._drawn
        bar.update(task, completed=done)

    def close(self) -> None:
        """Take the bar away."""
        if self._drawn is not None:
            self._drawn[0].stop()

    def _begun(self) -> tuple[Progress, TaskID]:
        from rich.console import Console  # noqa: PLC0415 - only for a terminal
        from rich.progress import Progress  # noqa: PLC0415 - loaded only when it is needed

        bar = Progress(console=Console(stderr=True), transient=True)
        bar.start()
        return bar, bar.add_task("judging", total=self._total)
