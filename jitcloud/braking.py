"""Brakes: stop what would be activated, end what is. Neither ever stops an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from jitcloud import controls, ending, lifecycle
from jitcloud.errors import Conflict, JitError, Misconfigured, NotFound, Refused, Tampered
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger, again_on_conflict
from jitcloud.model import (
    BROKER,
    Actor,
    AllEnding,
    Brake,
    Controls,
    EndAll,
    Entitlement,
    Happening,
    Person,
    PersonId,
    Reach,
    Request,
    RequestId,
    Scope,
    State,
)
from jitcloud.ports import Store

PAGE = 200
"""How many requests are looked at in one read."""

LINGER = timedelta(minutes=1)
"""So long a brake goes on ending what was asked for before it, and was recorded after it."""

Decide = Callable[[Controls | None], Sequence[Happening]]

UNFINISHED = tuple(state for state in State if not state.is_finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Braking:
    """One person's hand on the brake."""

    ledger: Ledger
    judge: Judge
    person: Person | None
    """None while the directory cannot be read: then everything can be ended, as with revoke."""
    actor: Actor
    mfa_age: timedelta | None
    now: datetime

    def stop(self, scope: Scope, reason: str) -> Controls | None:
        """Let nothing in this scope be activated from now on. Raises ``Refused``."""
        self._may("stop", scope)
        return self._record(lambda known: controls.stop(known, scope, reason))

    def resume(self, scope: Scope, reason: str) -> Controls | None:
        """Let what was stopped be activated again. Raises ``Refused``."""
        self._may("stop", scope)
        return self._record(lambda known: controls.resume(known, scope, reason))

    def end_all(self, scope: Scope, reason: str) -> Brake:
        """Record that everything in this scope is to end; ``finish`` then ends it.

        Where that cannot be recorded for the deployment (its own trail is spoilt), the trail of
        each request says who ended it and why: what is broken keeps nothing alive.
        """
        if self.person is not None:
            self._may("end", scope)
        what = EndAll(scope=scope, reason=reason)
        with suppress(JitError):
            again_on_conflict(lambda: self._add(self.ledger.store.controls(), what))
        return Brake(scope=scope, by=PersonId(self.actor.id), at=self.now, reason=reason)

    def _add(self, known: Controls | None, what: Happening) -> Controls:
        return self.ledger.control(known, (what,), actor=self.actor, now=self.now)

    def _may(self, verb: Literal["stop", "end"], scope: Scope) -> None:
        if self.person is None:
            message = "The directory cannot be read, and nothing is granted until it can be."
            raise Misconfigured(message)
        refusal = self.judge.policy.may_brake(
            verb, self.person, self.mfa_age, scope, self._entitlement(scope), self._about(scope)
        )
        if refusal is not None:
            raise Refused(" ".join(refusal.because))

    def _record(self, decide: Decide) -> Controls | None:
        def attempt() -> Controls | None:
            known = self.ledger.controls()
            happenings = decide(known)
            if not happenings:
                return known
            return self.ledger.control(known, happenings, actor=self.actor, now=self.now)

        return again_on_conflict(attempt)

    def _entitlement(self, scope: Scope) -> Entitlement | None:
        if scope.reach is not Reach.ENTITLEMENT:
            return None
        with suppress(NotFound):
            return self.judge.catalog.get(scope.id)
        return None  # gone from the catalog, and perhaps not from a cloud

    def _about(self, scope: Scope) -> Person | None:
        if scope.reach is not Reach.PERSON:
            return None
        with suppress(NotFound):
            return self.judge.directory.person(scope.id)
        return None  # whoever has left may still have something


def finish(
    ledger: Ledger, brakes: Iterable[Brake], now: datetime
) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Begin to end all that brakes are to end; return how many, and what could not be.

    Whoever put a brake on may have died half-way: every sweep goes on where it stopped. What
    cannot be ended now keeps its brake on, so that the next sweep tries again.
    """
    ended = 0
    troubles: list[tuple[str, str]] = []
    for brake in brakes:
        failed: list[tuple[str, str]] = []
        try:
            for request in _meant(ledger.store, brake, failed):
                ended += _end(ledger, request, brake, now, failed)
        except JitError as exc:
            # It is on record, and so is done once the record can be searched again.
            failed.append(("brakes", str(exc)))
        troubles += failed
        if not failed and now >= brake.at + LINGER:
            _done(ledger, brake, now)
    return ended, tuple(troubles)


def _end(
    ledger: Ledger, request: Request, brake: Brake, now: datetime, failed: list[tuple[str, str]]
) -> int:
    try:
        return again_on_conflict(partial(_revoke, ledger, request, brake, now))
    except JitError as exc:
        failed.append((request.id, str(exc)))
    except Exception as exc:  # noqa: BLE001 - one broken request must not keep others from ending
        failed.append((request.id, f"jitcloud has a defect here: {type(exc).__name__}"))
    return 0


def _revoke(ledger: Ledger, request: Request, brake: Brake, now: datetime) -> int:
    stood = ledger.load(request.id)
    if stood.state.is_finished:
        return 0
    happenings = lifecycle.revoke(stood, brake.reason)
    if not happenings:
        return 0
    ending.begin(ledger, stood, happenings, now, Actor(id=brake.by))
    return 1


def _done(ledger: Ledger, brake: Brake, now: datetime) -> None:
    def attempt() -> None:
        known = ledger.store.controls()
        if known is not None and brake in known.endings:
            ledger.control(known, (AllEnding(scope=brake.scope),), actor=BROKER, now=now)

    # Somebody else is at the brakes: the next sweep does it.
    with suppress(Conflict):
        again_on_conflict(attempt)


def _meant(store: Store, brake: Brake, failed: list[tuple[str, str]]) -> Iterator[Request]:
    """Yield what a brake is to end; a request that cannot be read keeps no other from ending."""
    found: Iterable[Request]
    try:
        # In the order of a life: what moves on meanwhile is met again further on.
        found = [request for state in UNFINISHED for request in _in(store, state)]
    except Tampered:
        # That may be all there ever was, so each is ended before the next is looked for.
        found = _readable(store, failed)
    yield from (request for request in found if controls.is_meant(brake, request))


def _in(store: Store, state: State) -> Iterator[Request]:
    after = None
    while True:
        page = store.by_state(state, PAGE, after)
        yield from page.requests
        after = page.after
        if after is None:
            break


def _readable(store: Store, failed: list[tuple[str, str]]) -> Iterator[Request]:
    for state in UNFINISHED:
        names = store.ids(PAGE, state=state)
        while names:
            try:
                found: Iterable[Request] = store.requests(names)
            except Tampered:
                found = _one_by_one(store, names, failed)
            yield from found
            names = store.ids(PAGE, names[-1], state)


def _one_by_one(
    store: Store, names: Sequence[RequestId], failed: list[tuple[str, str]]
) -> Iterator[Request]:
    for name in names:
        try:
            found = store.request(name)
        except Tampered as exc:
            failed.append((name, str(exc)))
            continue
        if found is not None:
            yield found
