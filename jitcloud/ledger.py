"""The record, as the broker uses it: loads requests, checks them, and commits what happens next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from jitcloud import lifecycle, slots
from jitcloud.audit import chain
from jitcloud.audit.verify import verified
from jitcloud.errors import Conflict, JitError, Misconfigured, NotFound, Tampered
from jitcloud.model import (
    BROKER,
    SKEW,
    Actor,
    Controls,
    Happening,
    Place,
    PolicyRef,
    Request,
    RequestId,
    Sealed,
    Slot,
    State,
)
from jitcloud.ports import Change, Control, Move, Signer, Store, Verifier
from jitcloud.text import printable

T = TypeVar("T")

PROVEN = 256
"""How many snapshots a process remembers to have proven."""

TRIES = 10
"""How often a command is decided anew when others change the same request at the same time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What happens to one request in a commit."""

    id: RequestId
    before: Request | None
    happenings: tuple[Happening, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """A store, and whose signatures count in it."""

    store: Store
    signer: Signer | None
    """None where only unsigned events are written, as by whoever drives clouds."""
    verifier: Verifier
    channels: tuple[str, ...] = ()
    """Who passes on what happens: their marks of a request become due with each commit."""
    _proven: dict[RequestId, Request] = field(default_factory=dict, repr=False, compare=False)
    """Snapshots that this process has proven, or sealed itself upon one that was."""
    _believed: list[Controls] = field(default_factory=list, repr=False, compare=False)
    """What holds for the deployment, as this process has last proven it."""

    def load(self, request: RequestId) -> Request:
        """Return a request, unchecked: enough to end it. Raises ``NotFound``."""
        found = self.store.request(request)
        if found is None:
            message = f"There is no request {request}; `jitcloud list` shows yours."
            raise NotFound(message)
        return found

    def verified(self, request: RequestId, now: datetime) -> Request:
        """Return a request whose trail proves it: what anything is granted on.

        Raises ``NotFound``, ``Tampered``, and ``Misconfigured`` when the clock was set back.
        """
        found = self.load(request)
        if self._proven.get(request) != found:
            # A snapshot names the hash of its last event, and with it everything before. What
            # was proven of exactly this one stays proven; any other is read from its trail.
            found, _ = verified(self.store, request, self.verifier)
            self._believe(found)
        behind = found.updated_at - now
        if behind > SKEW:
            message = (
                f"The clock of this machine is {round(behind.total_seconds())} s behind the "
                "record; set it right, for deadlines are kept by it. Nothing was granted."
            )
            raise Misconfigured(message)
        return found

    def record(  # noqa: PLR0913 - keyword-only, each one a fact of the commit
        self,
        request: Request | None,
        happenings: Sequence[Happening],
        *,
        id_: RequestId | None = None,
        actor: Actor = BROKER,
        now: datetime,
        changed: Sequence[Slot] = (),
        unmoved: Sequence[Slot] = (),
        control_seq: int | None = None,
        wake_at: datetime | None = None,
    ) -> Request:
        """Commit happenings to a request's trail, with the slots they change.

        ``wake_at`` is when it is next looked at, where that is not by its state alone.
        Raises ``Conflict`` when the request, or a slot, is no longer as it was read.
        """
        name = request.id if request is not None else id_
        if name is None:
            message = "a new request needs an id"
            raise ValueError(message)
        entry = Entry(name, request, tuple(happenings))
        return self.record_all(
            (entry,),
            actor=actor,
            now=now,
            changed=changed,
            unmoved=unmoved,
            control_seq=control_seq,
            wake_at=wake_at,
        )[0]

    def record_all(  # noqa: PLR0913 - as above
        self,
        entries: Sequence[Entry],
        *,
        actor: Actor = BROKER,
        now: datetime,
        changed: Sequence[Slot] = (),
        unmoved: Sequence[Slot] = (),
        control_seq: int | None = None,
        wake_at: datetime | None = None,
    ) -> tuple[Request, ...]:
        """Commit what happens to several requests at once: all of it, or ``Conflict``.

        ``control_seq`` is where the deployment's own trail must still stand; None where that does
        not matter.
        """
        for entry in entries:
            _check_numbers(entry)
        sealed = [
            chain.seal(
                entry.before, entry.id, entry.happenings, actor=actor, now=now, signer=self.signer
            )
            for entry in entries
        ]
        self.store.commit(
            Change(
                moves=tuple(
                    Move(request=after, wake_at=wake_at or lifecycle.wake_at(after), events=events)
                    for after, events in sealed
                ),
                slots=tuple(replace(slot, version=slot.version + 1) for slot in changed),
                unmoved=tuple((slot.key, slot.version) for slot in unmoved),
                channels=self.channels,
                control_seq=control_seq,
            )
        )
        for entry, (after, events) in zip(entries, sealed, strict=True):
            if entry.before is None or self._proven.get(entry.id) == entry.before:
                self._believe(after, events)
        return tuple(after for after, _ in sealed)

    def _believe(self, request: Request, sealed: Sequence[Sealed] = ()) -> None:
        decisive = any(isinstance(line.event.what, chain.DECISIVE) for line in sealed)
        if decisive and self.signer is None:
            return
        if len(self._proven) >= PROVEN:
            self._proven.clear()
        self._proven[request.id] = request

    def doubts(self, slot: Slot, now: datetime) -> str:
        """Say why the trails do not prove that whoever holds a slot may; empty where they do.

        A slot is a row like any other: whoever can write it, but not sign, must get nothing by it.
        """
        for holder in slot.holders:
            if holder.until <= now:
                continue
            try:
                request = self.verified(holder.request, now)
            except JitError as exc:
                return f"Nothing is given for request {printable(holder.request)}: {exc}"
            place, window = request.places.grant, request.window
            holds = request.state in {State.ACTIVATING, State.ACTIVE} and window is not None
            if not holds or place is None or window is None or place.key != slot.key:
                return f"Request {request.id} gives nobody what is there; nothing is given for it."
            if holder.until > window.deadline:
                return f"Request {request.id} ends before that; nothing is given for longer."
        return ""

    # ── What holds for the whole deployment ──────────────────────────────────────────────────

    def controls(self) -> Controls | None:
        """Return what holds for the deployment, proven by its trail. Raises ``Tampered``."""
        for _ in range(TRIES):
            known = self.store.controls()
            if known is not None and known in self._believed:
                return known
            try:
                chain.verify_controls(known, self.store.control_events(), self.verifier)
            except Tampered:
                if self.store.controls() == known:
                    raise
                continue  # somebody committed between the two reads
            self._believed[:] = [] if known is None else [known]
            return known
        message = "What holds for the whole deployment changes too fast; try again."
        raise Conflict(message)

    def control(
        self,
        before: Controls | None,
        happenings: Sequence[Happening],
        *,
        actor: Actor = BROKER,
        now: datetime,
    ) -> Controls:
        """Commit happenings to the deployment's own trail.

        Raises ``Conflict``, and ``Misconfigured`` for what would have to be signed where nothing
        signs.
        """
        if self.signer is None and any(chain.must_be_signed(what) for what in happenings):
            message = "Nothing signs here, and this must be signed; do it where the signing key is."
            raise Misconfigured(message)
        after, events = chain.seal_controls(
            before, happenings, actor=actor, now=now, signer=self.signer
        )
        self.store.commit(Change(control=Control(controls=after, events=events)))
        # What was sealed on a row that nobody has proven proves nothing: not even this process
        # believes it.
        if self.signer is not None and (before is None or before in self._believed):
            self._believed[:] = [after]
        return after

    def put_off(self, request: Request, until: datetime) -> None:
        """Look at a request again later, and not before. Raises ``Conflict``."""
        self.store.commit(Change(moves=(Move(request=request, wake_at=until),)))

    def slot_at(self, place: Place) -> Slot:
        """Return the slot of a place, stored or new."""
        return self.store.slot(place.key) or slots.at(place)


def _check_numbers(entry: Entry) -> None:
    """Refuse to let an older policy undo what a newer one has judged meanwhile."""
    judged = None if entry.before is None else entry.before.policy
    for what in entry.happenings:
        policy = getattr(what, "policy", None)
        if judged is not None and isinstance(policy, PolicyRef) and policy.number < judged.number:
            message = f"Request {entry.id} was judged by a newer policy meanwhile."
            raise Conflict(message)


def again_on_conflict(decide: Callable[[], T]) -> T:
    """Decide, and when somebody else committed first, decide again on what they left."""
    for _ in range(TRIES - 1):
        try:
            return decide()
        except Conflict:
            continue
    return decide()
