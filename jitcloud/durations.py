"""Durations as people type and read them: ``30m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re
from datetime import timedelta

from jitcloud.errors import Invalid
from jitcloud.text import quoted

LONGEST = timedelta(days=30)
SHORTEST = timedelta(seconds=1)

# [0-9] and not \d, which also takes the digits of other scripts.
_FORM = re.compile(r"(?:([0-9]{1,7})d)?(?:([0-9]{1,7})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,7})s)?")


def parse_duration(text: str) -> timedelta:
    """Read a duration of one second to thirty days. Raises ``Invalid``: nothing means forever."""
    match = _FORM.fullmatch(text)
    if match is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if SHORTEST <= duration <= LONGEST:
            return duration
    message = (
        f"{quoted(text)} is not a duration from 1s to 30d;"
        " write days, hours, minutes and seconds in that order, such as 30m, 1h30m or 2d."
    )
    raise Invalid(message)


def format_duration(duration: timedelta) -> str:
    """Write a duration the way ``parse_duration`` reads it, cut to whole seconds."""
    total = abs(duration) // timedelta(seconds=1)
    minutes, seconds = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    shown = "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
    return f"-{shown}" if duration < timedelta() and total else shown
