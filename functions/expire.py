"""Every minute: queues whatever is due within the next two, and what a queue gave up on.

It reads one index and nothing else, grants nothing and ends nothing: a theft wakes things early.
It starts often and must be quick, so it loads neither pydantic nor the rest of jitcloud.
"""

from __future__ import annotations

from jitcloud.fleet import expiring
from jitcloud.fleet.entry import Event, function
from jitcloud.fleet.environment import Context, Kept

_expiring = Kept(expiring.made)


@function
def handler(event: Event, context: Context) -> dict[str, object]:  # noqa: ARG001 - a schedule says nothing
    """Look ahead. Raises ``Unavailable`` where something could not be queued: an alarm hears it."""
    return _expiring().look()
