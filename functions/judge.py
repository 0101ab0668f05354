"""Invoked by ``request`` and ``approve`` alone: decides, signs, and writes the record.

It verifies who speaks by itself, whoever asks. No route leads to it, and it may reach no cloud.
Once a minute a schedule has it take up the policy text that was deployed with it, and write a
checkpoint of the record when it is time for one.
"""

from __future__ import annotations

from collections.abc import Mapping

from jitcloud.fleet import judging
from jitcloud.fleet.entry import Event, function
from jitcloud.fleet.environment import Context, Kept

_judging = Kept(judging.judge, judging.is_sound)


@function
def handler(event: Event, context: Context) -> Mapping[str, object]:  # noqa: ARG001 - the platform's
    """Answer one message; what it answers is for whoever asked alone, and never logged."""
    if event == {"take_up": True}:
        deployment = _judging().deployment
        try:
            return judging.take_up(deployment)
        finally:
            judging.checkpoint(deployment)
    return _judging().answer(event)
