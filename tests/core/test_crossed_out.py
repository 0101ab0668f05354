"""A place is crossed out after the claim was given back, and with it the next grant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from jitcloud.journals.file import FileJournal
from jitcloud.model import Slot, State
from jitcloud.verdicts import Verdict
from tests.core.test_reconcile_shared import a_world
from tests.reconciling import key, reconcile, verdicts


def test_a_grant_that_begins_while_a_place_is_crossed_out_stays_noted(tmp_path: Path) -> None:
    meanwhile: list[Callable[[], object]] = []

    class Slow(FileJournal):
        """A journal that is slow to cross out: what happens meanwhile happens."""

        def cross_out(self, slot: Slot, now: datetime) -> None:
            if meanwhile:
                meanwhile.pop()()
            super().cross_out(slot, now)

    world = a_world(tmp_path, journal=Slow(tmp_path / "journal"))
    first = world.ask("ana")
    meanwhile.append(lambda: world.ask("ana", minutes=60))
    assert world.give_back(first).state in {State.ENDING, State.ENDED}
    world.time.forward(seconds=30)
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}
    later = a_world(world.folder, like=world)  # the record is lost
    assert verdicts(reconcile(later, ends_leaked=True)) == {key("ana"): Verdict.LEAKED}
    later.sweep()
    assert later.cloud.who_can("reader") == frozenset()
