"""What happens to a request, one event at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from jitcloud.model.catalog import Token
from jitcloud.model.decisions import Approval, Ask, Decision, PolicyRef
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
    type: Literal["decided"] = "decided"


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
class Ended:
    """Access is known to be gone."""

    evidence: Evidence
    seen_at: datetime
    type: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The cloud refused, and access was seen to be absent."""

    reason: str
    seen_at: datetime
    type: Literal["failed"] = "failed"


Happening = (
    Asked
    | Decided
    | Voted
    | Approved
    | Withdrawn
    | Lapsed
    | Activating
    | Activated
    | Issuing
    | Ending
    | Ended
    | Failed
)


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
