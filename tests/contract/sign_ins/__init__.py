"""What keeps sign-ins must do. To try one of yours, derive from a class here, as test_sign_ins
does.

``SharedSignInsContract`` adds what is promised by one that outlives its process.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.model import GroupId, PersonId, Signature, SignedIn
from jitcloud.ports import SignIns
from tests.factories import NOW

Opener = Callable[[], SignIns]
"""Opens the same ones each time."""

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
SRE, LEADS = GroupId("sre"), GroupId("leads")
ANA, BEN = PersonId("ana"), PersonId("ben")

STRANGE = ["a/b", "P#x", 'it\'s "so" $(id) %', "CN=Zoë Łód,OU=東京", "👩‍🚒\U0010fffd", "ß" * 200]


def said(person: str = "ana", *groups: str, at: timedelta = timedelta()) -> SignedIn:
    return SignedIn(
        person=PersonId(person),
        name=person.title(),
        emails=(f"{person}@example.org",),
        groups=tuple(GroupId(group) for group in sorted(groups)),
        at=NOW + at,
        until=NOW + at + 12 * HOUR,
        signature=Signature(key="a-key", value="c2lnbmVk"),
    )


class SignInsContract(ABC):
    @pytest.fixture
    @abstractmethod
    def opener(self, tmp_path: Path) -> Opener: ...

    @pytest.fixture
    def kept(self, opener: Opener) -> Iterator[SignIns]:
        kept = opener()
        yield kept
        kept.close()

    # ── One person ──

    def test_what_is_put_is_kept_whole(self, kept: SignIns) -> None:
        assert kept.of(ANA) is None
        full = said("ana", "sre", "leads")
        kept.put(full)
        assert kept.of(ANA) == full
        assert kept.of(BEN) is None
        bare = replace(said("ben"), emails=(), signature=None, at=NOW + timedelta(microseconds=1))
        kept.put(bare)
        assert (kept.of(BEN), kept.of(ANA)) == (bare, full)

    @pytest.mark.parametrize("later", [timedelta(), timedelta(microseconds=1), HOUR])
    def test_what_is_said_later_takes_its_place(self, kept: SignIns, later: timedelta) -> None:
        kept.put(said("ana", "sre", "leads"))
        after = said("ana", "leads", "new", at=later)
        kept.put(after)
        assert kept.of(ANA) == after
        assert kept.members(SRE, NOW) == ()
        assert kept.members(LEADS, NOW) == kept.members(GroupId("new"), NOW) == (after,)

    def test_what_was_said_earlier_does_not(self, kept: SignIns) -> None:
        now = said("ana", "leads")
        kept.put(now)
        kept.put(said("ana", "sre", at=-timedelta(microseconds=1)))
        assert kept.of(ANA) == now
        assert kept.members(SRE, NOW) == ()
        assert kept.members(LEADS, NOW) == (now,)

    @pytest.mark.parametrize("name", STRANGE)
    def test_names_are_taken_as_they_are_written(self, kept: SignIns, name: str) -> None:
        one = replace(said("ana", name), person=PersonId(name), name=name, emails=(name,))
        kept.put(one)
        assert kept.of(PersonId(name)) == one
        assert kept.members(GroupId(name), NOW) == (one,)
        for other in (name.upper(), name + " ", name[:-1] or "x"):
            if other != name:
                assert kept.of(PersonId(other)) is None
                assert kept.members(GroupId(other), NOW) == ()

    # ── A group ──

    def test_a_group_has_whoever_was_said_to_be_in_it(self, kept: SignIns) -> None:
        ana, ben, caro = said("ana", "sre", "leads"), said("ben", "sre"), said("caro")
        for each in (ana, ben, caro):
            kept.put(each)
        assert set(kept.members(SRE, NOW)) == {ana, ben}
        assert kept.members(LEADS, NOW) == (ana,)
        assert kept.members(GroupId("nobody"), NOW) == ()

    def test_nobody_is_in_a_group_any_longer_than_that_counts(self, kept: SignIns) -> None:
        one = said("ana", "sre")
        kept.put(one)
        assert kept.members(SRE, one.until - timedelta(microseconds=1)) == (one,)
        assert kept.members(SRE, one.until) == ()
        assert kept.of(ANA) == one

    def test_a_token_may_name_two_hundred_groups(self, kept: SignIns) -> None:
        names = [f"group-{number}" for number in range(200)]
        full = said("ana", *names)
        kept.put(full)
        for name in (names[0], names[99], names[100], names[199]):
            assert kept.members(GroupId(name), NOW) == (full,)
        kept.put(said("ana", names[0], at=HOUR))
        assert kept.members(GroupId(names[199]), NOW) == ()
        assert len(kept.members(GroupId(names[0]), NOW)) == 1

    def test_of_many_at_once_the_latest_is_kept(self, kept: SignIns) -> None:
        every = [said("ana", f"group-{number}", at=number * SECOND) for number in range(16)]
        ready = threading.Barrier(4)

        def put(own: list[SignedIn]) -> None:
            ready.wait(30)
            for each in own:
                kept.put(each)

        threads = [threading.Thread(target=put, args=(every[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert kept.of(ANA) == every[-1]
        assert kept.members(GroupId("group-15"), NOW) == (every[-1],)
        assert kept.members(GroupId("group-14"), NOW) == ()

    def test_what_is_closed_does_nothing_more(self, kept: SignIns) -> None:
        kept.close()
        kept.close()
        calls: list[Callable[[], object]] = [
            lambda: kept.put(said()),
            lambda: kept.of(ANA),
            lambda: kept.members(SRE, NOW),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="closed"):
                call()


class SharedSignInsContract(SignInsContract):
    def test_others_see_it_at_once_and_later(self, kept: SignIns, opener: Opener) -> None:
        other = opener()
        one = said("ana", "sre")
        kept.put(one)
        assert other.of(ANA) == one
        assert other.members(SRE, NOW) == (one,)
        other.close()
        kept.close()
        third = opener()
        assert third.of(ANA) == one
        third.close()
