from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.durations import LONGEST, format_duration, parse_duration
from jitcloud.errors import Invalid


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("8h", 28800),
        ("2d", 172800),
        ("1d2h3m4s", 93784),
        ("30d", 2592000),
        ("2592000s", 2592000),
        ("0h30m", 1800),
    ],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "0", "0s", "0h", "1", "30", "-1h", "+1h", "-30m", "1h-30m", "3 dys", "in 3 dys",
        "forever", "never", "inf", "nan", "none", "1e9h", "1.5h", "1,5h", "\u0663h", "\uff13h",
        "1H", "1w", "1y", "1ms", "h", "hm", "30m1h", "1h1h", "1h 30m", " 1h", "1h ", "1h\n",
        "\n1h", "31d", "30d1s", "2592001s", "99999999h", "9" * 5000 + "h", "0x1h", "1_0h", "PT1H",
        "2026-13-45", "1h\0", "1h\u202e",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_nothing_means_forever(text: str) -> None:
    with pytest.raises(Invalid, match="such as 30m, 1h30m or 2d") as caught:
        parse_duration(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=LONGEST))
def test_a_duration_as_written_is_read_back_to_the_second(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration - timedelta(
        microseconds=duration.microseconds
    )


@given(st.text())
def test_no_text_is_read_as_less_than_a_second_or_more_than_the_longest(text: str) -> None:
    try:
        duration = parse_duration(text)
    except Invalid:
        return
    assert timedelta(seconds=1) <= duration <= LONGEST


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.4, "0s"), (-0.4, "0s"), (59.9, "59s"), (-90, "-1m30s"), (86400 * 40, "40d")],
)
def test_what_cannot_be_asked_for_can_still_be_shown(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text
