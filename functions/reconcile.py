"""On a schedule: compares clouds and record. Its role reads clouds, and tells them nothing."""

from __future__ import annotations

from jitcloud.fleet.entry import Event, function
from jitcloud.fleet.environment import Context
from jitcloud.fleet.reconciling import reconcile


@function
def handler(event: Event, context: Context) -> dict[str, object]:  # noqa: ARG001 - a schedule says nothing
    """Compare for as long as the platform lets it; the next call goes on from there."""
    return reconcile(context)
