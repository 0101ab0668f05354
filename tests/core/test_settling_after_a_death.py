"""Whoever told a cloud to remove something and died: what it lists meanwhile may be what it was."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud.converge import CLAIM_MARGIN
from jitcloud.providers.memory import MemoryAssignments
from tests.core.test_settling import (
    SETTLE,
    TIMEOUT,
    an_old_one,
    is_let_in_only_by_the_cloud,
    lagging,
)
from tests.faults import Killed
from tests.world import caller


def test_what_whoever_died_may_have_removed_lets_nobody_in_by_a_list_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(0) < CLAIM_MARGIN + TIMEOUT < SETTLE, "or the list would be right again"
    world = lagging(tmp_path)
    first = an_old_one(world)
    real = MemoryAssignments.remove

    def dies(self: MemoryAssignments, *args: Any) -> None:
        real(self, *args)
        raise Killed

    with monkeypatch.context() as dying, suppress(Killed):
        dying.setattr(MemoryAssignments, "remove", dies)
        world.broker.give_back(caller("ana"), first.id, world.time())
        world.advance.wake(first.id)
    assert not world.cloud.who_can("reader")
    is_let_in_only_by_the_cloud(world, world.ask())
