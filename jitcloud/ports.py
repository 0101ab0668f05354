"""What the core needs from outside, and what each port promises, and does not.

Adapters of one port pass one contract suite (``tests/contract``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from jitcloud.due import Due, Wake
from jitcloud.model import (
    Area,
    Caller,
    Controls,
    Credentials,
    Digest,
    Entitlement,
    Followed,
    GroupId,
    Guarantee,
    Hold,
    Listing,
    Mark,
    Notice,
    Operation,
    Person,
    PersonId,
    Place,
    Places,
    Plan,
    Presented,
    Request,
    RequestId,
    RotationId,
    Sealed,
    Sight,
    Signature,
    SignedIn,
    Slot,
    SlotKey,
    State,
    Window,
)

Clock = Callable[[], datetime]
"""Tells the time: an aware datetime in UTC. Entry points pass one in; nothing below reads any."""


# ── The record ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What one commit does to one request.

    ``request`` is the snapshot after ``events``; the store must hold the same request at
    ``request.seq - len(events)`` with the hash that the first event names as ``prev``
    (nothing at all, if that is the genesis), else ``Conflict``.
    Without events only ``wake_at`` moves: nothing else of a request changes without one.
    """

    request: Request
    wake_at: datetime | None
    """When the request next needs attention; None only once nothing more will happen by itself."""
    events: tuple[Sealed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What one commit does to the deployment's own trail; fenced as a request is."""

    controls: Controls
    events: tuple[Sealed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that one commit writes, together or not at all.

    Each of ``slots`` must be stored at one version less than it carries (0 means: not stored),
    else ``Conflict``. ``unmoved`` lists slot versions that must still be the stored ones, though
    nothing of them is written: the evidence a commit rests on.
    A change that contradicts itself is a ``ValueError``.
    """

    moves: tuple[Move, ...] = ()
    """At most one a request."""
    slots: tuple[Slot, ...] = ()
    unmoved: tuple[tuple[SlotKey, int], ...] = ()
    control: Control | None = None
    control_seq: int | None = None
    """Where the deployment's own trail must still stand, though nothing is added to it, else
    ``Conflict``; 0 where it has not begun, None where it does not matter."""
    channels: tuple[str, ...] = ()
    """Whose marks of every request that has new events become due, at the last event's instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some requests, newest first, and where the next page begins (None: that was all)."""

    requests: tuple[Request, ...]
    after: RequestId | None


class Store(Protocol):
    """Keeps requests, their trails and slots. One commit is all or nothing, and durable.

    Safe for several threads and, where the adapter says so, several processes.
    Limits are from 1 to 1000, and the store is not used after ``close``: both ``ValueError``.
    Not promised: that nobody edits it behind our back (the trail's signatures show that), nor
    any order among things due at the same instant, or in ``slots``.
    """

    def commit(self, change: Change) -> None:
        """Write all of it, or raise ``Conflict`` or ``Unavailable`` and write nothing."""
        ...

    def request(self, request: RequestId) -> Request | None:
        """Return the snapshot as last committed."""
        ...

    def requests(self, names: Sequence[RequestId]) -> tuple[Request, ...]:
        """Return those of the requests that are stored, each as last committed; in any order.

        Not all as of one moment: what is done on one of them is fenced, as on any that was read.
        """
        ...

    def wake_at(self, request: RequestId) -> datetime | None:
        """Return when the request next needs attention."""
        ...

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        """Return the request's whole trail, oldest first."""
        ...

    def controls(self) -> Controls | None:
        """Return what holds for the deployment, as last committed."""
        ...

    def control_events(self) -> tuple[Sealed, ...]:
        """Return the deployment's own trail, oldest first."""
        ...

    def slot(self, key: SlotKey) -> Slot | None:
        """Return the slot as last committed."""
        ...

    def slots(self, keys: Sequence[SlotKey]) -> tuple[Slot, ...]:
        """Return those of the slots that are stored."""
        ...

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        """Return requests and slots with ``wake_at <= now``, oldest first; reads nothing else."""
        ...

    def due_marks(self, now: datetime, limit: int, channel: str | None = None) -> tuple[Due, ...]:
        """Return marks with ``wake_at <= now``, oldest first; those of one channel, if it is named.

        Apart from ``due``, so that no number of messages keeps an end waiting.
        """
        ...

    def by_person(self, person: PersonId, limit: int, after: RequestId | None = None) -> Page:
        """Page through one person's requests, newest first; ``after`` is a page's ``after``."""
        ...

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Page:
        """Page through the requests in one state, newest first."""
        ...

    def unreviewed(
        self, limit: int, person: PersonId | None = None, before: datetime | None = None
    ) -> tuple[Request, ...]:
        """Return requests with a ``review_by``, the earliest first; reads nothing else.

        ``person`` keeps to that person's, ``before`` to those with ``review_by <= before``.
        """
        ...

    def mark(self, channel: str, request: RequestId) -> Mark | None:
        """Return how far a channel has come with a request; None before its first event."""
        ...

    def put_mark(self, mark: Mark) -> None:
        """Write a mark that is stored at one version less; else raise ``Conflict``.

        A commit that makes a mark due counts as a write of it: whoever was reading the trail
        meanwhile has a ``Conflict``, and looks again.
        """
        ...

    def all_slots(self, limit: int, after: SlotKey | None = None) -> tuple[Slot, ...]:
        """Return slots by their keys, in the order of these: for comparing clouds with all."""
        ...

    def ids(
        self, limit: int, after: RequestId | None = None, state: State | None = None
    ) -> tuple[RequestId, ...]:
        """Return ids of requests, oldest first: for verifying and exporting all of them.

        ``state`` keeps to those in it. What a request's row says besides is not read: one that is
        spoilt hides no other.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections. Using the store afterwards is an error."""
        ...


# ── Clouds ───────────────────────────────────────────────────────────────────────────────────


class SlotKind(Protocol):
    """Reads and writes one kind of place. One attempt a call; retries are wake-ups.

    Every call answers, raises ``CloudRefused`` or ``Throttled`` (no effect), or raises
    ``OutcomeUnknown`` (perhaps an effect, perhaps later, but not after ``timeout``).
    """

    @property
    def name(self) -> str:
        """What configuration and record call it."""
        ...

    @property
    def timeout(self) -> timedelta:
        """No call is still under way after this."""
        ...

    @property
    def patience(self) -> timedelta:
        """How long a grant may take to show before the request for it fails."""
        ...

    @property
    def settle(self) -> timedelta:
        """After a write has been answered, reads and access may lag behind it for this long."""
        ...

    @property
    def grants(self) -> bool:
        """Whether holding such a place means access; else it means denial."""
        ...

    @property
    def takes_standing(self) -> bool:
        """Whether access may have been in such a place before us, and must then be left alone."""
        ...

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read what is there now. A refusal to answer is an error, never an absence."""
        ...

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:
        """Make the place hold exactly these holders, the last until then. Idempotent.

        None: it is done. Where the cloud does it in its own time, what it calls that.
        """
        ...

    def remove(self, slot: Slot) -> str | None:
        """Succeed when nothing of ours is left there, whoever removed it. Idempotent.

        Returns what ``put`` does.
        """
        ...

    def hold(self, slot: Slot) -> Hold:
        """How it is known, when this place is seen to be filled, that we have filled it."""
        ...

    def area(self, slot: Slot) -> Area | None:
        """Where this place would be listed; None where places of its kind give nobody access."""
        ...

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        """Read one page of what is filled in an area. Raises as ``see`` does.

        ``after`` is what the page before gave, in this process or in an earlier one; None begins.
        """
        ...


class Following(SlotKind, Protocol):
    """A kind of place whose cloud does what it is told in its own time."""

    def follow(self, slot: Slot, operation: Operation, now: datetime) -> Followed:
        """Ask how far an operation has come. Finds it, where its id was never learned."""
        ...


class Paced(SlotKind, Protocol):
    """A kind of place that shares a limit with all others of its kind."""

    def turn(self, slot: Slot, now: datetime, *, removes: bool) -> datetime:
        """Say when this place may be driven: now at the earliest. Removals have their turn first.

        Whoever comes back then has the turn; nobody need.
        """
        ...


class Journal(Protocol):
    """Remembers, apart from the record, which shared places were filled by us.

    Where a cloud takes no mark and others give access too, nothing else tells ours from theirs
    once the record is lost.
    """

    def note(self, slot: Slot, now: datetime) -> None:
        """Write down, durably, that this place is about to be filled. Raises ``Unavailable``."""
        ...

    def cross_out(self, slot: Slot, now: datetime) -> None:
        """Write down that this place was proven empty: who fills it then is somebody else.

        Raises ``Unavailable``; while that is not written, it stays noted.
        """
        ...

    def places(self) -> Iterator[tuple[Place, datetime]]:
        """Yield every place that is noted and not crossed out since, each once, and when last.

        Raises ``Unavailable``.
        """
        ...


class Anchors(Protocol):
    """Keeps checkpoints of the record where whoever writes the record cannot rewrite them.

    Each begins at a leaf of one log, and is a line of text; see ``jitcloud.audit.checkpoint``.
    Not promised: that nothing was added or taken away behind its back. Whoever reads finds that
    out, but for what was cut from the end.
    """

    @property
    def name(self) -> str:
        """Where it is, for whoever is told of it."""
        ...

    def append(self, start: int, line: bytes, now: datetime) -> None:
        """Write, durably, the checkpoint that begins at this leaf, after all that are there.

        Raises ``Conflict`` where one begins there already, and ``Unavailable``.
        """
        ...

    def last(self) -> bytes | None:
        """Return the one that begins last; None before the first. Raises ``Unavailable``."""
        ...

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield where each stands, and its text, in the order of their leaves.

        Where several begin at one leaf, the one that was written first comes first.
        Raises ``Unavailable``.
        """
        ...


class Mechanism(Protocol):
    """A way of granting one kind of entitlement."""

    @property
    def name(self) -> str:
        """What configuration and record call it."""
        ...

    @property
    def guarantee(self) -> Guarantee:
        """Who sees to it that its grants end."""
        ...

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with a catalog entry, without any cloud; empty when nothing is."""
        ...

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:
        """Name the places that an entitlement spans now (accounts); empty where it is one.

        Each is asked for, judged, given and ended by itself. Raises ``Refused`` where there are
        none, and ``CloudError``.
        """
        ...

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,
        now: datetime,
        *,
        part: str = "",
        person: Person | None = None,
    ) -> Plan:
        """Say what granting would mean. Reads the cloud where it can; never changes it.

        ``part`` is one of ``parts``; without it, and without a person, what holds for all.
        Raises ``CloudError`` when the cloud could not be asked.
        """
        ...

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        """Name the slots that a grant to this person would sit in; the record keeps them.

        May ask the cloud who the person is there. Raises ``Refused`` where nobody can be let in,
        and ``CloudError``.
        """
        ...

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:
        """Where what this entitlement gives would be listed. Raises ``CloudError``."""
        ...


class Spanning(Mechanism, Protocol):
    """A mechanism of which one entitlement may span several places."""

    def spans(self, entitlement: Entitlement) -> bool:
        """Whether its places have to be looked up, as ``parts`` does. Calls no cloud."""
        ...


class Sessions(Mechanism, Protocol):
    """A mechanism that hands out credentials, on demand, while a grant is active."""

    @property
    def timeout(self) -> timedelta:
        """No minting call is still under way after this."""
        ...

    def lifetime(self, request: Request, window: Window, now: datetime) -> timedelta:
        """How long the cloud itself would keep a set issued now alive (not how long it works)."""
        ...

    def issue(
        self, request: Request, window: Window, lifetime: timedelta, now: datetime
    ) -> Credentials:
        """Mint one set, clamped to the window's deadline. Stores and logs nothing of it."""
        ...


# ── People, signatures, and the policy that judges ───────────────────────────────────────────


class Directory(Protocol):
    """Who people are, right now. Not promised: that the answer holds a minute later."""

    def person(self, handle: str) -> Person:
        """Find one person by id or by e-mail (case-folded).

        Raises ``NotFound`` for nobody, and ``Refused`` when the handle fits two people.
        """
        ...

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        """Who is in a group now, nested ones and the disabled included; None: no such group."""
        ...

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        """Who has a rotation now; None: no such rotation."""
        ...

    def groups(self) -> frozenset[GroupId] | None:
        """Every group there is, for checking policy text; None where that cannot be listed."""
        ...

    def rotations(self) -> frozenset[RotationId] | None:
        """Every rotation there is; None where that cannot be listed."""
        ...


class Signer(Protocol):
    """Signs decisive events. Holds the key, or asks a KMS that does; never shows it."""

    @property
    def key(self) -> str:
        """Names the key, so that a verifier finds its public half after a rotation."""
        ...

    def sign(self, message: bytes) -> Signature:
        """Sign the message."""
        ...


class Verifier(Protocol):
    """Knows the public keys whose signatures count."""

    def verify(self, message: bytes, signature: Signature) -> None:
        """Raise ``Tampered`` unless a known key signed exactly this message."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket or an incident that somebody named, as the system that keeps it has it now."""

    id: str
    """As that system writes it."""
    is_open: bool | None
    """None where the adapter cannot know: it only looked at how the id is written."""
    project: str = ""
    """Where it belongs; empty where that has no meaning."""


class Tickets(Protocol):
    """Knows tickets (or incidents). Not promised: that it stays open a minute later."""

    def look(self, ticket: str) -> Ticket | None:
        """Look one up; None where there is none of that id, or it is not written like one.

        Answers within seconds. Raises ``Unavailable`` when that cannot be told now.
        """
        ...


class Identities(Protocol):
    """Knows whose tokens count, and whom they name in the directory."""

    def identify(self, presented: Presented, now: datetime) -> Caller:
        """Verify what somebody presents, and say who speaks.

        Raises ``Unauthenticated`` for what proves nobody, and ``Unavailable`` while whoever would
        have to be asked (an issuer's keys, STS) cannot be reached.
        """
        ...


class SignIns(Protocol):
    """Keeps what people's latest tokens said of them. Durable, as the record is.

    Safe for several threads and, where the adapter says so, several processes.
    Not promised: that nobody edits it behind our back; whoever reads checks the signature.
    """

    def put(self, signed_in: SignedIn) -> None:
        """Keep it, unless what is kept of this person was said later. Raises ``Unavailable``."""
        ...

    def of(self, person: PersonId) -> SignedIn | None:
        """Return what is kept of somebody, however old it is. Raises ``Unavailable``."""
        ...

    def members(self, group: GroupId, now: datetime) -> tuple[SignedIn, ...]:
        """Return what is kept of everybody who was said to be in a group and still counts so.

        Raises ``Unavailable``, and ``Misconfigured`` for more than ``MOST_SIGNED_IN`` people.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections. Using it afterwards is an error."""
        ...


MOST_SIGNED_IN = 10_000
"""How many people of one group are known from their tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A command that was begun under a key, and is to be done: now, or once more after a crash."""

    name: Digest
    """What it is kept under."""
    said: Digest
    """What was asked for under that key, whoever asks again."""
    since: datetime
    """When it was begun for the first time."""
    number: int
    """Which attempt this is, from 1; a later one takes this one's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of a command that was begun under the same key before."""

    said: Digest
    since: datetime
    """When it was begun for the first time."""
    answer: str | None
    """None while somebody is at it, or where none was kept."""


class Answers(Protocol):
    """Remembers for a while what commands were answered, so that none is done twice.

    Safe for several threads and, where the adapter says so, several processes. Holds what people
    wrote, and never a secret.
    """

    def begin(
        self, name: Digest, said: Digest, now: datetime, *, lease: timedelta, keep: timedelta
    ) -> Begun | Answered:
        """Take a command up, or say what became of it.

        It is begun where nothing is kept under ``name``, or where whoever began it has not
        finished within ``lease`` and the same was ``said``. What was begun is kept for ``keep``,
        counted from the first time. Raises ``Unavailable``.
        """
        ...

    def finish(self, begun: Begun, answer: str) -> None:
        """Keep what was answered; nothing, where a later attempt took this one's place.

        Raises ``Unavailable``.
        """
        ...

    def release(self, begun: Begun, now: datetime) -> None:
        """Let the next one try at once, without keeping an answer. Raises as ``finish`` does."""
        ...

    def close(self) -> None:
        """Let go of files and connections. Using it afterwards is an error."""
        ...


class Queue(Protocol):
    """Passes wake-ups on. What it loses or repeats does no harm: the record has them all."""

    def put(self, wakes: Sequence[Wake], now: datetime) -> None:
        """Put wake-ups in, each to be handed out when it is due, as far as the queue can wait.

        Raises ``Unavailable`` where it cannot be told that all of them are in.
        """
        ...


class Publisher(Protocol):
    """Passes committed events on to other programs."""

    @property
    def channel(self) -> str:
        """What its marks are called; the same for the same receiver."""
        ...

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        """Pass on some events of one request, in their order, within seconds, at least once.

        ``request`` is the snapshot as the last of them has left it. Raises ``Refused`` when this
        can never be delivered, and ``Unavailable`` when it may be later.
        """
        ...


class Notifier(Protocol):
    """Tells people what concerns them."""

    def send(self, notice: Notice) -> None:
        """Send one message, within seconds. The same one may be sent twice after a crash.

        Raises ``Refused`` when it can never be delivered, and ``Unavailable`` when it may be later.
        """
        ...


Mechanisms = Mapping[str, Mechanism]
SlotKinds = Mapping[str, SlotKind]
