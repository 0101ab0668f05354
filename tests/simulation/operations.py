"""What operators do, and what happens to clouds, machines and the record without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import JitError
from tests.faults import Killed
from tests.simulation.dice import Dice
from tests.simulation.organisation import RULES, TIGHT
from tests.simulation.people import caller
from tests.simulation.process import Process
from tests.simulation.stage import PEOPLE

if TYPE_CHECKING:
    from tests.simulation.world import World

OUTAGES = (1, 5, 15)
"""How many minutes a cloud is down."""

TRIES = 100
"""How often something is said again that has to be on record before anything else is done."""

MOST_EDITS = 4
"""How many policy texts a world sees at the most: each has to be parsed once a process."""


def a_cloud_goes_down(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - nobody did
    stage, minutes = dice.pick(sorted(world.stages)), dice.pick(OUTAGES)
    world.chaos.go_down(stage, world.clock.now + timedelta(minutes=minutes))
    return f"{stage} goes down for {minutes} min"


def edits_a_cloud_by_hand(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - who, is not on record
    stage = world.stages[dice.pick(sorted(world.stages))]
    return stage.by_hand(dice, before=False) or f"nobody edits {stage.name}"


def edits_the_policy(world: World, process: Process, person: str, dice: Dice) -> str:
    number = len(world.texts)
    if number > MOST_EDITS:
        return f"{person} leaves the policy as it is"
    tight = dice.chance(0.4) and TIGHT not in world.texts[-1]
    world.texts.append(f"{RULES}{TIGHT if tight else ''}// edit {number}\n")
    process.text = world.texts[-1]
    return f"{person} edits the policy{' to let nobody administer' if tight else ''}"


def brings_the_policy(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - a machine does
    process.text = world.texts[-1]
    return f"{process.name} has the policy of now"


def edits_the_catalog(world: World, process: Process, person: str, dice: Dice) -> str:
    """What was asked for by another title has to be asked for anew; what is held ends as ever."""
    name = dice.pick(sorted(world.catalog))
    entry = world.catalog[name]
    world.catalog = {**world.catalog, name: replace(entry, title=f"{entry.title} (edited)")}
    if len(entry.title) > 60:
        return f"{person} looks at the catalog"
    process.start()
    return f"{person} edits {name} in the catalog"


def leaves(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - no driver does
    if person in world.directory.gone:
        world.directory.gone.discard(person)
        return f"{person} comes back"
    if world.directory.gone:
        return f"{person} stays"
    world.directory.gone.add(person)
    return f"{person} leaves, and is disabled in the directory"


def is_started_again(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - a machine is
    process.text = world.texts[-1]
    process.start()
    return f"{process.name} is started again"


def backs_up(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - a machine does
    if not world.is_compared:
        return f"{person} thinks of backups"
    world.back_up()
    return "the record is backed up"


def compares(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - a machine does
    if not world.is_compared:
        return f"{person} thinks of comparing"
    done = process.compare()
    found = (
        f"{done.tally.leaked} leaked, {done.tally.missing} missing, {done.tally.foreign} foreign"
    )
    return f"{process.name} compares the clouds with the record: {found}"


def restores(world: World, process: Process, person: str, dice: Dice) -> str:
    """As docs/operations.md says: everything stands still, and the record is said to be older."""
    if not world.has_backup or world.restores > 1:
        return f"{person} thinks of restoring"
    gone = world.directory.gone
    # Nobody who is gone is believed; and whoever restores goes on until it is on record.
    person = dice.pick([each for each in PEOPLE if each not in gone])
    world.restore()
    for _ in range(TRIES):
        try:
            process.broker.restored(caller(person), process.clock(), "the disk was lost")
        except JitError:
            continue
        except Killed:
            process.start()
        else:
            return f"{person} restores the record from its backup"
    raise AssertionError("nothing stood in the way of saying that the record is an older one")


ACTS = (
    (0.25, a_cloud_goes_down),
    (0.3, edits_a_cloud_by_hand),
    (0.1, edits_the_policy),
    (0.4, brings_the_policy),
    (0.1, edits_the_catalog),
    (0.2, leaves),
    (0.2, is_started_again),
    (0.4, backs_up),
    (0.4, compares),
    (0.15, restores),
)
