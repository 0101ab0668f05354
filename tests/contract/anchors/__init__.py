"""What all anchors must do. To try some of yours, derive from the class here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jitcloud.audit.checkpoint import LONGEST
from jitcloud.errors import Conflict, Unavailable
from jitcloud.ports import Anchors

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)

__all__ = ["NOW", "AnchorsContract", "a_line", "texts"]


def a_line(start: int, text: str = "") -> bytes:
    return f'{{"checkpoint":"{text}","leaves":[],"roots":[],"start":{start}}}'.encode()


def texts(anchors: Anchors) -> list[bytes]:
    return [line for _, line in anchors.lines()]


class AnchorsContract:
    """Derive from it, with a fixture ``anchors``."""

    def test_where_nothing_was_kept_there_is_nothing(self, anchors: Anchors) -> None:
        assert (anchors.last(), list(anchors.lines())) == (None, [])

    def test_what_was_kept_is_read_back_byte_for_byte_in_order(self, anchors: Anchors) -> None:
        lines = [a_line(start, "Zoë \\n “x”") for start in (0, 3, 11, 1000)]
        for start, line in zip((0, 3, 11, 1000), lines, strict=True):
            anchors.append(start, line, NOW)
            assert anchors.last() == line
        assert texts(anchors) == lines

    def test_only_one_begins_at_a_leaf(self, anchors: Anchors) -> None:
        anchors.append(0, a_line(0, "first"), NOW)
        with pytest.raises(Conflict):
            anchors.append(0, a_line(0, "second"), NOW)
        assert texts(anchors) == [a_line(0, "first")]

    def test_where_each_stands_is_told_apart(self, anchors: Anchors) -> None:
        for start in range(3):
            anchors.append(start, a_line(start), NOW)
        assert len({where for where, _ in anchors.lines()}) == 3

    def test_a_long_one_is_read_back_and_one_that_is_too_long_is_refused(
        self, anchors: Anchors
    ) -> None:
        long = a_line(0, "x" * 300_000)
        anchors.append(0, long, NOW)
        with pytest.raises(Unavailable, match="take no line of"):
            anchors.append(1, b"x" * (LONGEST + 1), NOW)
        assert (anchors.last(), texts(anchors)) == (long, [long])

    def test_it_says_where_it_is(self, anchors: Anchors) -> None:
        assert anchors.name
