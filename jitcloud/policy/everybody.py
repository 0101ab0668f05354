"""Everybody whom a policy could treat in a way of their own, and whoever is like nobody of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jitcloud.errors import NotFound, Refused
from jitcloud.model import Approver, Entitlement, GroupId, Person, PersonId, RotationId
from jitcloud.policy.approvals import ApprovalRule
from jitcloud.policy.known import named
from jitcloud.policy.names import Name
from jitcloud.policy.reviews import ReviewRule
from jitcloud.policy.source import Rule
from jitcloud.ports import Directory

ANYBODY = Person(id=PersonId("(anybody)"), name="Anybody else", manager=PersonId("(their manager)"))
"""Stands for whoever is in no group that a rule names."""

_MANAGER = Person(id=PersonId("(their manager)"), name="Their manager")


class WithAnybody:
    """A directory as it was when first asked, and somebody in it who is in no group.

    Not for decisions that count: those are about people as they are now.
    """

    def __init__(self, inner: Directory) -> None:
        self._inner = inner
        self._people: dict[str, Person] = {each.id: each for each in (ANYBODY, _MANAGER)}
        self._members: dict[GroupId, frozenset[PersonId] | None] = {}
        self._on_call: dict[RotationId, frozenset[PersonId] | None] = {}

    def person(self, handle: str) -> Person:
        if handle not in self._people:
            self._people[handle] = self._inner.person(handle)
        return self._people[handle]

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        if group not in self._members:
            self._members[group] = self._inner.members(group)
        return self._members[group]

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        if rotation not in self._on_call:
            self._on_call[rotation] = self._inner.on_call(rotation)
        return self._on_call[rotation]

    def groups(self) -> frozenset[GroupId] | None:
        return self._inner.groups()

    def rotations(self) -> frozenset[RotationId] | None:
        return self._inner.rotations()


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """All that a policy and a catalog tell people apart by."""

    groups: frozenset[str]
    rotations: frozenset[str]
    people: frozenset[str]
    entitlements: frozenset[str]

    @classmethod
    def by(cls, rules: Iterable[Rule], catalog: Iterable[Entitlement]) -> Named:
        """Find what the rules name, in conditions and annotations, and who owns something."""
        rules = tuple(rules)
        asked = [who for rule in rules for who in _approvers(rule)]
        owners = {str(thing.owner) for thing in catalog}
        return cls(
            groups=named(rules, "Group") | owners | _ids(asked, "group"),
            rotations=named(rules, "Rotation") | _ids(asked, "rotation"),
            people=named(rules, "User"),
            entitlements=named(rules, "Entitlement"),
        )

    def everybody(self, directory: Directory) -> tuple[Person, ...]:
        """Return everybody who is named, or in what is named, by id, and anybody else last."""
        ids = {PersonId(person) for person in self.people}
        for group in self.groups:
            ids |= directory.members(GroupId(group)) or frozenset()
        for rotation in self.rotations:
            ids |= directory.on_call(RotationId(rotation)) or frozenset()
        found = (_found(directory, person) for person in sorted(ids))
        return (*(person for person in found if person is not None), ANYBODY)


def _approvers(rule: Rule) -> Iterator[Approver]:
    names: list[Name] = []
    if "approval" in rule.annotations:
        names += ApprovalRule.of(rule.annotations).names
    if "review" in rule.annotations:
        names += ReviewRule.of(rule.annotations).names
    return (name for name in names if isinstance(name, Approver))


def _ids(approvers: Iterable[Approver], kind: str) -> frozenset[str]:
    return frozenset(who.id for who in approvers if who.kind == kind)


def _found(directory: Directory, person: PersonId) -> Person | None:
    try:
        return directory.person(person)
    except (NotFound, Refused):
        return None  # gone since its group was read
