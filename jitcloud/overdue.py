"""How long something takes that should be done: access that should be gone, and activations. Pure.

One answer for everybody who tells it: ``list`` and ``show``, the sweep's troubles, and metrics.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from jitcloud.model import Request, State


def since(request: Request, now: datetime) -> datetime | None:
    """Since when access should be gone that is not known to be; None where nothing is overdue.

    That is from the deadline on, whoever has noticed by then; or from when it began to end early.
    Where the place of an early end was seen empty, and what was made of it may work on, the
    snapshot knows no earlier instant than that.
    """
    deadline = None if request.window is None else request.window.deadline
    match request.state:
        case State.ACTIVATING | State.ACTIVE if deadline is not None and now >= deadline:
            return deadline
        case State.ENDING:
            begun = request.removed_at or request.updated_at
            return begun if deadline is None else min(begun, deadline)
        case _:
            return None


def age(request: Request, now: datetime) -> timedelta | None:
    """How long access has been overdue; None where it is not."""
    begun = since(request, now)
    return None if begun is None else max(now - begun, timedelta(0))


def activating_since(request: Request) -> datetime | None:
    """Since when a cloud has been told to let somebody in, and was not seen to; None otherwise."""
    return request.updated_at if request.state is State.ACTIVATING else None
