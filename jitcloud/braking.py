"""Brakes: stop what would be activated, end what is. Neither ever stops an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from jitcloud import controls, ending, lifecycle
from jitcloud.errors import JitError, Misconfigured, Refused
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
    Reach,
    Request,
    Scope,
    State,
)
from jitcloud.ports import Store

PAGE = 200
"""How many requests are looked at in one read."""

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

    def end_all(self, scope: Scope, reason: str) -> Controls | None:
        """Record that everything in this scope is to end. ``finish`` then ends it."""
        if self.person is not None:
            self._may("end", scope)
        return self._record(lambda _: (EndAll(scope=scope, reason=reason),))

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
        return self.judge.catalog.get(scope.id)

    def _about(self, scope: Scope) -> Person | None:
        if scope.reach is not Reach.PERSON:
            return None
        return self.judge.directory.person(scope.id)


def finish(ledger: Ledger, now: datetime) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Begin to end all that brakes are to end; return how many, and what could not be.

    Whoever put a brake on may have died half-way: every sweep goes on where it stopped. What
    cannot be ended now keeps its brake on, so that the next sweep tries again.
    """
    known = ledger.store.controls()
    ended = 0
    troubles: list[tuple[str, str]] = []
    for brake in () if known is None else known.endings:
        begun, failed = _end(ledger, brake, now)
        ended += begun
        troubles += failed
        if not failed:
            _done(ledger, brake, begun, now)
    return ended, tuple(troubles)


def _end(ledger: Ledger, brake: Brake, now: datetime) -> tuple[int, list[tuple[str, str]]]:
    begun = 0
    troubles: list[tuple[str, str]] = []
    for request in list(_meant(ledger.store, brake)):
        try:
            begun += again_on_conflict(partial(_revoke, ledger, request, brake, now))
        except JitError as exc:
            troubles.append((request.id, str(exc)))
    return begun, troubles


def _revoke(ledger: Ledger, request: Request, brake: Brake, now: datetime) -> int:
    stood = ledger.load(request.id)
    if stood.state.is_finished:
        return 0
    happenings = lifecycle.revoke(stood, brake.reason)
    if not happenings:
        return 0
    ending.begin(ledger, stood, happenings, now, Actor(id=brake.by))
    return 1


def _done(ledger: Ledger, brake: Brake, begun: int, now: datetime) -> None:
    def attempt() -> None:
        known = ledger.store.controls()
        if known is not None and brake in known.endings:
            what = AllEnding(scope=brake.scope, requests=begun)
            ledger.control(known, (what,), actor=BROKER, now=now)

    again_on_conflict(attempt)


def _meant(store: Store, brake: Brake) -> Iterator[Request]:
    for state in UNFINISHED:
        after = None
        while True:
            page = store.by_state(state, PAGE, after)
            yield from (request for request in page.requests if controls.is_meant(brake, request))
            after = page.after
            if after is None:
                break
