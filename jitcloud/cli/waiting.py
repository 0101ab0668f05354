"""Stays with a request until it is decided, and shows how long things may yet take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from jitcloud.cli import say, words
from jitcloud.cli.acting import Acting
from jitcloud.cli.program import Program
from jitcloud.errors import Unavailable
from jitcloud.model import Request, State
from jitcloud.text import printable

WAITING = frozenset({State.PENDING, State.SCHEDULED, State.ACTIVATING})

POLL = 0.5
"""Seconds between two looks."""


class Interrupted(Exception):
    """Somebody pressed Ctrl-C; carries the sentence to leave with."""


def until_decided(acting: Acting, request: Request, program: Program) -> Request:
    """Wait until a request is active or can no longer become so; return it as it then stands."""
    with _shown(quiet=program.json) as show:
        try:
            while request.state in WAITING:
                show(_status(request, acting, acting.now()))
                program.sleep(POLL)
                try:
                    request = acting.later(request.id)
                except Unavailable as exc:
                    show(str(exc))  # it is free again soon, and nothing was changed
        except KeyboardInterrupt as exc:
            raise Interrupted(
                f"Stopped waiting. Request {request.id} is left as it is, {request.state}: "
                "look with `jitcloud show`, or take it back with `jitcloud withdraw`."
            ) from exc
    return request


def _status(request: Request, acting: Acting, now: datetime) -> str:
    waits = words.waiting(request, acting, now)
    return f"{request.state}, waits for {waits} · {words.until(request, now)}"


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show a line that changes: in place on a terminal, else a line for each new state."""
    if quiet:
        yield lambda _: None
        return
    if sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415 - only for a terminal
        from rich.live import Live  # noqa: PLC0415 - loaded only when it is needed
        from rich.text import Text  # noqa: PLC0415 - loaded only when it is needed

        with Live(Text(), console=Console(stderr=True), transient=True) as live:
            yield lambda text: live.update(Text(printable(text)))
        return
    told: set[str] = set()

    def tell(text: str) -> None:
        state = text.partition(" · ")[0]  # without the countdown
        if state not in told:
            told.add(state)
            say.aside(text)

    yield tell
