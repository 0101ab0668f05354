"""What every journal must do. To try one of yours, derive from the class here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from jitcloud.errors import Unavailable
from jitcloud.model import Place, Slot, SlotKey
from jitcloud.ports import Journal

NOW = datetime(2026, 12, 1, 9, 0, 0, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)

__all__ = ["NOW", "SECOND", "JournalContract", "a_place", "a_slot", "told"]


def a_slot(name: str, **where: object) -> Slot:
    return Slot(key=SlotKey(f"aws.iam-group/{name}"), kind="aws.iam-group", where=where)


def a_place(name: str, **where: object) -> Place:
    return Place(key=SlotKey(f"aws.iam-group/{name}"), kind="aws.iam-group", where=where)


def told(journal: Journal) -> dict[str, datetime]:
    return {noted.key.removeprefix("aws.iam-group/"): at for noted, at in journal.places()}


class JournalContract:
    """Derive from it, with a fixture ``journal``."""

    def test_where_nothing_was_noted_there_is_nothing(self, journal: Journal) -> None:
        assert list(journal.places()) == []

    def test_what_was_noted_is_read_back_whole(self, journal: Journal) -> None:
        where = {"group_arn": "arn:aws:iam::1:group/ü\u2028\n", "exclusive": False, "list": [1, {}]}
        journal.note(a_slot("ana", **where), NOW.astimezone(timezone(timedelta(hours=9))))
        ((noted, at),) = journal.places()
        assert (noted, at, at.tzinfo) == (a_place("ana", **where), NOW, UTC)

    def test_each_place_is_told_once_with_when_it_was_noted_last(self, journal: Journal) -> None:
        for number, name in enumerate(["ana", "ben", "ana", "caro", "ana"]):
            journal.note(a_slot(name, number=number), NOW + number * SECOND)
        assert told(journal) == {
            "ben": NOW + SECOND,
            "caro": NOW + 3 * SECOND,
            "ana": NOW + 4 * SECOND,
        }
        assert (a_place("ana", number=4), NOW + 4 * SECOND) in list(journal.places())

    def test_what_is_crossed_out_is_told_no_more_until_it_is_noted_again(
        self, journal: Journal
    ) -> None:
        journal.note(a_slot("ana"), NOW)
        journal.note(a_slot("ben"), NOW)
        journal.cross_out(a_slot("ana"), NOW + SECOND)
        assert told(journal) == {"ben": NOW}
        journal.note(a_slot("ana"), NOW + 2 * SECOND)
        assert told(journal) == {"ana": NOW + 2 * SECOND, "ben": NOW}

    def test_what_was_never_noted_can_be_crossed_out(self, journal: Journal) -> None:
        journal.cross_out(a_slot("ana"), NOW)
        assert told(journal) == {}

    def test_many_places_are_all_told(self, journal: Journal) -> None:
        for number in range(30):
            journal.note(a_slot(f"person-{number}"), NOW)
        assert len(told(journal)) == 30

    def test_what_is_too_long_is_not_written(self, journal: Journal) -> None:
        with pytest.raises(Unavailable, match="shorten what the catalog says"):
            journal.note(a_slot("ana", text="x" * 70_000), NOW)
        assert told(journal) == {}
