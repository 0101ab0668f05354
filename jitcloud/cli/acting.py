"""What commands need of a deployment, be it on this machine (``here``) or by its API (``there``).

Commands know no more than this, so they say the same of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from jitcloud.cli.knowing import Knowing
from jitcloud.model import (
    Controls,
    Credentials,
    Decision,
    Entitlement,
    Request,
    RequestId,
    Scope,
    State,
)

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.cli.advice import Advice
    from jitcloud.cli.kept import Kept

Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Revoked:
    """All that is told of a request to somebody who may not see it."""

    id: RequestId
    state: State


@dataclass(frozen=True, slots=True)
class Listed:
    """Some requests, and what to go on after; None where there are no more."""

    requests: tuple[Request, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would be said to an ask."""

    entitlement: Entitlement
    decision: Decision
    advice: Advice


@dataclass(frozen=True, slots=True)
class EndedAll:
    """What was begun to end, and what went wrong with it."""

    scope: Scope
    begun: int | None
    """How many requests; None where it was done before."""
    troubles: tuple[tuple[str, str], ...] = ()


Show = Callable[[Request], None]
"""Shows somebody what they are about to approve."""


class Acting(Knowing, Protocol):
    """What one person can do. Every method raises only ``JitError`` on purpose."""

    def now(self) -> datetime:
        """Return the instant that ages are told by."""
        ...

    def me(self) -> Table:
        """Say who one is, as the directory has it."""
        ...

    # ── Asking and deciding: see library.Acting ──────────────────────────────────────────────

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
    ) -> tuple[Request, ...]: ...

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
    ) -> Request: ...

    def approve(self, request: str, reason: str, show: Show) -> Request:
        """Say yes; ``show`` is called first where one has to sign in for it."""
        ...

    def deny(self, request: str, reason: str) -> Request: ...

    def withdraw(self, request: str, reason: str) -> Request: ...

    def give_back(self, request: str, reason: str) -> Request: ...

    def revoke(self, request: str, reason: str) -> Request | Revoked: ...

    def review(self, request: str, note: str, *, fine: bool) -> Request: ...

    def attest(self, request: str, reason: str) -> Request: ...

    # ── Looking ──────────────────────────────────────────────────────────────────────────────

    def show(self, request: str) -> Request:
        """Return a request as it stands."""
        ...

    def later(self, request: RequestId) -> Request:
        """Look again at a request that is waited for. ``Unavailable`` passes by itself."""
        ...

    def troubles(self, request: Request) -> Sequence[Table]:
        """Return what clouds said last of its places, as ``shapes.of_troubles``."""
        ...

    def advice(self, request: Request) -> Advice:
        """Explain what was said to a request."""
        ...

    def outlook(self, entitlement: str, duration: timedelta) -> Outlook:
        """Explain what would be said to an ask."""
        ...

    def catalog(self, duration: timedelta) -> Sequence[tuple[Entitlement, Decision | None]]:
        """List what can be asked for, and what would be said to that."""
        ...

    def mine(self, limit: int, after: str | None) -> Listed: ...

    def in_state(self, state: State, limit: int, after: str | None) -> Listed: ...

    def waiting(self, limit: int) -> Listed: ...

    def to_review(self, limit: int) -> Listed: ...

    def unreviewed(self, limit: int) -> Listed: ...

    # ── Brakes ───────────────────────────────────────────────────────────────────────────────

    def controls(self) -> Controls | None: ...

    def stop(self, scope: Scope, reason: str) -> Scope:
        """Stop activations; return what that is said to act on."""
        ...

    def resume(self, scope: Scope, reason: str) -> Scope:
        """Let them go on; return the same."""
        ...

    def end_all(self, scope: Scope, reason: str) -> EndedAll: ...

    # ── Using ────────────────────────────────────────────────────────────────────────────────

    def ready(self, request: RequestId) -> Request:
        """Return one's own request to be used: active, if it will be so in a moment."""
        ...

    def credentials(self, request: RequestId) -> Credentials: ...

    def holder(self, request: Request) -> Request | None:
        """Return one's own grant, as the record says it; None where one may not use it."""
        ...

    def places_of_use(self) -> Mapping[str, str]:
        """Return the variables that say where credentials are used: region, emulator."""
        ...

    @property
    def kept(self) -> Kept:
        """What the system's keyring holds for this record."""
        ...
