"""What holds for the whole deployment: which policy text judges, and what is stopped.

It has a trail of its own, sealed and signed as those of requests are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from jitcloud.model.decisions import PolicyRef
from jitcloud.model.ids import Digest, PersonId, RequestId

CONTROLS = RequestId("controls")
"""What the trail of the deployment itself names where others name their request."""


class Reach(StrEnum):
    """What a brake acts on."""

    EVERYTHING = "everything"
    CLOUD = "cloud"
    ENTITLEMENT = "entitlement"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Everything, or all of one cloud, one entitlement or one person."""

    reach: Reach
    id: str = ""
    """Which one; empty for everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """Another policy text judges from now on. Decisive."""

    before: PolicyRef | None
    after: PolicyRef
    reason: str = ""
    vouched: bool = False
    """Whether somebody answers for all that stands before, whoever signed it."""
    type: Literal["adopted"] = "adopted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Nothing in this scope is activated from now on. Ends go on. Decisive."""

    scope: Scope
    reason: str
    type: Literal["stopped"] = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What was stopped may be activated again. Decisive."""

    scope: Scope
    reason: str
    type: Literal["resumed"] = "resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAll:
    """Everything in this scope that was asked for until now is to end. Decisive."""

    scope: Scope
    reason: str
    type: Literal["end-all"] = "end-all"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllEnding:
    """Everything that was to end has begun to; each request's own trail says when it had."""

    scope: Scope
    type: Literal["all-ending"] = "all-ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The record is an older one than there was: nothing is activated before a reconcile."""

    reason: str
    type: Literal["restored"] = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The clouds were compared with the record, all of them and to the end."""

    begun_at: datetime
    leaked: int
    """What was ours and should be gone."""
    missing: int
    """What should be there, and was not."""
    foreign: int
    """What is not ours, and was left alone."""
    left_out: tuple[str, ...] = ()
    """What nobody could look at, and somebody answered for by name."""
    type: Literal["reconciled"] = "reconciled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """A brake that is on, or is being put on: who did so, when and why."""

    scope: Scope
    by: PersonId
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the deployment's own trail adds up to."""

    seq: int
    head: Digest
    updated_at: datetime
    policy: PolicyRef | None = None
    """The text that was taken up last; an older one judges nothing any more."""
    stops: tuple[Brake, ...] = ()
    """Where nothing is activated."""
    endings: tuple[Brake, ...] = ()
    """Where everything is to end, and perhaps not all of it has begun to."""
    restored_at: datetime | None = None
    """Since when activations wait for a reconcile; None where they do not."""
    reconciled_at: datetime | None = None
    """When the last reconcile that was finished had begun."""
