"""Attesting: somebody answers for the end of access that no cloud can be asked about any more.

A project that was deleted, an account that was closed: it refuses for ever, and nothing that is
seen would ever end what was there. The trail says who answers for it, and never that it was seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitcloud import ending, lifecycle, slots
from jitcloud.durations import format_duration
from jitcloud.errors import Conflict, Misconfigured, NotFound, Refused
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger
from jitcloud.model import (
    Actor,
    Attested,
    Ending,
    Entitlement,
    Person,
    Reach,
    Reopened,
    Request,
    RequestId,
    Scope,
    Slot,
    State,
)

PATIENCE = timedelta(hours=24)
"""How long retries alone may end it: most of what a cloud refuses is not refused for ever."""

REFUSED = timedelta(hours=1)
"""For so long the cloud must have answered no read: what it shows has not vanished.

A refused place is tried every five minutes at least, so that is many tries.
"""

PAGE = 200
"""How many requests are looked at in one read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attesting:
    """One person's word that access is gone, on its way to being recorded."""

    ledger: Ledger
    judge: Judge
    person: Person
    actor: Actor
    mfa_age: timedelta | None
    now: datetime

    def attest(self, name: RequestId, reason: str) -> Request:
        """Record that access is gone by this person's word; its place is driven no more.

        Raises ``Refused`` for who asked, approved or may not end it, and for what may yet be seen
        to end; ``Conflict`` while its place is being driven; ``Misconfigured`` where nothing signs.
        """
        request = self.ledger.verified(name, self.now)
        what = Attested(by=self.person.id, reason=reason)
        happenings = lifecycle.attest(request, what)
        self._has_not_approved(request)
        self._may(request.entitlement)
        self._has_waited(request)
        place = self._vanished(request)
        if self.ledger.signer is None:
            message = "Nothing signs here, and this must be signed; do it where the signing key is."
            raise Misconfigured(message)
        others = any(held.request != request.id for held in place.holders)
        if not others and not self._is_waited_for(place, request.id):
            # Nobody drives it any more, until somebody joins it or it is seen to be filled.
            place = replace(place, holders=(), claim=None, operation=None, wake_at=None)
        # Written in any case: of two who attest at once, the second must see what the first left.
        changed = [place, *ending.denied_for_a_while(self.ledger, request, self.now)]
        return self.ledger.record(
            request, happenings, actor=self.actor, now=self.now, changed=changed
        )

    def _has_not_approved(self, request: Request) -> None:
        """Refuse who let it last longer, too: the votes on an extension stand in its own trail."""
        for name in request.prolonged_by:
            if any(vote.by == self.person.id for vote in self.ledger.load(name).votes):
                raise Refused(
                    "You approved this access; its end is attested by somebody who did not."
                )

    def _may(self, asked_for: Entitlement) -> None:
        """Ask for the right to end all of this entitlement: what it takes to `brake end` it."""
        known: Entitlement | None = None
        with suppress(NotFound):
            known = self.judge.catalog.get(asked_for.id)
        scope = Scope(reach=Reach.ENTITLEMENT, id=asked_for.id)
        refusal = self.judge.policy.may_brake("end", self.person, self.mfa_age, scope, known, None)
        if refusal is not None:
            raise Refused(" ".join(refusal.because))

    def _has_waited(self, request: Request) -> None:
        begun = max(
            line.event.at
            for line in self.ledger.store.events(request.id)
            if isinstance(line.event.what, Ending | Reopened)
        )
        left = begun + PATIENCE - self.now
        if left > timedelta(0):
            raise Refused(
                f"Request {request.id} has not been ending for {format_duration(PATIENCE)} yet;"
                f" attest it in {format_duration(left)}, if nothing has ended it by then."
            )

    def _vanished(self, request: Request) -> Slot:
        """Return the place that a cloud refuses to show. Raises ``Refused`` for any other."""
        if request.places.grant is None or request.removed_at is not None:
            raise Refused(
                f"Request {request.id} has nothing left in its place, and ends by itself once what"
                " was handed out has expired; attest nothing."
            )
        slot = self.ledger.slot_at(request.places.grant)
        if slots.is_claimed(slot, self.now):
            message = f"The place of request {request.id} is being tried just now; try again then."
            raise Conflict(message)
        if not slot.attempts or slot.wake_at is None:
            raise Refused(
                f"No cloud has refused to end request {request.id}; see that `jitcloud sweep` runs,"
                " and what it says."
            )
        seen = slot.seen
        # Up to the next try, for where nothing sweeps nothing was refused meanwhile either.
        refused_until = min(slot.wake_at, self.now)
        if seen is not None and seen.present and refused_until - seen.at < REFUSED:
            raise Refused(
                f"The cloud showed the access of request {request.id} within an hour of the last"
                " try, so it has not vanished; `jitcloud show` says why it cannot be ended."
            )
        return slot

    def _is_waited_for(self, place: Slot, name: RequestId) -> bool:
        """Whether the end of another request is still to be seen in the same place."""
        return any(
            other.id != name
            and other.places.grant is not None
            and other.places.grant.key == place.key
            for other in self._ending()
        )

    def _ending(self) -> Iterator[Request]:
        after = None
        while True:
            page = self.ledger.store.by_state(State.ENDING, PAGE, after)
            yield from page.requests
            after = page.after
            if after is None:
                break
