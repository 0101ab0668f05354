"""Who people are, for as long as it takes to tell them something."""

from __future__ import annotations

from typing import Protocol

from jitcloud.errors import NotFound, Refused
from jitcloud.model import Approver, GroupId, Person, PersonId, RotationId
from jitcloud.ports import Directory


class People(Protocol):
    """Who people are, as the directory has them now."""

    def person(self, id_: PersonId) -> Person | None:
        """Return somebody, disabled or not; None for nobody."""
        ...

    def members(self, approver: Approver) -> frozenset[PersonId]:
        """Return everybody among those named; empty where there is no such group."""
        ...


class AsOfNow:
    """Asks a directory; nobody and nothing is looked up twice. Raises what a directory raises."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._persons: dict[PersonId, Person | None] = {}
        self._members: dict[Approver, frozenset[PersonId]] = {}

    def person(self, id_: PersonId) -> Person | None:
        if id_ not in self._persons:
            try:
                self._persons[id_] = self._directory.person(id_)
            except (NotFound, Refused):
                self._persons[id_] = None
        return self._persons[id_]

    def members(self, approver: Approver) -> frozenset[PersonId]:
        if approver not in self._members:
            self._members[approver] = self._look(approver) or frozenset()
        return self._members[approver]

    def _look(self, approver: Approver) -> frozenset[PersonId] | None:
        match approver.kind:
            case "group":
                return self._directory.members(GroupId(approver.id))
            case "rotation":
                return self._directory.on_call(RotationId(approver.id))
            case "person":
                return frozenset({PersonId(approver.id)})
