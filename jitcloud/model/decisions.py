"""The ask, and what policy and people say to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from jitcloud.model.catalog import Entitlement, Person
from jitcloud.model.ids import Digest, PersonId, RequestId, RuleId


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The facts of an ask, frozen at the moment it was made."""

    person: PersonId
    entitlement: Entitlement
    duration: timedelta
    justification: str
    asked_at: datetime
    start: datetime | None = None
    """The asked start; None means as soon as it is approved."""
    mfa_age: timedelta | None = None
    """Age of the multi-factor sign-in when asked."""
    ticket: str | None = None
    incident: str | None = None
    break_glass: bool = False
    """Access now, reviewed after; asked for by name, never fallen into."""
    extends: RequestId | None = None
    """Whose deadline is to be later; ``duration`` is then the new total, from its start."""
    part: str = ""
    """Which of the places that the entitlement spans (an account id); empty where it is one."""
    together: tuple[RequestId, ...] = ()
    """Everything that was asked for at once with one justification, this request included."""

    @property
    def what(self) -> str:
        """What is asked for, in words: which entitlement, and where it spans several places."""
        name = str(self.entitlement.id)
        return f"{name} in {self.part}" if self.part else name


class Looked(StrEnum):
    """What looking a ticket or an incident up has shown."""

    OPEN = "open"
    """It exists, is open, and belongs to what is asked for."""
    UNCHECKED = "unchecked"
    """Nobody could look, and the catalog lets that pass."""
    UNKNOWN = "unknown"
    """Nothing here looks tickets up: it is text, and no rule sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts of the world that a decision was made on, beside directory, catalog and policy."""

    freeze: str = ""
    """The change freeze that is on while the window lasts; empty for none."""
    ticket: Looked | None = None
    """None where the ask names no ticket."""
    incident: Looked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """Somebody who may be asked to approve: a group, an on-call rotation or one person."""

    kind: Literal["group", "rotation", "person"]
    id: str

    def includes(self, person: Person) -> bool:
        """Whether the person is, right now, among those named."""
        match self.kind:
            case "group":
                return self.id in person.groups
            case "rotation":
                return self.id in person.rotations
            case "person":
                return self.id == person.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Who joins those asked, once their stage has waited for so long."""

    after: timedelta
    to: Approver


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """So many yeses from any of these."""

    count: int
    approvers: tuple[Approver, ...]
    escalation: Escalation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Needs that are asked for at the same time; all must be met before the next stage."""

    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who must say yes, stage after stage. Never empty: that would be an approval by nobody."""

    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate:
    """Policy lets the person in now."""

    rules: tuple[RuleId, ...]
    kind: Literal["activate"] = "activate"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsApproval:
    """Policy lets the person in once these people have said yes."""

    rules: tuple[RuleId, ...]
    approval: Approval
    kind: Literal["needs-approval"] = "needs-approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Policy does not let the person in; the sentences are for them."""

    because: tuple[str, ...]
    rules: tuple[RuleId, ...] = ()
    kind: Literal["denied"] = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Who must look at a break-glass grant afterwards, and by when."""

    within: timedelta
    """Counted from when the access was given."""
    by: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """Policy lets the person in now, past whoever would have been asked, and it is reviewed."""

    rules: tuple[RuleId, ...]
    review: Review
    notify: tuple[Approver, ...] = ()
    """Who hears of it at once, beside those skipped and those who review."""
    skipped: Approval | None = None
    """Whose yes it would have taken without; None where no rule let anybody ask."""
    kind: Literal["break-glass"] = "break-glass"


Decision = Activate | NeedsApproval | BreakGlass | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One approver's yes, counted in the stage in which it was cast."""

    by: PersonId
    stage: int
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Which policy text decided."""

    sha256: Digest
    number: int = 0
    """Rises with each text that was taken up; 0 for one that never was (a rulebook alone)."""
