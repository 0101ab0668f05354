"""What has to be known around a request to tell of it: names, and what it waits for just now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from jitcloud.errors import JitError
from jitcloud.model import NeedsApproval, PersonId, Request, Reviewed, Stage, State

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.judge import Judge


@dataclass(frozen=True, slots=True)
class Waits:
    """The stage in which a request waits for yeses, from 0, and whose would still help there."""

    stage: int
    wanted: Stage


class Knowing(Protocol):
    """Whoever knows it. Nothing here raises on purpose."""

    def named(self, person: PersonId) -> str:
        """Write a person's name with their id; the id alone where nobody knows a name."""
        ...

    def waits(self, request: Request, now: datetime) -> Waits | None:
        """Say whose yes a pending request waits for; None where no yes is missing."""
        ...

    def stopped(self, request: Request) -> str:
        """Say which brake keeps a request waiting; "" where none does."""
        ...

    def found(self, request: Request) -> Mapping[PersonId, bool]:
        """Say for each reviewer whether the glass was rightly broken, as they found."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """Knows it from what judges, and from the record behind it."""

    judge: Judge

    def named(self, person: PersonId) -> str:
        """See ``Knowing``."""
        try:
            return f"{self.judge.directory.person(person).name} ({person})"
        except JitError:
            return str(person)  # gone since, or the directory is broken: not what was asked about

    def waits(self, request: Request, now: datetime) -> Waits | None:
        """See ``Knowing``."""
        if not isinstance(request.decision, NeedsApproval):
            return None
        missing = self.judge.outstanding(request, request.decision, request.votes, now)
        return None if missing is None else Waits(missing.stage, missing.wanted)

    def stopped(self, request: Request) -> str:
        """See ``Knowing``."""
        if request.state is not State.SCHEDULED:
            return ""
        try:
            return self.judge.stopped(request.ask)
        except JitError:
            return ""  # a trail that does not hold: whoever lets it in will say so

    def found(self, request: Request) -> Mapping[PersonId, bool]:
        """See ``Knowing``: the trail alone knows."""
        ledger = self.judge.ledger
        trail = () if ledger is None else ledger.store.events(request.id)
        told = (line.event.what for line in trail)
        return {what.by: what.fine for what in told if isinstance(what, Reviewed)}
