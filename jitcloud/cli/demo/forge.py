"""Forges a yes: what somebody can do who may write the database, but has no signing key."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import apsw

from jitcloud import codec, lifecycle
from jitcloud.audit import chain
from jitcloud.model import (
    BROKER,
    Activated,
    Activating,
    Actor,
    Approved,
    Guarantee,
    Happening,
    NeedsApproval,
    PersonId,
    Places,
    Request,
    Sealed,
    Voted,
)

DATABASE = "jitcloud.db"


def forge_yes(folder: Path, request: Request, by: PersonId, places: Places, now: datetime) -> int:
    """Write a colleague's yes, and all that would follow from it, with right hashes.

    All that is missing is what nobody can make without the key. Returns how many events were
    added.
    """
    decision, policy, lapses_at = request.decision, request.policy, request.lapses_at
    if not isinstance(decision, NeedsApproval) or policy is None or lapses_at is None:
        raise TypeError("only a request that waits for a yes can be forged one")
    window = lifecycle.window_from(now, request.ask.duration)
    what: list[tuple[Actor, Happening]] = [
        (Actor(id=by), Voted(by=by, yes=True, stage=0, reason="")),
        (
            Actor(id=by),
            Approved(
                approval=decision.approval,
                rules=decision.rules,
                policy=policy,
                lapses_at=lapses_at,
            ),
        ),
        (
            BROKER,
            Activating(
                window=window,
                places=places,
                guarantee=Guarantee.CLOUD,
                residual=(),
                policy=policy,
            ),
        ),
        (BROKER, Activated(seen_at=now)),
    ]
    forged = replace(request)
    lines: list[Sealed] = []
    for actor, happening in what:
        forged, sealed = chain.seal(
            forged, request.id, (happening,), actor=actor, now=now, signer=None
        )
        lines += sealed
    _write(folder / DATABASE, forged, lines)
    return len(lines)


def _write(file: Path, request: Request, lines: list[Sealed]) -> None:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with connection:
            connection.executemany(
                "INSERT INTO events (request, seq, text, signature, hash) VALUES (?, ?, ?, ?, ?)",
                [(request.id, line.event.seq, line.text, None, line.hash) for line in lines],
            )
            connection.execute(
                "UPDATE requests SET state = ?, seq = ?, head = ?, body = ? WHERE id = ?",
                (
                    request.state,
                    request.seq,
                    request.head,
                    codec.encode_request(request),
                    request.id,
                ),
            )
    finally:
        connection.close()
