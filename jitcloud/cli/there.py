"""A person acting on a deployment elsewhere, by its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud.cli.acting import EndedAll, Listed, Outlook, Revoked, Show, Table
from jitcloud.cli.advice import Advice, Asked
from jitcloud.cli.here import extends
from jitcloud.cli.kept import Kept
from jitcloud.cli.knowing import Waits
from jitcloud.cli.trails import Trail
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import JitError, NotFound, Refused
from jitcloud.instants import iso
from jitcloud.model import (
    Controls,
    Credentials,
    Decision,
    Entitlement,
    PersonId,
    Request,
    RequestId,
    Reviewed,
    Scope,
    State,
)
from jitcloud.ports import Clock
from jitcloud.remote import nouns, reading, trails
from jitcloud.remote import remote as api
from jitcloud.system_keyring import Keyring
from jitcloud.text import parse_request_id

SOON = timedelta(minutes=2)
"""How long a grant that is being activated is waited for before it is used."""

SLOWEST = 5.0
"""Seconds between two looks, at the most."""

EXTENSIONS = 200
"""How many of one's own later requests are looked through for what extends an earlier one."""

TOO_SOON = frozenset({State.SCHEDULED, State.ACTIVATING})


@dataclass(slots=True)
class There:
    """``cli.acting.Acting`` by ``remote.Remote``."""

    remote: api.Remote
    bind: api.Bind = field(repr=False)
    clock: Clock
    sleep: Callable[[float], None]
    keyring: Keyring | None = field(repr=False)
    _told: dict[RequestId, reading.Request] = field(default_factory=dict, repr=False)
    _names: dict[str, str] = field(default_factory=dict, repr=False)
    _me: reading.Me | None = None

    def now(self) -> datetime:
        return self.clock()

    def me(self) -> Table:
        me = self._myself()
        at = me.signed_in_at
        return {
            "id": me.id,
            "name": me.name,
            "emails": me.emails,
            "groups": me.groups,
            "rotations": me.rotations,
            "token": me.token,
            "signed_in_at": None if at is None else iso(at),
        }

    def _myself(self) -> reading.Me:
        if self._me is None:
            self._me = self.remote.me()
        return self._me

    # ── What is known around a request ───────────────────────────────────────────────────────

    def named(self, person: PersonId) -> str:
        name = self._names.get(person)
        return str(person) if name is None else f"{name} ({person})"

    def waits(self, request: Request, now: datetime) -> Waits | None:  # noqa: ARG002 - as it was told
        told = self._told.get(request.id)
        waits = None if told is None else told.waits_for
        return None if waits is None else Waits(waits.stage, nouns.stage(waits.needs))

    def stopped(self, request: Request) -> str:
        told = self._told.get(request.id)
        return "" if told is None else told.stopped or ""

    def found(self, request: Request) -> Mapping[PersonId, bool]:
        try:
            told = [line.event.what for line in self.remote.trail(request.id)]
        except JitError:
            return {}  # what is on record is shown, whatever else cannot be looked up just now
        return {what.by: what.fine for what in told if isinstance(what, Reviewed)}

    def _kept_in_mind(self, told: api.Told) -> Request:
        self._told[told.request.id] = told.read
        self._names.update(told.read.names)
        return told.request

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
        asked = self.remote.request_all(
            entitlements,
            parse_duration(duration),
            justification,
            start=start,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            key=None if id_ is None else parse_request_id(id_),
        )
        return tuple(map(self._kept_in_mind, asked))

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
        asked = self.remote.extend(
            parse_request_id(request),
            parse_duration(by),
            justification,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
            key=None if id_ is None else parse_request_id(id_),
        )
        return self._kept_in_mind(asked)

    def approve(self, request: str, reason: str, show: Show) -> Request:
        name = parse_request_id(request)
        return self._kept_in_mind(self.remote.approve(name, reason, show, self.bind))

    def deny(self, request: str, reason: str) -> Request:
        return self._kept_in_mind(self.remote.deny(parse_request_id(request), reason))

    def withdraw(self, request: str, reason: str) -> Request:
        return self._kept_in_mind(self.remote.withdraw(parse_request_id(request), reason))

    def give_back(self, request: str, reason: str) -> Request:
        return self._kept_in_mind(self.remote.give_back(parse_request_id(request), reason))

    def revoke(self, request: str, reason: str) -> Request | Revoked:
        done = self.remote.revoke(parse_request_id(request), reason)
        if isinstance(done, reading.Revoked):
            return Revoked(RequestId(done.id), done.state)
        return self._kept_in_mind(done)

    def review(self, request: str, note: str, *, fine: bool) -> Request:
        return self._kept_in_mind(self.remote.review(parse_request_id(request), note, fine=fine))

    def attest(self, request: str, reason: str) -> Request:
        return self._kept_in_mind(self.remote.attest(parse_request_id(request), reason))

    # ── Looking ──────────────────────────────────────────────────────────────────────────────

    def show(self, request: str) -> Request:
        return self._kept_in_mind(self.remote.show(parse_request_id(request)))

    def later(self, request: RequestId) -> Request:
        return self.show(request)

    def troubles(self, request: Request) -> Sequence[Table]:
        told = self._told.get(request.id)
        if not isinstance(told, reading.Shown):
            return ()
        return [
            {"what": each.what, "message": each.message, "attempts": each.attempts}
            for each in told.troubles
        ]

    def advice(self, request: Request) -> Advice:
        found = self.remote.advise(request.id)
        return _advice(found, is_of_extension=request.ask.extends is not None)

    def outlook(self, entitlement: str, duration: timedelta) -> Outlook:
        found = self.remote.outlook(entitlement, duration)
        return Outlook(
            nouns.entitlement(found),
            nouns.decision(found.decision),
            _advice(found, is_of_extension=False),
        )

    def catalog(self, duration: timedelta) -> Sequence[tuple[Entitlement, Decision | None]]:
        return [
            (
                nouns.entitlement(thing),
                None if thing.decision is None else nouns.decision(thing.decision),
            )
            for thing in self.remote.catalog(duration)
        ]

    def mine(self, limit: int, after: str | None) -> Listed:
        return self._listed(self.remote.list(limit, after))

    def in_state(self, state: State, limit: int, after: str | None) -> Listed:
        return self._listed(self.remote.list(limit, after, state))

    def waiting(self, limit: int) -> Listed:
        return self._listed(api.Listed(self.remote.approvals(limit)))

    def to_review(self, limit: int) -> Listed:
        return self._listed(api.Listed(self.remote.reviews(limit, everybodys=False)))

    def unreviewed(self, limit: int) -> Listed:
        return self._listed(api.Listed(self.remote.reviews(limit, everybodys=True)))

    def _listed(self, found: api.Listed) -> Listed:
        return Listed(tuple(map(self._kept_in_mind, found.told)), found.after)

    def trail(self, request: RequestId) -> tuple[Trail, tuple[Trail, ...]]:
        """Return a request's trail, and those of what was asked to extend it, as far as one sees.

        Signatures are not checked: see ``remote.trails``.
        """
        found = self.show(request)
        names = set(found.prolonged_by)
        if found.person == self._myself().id:
            # Ids sort by time, and lists begin with the newest.
            mine = self.remote.list(EXTENSIONS, None).told
            names |= {each.request.id for each in mine if each.request.ask.extends == request}
        return self._trail(request), tuple(map(self._trail, sorted(names)))

    def _trail(self, name: RequestId) -> Trail:
        lines = self.remote.trail(name)
        if not lines:
            raise NotFound(f"There is no request {name} that you may see; check the id.")
        return Trail(
            name=name,
            lines=tuple((line, None) for line in lines),
            trouble=trails.trouble(name, lines),
        )

    # ── Brakes ───────────────────────────────────────────────────────────────────────────────

    def controls(self) -> Controls | None:
        read = self.remote.brakes()
        self._names.update(read.names)
        return nouns.controls(read, self.now())

    def stop(self, scope: Scope, reason: str) -> Scope:
        return _meant(self.remote.brake("stop", scope, reason).stops, scope, reason)

    def resume(self, scope: Scope, reason: str) -> Scope:
        self.remote.brake("resume", scope, reason)
        return scope

    def end_all(self, scope: Scope, reason: str) -> EndedAll:
        done = self.remote.end_all(scope, reason)
        return EndedAll(_meant(done.endings, scope, reason), done.requests)

    # ── Using ────────────────────────────────────────────────────────────────────────────────

    def ready(self, request: RequestId) -> Request:
        """Wait for a grant that is being activated: others do that, and it takes a moment."""
        found, pause = self.show(request), 0.5
        if found.ask.extends is not None and found.person == self._myself().id:
            raise Refused(extends(found.id, found.ask.extends))
        waited = timedelta(0)
        while self._comes_soon(found) and waited < SOON:
            self.sleep(pause)
            waited += timedelta(seconds=pause)
            pause = min(pause * 1.5, SLOWEST)
            found = self.show(request)
        if self._comes_soon(found):
            raise Refused(
                f"Request {request} is still {found.state} after {format_duration(SOON)}; look with"
                " `jitcloud show`, and try again."
            )
        return found

    def _comes_soon(self, request: Request) -> bool:
        start = request.ask.start
        return request.state in TOO_SOON and (start is None or start <= self.now())

    def credentials(self, request: RequestId) -> Credentials:
        return self.remote.credentials(request)

    def holder(self, request: Request) -> Request | None:
        # Whom the directory has disabled may look at their own requests, and be told no more.
        self._me = None
        return request if request.person == self._myself().id else None

    def places_of_use(self) -> Mapping[str, str]:
        return {}  # the API says nothing of them: those of this machine count

    @property
    def kept(self) -> Kept:
        return Kept(self.keyring, f"{self.remote.calls.url}\n{self._myself().id}")


def _advice(found: reading.Advice, *, is_of_extension: bool) -> Advice:
    return Advice(
        is_denied=found.decision.kind == "denied",
        asked=tuple(map(_asked, found.asked)),
        reviewers=tuple(map(_asked, found.reviewers)),
        hearing=tuple((each.who, tuple(each.people)) for each in found.hearing),
        hints=tuple(found.hints),
        offers=tuple((offer.duration, offer.kind) for offer in found.offers),
        is_of_extension=is_of_extension,
        table=_table(found),
    )


def _asked(read: reading.Asked) -> Asked:
    joins = ""
    if read.escalates_to is not None and read.joining_after is not None:
        joins = f" (or {read.escalates_to} after {format_duration(read.joining_after)})"
    return Asked(read.stage, f"{read.need}{joins}", tuple(read.people))


def _table(found: reading.Advice) -> Mapping[str, object]:
    """The JSON that was read, as ``shapes_of_advice`` writes it."""

    def people(some: Sequence[reading.Person]) -> list[dict[str, str]]:
        return [{"id": each.id, "name": each.name} for each in some]

    def asked(each: reading.Asked) -> dict[str, object]:
        after = each.joining_after
        return {
            "stage": each.stage,
            "need": each.need,
            "people": people(each.people),
            "joining_after": None if after is None else _seconds(after),
            "joining": people(each.joining),
            "escalates_to": each.escalates_to,
        }

    return {
        "asked": list(map(asked, found.asked)),
        "reviewers": list(map(asked, found.reviewers)),
        "hearing": [{"who": each.who, "people": people(each.people)} for each in found.hearing],
        "hints": list(found.hints),
        "offers": [
            {"duration": _seconds(offer.duration), "kind": offer.kind} for offer in found.offers
        ],
    }


def _meant(brakes: Sequence[reading.Brake], asked: Scope, reason: str) -> Scope:
    """What a brake acts on, as it was recorded: a person may have been named by an e-mail."""
    fitting = [brake for brake in brakes if brake.reach == asked.reach and brake.reason == reason]
    if not fitting:
        return asked
    newest = max(fitting, key=lambda brake: brake.at)
    return Scope(reach=newest.reach, id=newest.id)


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
