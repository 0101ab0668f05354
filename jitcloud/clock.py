"""The time, for entry points: the one place that reads it. Everything below is handed a clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time of this machine: an aware datetime in UTC."""
    return datetime.now(UTC)
