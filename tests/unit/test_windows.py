"""What rules read of a window: hours and weekdays by the clocks of the entitlement's zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.durations import format_duration, parse_duration
from jitcloud.lifecycle import window_from
from jitcloud.local_time import instant
from jitcloud.model import Activate, Ask
from jitcloud.policy import Policy
from tests.docs.pages import blocks
from tests.example import Organisation

HERE = Organisation()
EVERYBODY = '@id("everybody") permit (principal, action == Action::"activate", resource);'
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def shown(rule: str) -> str:
    """The rule as the page on policy has it."""
    return next(block.text for block in blocks("docs/policy.md") if rule in block.text)


def policy(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


def ask(zone: str, start: str, duration: str) -> Ask:
    at = instant(datetime.fromisoformat(start), zone)
    asked = HERE.ask("dev", "prod-read", duration, at=at)
    return replace(asked, entitlement=replace(asked.entitlement, zone=zone))


def allows(rules: Policy, zone: str, start: str, duration: str) -> bool:
    return isinstance(HERE.judge(rules, ask(zone, start, duration)), Activate)


# ── What is read ─────────────────────────────────────────────────────────────────────────────

READ: dict[str, tuple[str, str, str, str, str]] = {
    # A duration is time that passes: in the longer night clocks show an hour less at its end.
    "Berlin, an ordinary night": (
        "Europe/Berlin", "2026-10-17T22:00:00", "8h", "Sat 22", "Sun 5",
    ),
    "Berlin, an hour twice": ("Europe/Berlin", "2026-10-24T22:00:00", "8h", "Sat 22", "Sun 4"),
    "Berlin, an hour skipped": ("Europe/Berlin", "2027-03-27T22:00:00", "8h", "Sat 22", "Sun 6"),
    "New York, an hour twice": ("America/New_York", "2026-10-31T20:00:00", "8h", "Sat 20", "Sun 2"),
    "New York, an hour skipped": (
        "America/New_York", "2027-03-13T20:00:00", "8h", "Sat 20", "Sun 4",
    ),
    "Lord Howe, an ordinary night": (
        "Australia/Lord_Howe", "2026-03-28T22:15:00", "8h", "Sat 22", "Sun 6",
    ),
    "Lord Howe, half an hour twice": (
        "Australia/Lord_Howe", "2026-04-04T22:15:00", "8h", "Sat 22", "Sun 5",
    ),
    "Lord Howe, half an hour skipped": (
        "Australia/Lord_Howe", "2026-10-03T22:45:00", "8h", "Sat 22", "Sun 7",
    ),
    "Apia, a Friday skipped": ("Pacific/Apia", "2011-12-29T22:00:00", "8h", "Thu 22", "Sat 5"),
    "Kathmandu": ("Asia/Kathmandu", "2026-10-25T02:15:00Z", "1h", "Sun 8", "Sun 8"),
    "Kathmandu, an instant before": (
        "Asia/Kathmandu", "2026-10-25T02:14:59.999999Z", "1h", "Sun 7", "Sun 8",
    ),
    "Kathmandu, already Monday": ("Asia/Kathmandu", "2026-10-25T18:15:00Z", "1h", "Mon 0", "Mon 0"),
    "UTC": ("UTC", "2026-10-25T18:15:00Z", "1h", "Sun 18", "Sun 19"),
    "UTC has no change": ("UTC", "2026-10-24T22:00:00Z", "8h", "Sat 22", "Sun 5"),
    "over midnight": ("Europe/Berlin", "2026-12-01T22:00:00", "4h", "Tue 22", "Wed 1"),
    "to midnight sharp": ("Europe/Berlin", "2026-12-01T22:00:00", "2h", "Tue 22", "Tue 23"),
    "from midnight": ("Europe/Berlin", "2026-12-02T00:00:00", "1h", "Wed 0", "Wed 0"),
    "a second past midnight": ("Europe/Berlin", "2026-12-01T22:00:00", "2h1s", "Tue 22", "Wed 0"),
    "the first of two hours": (
        "Europe/Berlin", "2026-10-25T02:30:00+02:00", "30m", "Sun 2", "Sun 2",
    ),
    "the second of them": ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "30m", "Sun 2", "Sun 2"),
    "from the first to the second": (
        "Europe/Berlin", "2026-10-25T02:30:00+02:00", "1h", "Sun 2", "Sun 2",
    ),
    "around a skipped hour": ("Europe/Berlin", "2027-03-28T01:30:00", "1h", "Sun 1", "Sun 3"),
    "up to a skipped hour": ("Europe/Berlin", "2027-03-28T01:30:00", "30m", "Sun 1", "Sun 1"),
    "a week": ("Europe/Berlin", "2026-12-01T09:00:00", "7d", "Tue 9", "Tue 8"),
}  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "duration", "first", "last"), READ.values(), ids=READ)
def test_rules_read_the_first_and_the_last_instant_by_local_clocks(
    zone: str, start: str, duration: str, first: str, last: str
) -> None:
    assert allows(policy(_exactly(first, last)), zone, start, duration)


@pytest.mark.parametrize(
    ("first", "last"),
    [("Sat 21", "Sun 5"), ("Sun 22", "Sun 5"), ("Sat 22", "Sun 6"), ("Sat 22", "Sat 5")],
)
def test_and_nothing_else(first: str, last: str) -> None:
    zone, start, duration, *_ = READ["Berlin, an ordinary night"]
    assert not allows(policy(_exactly(first, last)), zone, start, duration)


def _exactly(first: str, last: str) -> str:
    (day, hour), (last_day, last_hour) = first.split(), last.split()
    return (
        '@id("exactly") permit (principal, action == Action::"activate", resource) when {'
        f" context.start.weekday == {DAYS.index(day) + 1} && context.start.hour == {hour}"
        f" && context.end.weekday == {DAYS.index(last_day) + 1} && context.end.hour == {last_hour}"
        " };"
    )


# ── Office hours, as the page on policy has them ─────────────────────────────────────────────

OFFICE = policy(EVERYBODY, shown("developers-office-hours"))

HOURS: dict[str, tuple[str, str, str, bool]] = {
    "from eight": ("Europe/Berlin", "2026-12-01T08:00:00", "1h", True),
    "an instant before eight": ("Europe/Berlin", "2026-12-01T07:59:59.999999", "1h", False),
    "to six sharp": ("Europe/Berlin", "2026-12-01T17:00:00", "1h", True),
    "a microsecond longer": ("Europe/Berlin", "2026-12-01T17:00:00.000001", "1h", False),
    "a second longer": ("Europe/Berlin", "2026-12-01T17:00:00", "1h1s", False),
    "from eight to six": ("Europe/Berlin", "2026-12-01T08:00:00", "10h", True),
    "eight hours at ten to six": ("Europe/Berlin", "2026-12-01T17:50:00", "8h", False),
    "over midnight into office hours": ("Europe/Berlin", "2026-12-01T17:00:00", "16h", False),
    "a day": ("Europe/Berlin", "2026-12-01T09:00:00", "1d", False),
    "a week, with one weekday at both ends": (
        "Europe/Berlin", "2026-12-01T09:00:00", "7d", False,
    ),
    "four weeks": ("Europe/Berlin", "2026-12-01T09:00:00", "28d", False),
    "Friday": ("Europe/Berlin", "2026-12-04T09:00:00", "8h", True),
    "Saturday": ("Europe/Berlin", "2026-12-05T09:00:00", "8h", False),
    "Sunday": ("Europe/Berlin", "2026-12-06T09:00:00", "8h", False),
    "Friday to Monday": ("Europe/Berlin", "2026-12-04T17:00:00", "2d16h", False),
    # On Friday clocks are as they were, and on Monday they have changed: UTC tells neither.
    "six in UTC, in summer still": ("Europe/Berlin", "2026-10-23T06:00:00Z", "1h", True),
    "six in UTC, in winter": ("Europe/Berlin", "2026-10-26T06:00:00Z", "1h", False),
    "seven in UTC, in winter": ("Europe/Berlin", "2026-10-26T07:00:00Z", "10h", True),
    "six in UTC, in winter still": ("Europe/Berlin", "2027-03-26T06:00:00Z", "1h", False),
    "six in UTC, in summer": ("Europe/Berlin", "2027-03-29T06:00:00Z", "10h", True),
    "to five in UTC, in winter still": ("Europe/Berlin", "2027-03-26T16:00:00Z", "1h", True),
    "to five in UTC, in summer": ("Europe/Berlin", "2027-03-29T16:00:00Z", "1h", False),
    "noon in UTC, New York in summer": ("America/New_York", "2026-10-30T12:00:00Z", "1h", True),
    "noon in UTC, New York in winter": ("America/New_York", "2026-11-02T12:00:00Z", "1h", False),
    "Lord Howe, in summer": ("Australia/Lord_Howe", "2026-04-02T21:00:00Z", "1h", True),
    "Lord Howe, in winter": ("Australia/Lord_Howe", "2026-04-05T21:00:00Z", "1h", False),
    "Lord Howe, in winter, later": ("Australia/Lord_Howe", "2026-04-05T21:30:00Z", "1h", True),
    "Kathmandu": ("Asia/Kathmandu", "2026-12-01T02:15:00Z", "10h", True),
    "Kathmandu, a minute early": ("Asia/Kathmandu", "2026-12-01T02:14:00Z", "1h", False),
    "Kathmandu, a minute late": ("Asia/Kathmandu", "2026-12-01T11:16:00Z", "1h", False),
    "Monday there, Sunday in UTC": ("Pacific/Auckland", "2026-12-06T20:00:00Z", "1h", True),
    "Saturday there, Friday in UTC": ("Pacific/Auckland", "2026-12-04T20:00:00Z", "1h", False),
    "Apia before the Friday it skipped": ("Pacific/Apia", "2011-12-29T17:00:00", "1h", True),
    "Apia after it, a Saturday": ("Pacific/Apia", "2011-12-31T08:00:00", "1h", False),
    "UTC": ("UTC", "2026-12-01T08:00:00Z", "10h", True),
    "UTC, early": ("UTC", "2026-12-01T07:59:59Z", "1h", False),
}  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "duration", "allowed"), HOURS.values(), ids=HOURS)
def test_office_hours(zone: str, start: str, duration: str, *, allowed: bool) -> None:
    assert allows(OFFICE, zone, start, duration) == allowed


# ── A shift at night, over changes of clocks ─────────────────────────────────────────────────

NIGHT = policy(
    EVERYBODY,
    '@id("night-shift") @because("The night shift is from 22:00 to 06:00.")'
    ' forbid (principal, action in Action::"access", resource) unless {'
    " context.start.hour >= 22 && context.end.hour < 6"
    ' && context.duration <= duration("9h") };',
)

SHIFTS: dict[str, tuple[str, str, str, bool]] = {
    "an ordinary night": ("Europe/Berlin", "2026-10-17T22:00:00", "8h", True),
    "and no longer": ("Europe/Berlin", "2026-10-17T22:00:00", "8h1s", False),
    "the night of 25 October has an hour more": (
        "Europe/Berlin", "2026-10-24T22:00:00", "9h", True,
    ),
    "and no more": ("Europe/Berlin", "2026-10-24T22:00:00", "9h1s", False),
    "the night of 28 March has an hour less": (
        "Europe/Berlin", "2027-03-27T22:00:00", "7h", True,
    ),
    "not eight hours": ("Europe/Berlin", "2027-03-27T22:00:00", "7h1s", False),
    "New York, an hour more": ("America/New_York", "2026-10-31T22:00:00", "9h", True),
    "New York, an hour less": ("America/New_York", "2027-03-13T22:00:00", "8h", False),
    "Lord Howe, half an hour more": ("Australia/Lord_Howe", "2026-04-04T22:00:00", "8h30m", True),
    "Lord Howe, no more": ("Australia/Lord_Howe", "2026-04-04T22:00:00", "8h30m1s", False),
    "Lord Howe, half an hour less": ("Australia/Lord_Howe", "2026-10-03T22:00:00", "7h30m", True),
    "Lord Howe, no longer": ("Australia/Lord_Howe", "2026-10-03T22:00:00", "7h30m1s", False),
    "Apia, over the day it skipped": ("Pacific/Apia", "2011-12-29T22:00:00", "8h", True),
    "UTC changes nothing": ("UTC", "2026-10-24T22:00:00Z", "8h1s", False),
}  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "duration", "allowed"), SHIFTS.values(), ids=SHIFTS)
def test_a_shift_ends_by_the_clock_on_the_wall(
    zone: str, start: str, duration: str, *, allowed: bool
) -> None:
    assert allows(NIGHT, zone, start, duration) == allowed


# ── A duration is time that passes ───────────────────────────────────────────────────────────

LENGTHS = {
    "Berlin, an hour twice": ("2026-10-24T22:00:00", "Europe/Berlin", "2026-10-25T05:00:00+01:00"),
    "Berlin, an hour skipped": (
        "2027-03-27T22:00:00", "Europe/Berlin", "2027-03-28T07:00:00+02:00",
    ),
    "Lord Howe, half an hour twice": (
        "2026-04-04T22:00:00", "Australia/Lord_Howe", "2026-04-05T05:30:00+10:30",
    ),
    "Apia, a day skipped": ("2011-12-29T22:00:00", "Pacific/Apia", "2011-12-31T06:00:00+14:00"),
}  # fmt: skip


@pytest.mark.parametrize(("start", "zone", "deadline"), LENGTHS.values(), ids=LENGTHS)
def test_eight_hours_are_eight_hours_whatever_clocks_do(
    start: str, zone: str, deadline: str
) -> None:
    window = window_from(instant(datetime.fromisoformat(start), zone), timedelta(hours=8))
    assert window.deadline - window.start == timedelta(hours=8)
    assert window.deadline.astimezone(ZoneInfo(zone)).isoformat() == deadline


@given(
    st.integers(0, 60 * 24 * 366),
    st.integers(1, 600),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_office_hours_let_nobody_hold_access_at_night_or_on_a_weekend(
    minute: int, minutes: int, zone: str
) -> None:
    start = datetime.fromisoformat("2026-03-01T00:00:00Z") + timedelta(minutes=minute)
    duration = format_duration(timedelta(minutes=minutes))
    allowed = allows(OFFICE, zone, start.isoformat(), duration)
    held = [
        (start + timedelta(minutes=passed)).astimezone(ZoneInfo(zone))
        for passed in range(parse_duration(duration) // timedelta(minutes=1))
    ]
    assert allowed == all(at.isoweekday() <= 5 and 8 <= at.hour < 18 for at in held)
