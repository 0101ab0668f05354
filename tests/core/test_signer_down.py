"""While nothing can be signed nobody is let in, and whatever only takes away goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jitcloud.audit import chain
from jitcloud.errors import Unavailable
from jitcloud.model import Signature, State
from tests.world import World, caller


class Down:
    """A signer whose key cannot be reached."""

    key = "p256:0123456789abcdef"

    def sign(self, message: bytes) -> Signature:  # noqa: ARG002 - it signs nothing
        raise Unavailable("KMS did not answer.")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def takes_down(world: World) -> None:
    world.ledger = replace(world.ledger, signer=Down())
    world.broker = replace(world.broker, ledger=world.ledger)
    world.advance = replace(world.advance, ledger=world.ledger)


def test_nobody_is_let_in_and_nothing_of_it_is_recorded(world: World) -> None:
    waiting = world.ask(what="prod-write")
    takes_down(world)
    with pytest.raises(Unavailable):
        world.ask(what="dev-read")
    with pytest.raises(Unavailable):
        world.approve(waiting)
    assert world.now(waiting) == waiting
    assert world.store.ids(10) == (waiting.id,)


def test_a_no_is_recorded_and_believed_without_a_signature(world: World) -> None:
    waiting = world.ask(what="prod-write")
    takes_down(world)
    world.broker.deny(caller("ben"), waiting.id, world.time(), "not now")
    denied = world.now(waiting)
    assert denied.state is State.DENIED
    trail = world.store.events(waiting.id)
    assert trail[-1].signature is None
    chain.verify(denied, trail, world.signer.verifier())


def test_access_ends_at_its_deadline_and_before(world: World) -> None:
    requests = [world.ask() for _ in range(3)]
    takes_down(world)
    world.give_back(requests[0])
    world.broker.revoke(caller("ana"), requests[1].id, world.time(), "enough")
    world.time.forward(minutes=31)
    world.sweep_until_quiet()
    assert {world.now(request).state for request in requests} == {State.ENDED}
