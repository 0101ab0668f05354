"""A cloud that refuses for more than a day, and people who answer for what is in it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import JitError
from jitcloud.model import Request, State
from tests.simulation import promises
from tests.simulation.dice import Dice
from tests.simulation.organisation import LEADS
from tests.simulation.people import caller

if TYPE_CHECKING:
    from tests.simulation.world import World

OUTAGE, PATIENCE = timedelta(hours=30), timedelta(hours=26)
AT_FIRST, SELDOM = timedelta(minutes=30), timedelta(hours=1)
OFTEN = 0.16
"""In how many of the worlds whose clouds are compared it comes to that."""

MOST = 1000
"""How many sweeps there are at the most until somebody loses patience."""


def may_vanish(world: World, dice: Dice) -> None:
    """Perhaps have a cloud refuse for a day while something is to end there.

    Nothing else goes wrong meanwhile. What is attested is gone by somebody's word alone: that it
    is there still is found when the clouds are compared, and it ends again.
    """
    ending = Counter(
        request.entitlement.mechanism
        for request in _unended(world)
        if request.places.grant is not None
    )
    if not ending or not dice.chance(OFTEN):
        return
    # Where the fewest are: each of them is tried again and again for all that time.
    stage = min(ending, key=lambda name: (ending[name], name))
    world.chaos.go_down(stage, world.clock.now + OUTAGE)
    world.chaos.calm()
    down_at = world.clock.now
    world.watch(down_at + AT_FIRST, most=MOST)
    _seldom(world, down_at + PATIENCE)
    for request in _unended(world):
        if request.entitlement.mechanism == stage:
            _attest(world, request)
    world.tell(world.steps, f"{stage} is down for more than a day, and what is there is attested")
    _seldom(world, down_at + OUTAGE)
    world.watch(down_at + OUTAGE + PATIENCE, most=MOST)


def _seldom(world: World, until: datetime) -> None:
    """Let time pass with a sweep once an hour: the tries in between would all be the same."""
    while world.clock.now < until:
        world.clock.to(min(world.clock.now + SELDOM, until))
        world.swept(world.processes[0])
        promises.check(world)


def _unended(world: World) -> list[Request]:
    account = world.account
    names = [*account.by_state[State.ENDING], *account.by_state[State.ACTIVE]]
    return [account.requests[name] for name in names]


def _attest(world: World, request: Request) -> None:
    process = world.processes[0]
    said_yes = {vote.by for vote in request.votes}
    for lead in LEADS:
        if lead == request.person or lead in said_yes:
            continue
        try:
            process.broker.attest(caller(lead), request.id, process.clock(), "the account is gone")
        except JitError:
            continue
        world.lost.add(world.account.access_of(request))
        return
