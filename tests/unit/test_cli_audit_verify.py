from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jitcloud.audit import verify
from jitcloud.errors import NotFound, Tampered
from jitcloud.model import Request, RequestId, Sealed, State
from jitcloud.ports import Change, Move
from jitcloud.stores.memory import MemoryStore
from tests.world import World


class MovingStore(MemoryStore):
    """Somebody votes between the two reads of a verification, as often as there are moves."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[Callable[[], object]] = []

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        if self.moves:
            move, *later = self.moves
            self.moves = []  # the vote reads the trail too
            move()
            self.moves = later
        return super().events(request)


def verified(world: World, name: RequestId) -> Request:
    return verify.verified(world.store, name, world.signer.verifier())[0]


def test_a_commit_between_two_reads_is_no_forgery(tmp_path: Path) -> None:
    store = MovingStore()
    world = World(tmp_path, store=store)
    request = world.ask(what="prod-write")
    store.moves = [lambda: world.approve(request)]
    assert verified(world, request.id).state is State.ACTIVE


def test_a_request_that_never_stands_still_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "TRIES", 2)
    store = MovingStore()
    world = World(tmp_path, store=store)
    request = world.ask(what="prod-admin")
    store.moves = [lambda: world.approve(request, "ben"), lambda: world.approve(request, "caro")]
    with pytest.raises(Tampered, match="changes too fast"):
        verified(world, request.id)


def test_a_request_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        verified(world, RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG"))


def test_every_request_is_read_a_page_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "PAGE", 2)
    names = set()
    for _ in range(5):
        names.add(world.ask().id)
        world.time.forward(seconds=1)
    assert set(verify.all_ids(world.store)) == names
    heard: list[int] = []
    report = verify.verify_all(world.store, world.signer.verifier(), world.time(), heard.append)
    assert (report.requests, report.findings) == (5, ())
    assert heard == [1, 2, 3, 4, 5]


def test_each_signature_is_told_apart(world: World) -> None:
    request = world.ask()
    asked, decided, *_ = world.store.events(request.id)
    verifier = world.signer.verifier()
    assert verify.signature_holds(asked, verifier) is None
    assert verify.signature_holds(decided, verifier) is True
    forged = replace(decided, text=decided.text.replace("dev-self", "dev-sell"))
    assert verify.signature_holds(forged, verifier) is False


def test_an_ended_grant_is_never_overdue(world: World) -> None:
    request = world.ask()
    world.give_back(request)
    world.time.forward(days=2)
    world.sweep_until_quiet()
    assert not verify.verify_all(world.store, world.signer.verifier(), world.time()).findings


def test_a_trail_that_cannot_even_be_read_is_a_finding(world: World) -> None:
    class Unreadable(MemoryStore):
        def events(self, request: RequestId) -> tuple[Sealed, ...]:
            raise Tampered(f"A stored event of {request} cannot be read.")

    store = Unreadable()
    request = world.ask()
    store.commit(
        Change(
            moves=(
                Move(
                    request=world.now(request),
                    wake_at=world.time(),
                    events=world.store.events(request.id),
                ),
            )
        )
    )
    report = verify.verify_all(store, world.signer.verifier(), world.time())
    assert (report.requests, report.events, len(report.findings)) == (1, 0, 1)
