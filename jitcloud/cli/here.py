"""A person acting on a deployment of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud import shapes
from jitcloud.cli.acting import EndedAll, Listed, Outlook, Show, Table
from jitcloud.cli.advice import Advice
from jitcloud.cli.kept import Kept
from jitcloud.cli.knowing import Judged
from jitcloud.errors import JitError, Refused
from jitcloud.instants import iso
from jitcloud.model import (
    Ask,
    Controls,
    Credentials,
    Decision,
    Entitlement,
    Request,
    RequestId,
    Scope,
    Slot,
    State,
)
from jitcloud.scopes import meant
from jitcloud.text import parse_request_id

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.library import Acting

TOO_SOON = frozenset({State.SCHEDULED, State.ACTIVATING})


@dataclass(frozen=True, slots=True)
class Here(Judged):
    """``cli.acting.Acting`` by ``library.Acting``."""

    acting: Acting
    kept: Kept

    def now(self) -> datetime:
        return self.acting.deployment.clock()

    def me(self) -> Table:
        caller = self.acting.caller
        person = self.judge.directory.person(caller.person)
        at = caller.signed_in_at
        return {
            "id": person.id,
            "name": person.name,
            "emails": list(person.emails),
            "groups": sorted(person.groups),
            "rotations": sorted(person.rotations),
            "token": caller.token.kind,
            "signed_in_at": None if at is None else iso(at),
        }

    # ── Asking and deciding ──────────────────────────────────────────────────────────────────

    def request_all(  # noqa: PLR0913 - as library.Acting has it
        self,
        entitlements: Sequence[str],
        duration: str,
        justification: str,
        *,
        start: datetime | None,
        ticket: str | None,
        incident: str | None,
        break_glass: bool,
        id_: str | None,
    ) -> tuple[Request, ...]:
        return self.acting.request_all(
            entitlements,
            duration,
            justification,
            start=start,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            id_=id_,
        )

    def extend(  # noqa: PLR0913 - as above
        self,
        request: str,
        by: str,
        justification: str,
        *,
        ticket: str | None,
        incident: str | None,
        break_glass: bool,
        id_: str | None,
    ) -> Request:
        return self.acting.extend(
            request,
            by,
            justification,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            id_=id_,
        )

    def approve(self, request: str, reason: str, show: Show) -> Request:  # noqa: ARG002 - nobody signs in here
        return self.acting.approve(request, reason)

    def deny(self, request: str, reason: str) -> Request:
        return self.acting.deny(request, reason)

    def withdraw(self, request: str, reason: str) -> Request:
        return self.acting.withdraw(request, reason)

    def give_back(self, request: str, reason: str) -> Request:
        return self.acting.give_back(request, reason)

    def revoke(self, request: str, reason: str) -> Request:
        return self.acting.revoke(request, reason)

    def review(self, request: str, note: str, *, fine: bool) -> Request:
        return self.acting.review(request, note, fine=fine)

    def attest(self, request: str, reason: str) -> Request:
        return self.acting.attest(request, reason)

    # ── Looking ──────────────────────────────────────────────────────────────────────────────

    def show(self, request: str) -> Request:
        return self.acting.show(request)

    def later(self, request: RequestId) -> Request:
        return self.acting.deployment.advance.wake(request)

    def troubles(self, request: Request) -> Sequence[Table]:
        return shapes.of_troubles(self._places(request))

    def _places(self, request: Request) -> tuple[Slot, ...]:
        """The places of a request that is not finished: what holds there now is others' affair."""
        if request.state.is_finished:
            return ()
        named = (request.places.grant, request.places.denial)
        keys = [place.key for place in named if place is not None]
        try:
            return self.acting.deployment.ledger.store.slots(keys)
        except JitError:
            return ()  # a place that cannot be read hides nothing else of its request

    def advice(self, request: Request) -> Advice:
        return Advice.of(self.acting.advise(request))

    def outlook(self, entitlement: str, duration: timedelta) -> Outlook:
        found = self.acting.outlook(entitlement, duration)
        return Outlook(found.ask.entitlement, found.decision, Advice.of(found))

    def catalog(self, duration: timedelta) -> Sequence[tuple[Entitlement, Decision | None]]:
        return [(thing, self._would_be(thing, duration)) for thing in self.judge.catalog]

    def _would_be(self, thing: Entitlement, duration: timedelta) -> Decision:
        """What policy would say to this person, asking now, with no ticket and no incident."""
        now = self.now()
        ask = Ask(
            person=self.acting.caller.person,
            entitlement=thing,
            duration=duration,
            justification="What if?",
            asked_at=now,
        )
        return self.judge.first(ask, None, now)

    def mine(self, limit: int, after: str | None) -> Listed:
        page = self.acting.deployment.broker.mine(self.acting.caller, limit, _after(after))
        return Listed(page.requests, page.after)

    def in_state(self, state: State, limit: int, after: str | None) -> Listed:
        page = self.acting.deployment.ledger.store.by_state(state, limit, _after(after))
        return Listed(page.requests, page.after)

    def waiting(self, limit: int) -> Listed:
        broker = self.acting.deployment.broker
        return Listed(broker.waiting_for(self.acting.caller, self.now(), limit))

    def to_review(self, limit: int) -> Listed:
        return Listed(self.acting.unreviewed()[:limit])

    def unreviewed(self, limit: int) -> Listed:
        return Listed(self.acting.deployment.broker.unreviewed()[:limit])

    # ── Brakes ───────────────────────────────────────────────────────────────────────────────

    def controls(self) -> Controls | None:
        return self.acting.deployment.broker.brakes()

    def stop(self, scope: Scope, reason: str) -> Scope:
        scope = self._meant(scope)
        self.acting.stop(scope, reason)
        return scope

    def resume(self, scope: Scope, reason: str) -> Scope:
        scope = self._meant(scope, recorded=True)
        self.acting.resume(scope, reason)
        return scope

    def end_all(self, scope: Scope, reason: str) -> EndedAll:
        scope = self._meant(scope, recorded=True)
        deployment = self.acting.deployment
        begun, _ = deployment.broker.end_all(self.acting.caller, scope, self.now(), reason)
        # It is soon seen gone; and what could not be ended is tried again, as by every sweep.
        return EndedAll(scope, begun, tuple(deployment.sweep().troubles))

    def _meant(self, scope: Scope, *, recorded: bool = False) -> Scope:
        store = self.acting.deployment.ledger.store
        return meant(scope, self.judge.directory, store, recorded=recorded)

    # ── Using ────────────────────────────────────────────────────────────────────────────────

    def ready(self, request: RequestId) -> Request:
        """Do now what the sweep would do soon: a start may have come since it last ran."""
        found = self.acting.show(request)
        if found.ask.extends is not None and found.person == self.acting.caller.person:
            raise Refused(extends(found.id, found.ask.extends))
        return self.later(found.id) if found.state in TOO_SOON else found

    def credentials(self, request: RequestId) -> Credentials:
        return self.acting.credentials(request)

    def holder(self, request: Request) -> Request | None:
        if request.state is State.ACTIVE:
            request = self.acting.deployment.ledger.verified(request.id, self.now())
        person = self.judge.directory.person(self.acting.caller.person)
        return None if person.disabled or request.person != person.id else request

    def places_of_use(self) -> Mapping[str, str]:
        settings = self.acting.deployment.settings.aws
        if settings is None:
            return {}
        told = {"AWS_REGION": settings.region, "AWS_DEFAULT_REGION": settings.region}
        if settings.endpoint_url is not None:
            told["AWS_ENDPOINT_URL"] = settings.endpoint_url  # an emulator, which made them
        return told


def extends(request: str, parent: str) -> str:
    """Say that an extension has no access of its own."""
    return (
        f"Request {request} has no access of its own: it asks to extend request {parent}, so use"
        " that one."
    )


def _after(text: str | None) -> RequestId | None:
    return None if text is None else parse_request_id(text)
