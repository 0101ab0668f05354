"""A brake stays on until all that it was to end has begun to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.braking import LINGER
from jitcloud.controls import EVERYTHING
from jitcloud.errors import Misconfigured
from jitcloud.model import State
from tests.core.test_brakes import RIGHTS
from tests.world import World, caller


def test_what_cannot_be_looked_for_keeps_its_brake_on_however_long_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, policy_text=RIGHTS)
    active = world.ask(minutes=50)

    def deny(*_: object) -> None:
        raise Misconfigured("The table cannot be searched.")

    with monkeypatch.context() as denied:
        denied.setattr(world.store, "by_state", deny)
        world.broker.end_all(caller("caro"), EVERYTHING, world.time(), "laptop stolen")
        for _ in range(3):
            world.time.forward(seconds=(LINGER + timedelta(seconds=1)).total_seconds())
            world.sweep()
    assert world.now(active).state is State.ACTIVE
    world.sweep()
    assert not world.cloud.who_can("reader")
    types = [line.event.what.type for line in world.store.control_events()]
    assert types == ["adopted", "end-all", "all-ending"]
