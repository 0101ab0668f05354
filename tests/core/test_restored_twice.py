"""It is said twice that the record was restored, and a create stays for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.verdicts import Verdict
from tests.core.test_reconcile_shared import a_world, landed_late
from tests.reconciling import key, reconcile, verdicts
from tests.world import World, caller


@pytest.fixture
def shared(tmp_path: Path) -> World:
    return a_world(tmp_path)


def test_what_lands_after_a_restore_is_ours_though_that_was_said_twice(shared: World) -> None:
    older = landed_late(shared)
    older.time.forward(seconds=20)
    older.broker.restored(caller("caro"), older.time(), "I hear that the disk broke")
    older.time.forward(minutes=1)
    assert verdicts(reconcile(older, ends_leaked=True)) == {key("ana"): Verdict.LEAKED}
    older.sweep()
    assert older.cloud.who_can("reader") == frozenset()
