"""Instants as people read them: UTC always, and how far away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jitcloud.durations import format_duration

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


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
