"""Whole lives of requests, truly sealed and signed: thousands of them, straight into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import apsw
from ulid import ULID

from jitcloud import codec
from jitcloud.audit import chain
from jitcloud.model import (
    BROKER,
    Activated,
    Activating,
    Actor,
    Approval,
    Approved,
    Approver,
    Asked,
    Cause,
    Decided,
    Digest,
    Ended,
    Ending,
    Evidence,
    Guarantee,
    Happening,
    Issuing,
    Need,
    NeedsApproval,
    Place,
    Places,
    Plan,
    PolicyRef,
    Request,
    RequestId,
    RuleId,
    Sealed,
    SlotKey,
    Stage,
    Token,
    Voted,
    Window,
)
from jitcloud.ports import Signer
from jitcloud.providers.aws import outlook
from jitcloud.stores.sqlite import SqliteStore
from tests.factories import ALICE, BOB, an_ask

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
EVENTS = 10
"""In each trail: a request that a colleague approves, used with two sets of credentials."""

Step = tuple[timedelta, Actor, tuple[Happening, ...]]
"""One commit: so long after the ask, by whom, and what."""

_HOUR, _MINUTE, _SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
_ASKER = Actor(id=ALICE, token=Token(kind="oidc", id="3f0c4d1e-session", sha256=Digest("a" * 64)))
_VOTER = Actor(id=BOB, token=Token(kind="oidc", id="99b1a7c2-session", sha256=Digest("b" * 64)))
_POLICY = PolicyRef(sha256=Digest("c" * 64))
_RULES = (RuleId("dev-prod-read"),)
_APPROVAL = Approval(
    stages=(
        Stage(needs=(Need(count=1, approvers=(Approver(kind="group", id="g-platform"),)),)),
    )
)
_RESIDUAL = (outlook.STAYS_OPEN, outlook.IDENTITY, outlook.CONSOLE)
_DOCUMENT = "arn:aws:iam::123456789012:policy/jitcloud-deny"
_PLACES = Places(
    denial=Place(
        key=SlotKey(f"aws.deny-document/{_DOCUMENT}"),
        kind="aws.deny-document",
        where={"policy_arn": _DOCUMENT},
        detail="arn:aws:iam::123456789012:role/logs-reader",
    )
)
_PLAN = Plan(
    guarantee=Guarantee.CLOUD,
    early_end=outlook.ENDS_EARLY,
    residual=_RESIDUAL,
    notes=(outlook.TRUST_UNKNOWN,),
)


def fill(path: Path, count: int, signer: Signer, told: Callable[[int], None]) -> None:
    """Put so many trails into a new record: what as many lifetimes commit, in one go."""
    SqliteStore(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "OFF")
    lives = (a_life(BEGIN + number * _SECOND, signer) for number in range(count))
    with connection:
        done = 0
        while batch := tuple(islice(lives, 1_000)):
            connection.executemany(_INSERT_REQUEST, (_request_row(request) for request, _ in batch))
            connection.executemany(_INSERT_EVENT, (row for _, t in batch for row in _rows(t)))
            done += len(batch)
            told(done)
    connection.close()


def a_life(asked_at: datetime, signer: Signer) -> tuple[Request, tuple[Sealed, ...]]:
    """One request from the ask to the end at its deadline."""
    name = RequestId(str(ULID.from_datetime(asked_at)))
    request: Request | None = None
    trail: list[Sealed] = []
    for after, actor, happenings in _steps(asked_at):
        request, sealed = chain.seal(
            request, name, happenings, actor=actor, now=asked_at + after, signer=signer
        )
        trail += sealed
    if request is None or len(trail) != EVENTS:
        raise AssertionError(trail)
    return request, tuple(trail)


def _steps(asked_at: datetime) -> Sequence[Step]:
    start = asked_at + 10 * _MINUTE
    window = Window(start=start, deadline=start + _HOUR)
    decision = NeedsApproval(rules=_RULES, approval=_APPROVAL)
    return (
        (
            0 * _SECOND,
            _ASKER,
            (
                Asked(ask=_ask(asked_at), plan=_PLAN),
                Decided(decision=decision, policy=_POLICY, lapses_at=asked_at + 24 * _HOUR),
            ),
        ),
        (
            10 * _MINUTE,
            _VOTER,
            (
                Voted(by=BOB, yes=True, stage=0, reason="Fine by me"),
                Approved(
                    approval=_APPROVAL, rules=_RULES, policy=_POLICY, lapses_at=start + _HOUR
                ),
            ),
        ),
        (
            10 * _MINUTE,
            BROKER,
            (
                Activating(
                    window=window,
                    places=_PLACES,
                    guarantee=Guarantee.CLOUD,
                    residual=_RESIDUAL,
                    policy=_POLICY,
                ),
                Activated(seen_at=start),
            ),
        ),
        (11 * _MINUTE, _ASKER, (Issuing(number=1, dead_by=window.deadline + _MINUTE),)),
        (40 * _MINUTE, _ASKER, (Issuing(number=2, dead_by=window.deadline + _MINUTE),)),
        (70 * _MINUTE, BROKER, (Ending(cause=Cause.DEADLINE, reason=""),)),
        (
            70 * _MINUTE + 5 * _SECOND,
            BROKER,
            (Ended(evidence=Evidence.CLOUD_DEADLINE, seen_at=window.deadline + 5 * _SECOND),),
        ),
    )
