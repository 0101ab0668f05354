"""Whoever can write the record but not sign gets nothing granted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud import codec, lifecycle
from jitcloud.audit import chain
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.errors import Misconfigured, Tampered
from jitcloud.model import (
    BROKER,
    GENESIS,
    Activate,
    Activating,
    Actor,
    Approved,
    Decided,
    Guarantee,
    Happening,
    Issuing,
    PersonId,
    Places,
    PolicyRef,
    Request,
    RequestId,
    RuleId,
    Sealed,
    State,
    Voted,
    Window,
)
from jitcloud.stores.memory import MemoryStore
from tests.world import World

POLICY = PolicyRef(sha256=GENESIS)


def forge(world: World, events: tuple[Sealed, ...], *more: Happening) -> World:
    """A record with this trail, rewritten and extended without the key, but with right hashes."""
    request: Request | None = None
    trail: list[Sealed] = []
    for line in events:
        event = replace(line.event, prev=GENESIS if request is None else request.head)
        text = codec.encode_event(event)
        sealed = replace(line, event=event, text=text, hash=chain.digest(text, line.signature))
        request = lifecycle.fold(request, sealed)
        trail.append(sealed)
    for what in more:
        assert request is not None
        request, lines = chain.seal(
            request, request.id, (what,), actor=BROKER, now=world.time(), signer=None
        )
        trail += lines
    assert request is not None
    forged = MemoryStore()
    from jitcloud.ports import Change, Move  # noqa: PLC0415 - what a forger writes

    move = Move(request=request, wake_at=world.time(), events=tuple(trail))
    forged.commit(Change(moves=(move,)))
    return World(world.folder, time=world.time, store=forged)


def assert_nothing_is_granted(forged: World) -> None:
    (name,) = forged.store.ids(10)
    with pytest.raises(Tampered):
        forged.ledger.verified(name, forged.time())
    forged.sweep()
    assert forged.cloud.who_can("writer") == frozenset()
    assert forged.cloud.who_can("reader") == frozenset()


def test_a_decision_nobody_signed_grants_nothing(world: World) -> None:
    request = world.ask(what="prod-write")
    yes = Decided(
        decision=Activate(rules=(RuleId("forged"),)),
        policy=POLICY,
        lapses_at=world.time() + timedelta(hours=1),
    )
    assert_nothing_is_granted(forge(world, world.store.events(request.id), yes))


def test_a_vote_nobody_signed_grants_nothing(world: World) -> None:
    request = world.ask(what="prod-write")
    assert request.decision is not None
    vote = Voted(by=request.person, yes=True, stage=0, reason="")
    assert isinstance(vote, Voted)
    approved = Approved(
        approval=request.decision.approval,  # type: ignore[union-attr] # it needs approval
        rules=(),
        policy=POLICY,
        lapses_at=world.time() + timedelta(hours=1),
    )
    assert_nothing_is_granted(forge(world, world.store.events(request.id), vote, approved))


def _another_person(line: Sealed) -> Sealed:
    return replace(line, event=replace(line.event, actor=Actor(id="mallory")))


def _longer(line: Sealed) -> Sealed:
    what = line.event.what
    if what.type != "asked":
        return line
    ask = replace(what.ask, duration=timedelta(hours=7))
    return replace(line, event=replace(line.event, what=replace(what, ask=ask)))


def _other_role(line: Sealed) -> Sealed:
    what = line.event.what
    if what.type != "asked":
        return line
    entitlement = replace(what.ask.entitlement, target={"role": "writer"})
    ask = replace(what.ask, entitlement=entitlement)
    return replace(line, event=replace(line.event, what=replace(what, ask=ask)))


@pytest.mark.parametrize("edit", [_another_person, _longer, _other_role])
def test_an_edited_ask_grants_nothing(world: World, edit: Callable[[Sealed], Sealed]) -> None:
    request = world.ask(start=world.time() + timedelta(hours=1))
    assert request.state is State.SCHEDULED
    world.time.forward(hours=1)
    edited = tuple(edit(line) for line in world.store.events(request.id))
    assert_nothing_is_granted(forge(world, edited))


def test_an_old_approval_cannot_be_used_again(world: World) -> None:
    """The window is not signed, so it must follow from what is."""
    request = world.give_back(world.approve(world.ask(what="prod-write")))
    signed = world.store.events(request.id)[:4]
    assert signed[-1].event.what.type == "approved"
    world.time.forward(days=3)
    again = Activating(
        window=Window(start=world.time(), deadline=world.time() + timedelta(minutes=10)),
        places=Places(),
        guarantee=Guarantee.CLOUD,
        residual=(),
        policy=POLICY,
    )
    forged = forge(world, signed, again)
    with pytest.raises(Tampered, match="had lapsed"):
        forged.ledger.verified(request.id, world.time())


def test_a_window_longer_than_was_decided_is_found(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=10))
    signed = world.store.events(request.id)[:4]
    longer = Activating(
        window=Window(start=world.time(), deadline=world.time() + timedelta(minutes=11)),
        places=Places(),
        guarantee=Guarantee.CLOUD,
        residual=(),
        policy=POLICY,
    )
    forged = forge(world, signed, longer)
    with pytest.raises(Tampered, match="longer than was decided"):
        forged.ledger.verified(request.id, world.time())


def _sealed_on(world: World, request: Request, what: Happening, **facts: object) -> Request:
    """A record whose last event the broker's own key would sign, but that must not be believed."""
    trail = world.store.events(request.id)
    after, lines = chain.seal(
        request, request.id, (what,), actor=BROKER, now=world.time(), signer=world.signer
    )
    (line,) = lines
    event = replace(line.event, **facts)  # type: ignore[arg-type] # a table of edits
    text = codec.encode_event(event)
    signature = None
    if line.signature is not None:
        signature = world.signer.sign(chain.SIGNED_AS + text.encode())
    line = replace(
        line, event=event, text=text, signature=signature, hash=chain.digest(text, signature)
    )
    after = lifecycle.fold(request, line)
    chain.verify(after, (*trail, line), world.signer.verifier())
    return after


def test_a_yes_by_the_requester_is_not_believed_whoever_signed_it(world: World) -> None:
    request = world.ask(what="prod-write")
    own = Voted(by=request.person, yes=True, stage=0, reason="")
    with pytest.raises(Tampered, match="votes for their own request"):
        _sealed_on(world, request, own)


def test_an_event_dated_before_the_one_it_follows_is_not_believed(world: World) -> None:
    request = world.ask(what="prod-write")
    vote = Voted(by=PersonId("ben"), yes=True, stage=0, reason="")
    _sealed_on(world, request, vote)
    with pytest.raises(Tampered, match="dated before"):
        _sealed_on(world, request, vote, at=world.time() - timedelta(seconds=1))


def test_credentials_issued_after_the_deadline_are_found(world: World) -> None:
    request = world.ask(minutes=10)
    assert request.window is not None
    issuing = Issuing(number=1, dead_by=request.window.deadline)
    _sealed_on(world, request, issuing, at=request.window.deadline - timedelta(seconds=1))
    with pytest.raises(Tampered, match="after the deadline"):
        _sealed_on(world, request, issuing, at=request.window.deadline)


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.SCHEDULED},
        {"reason": "edited"},
        {"window": None},
        {"issued": 7},
        {"residual": ("x",)},
    ],
)
def test_an_edited_snapshot_is_found(world: World, change: dict[str, object]) -> None:
    request = world.ask(what="prod-write")
    world.approve(request)
    edited = replace(world.now(request), **change)  # type: ignore[arg-type] # a table of edits
    with pytest.raises(Tampered, match="not what its trail says"):
        chain.verify(edited, world.store.events(request.id), world.signer.verifier())


def test_a_snapshot_proven_once_is_not_believed_once_it_is_edited(tmp_path: Path) -> None:
    class Edited(MemoryStore):
        def request(self, request: RequestId) -> Request | None:
            found = super().request(request)
            return None if found is None else replace(found, **edits)  # type: ignore[arg-type] # a table of edits

    edits: dict[str, object] = {}
    world = World(tmp_path, store=Edited())
    request = world.ask(minutes=10)
    world.ledger.verified(request.id, world.time())
    edits["window"] = Window(start=world.time(), deadline=world.time() + timedelta(days=1))
    with pytest.raises(Tampered, match="not what its trail says"):
        world.ledger.verified(request.id, world.time())


def test_every_bit_of_a_trail_counts(world: World) -> None:
    request = world.give_back(world.approve(world.ask(what="prod-write")))
    trail = world.store.events(request.id)
    for place, line in enumerate(trail):
        raw = line.text.encode()
        for at in range(len(raw)):
            flipped = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
            edited = replace(line, text=flipped.decode(errors="surrogateescape"))
            with pytest.raises((Tampered, UnicodeEncodeError)):
                chain.verify(
                    request, (*trail[:place], edited, *trail[place + 1 :]), world.signer.verifier()
                )


def test_dropped_swapped_and_repeated_events_are_found(world: World) -> None:
    request = world.give_back(world.approve(world.ask(what="prod-write")))
    trail = world.store.events(request.id)
    verifier = world.signer.verifier()
    for at in range(len(trail)):
        with pytest.raises(Tampered):
            chain.verify(request, trail[:at] + trail[at + 1 :], verifier)
        with pytest.raises(Tampered):
            chain.verify(request, (*trail[: at + 1], *trail[at:]), verifier)
    for at in range(len(trail) - 1):
        swapped = (*trail[:at], trail[at + 1], trail[at], *trail[at + 2 :])
        with pytest.raises(Tampered):
            chain.verify(request, swapped, verifier)


def test_a_trail_of_another_key_is_not_believed(world: World) -> None:
    request = world.ask(start=world.time() + timedelta(hours=1))
    stranger = Ed25519Signer(Ed25519PrivateKey.generate())
    other = World(world.folder, time=world.time, store=world.store, signer=stranger)
    with pytest.raises(Tampered, match="a key that is not trusted here"):
        other.ledger.verified(request.id, world.time())


def test_a_signature_moved_to_another_event_is_not_believed(world: World) -> None:
    first = world.ask(start=world.time() + timedelta(hours=1))
    second = world.ask(what="prod-write")
    (_, decided) = world.store.events(first.id)
    asked, waits = world.store.events(second.id)
    moved = replace(
        waits, signature=decided.signature, hash=chain.digest(waits.text, decided.signature)
    )
    with pytest.raises(Tampered, match="signature does not fit"):
        chain.verify(second, (asked, moved), world.signer.verifier())


def test_a_clock_set_back_grants_nothing_but_still_ends(world: World) -> None:
    active = world.ask(minutes=10)
    pending = world.ask(what="prod-write")
    world.time.forward(hours=-2)
    with pytest.raises(Misconfigured, match="clock of this machine is 7200 s behind"):
        world.approve(pending)
    # Ending waits for no clock; only the proof does, for "after" means nothing until it is right.
    assert world.give_back(active).state is State.ENDING
    assert world.cloud.who_can("reader") == frozenset()
    world.time.forward(hours=2, minutes=1)
    world.sweep()
    assert world.now(active).state is State.ENDED
    world.verify_all()
