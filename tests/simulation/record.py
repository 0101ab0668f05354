"""The record of a world: the real store, faults around it, and whoever reads along.

What is read along is the simulation's own account of what was committed: each event is checked
and folded as it arrives, by which it costs little to look at everything after every step (P9).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jitcloud import codec, lifecycle
from jitcloud.audit import chain
from jitcloud.errors import JitError, Tampered, Unavailable
from jitcloud.model import (
    GENESIS,
    Adopted,
    Approved,
    Attested,
    Controls,
    Decided,
    Denied,
    Ending,
    EntitlementId,
    GlassBroken,
    Happening,
    PersonId,
    Reopened,
    Request,
    RequestId,
    Resumed,
    Reviewed,
    Sealed,
    State,
    Voted,
)
from jitcloud.ports import Change, Store, Verifier
from tests.simulation.chaos import Injector
from tests.simulation.stage import Access

AT_WORK = frozenset({State.ACTIVATING, State.ACTIVE, State.ENDING})
"""States in which somebody may have access."""

READS = frozenset(
    {
        "request",
        "requests",
        "wake_at",
        "events",
        "controls",
        "control_events",
        "slot",
        "slots",
        "due",
        "by_person",
        "by_state",
        "unreviewed",
        "mark",
        "all_slots",
        "ids",
    }
)


SIGNED = (Decided, GlassBroken, Voted, Approved, Reviewed, Adopted, Resumed, Attested)
"""Events without whose signature nobody is let in, or let go."""


def _refuses(what: Happening) -> bool:
    return (isinstance(what, Voted) and not what.yes) or (
        isinstance(what, Decided) and isinstance(what.decision, Denied)
    )


def access_of(request: Request, lets_in: Mapping[EntitlementId, PersonId]) -> Access:
    """What a request is about; see ``Stage.lets_in``."""
    ask = request.ask
    thing = ask.entitlement.id
    return Access(lets_in.get(thing, ask.person), thing, ask.part)


@dataclass
class Account:
    """What was committed, as whoever reads along has it."""

    lets_in: Mapping[EntitlementId, PersonId] = field(default_factory=dict)
    """What the stages of this world say of their entitlements: see ``Stage.lets_in``."""
    requests: dict[RequestId, Request] = field(default_factory=dict)
    controls: Controls | None = None
    at_work: dict[Access, set[RequestId]] = field(default_factory=lambda: defaultdict(set))
    by_state: dict[State, dict[RequestId, None]] = field(default_factory=lambda: defaultdict(dict))
    ended_from: dict[RequestId, datetime] = field(default_factory=dict)
    """From when a request's access was to be gone, where that was before its deadline."""
    wakes: dict[str, datetime] = field(default_factory=dict)
    """When each request and each place is due next, if it is."""
    happened: Counter[str] = field(default_factory=Counter)
    lifetimes: set[RequestId] = field(default_factory=set)
    """Whose access, or what was being made of it, has come to an end: never two for one request."""
    verifier: Verifier | None = None
    """Whose signatures count; set before anything is committed."""
    commits: int = 0
    broken: list[str] = field(default_factory=list)
    """What was committed and should not have been."""

    @property
    def is_whole(self) -> bool:
        """Whether the record knows all, as far as it was compared with the clouds."""
        return self.controls is None or self.controls.restored_at is None

    def access_of(self, request: Request) -> Access:
        """What a request is about."""
        return access_of(request, self.lets_in)

    def read(self, change: Change, judged: Callable[[Request, Sealed], Iterable[str]]) -> None:
        """Take in one commit."""
        self.commits += 1
        for move in change.moves:
            self._due(move.request.id, move.wake_at)
            for line in move.events:
                before = self.requests.get(move.request.id)
                self._check(line, None if before is None else (before.seq, before.head))
                try:
                    after = lifecycle.fold(before, line)
                except JitError as exc:
                    self.broken.append(f"P9: {exc}")
                    return
                self._keep(before, after, line)
                self.broken += judged(after, line)
            if move.events and self.requests[move.request.id] != move.request:
                self.broken.append(
                    f"P9: the snapshot of {move.request.id} is not what it adds up to"
                )
        for slot in change.slots:
            self._due(slot.key, slot.wake_at)
        if change.control is not None:
            for line in change.control.events:
                known = self.controls
                self._check(line, None if known is None else (known.seq, known.head))
                self.happened[line.event.what.type] += 1
                self.controls = change.control.controls

    def start_from(self, store: Store) -> None:
        """Read a store anew, as after a restore."""
        self.requests.clear()
        self.at_work.clear()
        self.by_state.clear()
        self.commits += 1
        self.ended_from.clear()
        self.wakes.clear()
        self.controls = store.controls()
        for name in store.ids(1000):
            found: Request | None = None
            for line in store.events(name):
                before, found = found, lifecycle.fold(found, line)
                self._keep(before, found, line, counts=False)
            self._due(name, store.wake_at(name))
        for slot in store.all_slots(1000):
            self._due(slot.key, slot.wake_at)

    def _due(self, name: str, at: datetime | None) -> None:
        if at is None:
            self.wakes.pop(name, None)
        else:
            self.wakes[name] = at

    def _check(self, line: Sealed, stood: tuple[int, str] | None) -> None:
        event = line.event
        seq, head = (0, GENESIS) if stood is None else stood
        if event.seq != seq + 1 or event.prev != head:
            self.broken.append(f"P9: event {event.seq} of {event.request} follows nothing")
        signed = codec.encode_signature(line.signature) or ""
        if hashlib.sha256(f"{line.text}\n{signed}".encode()).hexdigest() != line.hash:
            self.broken.append(f"P9: event {event.seq} of {event.request} has a wrong hash")
        self._check_signature(line)

    def _check_signature(self, line: Sealed) -> None:
        """P1: what somebody is let in on is signed, and the signature is of just that."""
        event, verifier = line.event, self.verifier
        if line.signature is None:
            if isinstance(event.what, SIGNED) and not _refuses(event.what):
                self.broken.append(f"P1: nobody signed event {event.seq} of {event.request}")
            return
        try:
            assert verifier is not None, "a world knows whose signatures count"
            verifier.verify(chain.SIGNED_AS + line.text.encode(), line.signature)
        except Tampered as exc:
            self.broken.append(f"P1: event {event.seq} of {event.request}: {exc}")

    def _keep(
        self, before: Request | None, after: Request, line: Sealed, *, counts: bool = True
    ) -> None:
        name, what = after.id, line.event.what
        self.requests[name] = after
        if counts:
            self.happened[what.type] += 1
            if after.state in {State.ENDED, State.FAILED}:
                self.lifetimes.add(name)
        if before is not None:
            self.by_state[before.state].pop(name, None)
        self.by_state[after.state][name] = None
        if after.state in AT_WORK:
            self.at_work[self.access_of(after)].add(name)
        elif before is not None and before.state in AT_WORK:
            self.at_work[self.access_of(after)].discard(name)
        if isinstance(what, Ending):
            self.ended_from[name] = line.event.at
        elif isinstance(what, Reopened):
            self.ended_from[name] = what.seen_at


class Record:
    """A store with faults, as a driver knows it."""

    def __init__(
        self,
        store: Store,
        chaos: Injector,
        account: Account,
        judged: Callable[[Request, Sealed], Iterable[str]],
    ) -> None:
        self._store, self._chaos, self._account, self._judged = store, chaos, account, judged

    def commit(self, change: Change) -> None:
        def write() -> None:
            self._store.commit(change)
            self._account.read(change, self._judged)

        self._chaos.commit(write)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in READS:
            return found
        fails = self._chaos.read_fails

        def read(*args: Any, **kwargs: Any) -> Any:
            if fails():
                raise Unavailable("The simulated store cannot be read just now.")
            return found(*args, **kwargs)

        self.__dict__[name] = read
        return read
