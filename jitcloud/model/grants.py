"""Where access lives and until when, how it ends, and what is handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from jitcloud.model.ids import SlotKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From start (inclusive) to deadline (exclusive; a whole second)."""

    start: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a cloud that holds access, with all that is needed to find it again."""

    key: SlotKey
    kind: str
    """Which slot kind reads and writes it, such as ``aws.deny-document``."""
    where: Mapping[str, object]
    detail: str = ""
    """What a holder brings along, such as the role its sessions are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a grant lives: the record carries all that its end needs."""

    grant: Place | None = None
    """Held from activation to the end: an assignment, a membership, a binding."""
    denial: Place | None = None
    """Held after an early end, while something already handed out would still work."""
    outlives: timedelta | None = None
    """How long what somebody made of their access works on after ``grant`` is empty, at the most.

    None where nothing does, or where the record itself knows what was handed out.
    """


class Guarantee(StrEnum):
    """Who sees to it that access ends at the deadline."""

    CLOUD = "cloud"
    """The cloud itself: it ends even if the broker is dead."""
    BROKER = "broker"
    """The broker: it ends when the broker has removed it, and the broker never gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What granting an entitlement would mean, told beforehand."""

    guarantee: Guarantee
    early_end: str
    """One sentence: what giving back or revoking does, and how fast."""
    residual: tuple[str, ...] = ()
    """What would be left over after the end."""
    notes: tuple[str, ...] = ()
    """Worth knowing, harmless."""
    problems: tuple[str, ...] = ()
    """Why it would fail. With any of these nothing is granted."""


class State(StrEnum):
    """Where a request stands; ``lifecycle`` says how it gets from one to the next."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    ACTIVATING = "activating"
    ACTIVE = "active"
    ENDING = "ending"
    DENIED = "denied"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"
    ENDED = "ended"
    EXTENDED = "extended"
    """An extension that was let in: its parent holds the later deadline."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in FINISHED


FINISHED = frozenset(
    {
        State.DENIED,
        State.LAPSED,
        State.WITHDRAWN,
        State.FAILED,
        State.ENDED,
        State.EXTENDED,
    }
)


class Cause(StrEnum):
    """Why a grant ends."""

    DEADLINE = "deadline"
    GIVEN_BACK = "given-back"
    REVOKED = "revoked"
    DISABLED = "disabled"
    """The directory no longer knows the person, or has disabled them."""
    FAILED = "failed"
    """The cloud refused to let the person in; what may have landed is being removed."""


class Evidence(StrEnum):
    """How it is known that access is gone."""

    SEEN_ABSENT = "seen-absent"
    """Read back from the cloud: the place is empty."""
    SEEN_DENIED = "seen-denied"
    """Read back from the cloud: what was handed out is denied by name."""
    OTHERS_HOLD = "others-hold"
    """This grant has left the place; another grant, or standing access, still holds it."""
    NOTHING_ISSUED = "nothing-issued"
    """Nothing was ever handed out, so there is nothing to end."""
    ATTESTED = "attested"
    """Nobody could look: a person who neither asked nor approved answers for it."""
    CLOUD_DEADLINE = "cloud-deadline"
    """The deadline that the cloud itself enforces has passed, clock skew included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A set of short-lived AWS credentials. Nothing of it is stored, logged or shown in a repr."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime
    """When they stop working: the grant's deadline at the latest."""
