"""Builds what tests need: asks, requests with their trails, slots; one at a time or a million."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import apsw

from jitcloud import codec
from jitcloud.model import (
    BROKER,
    CONTROLS,
    GENESIS,
    Actor,
    Ask,
    Asked,
    Brake,
    Cloud,
    Controls,
    Digest,
    Ended,
    Entitlement,
    EntitlementId,
    Event,
    Evidence,
    GroupId,
    Happening,
    Mark,
    Person,
    PersonId,
    PolicyRef,
    Privilege,
    Reach,
    Request,
    RequestId,
    Scope,
    Sealed,
    Signature,
    Slot,
    SlotKey,
    State,
    Stopped,
    Voted,
)
from jitcloud.ports import Change, Control, Move
from jitcloud.stores.sqlite import SqliteStore

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ALICE = PersonId("u-alice")
BOB = PersonId("u-bob")


def request_id(number: int) -> RequestId:
    """Make an id that sorts by its number, as those of real requests do by their time."""
    return RequestId(f"01J{number:023d}")


def slot_key(number: int) -> SlotKey:
    return SlotKey(f"azure:assignment:{number}")


def an_entitlement(id_: str = "prod-logs") -> Entitlement:
    return Entitlement(
        id=EntitlementId(id_),
        title="Read the logs of production",
        cloud=Cloud.AWS,
        mechanism="aws.sts-session",
        target={"account": "123456789012", "role": "logs-reader"},
        privilege=Privilege.READ,
        environment="production",
        owner=GroupId("g-platform"),
        labels=("logs",),
    )


def a_person(name: str = "ana") -> Person:
    return Person(id=PersonId(name), name=name.capitalize())


def an_ask(person: PersonId = ALICE, justification: str = "Look into INC-7") -> Ask:
    return Ask(
        person=person,
        entitlement=an_entitlement(),
        duration=timedelta(hours=1),
        justification=justification,
        asked_at=NOW,
        mfa_age=timedelta(minutes=3),
        ticket="INC-7",
    )


def digest(text: str, signature: Signature | None = None) -> Digest:
    signed = codec.encode_signature(signature) or ""
    return Digest(hashlib.sha256(f"{text}\n{signed}".encode()).hexdigest())


def a_signature() -> Signature:
    return Signature(key="test-key", value="c2lnbmVkIGJ5IG5vYm9keQ==")


def asked(
    number: int,
    *,
    person: PersonId = ALICE,
    justification: str = "Look into INC-7",
    wake_at: datetime | None = NOW,
    at: datetime = NOW,
) -> Change:
    """Make the first commit of a request."""
    what = Asked(ask=an_ask(person, justification))
    sealed = _seal(
        Event(
            request=request_id(number),
            seq=1,
            at=at,
            actor=Actor(id=person),
            what=what,
            prev=GENESIS,
        )
    )
    request = Request(
        id=sealed.event.request,
        ask=what.ask,
        state=State.PENDING,
        seq=1,
        head=sealed.hash,
        updated_at=at,
    )
    return Change(moves=(Move(request=request, wake_at=wake_at, events=(sealed,)),))


def then(  # noqa: PLR0913 - keyword-only, each one a fact of the commit
    request: Request,
    *happenings: Happening,
    by: str = BROKER.id,
    state: State = State.PENDING,
    wake_at: datetime | None = NOW,
    review_by: datetime | None = None,
    at: datetime = NOW,
    signature: Signature | None = None,
) -> Change:
    """Make a commit that follows, whatever the lifecycle would say to it."""
    events: list[Sealed] = []
    for what in happenings or (a_vote(),):
        event = Event(
            request=request.id,
            seq=request.seq + 1,
            at=at,
            actor=Actor(id=by),
            what=what,
            prev=request.head,
        )
        events.append(_seal(event, signature))
        request = replace(request, seq=event.seq, head=events[-1].hash)
    after = replace(request, state=state, review_by=review_by)
    return Change(moves=(Move(request=after, wake_at=wake_at, events=tuple(events)),))


def put_off(request: Request, until: datetime) -> Change:
    """Make a commit that only moves when a request next needs attention."""
    return Change(moves=(Move(request=request, wake_at=until),))


def together(*changes: Change) -> Change:
    """Make one commit of several, each of which moves requests alone."""
    return Change(moves=tuple(move for change in changes for move in change.moves))


def controlled(controls: Controls | None = None, *happenings: Happening) -> Control:
    """Make what is next in the deployment's own trail, whatever anybody would say to it."""
    seq, head = (0, GENESIS) if controls is None else (controls.seq, controls.head)
    events: list[Sealed] = []
    for what in happenings or (a_stop(),):
        seq += 1
        event = Event(
            request=CONTROLS, seq=seq, at=NOW, actor=Actor(id=ALICE), what=what, prev=head
        )
        events.append(_seal(event, a_signature()))
        head = events[-1].hash
    stop = Brake(scope=Scope(reach=Reach.EVERYTHING), by=ALICE, at=NOW, reason="Drill")
    after = Controls(
        seq=seq,
        head=head,
        updated_at=NOW,
        policy=PolicyRef(sha256=digest("policy"), number=seq),
        stops=(stop,),
    )
    return Control(controls=after, events=tuple(events))


def ended(request: Request) -> Change:
    """Make the commit that finishes a request: nothing wakes it any more."""
    what = Ended(evidence=Evidence.NOTHING_ISSUED, seen_at=NOW)
    return then(request, what, state=State.ENDED, wake_at=None)


def a_vote(reason: str = "Fine by me") -> Voted:
    return Voted(by=BOB, yes=True, stage=0, reason=reason)


def a_stop(reason: str = "Drill") -> Stopped:
    return Stopped(scope=Scope(reach=Reach.EVERYTHING), reason=reason)


def a_mark(number: int, version: int = 1, wake_at: datetime | None = None) -> Mark:
    return Mark(
        channel="notices", request=request_id(number), seq=1, wake_at=wake_at, version=version
    )


def a_slot(number: int, version: int = 1, wake_at: datetime | None = None) -> Slot:
    return Slot(
        key=slot_key(number),
        kind="azure.assignment",
        where={"scope": "/subscriptions/1", "role": "reader", "principal": "p-1"},
        wake_at=wake_at,
        version=version,
    )


def the_request(change: Change) -> Request:
    """Return what the only move of a change leaves of its request."""
    (move,) = change.moves
    return move.request


def the_events(change: Change) -> tuple[Sealed, ...]:
    """Return what the only move of a change adds to the trail of its request."""
    (move,) = change.moves
    return move.events


def fill_sqlite(path: Path, count: int, *, due: int = 0, trails: bool = True) -> None:
    """Make a store of ``count`` requests, fast: half a minute a million.

    The last ``due`` of them wake at ``NOW`` and all others later, so that any search for what
    is due has everything in its way. A thousand persons take turns. Each request is what
    ``asked`` commits, and so is its trail, unless ``trails`` leaves those out.
    """
    SqliteStore(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "OFF")
    with connection:
        rows = _rows(count, due)
        while batch := tuple(islice(rows, 10_000)):
            connection.executemany(_INSERT_REQUEST, (request for request, _ in batch))
            if trails:
                connection.executemany(_INSERT_EVENT, (event for _, event in batch))
    connection.close()


_INSERT_REQUEST = """
INSERT INTO requests (id, person, state, seq, head, wake_at, body) VALUES (?, ?, ?, 1, ?, ?, ?)
"""
_INSERT_EVENT = "INSERT INTO events (request, seq, text, hash) VALUES (?, 1, ?, ?)"


def _rows(count: int, due: int) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
    # One request is made as usual; the others are its texts with the names exchanged.
    change = asked(0)
    template, event = the_request(change), the_events(change)[0].text
    body = codec.encode_request(template)
    now = int(NOW.timestamp()) * 1_000_000
    for number in range(count):
        id_, person = request_id(number), f"u-{number % 1000}"
        text = event.replace(template.id, id_).replace(ALICE, person)
        head = digest(text)
        told = body.replace(template.id, id_).replace(ALICE, person).replace(template.head, head)
        wake_at = now if number >= count - due else now + 1_000_000 + number
        yield (id_, person, template.state, head, wake_at, told), (id_, text, head)


def _seal(event: Event, signature: Signature | None = None) -> Sealed:
    text = codec.encode_event(event)
    return Sealed(event=event, text=text, signature=signature, hash=digest(text, signature))
