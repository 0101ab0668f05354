"""What every directory must do. To try one of yours, derive from a class here, as test_directories
does, and write an organisation down where yours looks for it.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jitcloud.errors import Misconfigured, NotFound, Refused
from jitcloud.model import GroupId, PersonId, RotationId
from jitcloud.ports import Directory
from tests.contract.directories.organisation import (
    ANN,
    BOB,
    CAT,
    SMALL,
    Group,
    Organisation,
    Someone,
    Source,
)

__all__ = ["DirectoryContract", "Group", "Organisation", "Someone", "Source"]

STRANGE = [
    pytest.param("Ann of Green Gables", id="spaces"),
    pytest.param('it\'s "quoted" `so` $(id) ${HOME} \\n %s; & | > <', id="shell"),
    pytest.param("--help", id="option"),
    pytest.param("../../etc/passwd", id="path"),
    pytest.param('{"person": null}', id="json"),
    pytest.param("CN=Zoë Łód,OU=東京,DC=مرحبا", id="scripts"),
    pytest.param("👩‍🚒 \U0010fffd", id="emoji"),
    pytest.param("ß" * 200, id="200-letters"),
]

LOOKALIKES = [
    pytest.param("admins", "\u0430dmins", id="cyrillic"),
    pytest.param("admins", "Admins", id="case"),
    pytest.param("admins", "admins\u200b", id="zero-width"),
    pytest.param(*(unicodedata.normalize(form, "opérateurs") for form in ("NFC", "NFD")), id="nfd"),
]

NOBODY = ["", " ", "u-9", "U-1", " u-1", "u-1 ", "u-", "Bob", "inner", "example.org", "\x1b", "x\0"]


def ids(*names: str) -> frozenset[PersonId]:
    return frozenset(map(PersonId, names))


class DirectoryContract(ABC):
    @pytest.fixture
    @abstractmethod
    def source(self, tmp_path: Path) -> Source: ...

    @pytest.fixture
    def directory(self, source: Source) -> Directory:
        source.write(SMALL)
        return source.open()

    # ── Who is who ──

    def test_a_person_is_who_the_source_says(self, directory: Directory) -> None:
        ann = directory.person("u-1")
        assert (ann.id, ann.name, ann.emails) == (ANN.id, ANN.name, ANN.emails)
        assert (ann.manager, ann.disabled) == ("u-2", False)
        assert ann.groups == {"inner", "middle", "outer"}
        assert ann.rotations == {"pager"}
        cat = directory.person("u-3")
        assert (cat.emails, cat.manager, cat.rotations) == ((), None, frozenset())
        assert cat.disabled

    @pytest.mark.parametrize(
        "handle",
        ["Ann@Example.org", "ann@example.org", "ANN@EXAMPLE.ORG", "ANN.STRASSER@EXAMPLE.ORG"],
    )
    def test_an_email_in_any_case_leads_to_the_id_and_never_becomes_one(
        self, directory: Directory, handle: str
    ) -> None:
        found = directory.person(handle)
        assert found.id == "u-1"
        assert found == directory.person("u-1")

    @pytest.mark.parametrize("handle", [*NOBODY, "x" * 100_000])
    def test_nobody_else_is_found(self, directory: Directory, handle: str) -> None:
        with pytest.raises(NotFound, match="Nobody in the directory") as caught:
            directory.person(handle)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize(
        "other",
        [
            replace(BOB, emails=("ANN@example.org",)),
            replace(BOB, emails=("u-1",)),
            replace(BOB, id="ann@example.org"),
        ],
        ids=["one-email-twice", "an-email-that-is-an-id", "an-id-that-is-an-email"],
    )
    def test_a_handle_that_fits_two_names_neither(self, source: Source, other: Someone) -> None:
        source.write(Organisation(people=(replace(ANN, manager=None), other)))
        handle = "u-1" if "u-1" in other.emails else "ann@example.org"
        # A source that can be checked as a whole may be refused as a whole.
        with pytest.raises((Refused, Misconfigured)):
            source.open().person(handle)

    @pytest.mark.parametrize("name", STRANGE)
    def test_a_name_is_taken_as_it_is_written(self, source: Source, name: str) -> None:
        source.write(
            Organisation(
                people=(Someone(id=name, name=name, emails=(f"{name}@",)[: len(name) < 200]),),
                groups={name: Group(members=(name,))},
                rotations={name: (name,)},
            )
        )
        directory = source.open()
        found = directory.person(name)
        assert (found.id, found.name) == (name, name)
        assert (list(found.groups), list(found.rotations)) == ([name], [name])
        assert directory.members(GroupId(name)) == ids(name)
        assert directory.on_call(RotationId(name)) == ids(name)

    # ── Groups ──

    def test_a_group_holds_whoever_is_in_the_groups_within_it(self, directory: Directory) -> None:
        assert directory.members(GroupId("inner")) == ids("u-1")
        assert directory.members(GroupId("middle")) == ids("u-1", "u-3")
        assert directory.members(GroupId("outer")) == ids("u-1", "u-3")

    def test_the_disabled_are_members_still(self, directory: Directory) -> None:
        assert CAT.id in (directory.members(GroupId("middle")) or ())

    def test_an_empty_group_is_one_and_an_unknown_one_is_none(self, directory: Directory) -> None:
        assert directory.members(GroupId("empty")) == frozenset()
        for name in ("none", "Inner", "inner ", "u-1", "pager", "", "\x1b[31m", "x" * 100_000):
            assert directory.members(GroupId(name)) is None

    def test_people_and_groups_say_the_same_of_each_other(self, directory: Directory) -> None:
        people = [directory.person(each.id) for each in SMALL.people]
        for name in SMALL.groups:
            said = directory.members(GroupId(name))
            assert said == ids(*(person.id for person in people if name in person.groups))

    @pytest.mark.parametrize(("real", "other"), LOOKALIKES)
    def test_groups_that_look_alike_are_different_ones(
        self, source: Source, real: str, other: str
    ) -> None:
        source.write(
            Organisation(
                people=(Someone(id="good"), Someone(id="bad")),
                groups={real: Group(members=("good",)), other: Group(members=("bad",))},
            )
        )
        directory = source.open()
        assert directory.members(GroupId(real)) == ids("good")
        assert directory.members(GroupId(other)) == ids("bad")
        assert directory.person("bad").groups == {other}

    def test_what_there_is_is_listed_whole_or_not_at_all(self, directory: Directory) -> None:
        assert directory.groups() in (None, frozenset(SMALL.groups))
        assert directory.rotations() in (None, frozenset(SMALL.rotations))

    # ── On call ──

    def test_a_rotation_holds_whoever_has_it(self, directory: Directory) -> None:
        assert directory.on_call(RotationId("pager")) == ids("u-1", "u-2")
        assert directory.on_call(RotationId("nobody")) == frozenset()
        for name in ("none", "inner", "", "\0", "x" * 100_000):
            assert directory.on_call(RotationId(name)) is None

    # ── Now, and not some time ago ──

    @pytest.mark.parametrize(
        ("after", "shown"),
        [
            (
                replace(SMALL, groups={**SMALL.groups, "inner": Group()}),
                lambda d: "outer" in d.person("u-1").groups,
            ),
            (
                replace(SMALL, groups={**SMALL.groups, "inner": Group()}),
                lambda d: "u-1" in d.members(GroupId("outer")),
            ),
            (
                replace(SMALL, rotations={"pager": ("u-2",)}),
                lambda d: "u-1" in d.on_call(RotationId("pager")),
            ),
            (
                replace(SMALL, people=(replace(ANN, disabled=True), BOB, CAT)),
                lambda d: not d.person("u-1").disabled,
            ),
            (
                replace(SMALL, people=(replace(ANN, manager=None), BOB, CAT)),
                lambda d: d.person("u-1").manager == "u-2",
            ),
        ],
        ids=["groups-of-a-person", "members", "on-call", "disabled", "manager"],
    )
    def test_a_change_counts_at_the_next_question(
        self,
        source: Source,
        directory: Directory,
        after: Organisation,
        shown: Callable[[Directory], bool],
    ) -> None:
        assert shown(directory)
        source.write(after)
        assert not shown(directory)

    def test_whoever_is_gone_is_nobody_at_the_next_question(
        self, source: Source, directory: Directory
    ) -> None:
        assert directory.person("bob@example.org").id == "u-2"
        source.write(Organisation(people=(CAT,)))
        for handle in ("u-2", "bob@example.org"):
            with pytest.raises(NotFound):
                directory.person(handle)
        assert directory.members(GroupId("inner")) is None

    def test_while_the_source_is_broken_nothing_is_answered(
        self, source: Source, directory: Directory
    ) -> None:
        questions: list[Callable[[], object]] = [
            lambda: directory.person("u-1"),
            lambda: directory.members(GroupId("inner")),
            lambda: directory.on_call(RotationId("pager")),
            directory.groups,
            directory.rotations,
        ]
        before = [ask() for ask in questions]
        source.spoil()
        for ask in (*questions, *questions):
            with pytest.raises(Misconfigured) as caught:
                ask()
            assert str(caught.value).isprintable()
        source.write(SMALL)
        assert [ask() for ask in questions] == before

    # ── Many ──

    def test_five_thousand_people_in_five_hundred_nested_groups(self, source: Source) -> None:
        source.write(large())
        directory = source.open()
        assert len(directory.members(GroupId("g-0")) or ()) == 5_000
        assert directory.members(GroupId("g-499")) == ids(*(f"u-{n}" for n in range(4_990, 5_000)))
        assert len(directory.person("U-4999@example.org").groups) == 500
        assert directory.person("u-0").groups == {"g-0"}


def large() -> Organisation:
    """Ten people in each of 500 groups, each within the one before."""
    return Organisation(
        people=tuple(Someone(id=f"u-{n}", emails=(f"u-{n}@example.org",)) for n in range(5_000)),
        groups={
            f"g-{n}": Group(
                members=tuple(f"u-{10 * n + i}" for i in range(10)),
                groups=(f"g-{n + 1}",) if n < 499 else (),
            )
            for n in range(500)
        },
    )
