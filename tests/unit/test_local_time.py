from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.errors import Invalid
from jitcloud.local_time import instant, parse_zoned, zone_named

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # +05:45
    "Pacific/Apia",  # without 30 December 2011
    "Africa/Casablanca",  # back for Ramadan
    "America/St_Johns",
    "Africa/Monrovia",  # -00:44:30 until 1972
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ── Local times that are one instant ─────────────────────────────────────────────────────────

ONE = {
    "winter": ("2026-12-20T18:00:00", "Europe/Berlin", "2026-12-20T17:00:00Z"),
    "summer": ("2026-07-20T18:00:00", "Europe/Berlin", "2026-07-20T16:00:00Z"),
    "UTC": ("2026-12-20T18:00:00", "UTC", "2026-12-20T18:00:00Z"),
    "an odd offset": ("2026-12-20T18:00:00", "Asia/Kathmandu", "2026-12-20T12:15:00Z"),
    "just before an hour that is skipped": (
        "2027-03-28T01:59:59.999999", "Europe/Berlin", "2027-03-28T00:59:59.999999Z",
    ),
    "just after it": ("2027-03-28T03:00:00", "Europe/Berlin", "2027-03-28T01:00:00Z"),
    "just before an hour that comes twice": (
        "2026-10-25T01:59:59.999999", "Europe/Berlin", "2026-10-24T23:59:59.999999Z",
    ),
    "just after it came twice": ("2026-10-25T03:00:00", "Europe/Berlin", "2026-10-25T02:00:00Z"),
    "New York, after": ("2026-03-08T03:00:00", "America/New_York", "2026-03-08T07:00:00Z"),
    "half an hour later": (
        "2026-10-04T02:30:00", "Australia/Lord_Howe", "2026-10-03T15:30:00Z",
    ),
    "the day after none": ("2011-12-31T00:00:00", "Pacific/Apia", "2011-12-30T10:00:00Z"),
    "with an offset": ("2026-12-20T18:00:00+09:00", "Europe/Berlin", "2026-12-20T09:00:00Z"),
    "with an offset, in an hour that comes twice": (
        "2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T01:30:00Z",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("local", "zone", "expected"), ONE.values(), ids=ONE)
def test_a_local_time_is_an_instant(local: str, zone: str, expected: str) -> None:
    assert instant(at(local), zone) == at(expected)
    assert instant(at(local), zone).tzinfo is UTC
    assert instant(at(local), zone_named(zone)) == at(expected)


def test_what_has_an_offset_needs_no_zone() -> None:
    assert instant(at("2026-12-20T18:00:00Z"), "Europe/Atlantis") == at("2026-12-20T18:00:00Z")


# ── Local times that are none, or two ────────────────────────────────────────────────────────

SKIPPED = {
    "first": ("2027-03-28T02:00:00", "Europe/Berlin", "2027-03-28T02:00:00", "2027-03-28T03:00:00"),
    "last": (
        "2027-03-28T02:59:59.999999", "Europe/Berlin",
        "2027-03-28T02:00:00", "2027-03-28T03:00:00",
    ),
    "New York": (
        "2026-03-08T02:30:00", "America/New_York", "2026-03-08T02:00:00", "2026-03-08T03:00:00",
    ),
    "half an hour": (
        "2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-04T02:00:00", "2026-10-04T02:30:00",
    ),
    "a day": (
        "2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T00:00:00", "2011-12-31T00:00:00",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("local", "zone", "before", "after"), SKIPPED.values(), ids=SKIPPED)
def test_a_time_that_clocks_skip_is_refused_with_those_around_it(
    local: str, zone: str, before: str, after: str
) -> None:
    with pytest.raises(Invalid) as caught:
        instant(at(local), zone)
    assert str(caught.value) == (
        f"{local} does not exist in {zone}, where clocks go from {before} to {after};"
        " write a time before or after that."
    )


TWICE = {
    "first": ("2026-10-25T02:00:00", "Europe/Berlin", "+02:00", "+01:00"),
    "last": ("2026-10-25T02:59:59.999999", "Europe/Berlin", "+02:00", "+01:00"),
    "New York": ("2026-11-01T01:30:00", "America/New_York", "-04:00", "-05:00"),
    "half an hour": ("2026-04-05T01:45:00", "Australia/Lord_Howe", "+11:00", "+10:30"),
}


@pytest.mark.parametrize(("local", "zone", "first", "second"), TWICE.values(), ids=TWICE)
def test_a_time_that_comes_twice_is_refused_with_both_instants(
    local: str, zone: str, first: str, second: str
) -> None:
    with pytest.raises(Invalid) as caught:
        instant(at(local), zone)
    assert str(caught.value) == (
        f"{local} comes twice in {zone}; write which one is meant, with its offset:"
        f" {local}{first} or {local}{second}."
    )
    assert instant(at(local + first), zone) < instant(at(local + second), zone)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_fold_that_nobody_typed_decides_nothing(fold: int) -> None:
    with pytest.raises(Invalid, match="comes twice"):
        instant(at("2026-10-25T02:30:00").replace(fold=fold), "Europe/Berlin")
    plain = at("2026-12-20T18:00:00").replace(fold=fold)
    assert instant(plain, "Europe/Berlin") == at("2026-12-20T17:00:00Z")


def test_a_zone_that_knows_nothing_of_folds_is_not_believed_in_between() -> None:
    with pytest.raises(Invalid, match="does not exist in Somewhere"):
        instant(at("2026-03-01T00:30:00"), _Simple())
    assert instant(at("2026-03-01T01:00:00"), _Simple()) == at("2026-03-01T00:00:00Z")


class _Simple(tzinfo):
    """Skips the first hour of March 2026, as tzinfo was before PEP 495."""

    def utcoffset(self, local: datetime | None) -> timedelta:
        is_later = local is not None and local.replace(tzinfo=None) >= at("2026-03-01T01:00:00")
        return timedelta(hours=int(is_later))

    def dst(self, local: datetime | None) -> timedelta:
        return self.utcoffset(local)

    def tzname(self, local: datetime | None) -> str:
        return f"{self} {local}"

    def fromutc(self, moment: datetime) -> datetime:
        is_later = moment.replace(tzinfo=None) >= at("2026-03-01T00:00:00")
        return moment + timedelta(hours=int(is_later))

    def __str__(self) -> str:
        return "Somewhere"


@pytest.mark.parametrize(
    ("local", "zone"),
    [
        ("0001-01-01T00:00:00", "Europe/Berlin"),
        ("9999-12-31T23:59:59", "America/New_York"),
        ("0001-01-01T00:00:00+01:00", "UTC"),
        ("9999-12-31T23:59:59-01:00", "UTC"),
    ],
)
def test_a_time_without_an_instant_that_can_be_written_is_refused(local: str, zone: str) -> None:
    with pytest.raises(Invalid, match="too close to the first or last of all years"):
        instant(at(local), zone)


ANY = st.datetimes(datetime(1960, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001 - local ones too


@given(ANY, st.sampled_from(ZONES))
def test_every_local_time_is_what_clocks_have_shown_at_no_one_or_two_instants(
    local: datetime, zone: str
) -> None:
    agree(local, zone)


CHANGES = st.sampled_from([each[:2] for each in (*SKIPPED.values(), *TWICE.values())])


@given(CHANGES, st.timedeltas(timedelta(hours=-2), timedelta(hours=2)))
def test_close_to_a_change_that_is_so_too(change: tuple[str, str], away: timedelta) -> None:
    near, zone = change
    agree(at(near) + away, zone)


def agree(local: datetime, zone: str) -> None:
    found = _by_search(local, ZoneInfo(zone))
    if len(found) == 1:
        assert {instant(local, zone)} == found
        return
    with pytest.raises(Invalid, match="comes twice" if found else "does not exist") as caught:
        instant(local, zone)
    for each in found:
        assert each.astimezone(ZoneInfo(zone)).isoformat() in str(caught.value)


def _by_search(local: datetime, zone: tzinfo) -> set[datetime]:
    """Find the instants without folds: try every offset that the zone has that week."""
    around = [local.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in range(-72, 73)]
    offsets = {moment.astimezone(zone).utcoffset() or timedelta() for moment in around}
    tried = {local.replace(tzinfo=UTC) - offset for offset in offsets}
    return {moment for moment in tried if moment.astimezone(zone).replace(tzinfo=None) == local}


# ── Zones ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Europe/Berln", ' Did you mean "Europe/Berlin"?'),
        ("Berlin", ' Did you mean "Europe/Berlin"?'),
        ("", ""),
        ("Europe", ' Did you mean "Europe/'),
        ("../../etc/passwd", ""),
        ("/etc/localtime", ""),
        ("zone.tab", ""),
        ("\x1b[2J", ""),
        ("Europe/Berlin\0", ' Did you mean "Europe/Berlin"?'),
        ("\ud800", ""),
        ("x" * 100_000, ""),
        # These files stand beside the zones on many machines.
        ("localtime", ""),
        ("posixrules", ""),
        ("Factory", ""),
        ("posix/Europe/Berlin", ' Did you mean "Europe/Berlin"?'),
        ("right/Europe/Berlin", ' Did you mean "Europe/Berlin"?'),
    ],
)
def test_what_is_no_zone_is_refused_and_the_nearest_named(name: str, near: str) -> None:
    with pytest.raises(Invalid) as caught:
        zone_named(name)
    said = str(caught.value)
    assert f" is not an IANA time zone; write one such as Europe/Berlin.{near}" in said
    assert f'Did you mean "{name}"' not in said
    assert said.isprintable()
    assert len(said) < 200


def test_zones_are_there_on_a_machine_that_has_none() -> None:
    code = """
import zoneinfo
from datetime import datetime
assert zoneinfo.TZPATH == (), zoneinfo.TZPATH
from jitcloud.local_time import instant, parse_zoned
print(instant(datetime(2026, 7, 1, 9), "Europe/Berlin"), len(zoneinfo.available_timezones()) > 400)
print(parse_zoned("2026-12-01T09:00:00[America/New_York]"))
try:
    parse_zoned("2026-12-01T09:00:00[America/New_Yrok]")
except ValueError as exc:
    print(exc)
"""
    ran = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "2026-07-01 07:00:00+00:00 True",
        "2026-12-01 14:00:00+00:00",
        (
            '"America/New_Yrok" is not an IANA time zone; write one such as Europe/Berlin.'
            ' Did you mean "America/New_York"?'
        ),
    ]


# ── Zones in brackets ────────────────────────────────────────────────────────────────────────

ZONED = {
    "no offset": ("2026-12-01T09:00:00[Europe/Berlin]", "2026-12-01T08:00:00Z"),
    "its offset": ("2026-12-01T09:00:00+01:00[Europe/Berlin]", "2026-12-01T08:00:00Z"),
    "its offset in summer": ("2026-07-01T09:00:00+02:00[Europe/Berlin]", "2026-07-01T07:00:00Z"),
    "the first of two": ("2026-10-25T02:30:00+02:00[Europe/Berlin]", "2026-10-25T00:30:00Z"),
    "the second of two": ("2026-10-25T02:30:00+01:00[Europe/Berlin]", "2026-10-25T01:30:00Z"),
    "an instant": ("2026-12-01T09:00:00Z[Europe/Berlin]", "2026-12-01T09:00:00Z"),
    "an instant, as some write it": (
        "2026-12-01T09:00:00-00:00[Europe/Berlin]", "2026-12-01T09:00:00Z",
    ),
    "an offset of nothing": ("2026-12-01T09:00:00+00:00[Europe/London]", "2026-12-01T09:00:00Z"),
    "critical": ("2026-12-01T09:00:00[!Europe/Berlin]", "2026-12-01T08:00:00Z"),
    "in UTC": ("2026-12-01T09:00:00[UTC]", "2026-12-01T09:00:00Z"),
    "to the minute": ("2026-12-01T09:00[Europe/Berlin]", "2026-12-01T08:00:00Z"),
    "to the microsecond": (
        "2026-12-01T09:00:00.123456[Europe/Berlin]", "2026-12-01T08:00:00.123456Z",
    ),
    "small letters": ("2026-12-01t09:00:00z[Europe/Berlin]", "2026-12-01T09:00:00Z"),
    "a space": ("2026-12-01 09:00:00[Europe/Berlin]", "2026-12-01T08:00:00Z"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ZONED.values(), ids=ZONED)
def test_a_time_with_its_zone_in_brackets_is_read(text: str, expected: str) -> None:
    assert parse_zoned(text) == at(expected)
    assert parse_zoned(text).tzinfo is UTC


NOT_ZONED = {
    "another offset": (
        "2026-12-01T09:00:00+02:00[Europe/Berlin]",
        "contradicts itself, for in Europe/Berlin that is 2026-12-01T08:00:00+01:00; correct",
    ),
    "the offset of no clock": ("2026-07-01T09:00:00+00:00[Europe/London]", "contradicts itself"),
    "an offset in a skipped hour": (
        "2027-03-28T02:30:00+01:00[Europe/Berlin]", "that is 2027-03-28T03:30:00+02:00; correct",
    ),
    "a third of two": ("2026-10-25T02:30:00+03:00[Europe/Berlin]", "contradicts itself"),
    "skipped": ("2027-03-28T02:30:00[Europe/Berlin]", "does not exist in Europe/Berlin"),
    "twice": ("2026-10-25T02:30:00[Europe/Berlin]", "comes twice in Europe/Berlin"),
    "no zone": ("2026-12-01T09:00:00[]", "is not a date and time with its zone in brackets"),
    "an unknown zone": ("2026-12-01T09:00:00[Europe/Berln]", 'Did you mean "Europe/Berlin"?'),
    "an offset for a zone": ("2026-12-01T09:00:00+01:00[+01:00]", '"+01:00" is not an IANA'),
    "a calendar": ("2026-12-01T09:00:00[Europe/Berlin][u-ca=hebrew]", "is not a date and time"),
    "only a calendar": ("2026-12-01T09:00:00Z[u-ca=hebrew]", '"u-ca=hebrew" is not an IANA'),
    "something behind": ("2026-12-01T09:00:00[Europe/Berlin]x", "is not a date and time"),
    "a line end": ("2026-12-01T09:00:00[Europe/Berlin]\n", "is not a date and time"),
    "a day alone": ("2026-12-01[Europe/Berlin]", "is not a date and time"),
    "a week": ("2026-W49-2T09:00:00[Europe/Berlin]", "is not a date and time"),
    "no such day": ("2026-02-30T09:00:00[Europe/Berlin]", "is not a date and time"),
    "no such offset": ("2026-12-01T09:00:00+24:00[Europe/Berlin]", "is not a date and time"),
    "other digits": ("\u0662026-12-01T09:00:00[Europe/Berlin]", "is not a date and time"),
    "too early": ("0001-01-01T00:00:00[Europe/Berlin]", "too close to the first or last"),
    "too late": ("9999-12-31T23:00:00Z[Asia/Tokyo]", "too close to the first or last"),
    "what steers": ("2026-12-01T09:00:00[\x1b[2J]", "is not a date and time"),
    "much": ("[" * 100_000, "is not a date and time"),
    "nothing": ("", "is not a date and time"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), NOT_ZONED.values(), ids=NOT_ZONED)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_zoned(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@given(ANY, st.sampled_from(ZONES))
def test_an_instant_written_with_offset_and_zone_is_read_back(moment: datetime, zone: str) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    offset = there.utcoffset() or timedelta()
    if offset % timedelta(minutes=1):
        return  # RFC 3339 knows no offsets with seconds
    assert parse_zoned(f"{there.isoformat()}[{zone}]") == there
    other = there.replace(tzinfo=timezone(offset + timedelta(hours=3)))
    with pytest.raises(Invalid, match="contradicts itself"):
        parse_zoned(f"{other.isoformat()}[{zone}]")
