"""Verifying a hundred thousand events: whole lives of requests, on one core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import process_time

import apsw
from ulid import ULID

from jitcloud import codec
from jitcloud.audit import chain
from jitcloud.audit.verify import Report, verify_all
from jitcloud.model import EntitlementId, Request, RequestId, Sealed, State
from jitcloud.ports import Change, Control, Signer
from jitcloud.stores.sqlite import SqliteStore
from tests.bench.emulated import account, organisation
from tests.bench.figures import Figure
from tests.bench.timing import Say, one_processor, seconds_of
from tests.world import Time, World, caller

LIMIT = 10
EVENTS = 100_000
EACH = 10
"""Events in one life: asked, decided, voted, approved, activating, activated, issuing twice,
ending, ended. Three of them are signed."""


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    say("living one life on ministack")
    with account() as aws:
        time = Time(datetime.now(UTC))
        world, _ = organisation(folder / "organisation", aws, time)
        trail, controls = _life(world)
    path = folder / "jitcloud.db"
    _fill(path, trail, world.signer, say)
    say("verifying")
    store = SqliteStore(path)
    store.commit(Change(control=controls))
    reports: list[Report] = []
    with one_processor() as alone:
        used = process_time()
        seconds = seconds_of(
            lambda: reports.append(verify_all(store, world.signer.verifier(), time()))
        )
        used = process_time() - used
    whole = seconds_of(lambda: verify_all(store, world.signer.verifier(), time()))
    store.close()
    (report,) = reports
    if report.findings or report.events != EVENTS + len(controls.events):
        raise AssertionError(report)
    yield Figure(
        name=f"verify-{EVENTS}-events",
        what=f"audit.verify over {EVENTS:,} events of {report.requests:,} requests in SQLite",
        value=seconds,
        unit="s",
        limit=LIMIT,
        parts={
            "events/s": EVENTS / seconds,
            "signatures": report.signed,
            "of the processor's time (s)": used,
            "on all cores (s)": whole,
        },
        notes=("On one core." if alone else "On all cores: this system cannot hold it to one.",),
    )


def _life(world: World) -> tuple[tuple[Sealed, ...], Control]:
    """Ask, be approved, use two sets of credentials, and lose access at the deadline.

    Returns the trail, and that of the deployment, which knows the policy that has judged.
    """
    asker, owner = (caller(who, signed_in_at=world.time()) for who in ("u-dev", "u-owner"))
    request = world.broker.request(
        asker,
        EntitlementId("prod-read"),
        duration=timedelta(hours=1),
        justification="Look into INC-7",
        now=world.time(),
        ticket="INC-7",
    )
    world.broker.approve(owner, request.id, world.time(), "Fine by me")
    world.advance.wake(request.id)
    for _ in range(2):
        # What AWS says of the time is believed, and this may be slow.
        world.time.now = datetime.now(UTC)
        world.broker.issue(asker, request.id, world.time)
    world.time.forward(hours=2)
    world.advance.wake(request.id)
    trail = world.store.events(request.id)
    if world.now(request).state is not State.ENDED or len(trail) != EACH:
        raise AssertionError(trail)
    known = world.store.controls()
    assert known is not None
    controls = Control(controls=known, events=world.store.control_events())
    world.store.close()
    return trail, controls


def _fill(path: Path, trail: Sequence[Sealed], signer: Signer, say: Say) -> None:
    """Write that life again and again, sealed and signed each time under another name."""
    SqliteStore(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "OFF")
    lives = (_again(trail, signer) for _ in range(EVENTS // EACH))
    done = 0
    with connection:
        while batch := tuple(islice(lives, 2_000)):
            connection.executemany(_PUT_REQUEST, (_row(request) for request, _ in batch))
            connection.executemany(_PUT_EVENT, (row for _, t in batch for row in _rows(t)))
            done += sum(len(lines) for _, lines in batch)
            say(f"{done:,} events sealed")
    connection.close()


def _again(trail: Sequence[Sealed], signer: Signer) -> tuple[Request, tuple[Sealed, ...]]:
    name = RequestId(str(ULID()))
    request: Request | None = None
    lines: list[Sealed] = []
    for line in trail:
        event = line.event
        request, sealed = chain.seal(
            request, name, (event.what,), actor=event.actor, now=event.at, signer=signer
        )
        lines += sealed
    assert request is not None
    return request, tuple(lines)


_PUT_REQUEST = "INSERT INTO requests (id, person, state, seq, head, body) VALUES (?, ?, ?, ?, ?, ?)"
_PUT_EVENT = "INSERT INTO events (request, seq, text, signature, hash) VALUES (?, ?, ?, ?, ?)"


def _row(request: Request) -> tuple[str | int, ...]:
    body = codec.encode_request(request)
    return request.id, request.person, request.state, request.seq, request.head, body


def _rows(trail: Iterable[Sealed]) -> Iterator[tuple[str | int | None, ...]]:
    for line in trail:
        signature = codec.encode_signature(line.signature)
        yield line.event.request, line.event.seq, line.text, signature, line.hash
