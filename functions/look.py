"""Invoked by ``judge`` alone: reads clouds for it. Its role reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from jitcloud.fleet import looking
from jitcloud.fleet.entry import Event, function
from jitcloud.fleet.environment import Context, Kept

_looking = Kept(looking.made)


@function
def handler(event: Event, context: Context) -> Mapping[str, object]:  # noqa: ARG001 - the platform's
    """Answer one question. Raises ``Invalid`` for what is none."""
    return _looking().answer(event)
