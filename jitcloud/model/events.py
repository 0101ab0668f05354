"""What happens to a request, one event at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from jitcloud.model.catalog import Token
from jitcloud.model.controls import (
    Adopted,
    AllEnding,
    EndAll,
    Reconciled,
    Restored,
    Resumed,
    Stopped,
)
from jitcloud.model.decisions import (
    Approval,
    Approver,
    Ask,
    BreakGlass,
    Decision,
    Facts,
    PolicyRef,
)
from jitcloud.model.grants import Cause, Evidence, Guarantee, Places, Plan, Window
from jitcloud.model.ids import Digest, PersonId, RequestId, RuleId


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asked for something."""

    ask: Ask
    plan: Plan | None = None
    """What granting would mean, where the deployment could look."""
    type: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Policy judged the request. Decisive."""

    decision: Decision
    policy: PolicyRef
    lapses_at: datetime
    """Unless approved (or, once allowed, activated) by then, the request lapses."""
    facts: Facts = field(default_factory=Facts)
    type: Literal["decided"] = "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassBroken:
    """Policy lets somebody in who broke the glass; a review must follow. Decisive."""

    decision: BreakGlass
    policy: PolicyRef
    lapses_at: datetime
    facts: Facts = field(default_factory=Facts)
    type: Literal["glass-broken"] = "glass-broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """A stage has waited for long enough; these are asked as well from now on."""

    stage: int
    to: tuple[Approver, ...]
    type: Literal["escalated"] = "escalated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """An approver said yes or no. Decisive."""

    by: PersonId
    yes: bool
    stage: int
    reason: str
    type: Literal["voted"] = "voted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The votes so far meet what policy asks for now. Decisive."""

    approval: Approval
    rules: tuple[RuleId, ...]
    policy: PolicyRef
    lapses_at: datetime
    facts: Facts = field(default_factory=Facts)
    type: Literal["approved"] = "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The requester, or somebody who may revoke, took the request back before it gave access."""

    reason: str
    type: Literal["withdrawn"] = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    """Nobody decided, or nothing could activate it, in time."""

    type: Literal["lapsed"] = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activating:
    """The window is fixed and the end is on record; the cloud may now be told."""

    window: Window
    places: Places
    guarantee: Guarantee
    residual: tuple[str, ...]
    policy: PolicyRef
    type: Literal["activating"] = "activating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """Access was seen to be there (or, for sessions, may be issued from now on)."""

    seen_at: datetime
    type: Literal["activated"] = "activated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """An extension was let in: its parent holds the later deadline, from the same commit on."""

    window: Window
    policy: PolicyRef
    type: Literal["extended"] = "extended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prolonged:
    """A grant has a later deadline: what an extension was let in for."""

    by: RequestId
    """The extension, whose own trail proves it."""
    window: Window
    type: Literal["prolonged"] = "prolonged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuing:
    """Credentials are about to be minted. Recorded before; dead for sure at ``dead_by``."""

    number: int
    dead_by: datetime
    """When whatever this mints has expired at the cloud, even if the call lands late."""
    type: Literal["issuing"] = "issuing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The grant is to end; from here there is no way back to active."""

    cause: Cause
    reason: str
    type: Literal["ending"] = "ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The place is empty, and what somebody made of their access before may work on for a while."""

    seen_at: datetime
    dead_by: datetime
    """When none of it works any longer, if nothing denies it before."""
    type: Literal["removed"] = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Access is known to be gone."""

    evidence: Evidence
    seen_at: datetime
    type: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """Somebody answers for the end of access that no cloud can be asked about. Decisive.

    They have neither asked for it nor approved it.
    """

    by: PersonId
    reason: str
    type: Literal["attested"] = "attested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """Access that was known to be gone was seen to be there after all: it ends again."""

    seen_at: datetime
    type: Literal["reopened"] = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The cloud refused, and access was seen to be absent."""

    reason: str
    seen_at: datetime
    type: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """Somebody has looked at what was done with a broken glass. Decisive."""

    by: PersonId
    fine: bool
    """Whether the glass was broken rightly; a no is told, and reviewed all the same."""
    note: str
    done: bool
    """Whether everybody who must look has done so by now."""
    type: Literal["reviewed"] = "reviewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewMissed:
    """The time for a review has passed: the person breaks no glass again before it is done."""

    type: Literal["review-missed"] = "review-missed"


Happening = (
    Asked
    | Decided
    | GlassBroken
    | Escalated
    | Voted
    | Approved
    | Withdrawn
    | Lapsed
    | Activating
    | Activated
    | Extended
    | Prolonged
    | Issuing
    | Ending
    | Removed
    | Ended
    | Attested
    | Reopened
    | Failed
    | Reviewed
    | ReviewMissed
    | Adopted
    | Stopped
    | Resumed
    | EndAll
    | AllEnding
    | Restored
    | Reconciled
)
"""What may stand in a trail; the last seven only in that of the deployment itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who caused an event: a person with the token that spoke, or the broker itself."""

    id: str
    token: Token | None = None


BROKER = Actor(id="jitcloud")
"""The broker acting by itself: a deadline, a lapse, what a cloud was seen to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a request's trail, before it is sealed."""

    request: RequestId
    seq: int
    at: datetime
    actor: Actor
    what: Happening
    prev: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature over the canonical text of a decisive event."""

    key: str
    value: str
    """Base 64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An event as it is stored: its canonical text (RFC 8785), signature and hash."""

    event: Event
    text: str = field(repr=False)
    signature: Signature | None
    hash: Digest
