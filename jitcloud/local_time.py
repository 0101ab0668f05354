"""Local dates and times, and the one instant that each of them means in a time zone.

Clocks are changed: some hours are skipped, and some come twice. What was meant by such a time
is asked for, and never guessed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jitcloud.errors import Invalid
from jitcloud.text import did_you_mean, quoted

# Files that machines keep beside the zones: they mean something else on the next machine, or
# count leap seconds, so that every hour would begin half a minute late.
_NO_ZONES = ("Factory", "localtime", "posix", "right/")

_SECOND = timedelta(seconds=1)

# RFC 3339 with one suffix. [0-9] and not \d, which also takes the digits of other scripts.
_ZONED = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
    r"\[!?(?P<zone>[^\[\]]+)\]"
)

# They tell the instant, and nothing about what clocks show then (RFC 9557, section 2).
_SAY_NO_OFFSET = ("", "Z", "-00:00")


def zone_named(name: str) -> tzinfo:
    """Return an IANA time zone. Raises ``Invalid``.

    The time-zone data of this machine counts; where it has none, that of the package ``tzdata``.
    """
    if name == "UTC":
        return UTC
    if not name.startswith(_NO_ZONES):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    known = sorted(zone for zone in available_timezones() if not zone.startswith(_NO_ZONES))
    message = (
        f"{quoted(name)} is not an IANA time zone; write one such as Europe/Berlin."
        f"{did_you_mean(name, known)}"
    )
    raise Invalid(message)


def instant(local: datetime, zone: str | tzinfo) -> datetime:
    """Return when clocks in a zone show this date and time, in UTC.

    What has an offset of its own is an instant already: the zone is not asked. ``fold`` is not
    read, since nobody can type it. Raises ``Invalid`` where clocks skip this time or show it
    twice.
    """
    with _within_the_years(local):
        if local.tzinfo is not None:
            return local.astimezone(UTC)
        return _only(local, zone_named(zone) if isinstance(zone, str) else zone)


def parse_zoned(text: str) -> datetime:
    """Read ``2026-12-01T09:00:00[Europe/Berlin]``; return the instant in UTC. Raises ``Invalid``.

    The form is that of RFC 9557, whose offset may be left out here. Where it stands, it must be
    what clocks in the zone show then (section 3.4). Any other suffix is refused.
    """
    unreadable = (
        f"{quoted(text)} is not a date and time with its zone in brackets; write it like"
        " 2026-12-01T09:00:00[Europe/Berlin]."
    )
    match = _ZONED.fullmatch(text)
    if match is None:
        raise Invalid(unreadable)
    offset = (match["offset"] or "").upper()
    try:
        written = datetime.fromisoformat(match["local"] + offset)
    except ValueError as exc:
        raise Invalid(unreadable) from exc
    zone = zone_named(match["zone"])
    found = instant(written, zone)
    with _within_the_years(written):
        there = found.astimezone(zone)
    if offset not in _SAY_NO_OFFSET and there.utcoffset() != written.utcoffset():
        message = (
            f"{quoted(text)} contradicts itself, for in {zone} that is {there.isoformat()};"
            " correct the offset, or leave it out."
        )
        raise Invalid(message)
    return found


def _only(local: datetime, zone: tzinfo) -> datetime:
    # PEP 495: with fold 0 the offset from before a change of clocks is taken, with 1 that from
    # after it, and away from changes they are the same. What is skipped leads to another time.
    folds = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    early, late = sorted(folds)
    if early.astimezone(zone).replace(tzinfo=None) != local:
        before, after = _edges(local, early, late, zone)
        message = (
            f"{local.isoformat()} does not exist in {zone}, where clocks go from"
            f" {before.isoformat()} to {after.isoformat()}; write a time before or after that."
        )
        raise Invalid(message)
    if early != late:
        first, second = (at.astimezone(zone).isoformat() for at in (early, late))
        message = (
            f"{local.isoformat()} comes twice in {zone}; write which one is meant, with its"
            f" offset: {first} or {second}."
        )
        raise Invalid(message)
    return early


def _edges(
    local: datetime, early: datetime, late: datetime, zone: tzinfo
) -> tuple[datetime, datetime]:
    """Return what clocks show when they come to a time that they skip, and what right after.

    The change lies after ``early``, and not after ``late``.
    """
    changed = late.astimezone(zone).utcoffset()
    seconds = bisect_left(
        range((late - early) // _SECOND),
        x=True,
        key=lambda count: (early + count * _SECOND).astimezone(zone).utcoffset() == changed,
    )
    change = (early + seconds * _SECOND).replace(tzinfo=None, microsecond=0)
    return change + (local - late.replace(tzinfo=None)), change + (
        local - early.replace(tzinfo=None)
    )


@contextmanager
def _within_the_years(local: datetime) -> Iterator[None]:
    try:
        yield
    except OverflowError as exc:
        message = f"{local.isoformat()} is too close to the first or last of all years; correct it."
        raise Invalid(message) from exc
