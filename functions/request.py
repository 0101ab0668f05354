"""Routes of the API but votes and credentials. Its role may invoke ``judge``, and nothing else."""

from __future__ import annotations

from jitcloud.fleet import fronting
from jitcloud.fleet.entry import Event, function
from jitcloud.fleet.environment import Context, Kept

_api = Kept(lambda: fronting.front(frozenset({"request"})))


@function
def handler(event: Event, context: Context) -> dict[str, object]:
    """Answer one call, by passing on what it says and what its caller presents."""
    return _api().resolve(event, context)
