"""What came last is told by more than clocks, which differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jitcloud import slots

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("last", "expected"),
    [(None, NOW), (NOW - MOMENT, NOW), (NOW, NOW + MOMENT), (NOW + MOMENT, NOW + 2 * MOMENT)],
)
def test_what_comes_after_something_is_later_by_whatever_clock(
    last: datetime | None, expected: datetime
) -> None:
    assert slots.since(last, NOW) == expected
