"""Whom an annotation can name: a group, a rotation, or somebody by what they are to the ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jitcloud.errors import Invalid
from jitcloud.model import Approver, GroupId, PersonId
from jitcloud.text import quoted

_ROTATION = "rotation."
_NOT_NAMES = frozenset({"", "then", "of", "or", _ROTATION})


class Relation(StrEnum):
    """Somebody named by what they are to the ask: the same paths as in Cedar."""

    OWNER = "resource.owner"
    MANAGER = "principal.manager"


Name = Approver | Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Who that is for one ask."""

    owner: GroupId
    manager: PersonId | None

    def find(self, name: Name) -> Approver | None:
        """Say who is named; None for a manager whom the directory does not name."""
        match name:
            case Approver():
                return name
            case Relation.OWNER:
                return Approver(kind="group", id=self.owner)
            case Relation.MANAGER if self.manager is not None:
                return Approver(kind="person", id=self.manager)
            case _:
                return None


def read_name(word: str) -> Name | None:
    """Read a name; None for what can be none."""
    if word in _NOT_NAMES:
        return None
    if word in set(Relation):
        return Relation(word)
    if word.startswith(_ROTATION):
        return Approver(kind="rotation", id=word.removeprefix(_ROTATION))
    return Approver(kind="group", id=word)


def unreadable(annotation: str, text: str, example: str) -> Invalid:
    """Return the error for an annotation that is not written as it has to be."""
    return Invalid(f'@{annotation}({quoted(text)}) cannot be read; write it like "{example}".')
