"""The code does what the model does, at every kind of transition, and nothing else."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.model import Sight, Slot, State
from jitcloud.providers.memory import KIND, MemoryAssignments
from tests.faults import Killed
from tests.model.lifecycle_model import Lifecycle
from tests.model.spaces import LARGER, REDUCED, Kind, coarse, explored, fine, traces
from tests.model.tie import ROLE, Scripted, Tie
from tests.world import World


def _replay(model: Lifecycle, kind_of: Kind, folder: Path) -> tuple[int, int, int]:
    tie = Tie(model, folder)
    count = 0
    try:
        for begin, steps in traces(explored(model), kind_of):
            tie.replay(begin, steps)
            count += 1
    finally:
        tie.close()
    return count, tie.steps, tie.probed


REPLAYED = {
    "one driver, a late call": (1532, 26836, 1416),
    "one request, all faults": (355, 5194, 268),
}
"""How many traces cover the model, of how many steps, through how many different records."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("one driver, a late call", marks=pytest.mark.long),
        "one request, all faults",
    ],
)
def test_the_code_does_what_the_model_does(name: str, tmp_path: Path) -> None:
    assert _replay(REDUCED[name], coarse, tmp_path) == REPLAYED[name]


@pytest.mark.long
@pytest.mark.parametrize("name", [*REDUCED, *LARGER])
def test_the_code_does_what_the_model_does_whatever_a_driver_knows(
    name: str, tmp_path: Path
) -> None:
    count, _, _ = _replay((REDUCED | LARGER)[name], fine, tmp_path)
    assert count


# ── In what the two differ ───────────────────────────────────────────────────────────────────


class Lagging(Scripted):
    """Shows what is there, or for a while what was there before."""

    def see(self, slot: Slot, now: datetime) -> Sight:
        return Sight(
            at=now, present=self.saw or MemoryAssignments(self.cloud).see(slot, now).present
        )


class Dying(Lagging):
    """Removes after eight seconds, and then its process dies."""

    def remove(self, slot: Slot) -> None:
        self.clock.forward(seconds=8)
        super().remove(slot)
        raise Killed


def test_a_list_is_not_believed_while_it_may_show_what_a_dead_driver_has_removed(
    world: World,
) -> None:
    """With the timeout and the time to settle of ``aws.iam-group``: ten seconds each."""
    settle = timedelta(seconds=10)
    kinds = [each(world.cloud, settle, world.time, timeout=settle) for each in (Dying, Lagging)]
    dies, lives = (
        World(world.folder, world.time, world.store, cloud_=world.cloud, kinds_={KIND: kind})
        for kind in kinds
    )
    first = dies.ask(minutes=10)
    assert first.state is State.ACTIVE
    with contextlib.suppress(Killed):
        dies.give_back(first)
    assert world.cloud.who_can(ROLE) == frozenset()

    second = lives.ask(minutes=10)
    kinds[1].saw = True  # for ten seconds from the removal on
    world.time.forward(seconds=7.5)  # the claim of who died is over
    lives.sweep()
    kinds[1].saw = False
    assert second.id in [request.id for request in lives.unfinished()]
    has = world.cloud.who_can(ROLE) == {"ana"}
    assert has or lives.now(second).state is not State.ACTIVE
