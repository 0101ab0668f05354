"""What every function begins with: logs in one form, and a name for each call in them."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from jitcloud.errors import Invalid
from jitcloud.fleet.environment import Context
from jitcloud.observing import call, logs

T = TypeVar("T")
Event = Any
"""Whatever the platform hands to a function: plain JSON that somebody else wrote."""


def records(event: Event) -> list[Mapping[str, Any]]:
    """Return the records that a queue or a stream hands over; none where a schedule calls.

    Raises ``Invalid`` for an event that neither has made.
    """
    found = event.get("Records", []) if isinstance(event, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise Invalid("This is no event of a queue, a stream or a schedule; nothing was done.")
    return found


def function(handle: Callable[[Event, Context], T]) -> Callable[[Event, Context], T]:
    """Make a handler log its calls, each once: how long it took, or what it raised and where.

    What is raised goes on to the platform, which then counts an error and tries again where it
    does. Its message is logged by nobody here; it may quote what somebody typed.
    """

    @wraps(handle)
    def handler(event: Event, context: Context) -> T:
        logs.start(sys.stdout)
        begun = time.perf_counter()
        with call.answering(context.aws_request_id):
            try:
                answer = handle(event, context)
            except Exception as exc:
                logs.event("failed", level=logging.ERROR, error=exc)
                raise
            took = (time.perf_counter() - begun) * 1000
            logs.event("done", ms=took)
            return answer

    return handler
