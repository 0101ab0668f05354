"""Instants as programs write and read them: UTC always, whatever zone somebody typed."""

from __future__ import annotations

from datetime import UTC, datetime

from jitcloud.durations import LONGEST
from jitcloud.errors import Invalid
from jitcloud.local_time import parse_zoned
from jitcloud.text import quoted


def iso(instant: datetime) -> str:
    """Write an instant in UTC, exactly: ``2026-12-01T09:00:00Z``."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
