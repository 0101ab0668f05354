from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jitcloud.errors import Invalid
from jitcloud.instants import parse_start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00+05:45", "2026-12-01T03:15:00Z"),
        ("2026-12-01T09:00:00[Europe/Berlin]", "2026-12-01T08:00:00Z"),
        ("2026-07-01T09:00:00[Europe/Berlin]", "2026-07-01T07:00:00Z"),
        ("2026-10-25T02:30:00+01:00[Europe/Berlin]", "2026-10-25T01:30:00Z"),
    ],
)
def test_a_start_is_an_instant_in_utc(text: str, expected: str) -> None:
    assert parse_start(text) == datetime.fromisoformat(expected)
    assert parse_start(text).tzinfo is UTC


def test_a_start_without_a_zone_stays_without_one_for_the_broker_to_refuse() -> None:
    assert parse_start("2026-12-01T09:00:00") == datetime.fromisoformat("2026-12-01T09:00:00")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("noon", '"noon" is not an instant; write date, time and zone, such as 2026-12-01T09:00'),
        ("9999-12-31T23:59:59Z", "is not an instant; write"),
        ("0001-01-01T00:00:00+14:00", "is not an instant; write"),
        ("9999-12-31T23:00:00[UTC]", "is not an instant; write"),
        ("9999-12-31T23:00:00[America/New_York]", "too close to the first or last of all years"),
        ("noon[Europe/Berlin]", "is not a date and time with its zone in brackets; write it like"),
        ("2026-12-01T09:00:00[Europe/Berln]", 'Did you mean "Europe/Berlin"?'),
        ("2026-12-01T09:00:00+02:00[Europe/Berlin]", "contradicts itself"),
        ("2027-03-28T02:30:00[Europe/Berlin]", "does not exist in Europe/Berlin"),
        ("2026-10-25T02:30:00[Europe/Berlin]", "comes twice in Europe/Berlin"),
        ("2026-12-01T09:00:00Z\x1b[2J", "is not a date and time with its zone in brackets"),
    ],
)
def test_what_is_no_start_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_start(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
