"""The nouns of jitcloud: what is asked, decided, granted and ended.

Everything here is frozen and does no I/O.
All instants are aware datetimes in UTC; all durations are ``timedelta``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NewType

RequestId = NewType("RequestId", str)
"""A ULID (26 characters of Crockford's base 32): sorts by the time it was asked."""

PersonId = NewType("PersonId", str)
"""The directory's immutable subject id. Never an e-mail address: those are aliases."""

EntitlementId = NewType("EntitlementId", str)
GroupId = NewType("GroupId", str)
RotationId = NewType("RotationId", str)
RuleId = NewType("RuleId", str)

SlotKey = NewType("SlotKey", str)
"""Names one place in one cloud, whichever mechanism reaches it."""

Digest = NewType("Digest", str)
"""SHA-256 in lower-case hexadecimal."""

GENESIS = Digest("0" * 64)
"""What the first event of a request names as the hash before it."""

SKEW = timedelta(seconds=5)
"""How far apart the clocks of the broker and of a cloud may be before grants stop."""


# ── What can be asked for, and by whom ──────────────────────────────────────────────────────


class Cloud(StrEnum):
    """A cloud provider."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


class Privilege(StrEnum):
    """How much an entitlement can do, as policy sees it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """One thing in the catalog that can be asked for."""

    id: EntitlementId
    title: str
    cloud: Cloud
    mechanism: str
    """Which adapter grants it, such as ``aws.sts-session``."""
    target: Mapping[str, object]
    """What the mechanism needs to know (role, scope); plain JSON, checked by the mechanism."""
    privilege: Privilege
    environment: str
    owner: GroupId
    labels: tuple[str, ...] = ()
    zone: str = "UTC"
    """IANA time zone in which policy reads the hours of a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who somebody is right now, as the directory says."""

    id: PersonId
    name: str
    emails: tuple[str, ...] = ()
    groups: frozenset[GroupId] = frozenset()
    """Every group the person is in, nested ones resolved."""
    rotations: frozenset[RotationId] = frozenset()
    """Every on-call rotation the person has right now."""
    manager: PersonId | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a caller showed to prove who they are: named, never kept."""

    kind: str
    """``oidc``, ``aws`` … or ``unsafe-local`` for a trial on one machine."""
    id: str
    sha256: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who speaks, as whoever verified their token says."""

    person: PersonId
    token: Token
    signed_in_at: datetime | None = None
    """When the multi-factor sign-in happened; None where that is not known."""


# ── The ask and what is decided about it ─────────────────────────────────────────────────────


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
class Need:
    """So many yeses from any of these."""

    count: int
    approvers: tuple[Approver, ...]


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


Decision = Activate | NeedsApproval | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One approver's yes, counted in the stage in which it was cast."""

    by: PersonId
    stage: int
    at: datetime
    reason: str


# ── Where and until when ─────────────────────────────────────────────────────────────────────


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


# ── Requests and their events ────────────────────────────────────────────────────────────────


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

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in FINISHED


FINISHED = frozenset({State.DENIED, State.LAPSED, State.WITHDRAWN, State.FAILED, State.ENDED})


class Cause(StrEnum):
    """Why a grant ends."""

    DEADLINE = "deadline"
    GIVEN_BACK = "given-back"
    REVOKED = "revoked"
    DISABLED = "disabled"
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
    CLOUD_DEADLINE = "cloud-deadline"
    """The deadline that the cloud itself enforces has passed, clock skew included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Which policy text decided."""

    sha256: Digest


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
    places: Places = Places()
    guarantee: Guarantee | None = None
    residual: tuple[str, ...] = ()
    issued: int = 0
    """How many sets of credentials were begun."""
    credentials_dead_by: datetime | None = None
    """When the last of them has surely expired at the cloud."""
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


# ── Slots: what a cloud should hold ──────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A request that wants the slot to hold something until an instant."""

    request: RequestId
    until: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One driver's exclusive right to tell the cloud about a slot, for a while."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a read of the cloud showed."""

    at: datetime
    """When the read began, by the broker's clock."""
    present: bool
    """Whether the place holds anything that this slot could have put there."""
    holders: frozenset[RequestId] | None = None
    """Whom the cloud names there; None where a place takes no names."""
    until: datetime | None = None
    """The deadline the cloud itself holds there, if it holds one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in a cloud and what it should hold."""

    key: SlotKey
    kind: str
    where: Mapping[str, object]
    holders: tuple[Holder, ...] = ()
    standing: bool | None = None
    """Whether access was there before us; None until a first read has settled it."""
    epoch: int = 0
    """Rises whenever an empty slot is joined: names in the cloud derive from it."""
    claim: Claim | None = None
    landed_by: datetime | None = None
    """By then the last call of ours that may change the place has surely landed."""
    seen: Sight | None = None
    attempts: int = 0
    """Tries since the cloud last agreed with the wish; sets the backoff."""
    trouble: str = ""
    """What the cloud said when it last refused."""
    wake_at: datetime | None = None
    version: int = 0
    """Rises with each commit; fences the next."""


# ── Credentials: handed out, never kept ──────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A set of short-lived AWS credentials. Nothing of it is stored, logged or shown in a repr."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime
    """When they stop working: the grant's deadline at the latest."""
