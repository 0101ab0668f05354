"""Hands out credentials for an active grant: recorded before they are made, and never kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from jitcloud import lifecycle
from jitcloud.errors import Refused
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger, again_on_conflict
from jitcloud.model import Actor, Credentials, Request, State
from jitcloud.ports import Clock, Sessions


def issue(
    ledger: Ledger, judge: Judge, own: Callable[[], tuple[Request, Actor]], clock: Clock
) -> Credentials:
    """Mint one set of credentials; they work until the deadline at the latest.

    ``own`` returns the request, proven by its trail and the caller's own, and who asks.
    Raises ``Refused`` unless the grant is active, and for as long, and ``CloudError``.
    """
    # Nothing may be minted that nobody has a record of, so:
    #
    # 1. Record that a set is about to be minted, fenced on the grant being active. A crash
    #    after this leaves a record and no credentials.
    # 2. Mint. A crash after this leaves credentials that nobody holds, dead at the deadline.
    # 3. Hand them out only if the grant was not ended meanwhile.

    def record() -> tuple[Request, timedelta, datetime]:
        request, actor = own()
        now = clock()
        mechanism = _sessions(judge, request)
        window = lifecycle.active_window(request)
        lifetime = mechanism.lifetime(request, window, now)
        issuing = lifecycle.issue(request, lifetime, mechanism.timeout, now)
        return ledger.record(request, (issuing,), actor=actor, now=now), lifetime, now

    request, lifetime, now = again_on_conflict(record)  # (1)
    window = lifecycle.active_window(request)
    made = _sessions(judge, request).issue(request, window, lifetime, now)  # (2)
    still = ledger.load(request.id)
    if still.state is not State.ACTIVE or clock() >= window.deadline:  # (3)
        raise Refused(f"Request {request.id} ended while credentials were being made for it.")
    return made


def _sessions(judge: Judge, request: Request) -> Sessions:
    mechanism = judge.mechanism(request.entitlement.mechanism)
    if not hasattr(mechanism, "issue"):
        raise Refused(
            f"{request.entitlement.mechanism} hands out no credentials: "
            "your own sign-in has the access while the grant is active."
        )
    return cast("Sessions", mechanism)
