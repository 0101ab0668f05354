"""Which call is being answered: named in each log line that is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Call:
    """One call, from its first byte to its last."""

    trace: str
    """Names it in every log; never secret."""
    person: str = ""
    """The id of who speaks, once that was verified."""
    route: str = ""
    """The template of what was asked for, once that was found."""


_CURRENT: ContextVar[Call | None] = ContextVar("jitcloud-call", default=None)


def current() -> Call | None:
    """Return the call that this thread or task is answering, if it is answering any."""
    return _CURRENT.get()


@contextmanager
def answering(trace: str) -> Iterator[Call]:
    """Say that a call is being answered; threads that are handed this context know it too."""
    call = Call(trace)
    token = _CURRENT.set(call)
    try:
        yield call
    finally:
        _CURRENT.reset(token)


def speaks(person: str) -> None:
    """Take note who speaks, where a call is being answered."""
    call = _CURRENT.get()
    if call is not None:
        call.person = person
