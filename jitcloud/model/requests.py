"""A request: what its events add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from jitcloud.model.catalog import Entitlement
from jitcloud.model.decisions import Approver, Ask, Decision, PolicyRef, Vote
from jitcloud.model.grants import Cause, Evidence, Guarantee, Places, Plan, State, Window
from jitcloud.model.ids import Digest, PersonId, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One person's wish for one entitlement: what its events add up to."""

    id: RequestId
    ask: Ask
    state: State
    seq: int
    """Sequence of the last event folded in."""
    head: Digest
    """Hash of that event."""
    updated_at: datetime
    plan: Plan | None = None
    decision: Decision | None = None
    policy: PolicyRef | None = None
    lapses_at: datetime | None = None
    votes: tuple[Vote, ...] = ()
    window: Window | None = None
    places: Places = field(default_factory=Places)
    guarantee: Guarantee | None = None
    residual: tuple[str, ...] = ()
    issued: int = 0
    """How many sets of credentials were begun."""
    credentials_dead_by: datetime | None = None
    """When the last of them has surely expired at the cloud."""
    escalated: tuple[tuple[int, Approver], ...] = ()
    """Who has joined which stage, because it had waited for so long."""
    prolonged_by: tuple[RequestId, ...] = ()
    """The extensions that gave it its deadline, the last one last."""
    removed_at: datetime | None = None
    """When its place was seen empty, while what was made of it before may still work."""
    review_by: datetime | None = None
    """Until when it must be reviewed; None where no review is outstanding."""
    review_missed: bool = False
    reviews: tuple[Vote, ...] = ()
    cause: Cause | None = None
    reason: str = ""
    evidence: Evidence | None = None

    @property
    def person(self) -> PersonId:
        """Who asked."""
        return self.ask.person

    @property
    def entitlement(self) -> Entitlement:
        """What was asked for, as the catalog had it then."""
        return self.ask.entitlement

    @property
    def what(self) -> str:
        """What was asked for, in words: which entitlement, and where it spans several places."""
        return self.ask.what
