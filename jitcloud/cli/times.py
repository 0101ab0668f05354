"""Instants as programs and people read them: UTC always, and how far away for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jitcloud.durations import LONGEST, format_duration
from jitcloud.errors import Invalid
from jitcloud.local_time import parse_zoned
from jitcloud.text import quoted

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def iso(instant: datetime) -> str:
    """Write an instant in UTC, exactly: ``2026-12-01T09:00:00Z``."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def short(instant: datetime) -> str:
    """Write an instant in UTC, to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when(instant: datetime, now: datetime) -> str:
    """Write an instant for a person: ``2026-12-01T09:00:00Z (in 29m)``."""
    return f"{short(instant)} ({away(instant, now)})"


def away(instant: datetime, now: datetime) -> str:
    """Say how far away an instant is: ``in 29m``, ``3h ago``."""
    distance = abs(instant - now)
    if distance < timedelta(seconds=1):
        return "now"
    return f"in {lasting(distance)}" if instant > now else f"{lasting(distance)} ago"


def lasting(duration: timedelta) -> str:
    """Write how long something lasts, as exactly as is worth telling: ``3h2m``."""
    return format_duration(duration - duration % _grain(duration))


def _grain(distance: timedelta) -> timedelta:
    """How exactly a distance is worth telling: the last hour to the second, days to the hour."""
    if distance >= _DAY:
        return _HOUR
    return _MINUTE if distance >= _HOUR else timedelta(seconds=1)


def parse_start(text: str) -> datetime:
    """Read an instant in ISO 8601 with its offset, or a local time with its zone in brackets.

    Returns it in UTC, but for one that names neither. Raises ``Invalid``.
    """
    try:
        start = parse_zoned(text) if "[" in text else datetime.fromisoformat(text)
        if start.tzinfo is None:
            return start  # the broker says what is missing
        start = start.astimezone(UTC)
        _ = start + LONGEST  # a window must fit before the year 10000
    except Invalid:
        raise
    except (ValueError, OverflowError) as exc:
        message = (
            f"{quoted(text)} is not an instant; write date, time and zone, such as"
            " 2026-12-01T09:00:00Z or 2026-12-01T09:00:00[Europe/Berlin]."
        )
        raise Invalid(message) from exc
    return start
