"""What is wrong with a deployment's clouds, found beforehand: the nouns, and what finds it.

A doctor reads and never changes anything. It looks at the set-up as a whole and at what is there
now; what one entry of the catalog would mean to whoever asks for it is told by its ``Plan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jitcloud.model import Entitlement


class Grade(StrEnum):
    """How much a finding matters, the worst first."""

    HARM = "harm"
    """Access may outlive its grant, be had without one, or be lost."""
    FAILURE = "failure"
    """A grant will fail, or what it needs could not be looked at."""
    NOTICE = "notice"
    """Something to know; nothing is wrong with it by itself."""

    @property
    def matters(self) -> bool:
        """Whether somebody has to do something about it."""
        return self is not Grade.NOTICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found. Each text is a sentence or two for a person.

    Foreign text stands in them as it came: whoever shows them escapes it.
    """

    grade: Grade
    about: str
    """Which thing in the cloud or in the deployment."""
    what: str
    """What is so."""
    costs: str
    """What may go wrong: which grant fails, or how long access may live too long."""
    remedy: str
    """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a doctor found, the worst first, each thing once."""

    findings: tuple[Finding, ...]
    entitlements: int
    """How many were looked at."""
    calls: int
    """How many calls that took."""

    @property
    def is_well(self) -> bool:
        """Whether nobody has to do anything."""
        return not any(finding.grade.matters for finding in self.findings)


class Doctor(Protocol):
    """Looks at one cloud, and at what a deployment has there."""

    def examine(self, entitlements: Sequence[Entitlement]) -> Examined:
        """Look at all that these need there. What cannot be looked at is a finding, no error."""
        ...


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put the worst first, and leave out what was said before."""
    grades = list(Grade)
    return tuple(sorted(dict.fromkeys(findings), key=lambda found: grades.index(found.grade)))
