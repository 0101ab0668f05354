"""What one person can do at a deployment on another machine: ``library.Acting``, by its HTTP API.

Whatever changes something is done once, however often it has to be sent (``calls``). Beside what
each says, everything here raises what the API says no with, ``Unauthenticated`` where somebody has
to sign in again, ``Unavailable`` where nothing answers, and ``Misconfigured``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from jitcloud.durations import format_duration
from jitcloud.errors import Misconfigured
from jitcloud.instants import iso
from jitcloud.model import (
    Credentials,
    Digest,
    Presented,
    Request,
    RequestId,
    Scope,
    Sealed,
)
from jitcloud.remote import bound, nouns, reading, trails
from jitcloud.remote.calls import Calls, Table

MOST = 200
"""No page of the API is longer."""

PAGES = 50
"""How many pages of anything are read."""

Show = Callable[[Request], None]
"""Shows a person what they are about to approve: its ask, for their yes covers nothing else."""

Bind = Callable[[Digest], Presented]
"""Has them sign in for that alone. Raises as ``OidcSession.bound`` does."""


@dataclass(frozen=True, slots=True)
class Told:
    """A request, and what the API tells beside it."""

    request: Request
    read: reading.Request = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """Some requests, and where the next ones are."""

    told: tuple[Told, ...]
    after: str | None = None
    """What to go on after; None where there is nothing more, or no way to get it."""


@dataclass(frozen=True, slots=True)
class Remote:
    """What one person can do there."""

    calls: Calls

    @property
    def who(self) -> str:
        """What messages call the API."""
        return self.calls.who

    # ── Asking, and ending ───────────────────────────────────────────────────────────────────

    def request_all(  # noqa: PLR0913 - as ``library.Acting.request_all``
        self,
        entitlements: Sequence[str],
        duration: timedelta,
        justification: str,
        *,
        start: datetime | None = None,
        ticket: str | None = None,
        incident: str | None = None,
        break_glass: bool = False,
        key: str | None = None,
    ) -> tuple[Told, ...]:
        """Ask for several entitlements at once; see ``library.Acting.request_all``.

        Asked again under the same ``key``, within a day, it is asked once.
        """
        body = {
            "entitlements": list(entitlements),
            "duration": format_duration(duration),
            "justification": justification,
            "start": None if start is None else _written(start),
            "ticket": ticket,
            "incident": incident,
            "break_glass": break_glass,
        }
        said = reading.read(
            reading.Requests, self.calls.post("/v1/requests", body, key=key), self.who
        )
        return tuple(map(_told, said.requests))

    def extend(  # noqa: PLR0913 - as ``library.Acting.extend``
        self,
        request: RequestId,
        by: timedelta,
        justification: str,
        *,
        ticket: str | None = None,
        incident: str | None = None,
        break_glass: bool = False,
        key: str | None = None,
    ) -> Told:
        """Ask for one's own grant to last longer; see ``library.Acting.extend``."""
        body = {
            "duration": format_duration(by),
            "justification": justification,
            "ticket": ticket,
            "incident": incident,
            "break_glass": break_glass,
        }
        found = self._one(self.calls.post(f"/v1/requests/{request}/extend", body, key=key))
        if found.request.ask.extends != request:
            raise self._astray(f"an extension of {request}")
        return found

    def withdraw(self, request: RequestId, reason: str) -> Told:
        """Take one's own request back before it gives access."""
        return self._done(request, "withdraw", {"reason": reason or None})

    def give_back(self, request: RequestId, reason: str) -> Told:
        """End one's own access early."""
        return self._done(request, "give-back", {"reason": reason or None})

    def revoke(self, request: RequestId, reason: str) -> Told | reading.Revoked:
        """End somebody's access; whoever may not see it is told its id and state alone."""
        table = self.calls.post(f"/v1/requests/{request}/revoke", {"reason": reason})
        if "person" in table:
            return self._of(request, table)
        brief = reading.read(reading.Revoked, table, self.who)
        if brief.id != request:
            raise self._astray(request)
        return brief

    # ── Deciding ─────────────────────────────────────────────────────────────────────────────

    def approve(self, request: RequestId, reason: str, show: Show, bind: Bind) -> Told:
        """Say yes. Where that has to be bound, show what to, and have it signed in for."""
        shown = reading.read(reading.Shown, self._shown(request), self.who)
        by = None
        if shown.ask is not None:
            whole, digest = bound.approving(self._checked(request, shown), shown.ask, self.who)
            show(whole)
            by = bind(digest)
        return self._done(request, "approve", {"reason": reason or None}, by)

    def deny(self, request: RequestId, reason: str) -> Told:
        """Say no."""
        return self._done(request, "deny", {"reason": reason})

    def review(self, request: RequestId, note: str, *, fine: bool) -> Told:
        """Record what was found of a broken glass."""
        return self._done(request, "review", {"note": note, "fine": fine})

    def attest(self, request: RequestId, reason: str) -> Told:
        """Answer for an end that nothing can see any more."""
        return self._done(request, "attest", {"reason": reason})

    def credentials(self, request: RequestId) -> Credentials:
        """Have a set of credentials made for one's own active grant."""
        table = self.calls.mint(f"/v1/requests/{request}/credentials")
        read = reading.read(reading.Credentials, table, self.who)
        if read.request != request:
            raise self._astray(request)
        return nouns.credentials(read)

    # ── Brakes ───────────────────────────────────────────────────────────────────────────────

    def brakes(self) -> reading.Brakes:
        """Say which policy judges, and which brakes are on."""
        return reading.read(reading.Brakes, self.calls.get("/v1/brakes"), self.who)

    def brake(self, verb: str, scope: Scope, reason: str) -> reading.Brakes:
        """Stop activations, or let them go on: ``stop`` or ``resume``."""
        return reading.read(reading.Brakes, self._braked(verb, scope, reason), self.who)

    def end_all(self, scope: Scope, reason: str) -> reading.Ended:
        """Begin to end everything in a scope."""
        return reading.read(reading.Ended, self._braked("end", scope, reason), self.who)

    def _braked(self, verb: str, scope: Scope, reason: str) -> Table:
        body = {"reach": str(scope.reach), "id": scope.id or None, "reason": reason}
        return self.calls.post(f"/v1/brakes/{verb}", body)

    # ── Looking ──────────────────────────────────────────────────────────────────────────────

    def me(self) -> reading.Me:
        """Say who one is, as the directory has it."""
        return reading.read(reading.Me, self.calls.get("/v1/me"), self.who)

    def show(self, request: RequestId) -> Told:
        """Return a request as it stands, read as ``reading.Shown``."""
        read = reading.read(reading.Shown, self._shown(request), self.who)
        return Told(self._checked(request, read), read)

    def advise(self, request: RequestId) -> reading.Advice:
        """Explain what was said to a request."""
        table = self.calls.get(f"/v1/requests/{request}/explanation")
        return reading.read(reading.Advice, table, self.who)

    def outlook(self, entitlement: str, duration: timedelta) -> reading.Outlook:
        """Explain what would be said to an ask."""
        path = f"/v1/entitlements/{quote(entitlement, safe='')}"
        table = self.calls.get(path, duration=format_duration(duration))
        return reading.read(reading.Outlook, table, self.who)

    def catalog(self, duration: timedelta) -> tuple[reading.Judged, ...]:
        """List all that could be asked for, and what would be said to that."""
        found: list[reading.Judged] = []
        after: str | None = None
        for _ in range(PAGES):
            table = self.calls.get(
                "/v1/entitlements",
                all="true",
                limit=MOST,
                after=after,
                duration=format_duration(duration),
            )
            page = reading.read(reading.Catalog, table, self.who)
            found += page.entitlements
            after = page.next
            if after is None:
                break
        return tuple(found)

    def list(self, limit: int, after: str | None, state: str | None = None) -> Listed:
        """List one's own requests, the newest first; with a state everybody's that one may see."""
        found: list[Told] = []
        for _ in range(PAGES):
            table = self.calls.get(
                "/v1/requests",
                limit=min(limit - len(found), MOST),
                after=after,
                state=state,
                of=None if state is None else "everybody",
            )
            page = reading.read(reading.Page, table, self.who)
            found += map(_told, page.requests)
            after = page.next
            if after is None or len(found) >= limit:
                break
        return Listed(tuple(found[:limit]), after)

    def approvals(self, limit: int) -> tuple[Told, ...]:
        """List what waits for one's own yes."""
        return self._some("/v1/approvals", limit)

    def reviews(self, limit: int, *, everybodys: bool) -> tuple[Told, ...]:
        """List what awaits one's own review, or anybody's."""
        return self._some("/v1/reviews", limit, of="everybody" if everybodys else None)

    def trail(self, request: RequestId) -> tuple[Sealed, ...]:
        """Return the events of a request, the first ones first; see ``trails``."""
        found: list[Sealed] = []
        after: str | None = None
        for _ in range(PAGES):
            path = f"/v1/requests/{request}/trail"
            page = reading.read(
                reading.Events, self.calls.get(path, limit=MOST, after=after), self.who
            )
            found += trails.lines(page.events, self.who)
            after = page.next
            if after is None:
                break
        return tuple(found)

    # ── How ──────────────────────────────────────────────────────────────────────────────────

    def _some(self, path: str, limit: int, **query: object) -> tuple[Told, ...]:
        table = self.calls.get(path, limit=min(limit, MOST), **query)
        return tuple(map(_told, reading.read(reading.Some, table, self.who).requests))

    def _done(
        self, request: RequestId, verb: str, body: Table, by: Presented | None = None
    ) -> Told:
        return self._of(request, self.calls.post(f"/v1/requests/{request}/{verb}", body, by))

    def _shown(self, request: RequestId) -> Table:
        return self.calls.get(f"/v1/requests/{request}")

    def _of(self, request: RequestId, table: Table) -> Told:
        read = reading.read(reading.Request, table, self.who)
        return Told(self._checked(request, read), read)

    def _one(self, table: Table) -> Told:
        return _told(reading.read(reading.Request, table, self.who))

    def _checked(self, request: RequestId, read: reading.Request) -> Request:
        if read.id != request:
            raise self._astray(request)
        return nouns.request(read)

    def _astray(self, wanted: str) -> Misconfigured:
        return Misconfigured(
            f"{self.who} was asked about {wanted}, and answered about something else; tell its"
            " operator."
        )


def _written(start: datetime) -> str:
    """Write an instant; one without its zone as it is, for the API says what is missing."""
    return start.isoformat() if start.tzinfo is None else iso(start)


def _told(read: reading.Request) -> Told:
    return Told(nouns.request(read), read)
