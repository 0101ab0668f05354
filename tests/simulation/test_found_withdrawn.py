"""What a seed has found: somebody withdraws just as they are about to be let in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from jitcloud.controls import EVERYTHING
from jitcloud.model import State
from tests.core.test_brakes import RIGHTS
from tests.world import World, caller


def test_what_was_withdrawn_as_it_was_about_to_begin_is_not_woken_for_ever(tmp_path: Path) -> None:
    """Everything is stopped, so what is taken for scheduled still is put off, and never rests."""
    world = World(tmp_path, policy_text=RIGHTS)
    read = world.ask(start=world.time() + timedelta(minutes=5))
    assert read.state is State.SCHEDULED
    world.broker.stop(caller("ben"), EVERYTHING, world.time(), "leaked key")
    world.time.forward(minutes=5)
    world.broker.withdraw(caller("ana"), read.id, world.time())
    world.advance.wake(read.id, known=read)
    assert world.now(read).state is State.WITHDRAWN
    assert world.store.wake_at(read.id) is None, "it is due for ever"
