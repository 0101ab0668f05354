"""Who must say yes, as a rule writes it: ``@approval("2 of sre-leads then 1 of security")``.

``stage ("then" stage)*``, where a stage is ``N "of" name ("or" name)*``. And who joins them when
they do not answer: ``@escalate("after 30m to platform-leads")``. A name is a group of the
directory, ``resource.owner``, ``principal.manager`` or ``rotation.NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from jitcloud.durations import parse_duration
from jitcloud.errors import Invalid
from jitcloud.model import Approval, Approver, Escalation, Need, Stage
from jitcloud.policy.names import Name, Related, read_name, unreadable

_COUNT = re.compile(r"[1-9][0-9]?")
_ESCALATE = re.compile(r"\s*after\s+(?P<time>\S+)\s+to\s+(?P<name>\S+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """One stage as written: so many yeses from any of these."""

    count: int
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationRule:
    """``@escalate``, parsed."""

    after: timedelta
    to: Name

    @classmethod
    def parse(cls, text: str) -> EscalationRule:
        """Read the annotation. Raises ``Invalid``."""
        match = _ESCALATE.fullmatch(text)
        to = None if match is None else read_name(match["name"])
        if match is None or to is None:
            raise unreadable("escalate", text, "after 30m to platform-leads")
        try:
            return cls(after=parse_duration(match["time"]), to=to)
        except Invalid as exc:
            raise Invalid(f"@escalate: {exc}") from exc

    def resolve(self, related: Related) -> Escalation | None:
        """Say who joins for one ask; nobody where that is a manager who is not there."""
        to = related.find(self.to)
        return None if to is None else Escalation(after=self.after, to=to)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """``@approval``, parsed, with its ``@escalate``."""

    stages: tuple[Quorum, ...]
    escalation: EscalationRule | None = None

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> ApprovalRule:
        """Read what a permit of request says. Raises ``Invalid``."""
        return cls.parse(annotations["approval"], annotations.get("escalate"))

    @classmethod
    def parse(cls, text: str, escalate: str | None = None) -> ApprovalRule:
        """Read the annotations. Raises ``Invalid``.

        >>> ApprovalRule.parse("1 of resource.owner").stages[0].names
        (<Relation.OWNER: 'resource.owner'>,)
        """
        return cls(
            stages=tuple(_stage(words, text) for words in _split(text.split(), "then")),
            escalation=None if escalate is None else EscalationRule.parse(escalate),
        )

    @property
    def names(self) -> tuple[Name, ...]:
        """Everybody it names, those who join later last."""
        asked = [name for stage in self.stages for name in stage.names]
        return (*asked, *(() if self.escalation is None else (self.escalation.to,)))

    def resolve(self, related: Related) -> Approval | None:
        """Say who that is for one ask; None where a stage has nobody but a missing manager.

        Where the manager is one of several who could say yes, the others remain.
        """
        escalation = None if self.escalation is None else self.escalation.resolve(related)
        needs = [_need(stage, related, escalation) for stage in self.stages]
        if not all(need.approvers for need in needs):
            return None
        return Approval(stages=tuple(Stage(needs=(need,)) for need in needs))


def _need(stage: Quorum, related: Related, escalation: Escalation | None) -> Need:
    found = map(related.find, stage.names)
    # Through a dict: the owner may also be named by name.
    approvers: tuple[Approver, ...] = tuple(dict.fromkeys(who for who in found if who is not None))
    return Need(count=stage.count, approvers=approvers, escalation=escalation)


def _stage(words: list[str], text: str) -> Quorum:
    match words:
        case [count, "of", *rest] if _COUNT.fullmatch(count):
            names = tuple(_name(choice, text) for choice in _split(rest, "or"))
            return Quorum(count=int(count), names=names)
        case _:
            raise _unreadable(text)


def _name(words: list[str], text: str) -> Name:
    name = read_name(words[0]) if len(words) == 1 else None
    if name is None:
        raise _unreadable(text)
    return name


def _split(words: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _unreadable(text: str) -> Invalid:
    example = "2 of sre-leads then 1 of resource.owner or rotation.security"
    return unreadable("approval", text, example)
