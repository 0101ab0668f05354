"""A directory that knows of people what their tokens said, beside another directory or alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

from jitcloud.errors import NotFound
from jitcloud.model import GroupId, Person, PersonId, RotationId
from jitcloud.ports import Clock, Directory
from jitcloud.sign_ins import SignInBook, groups_of
from jitcloud.text import quoted


class Strangers:
    """Knows nobody, and any group: what there is of such a directory without what was kept."""

    def person(self, handle: str) -> NoReturn:
        raise NotFound(f"Nobody in the directory has signed in as {quoted(handle)}.")

    def members(self, _: GroupId) -> frozenset[PersonId]:
        return frozenset()

    def on_call(self, _: RotationId) -> frozenset[PersonId] | None:
        return None

    def groups(self) -> None:
        """Nobody can list what tokens may yet name."""

    def rotations(self) -> frozenset[RotationId]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class AnyGroup:
    """Another directory, where groups that it does not have may be named by tokens."""

    inner: Directory

    def person(self, handle: str) -> Person:
        return self.inner.person(handle)

    def members(self, group: GroupId) -> frozenset[PersonId]:
        return self.inner.members(group) or frozenset()

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return self.inner.on_call(rotation)

    def groups(self) -> None:
        """Nobody can list what tokens may yet name."""

    def rotations(self) -> frozenset[RotationId] | None:
        return self.inner.rotations()


@dataclass(frozen=True, slots=True)
class SignedInDirectory:
    """Adds to each person the groups that their latest token named, for as long as those count.

    Alone it knows whoever has ever signed in, by id and never by e-mail. It knows no managers and
    no rotations, and **never that somebody is disabled**: who has left keeps what they hold until
    its deadline, and only their groups end by themselves.
    """

    book: SignInBook
    clock: Clock
    inner: AnyGroup | Strangers
    """Who else knows people. Whom another does not know, or has disabled, no token brings back."""

    def person(self, handle: str) -> Person:
        if isinstance(self.inner, AnyGroup):
            found = self.inner.person(handle)
            return replace(found, groups=found.groups | self.book.groups(found.id, self.clock()))
        said = self.book.of(PersonId(handle))
        if said is None:
            return self.inner.person(handle)
        return Person(
            id=said.person,
            name=said.name,
            emails=said.emails,
            groups=groups_of(said, self.clock()),
        )

    def members(self, group: GroupId) -> frozenset[PersonId]:
        """Who is in a group. Any group may be: one that nobody was said to be in is empty."""
        return self.inner.members(group) | self.book.members(group, self.clock())

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return self.inner.on_call(rotation)

    def groups(self) -> None:
        """Nobody can list what tokens may yet name."""

    def rotations(self) -> frozenset[RotationId] | None:
        return self.inner.rotations()
