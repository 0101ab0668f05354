"""Who must say yes, as a rule writes it: ``@approval("2 of sre-leads then 1 of security")``.

``stage ("then" stage)*``, where a stage is ``N "of" name ("or" name)*`` and a name is a group
of the directory, ``resource.owner``, ``principal.manager`` or ``rotation.NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jitcloud.errors import Invalid
from jitcloud.model import Approval, Approver, GroupId, Need, PersonId, Stage
from jitcloud.text import quoted

_COUNT = re.compile(r"[1-9][0-9]?")
_ROTATION = "rotation."
_NOT_NAMES = frozenset({"then", "of", "or", _ROTATION})


class Relation(StrEnum):
    """An approver named by what they are to the ask: the same paths as in Cedar."""

    OWNER = "resource.owner"
    MANAGER = "principal.manager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """One stage as written: so many yeses from any of these."""

    count: int
    names: tuple[Approver | Relation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """The whole annotation, parsed."""

    stages: tuple[Quorum, ...]

    @classmethod
    def parse(cls, text: str) -> ApprovalRule:
        """Read the annotation. Raises ``Invalid``.

        >>> ApprovalRule.parse("1 of resource.owner").stages[0].names
        (<Relation.OWNER: 'resource.owner'>,)
        """
        return cls(stages=tuple(_stage(words, text) for words in _split(text.split(), "then")))

    @property
    def approvers(self) -> tuple[Approver, ...]:
        """The groups and rotations it names."""
        names = (name for stage in self.stages for name in stage.names)
        return tuple(name for name in names if isinstance(name, Approver))

    def resolve(self, owner: GroupId, manager: PersonId | None) -> Approval | None:
        """Say who that is for one ask; None where a stage has nobody but a missing manager.

        Where the manager is one of several who could say yes, the others remain.
        """
        relatives = {Relation.OWNER: Approver(kind="group", id=owner)}
        if manager is not None:
            relatives[Relation.MANAGER] = Approver(kind="person", id=manager)
        needs = [_need(stage, relatives) for stage in self.stages]
        if not all(need.approvers for need in needs):
            return None
        return Approval(stages=tuple(Stage(needs=(need,)) for need in needs))


def _need(stage: Quorum, relatives: Mapping[Relation, Approver]) -> Need:
    found = [name if isinstance(name, Approver) else relatives.get(name) for name in stage.names]
    # Through a dict: the owner may also be named by name.
    approvers = tuple(dict.fromkeys(who for who in found if who is not None))
    return Need(count=stage.count, approvers=approvers)


def _stage(words: list[str], text: str) -> Quorum:
    match words:
        case [count, "of", *rest] if _COUNT.fullmatch(count):
            names = tuple(_name(choice, text) for choice in _split(rest, "or"))
            return Quorum(count=int(count), names=names)
        case _:
            raise _unreadable(text)


def _name(words: list[str], text: str) -> Approver | Relation:
    match words:
        case [word] if word in _NOT_NAMES:
            raise _unreadable(text)
        case [word] if word in set(Relation):
            return Relation(word)
        case [word] if word.startswith(_ROTATION):
            return Approver(kind="rotation", id=word.removeprefix(_ROTATION))
        case [word]:
            return Approver(kind="group", id=word)
        case _:
            raise _unreadable(text)


def _split(words: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _unreadable(text: str) -> Invalid:
    return Invalid(
        f"@approval({quoted(text)}) cannot be read; write it like"
        ' "2 of sre-leads then 1 of resource.owner or rotation.security".'
    )
