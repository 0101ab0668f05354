"""How a world ends: nothing goes wrong any more, and all that is left ends by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation import promises
from tests.simulation.dice import Dice
from tests.simulation.vanishing import may_vanish

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST = 1500
"""How many wake-ups a world may take to come to its end: a bound, not a plan."""

FAR = timedelta(days=3)


def run_out(world: World) -> None:
    """Let time pass until nothing is left to do, then check what must be so in the end.

    P6: in every other world nothing but the record and the clouds can be read by then, and nothing
    signs: ends need neither.
    """
    dice = Dice(world.seed, world.steps)
    world.chaos.begin(world.steps, dice)
    world.chaos.on = False
    world.directory.gone.clear()
    broken = dice.chance(0.5) and not world.lost and not _waits_for_reconcile(world)
    for process in world.processes:
        if broken:
            process.start_broken()
        else:
            process.text = world.texts[-1]
            process.start()
    world.tell(world.steps, "all goes well from here" + (", but nothing can be read" * broken))
    if world.is_compared and not broken:
        _compare(world)
        may_vanish(world, dice)
    world.chaos.on = False
    world.watch(world.clock.now + FAR, most=MOST)
    if world.is_compared and not broken:
        # What landed after it was compared is found by the next day's.
        _compare(world)
        world.watch(world.clock.now + FAR, most=MOST)
    promises.at_the_end(world)


def _waits_for_reconcile(world: World) -> bool:
    known = world.account.controls
    return known is not None and known.restored_at is not None


def _compare(world: World) -> None:
    process = world.processes[0]
    # What somebody has broken by hand is put right by them, in their time.
    lingers = max((each.lingers for each in world.stages.values()), default=timedelta(0))
    for _ in range(5 + lingers // timedelta(minutes=1)):
        if process.compare().is_finished:
            return
        world.watch(world.clock.now + timedelta(minutes=1), most=MOST)
    raise promises.Broken("P4: the clouds cannot be compared though nothing stands in the way")
