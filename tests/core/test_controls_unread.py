"""Who compares may not read the deployment's own trail, and then knows nothing of ours.

See `tests/fleet/test_restored.py` as well, which fails since: the fleet's `reconcile` may not.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.errors import Misconfigured, Tampered, Unavailable
from jitcloud.journals.file import FileJournal
from jitcloud.model import Hold, Sealed
from jitcloud.providers.memory import KIND, MemoryAssignments
from jitcloud.stores.memory import MemoryStore
from jitcloud.verdicts import Verdict
from tests.core.test_reconcile_shared import a_world
from tests.reconciling import key, reconcile, verdicts
from tests.world import World


@pytest.mark.parametrize("error", [Misconfigured, Tampered, Unavailable])
def test_what_the_journal_has_is_ours_though_nobody_can_tell_of_restores(
    tmp_path: Path, error: type[Exception]
) -> None:
    class Unread(MemoryStore):
        def control_events(self) -> tuple[Sealed, ...]:
            raise error("AccessDeniedException")

    world = a_world(tmp_path)
    world.ask("ana", minutes=60)
    later = World(
        tmp_path,
        time=world.time,
        store=Unread(),
        cloud_=world.cloud,
        kinds_={KIND: MemoryAssignments(world.cloud, shares=Hold.SHARED)},
        journal=FileJournal(tmp_path / "journal"),
    )
    found = reconcile(later, ends_leaked=True)
    assert verdicts(found) == {key("ana"): Verdict.LEAKED}
    assert not found.is_finished, "and it is said that it could not be told"
    later.sweep()
    assert later.cloud.who_can("reader") == frozenset()
