"""What people and machines do in a world: each act is one step, by one driver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from jitcloud.asking import Wish
from jitcloud.controls import EVERYTHING
from jitcloud.model import Reach, Request, Scope, State
from tests.simulation import misuse, operations
from tests.simulation.dice import Dice
from tests.simulation.organisation import LEADS
from tests.simulation.people import caller
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

Act = Callable[["World", Process, str, Dice], str]
"""Has a person do something by a driver; says what was done. Raises what the driver does."""

MINUTES = (0.5, 1, 2, 5, 10, 30)
WAITS = (0.5, 2, 5, 15, 60, 300)


def name_of(act: Act, person: str) -> str:
    """What an act is called where it did not come to its end."""
    return f"{person} {act.__name__.replace('_', ' ')}"


# ── People ───────────────────────────────────────────────────────────────────────────────────


def asks(world: World, process: Process, person: str, dice: Dice) -> str:
    what = world.thing(dice)
    minutes = dice.pick(MINUTES)
    now = process.clock()
    start = now + timedelta(minutes=dice.number(1, 15)) if dice.chance(0.12) else None
    prompt = dice.chance(0.85)
    request = process.broker.request(
        caller(person),
        what,
        duration=timedelta(minutes=minutes),
        justification="to be simulated",
        now=now,
        start=start,
        id_=world.name(dice),
    )
    if prompt:
        process.wake(*(request.ask.together or (request.id,)))
    later = "" if start is None else f" from {start:%H:%M}"
    return f"{person} asks for {what} for {minutes:g} min{later}: {_stands(world, request)}"


def breaks_the_glass(world: World, process: Process, person: str, dice: Dice) -> str:
    what = dice.pick(sorted(world.catalog))
    minutes = dice.pick(MINUTES)
    request = process.broker.request(
        caller(person),
        what,
        duration=timedelta(minutes=minutes),
        justification="it burns",
        now=process.clock(),
        incident="INC-1",
        break_glass=True,
        id_=world.name(dice),
    )
    process.wake(*(request.ask.together or (request.id,)))
    return f"{person} breaks the glass for {what}: {_stands(world, request)}"


def votes(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, State.PENDING)
    if request is None:
        return f"{person} finds nothing to vote on"
    if dice.chance(0.85):
        # Mostly somebody does who may.
        voted = {request.person, *(vote.by for vote in request.votes)}
        person = dice.pick([each for each in LEADS if each not in voted] or [person])
    if dice.chance(0.08):
        process.broker.deny(caller(person), request.id, process.clock(), "no")
        return f"{person} says no to {request.id[-6:]}"
    process.broker.approve(caller(person), request.id, process.clock())
    if dice.chance(0.85):
        process.wake(request.id)
    return f"{person} says yes to {request.id[-6:]}: {_stands(world, request)}"


def gives_back(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, State.ACTIVE, State.ACTIVATING)
    if request is None:
        return f"{person} has nothing to give back"
    process.broker.give_back(caller(request.person), request.id, process.clock())
    if dice.chance(0.8):
        process.wake(request.id)
    return f"{request.person} gives {request.id[-6:]} back: {_stands(world, request)}"


def revokes(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, State.ACTIVE, State.ACTIVATING, State.SCHEDULED)
    if request is None:
        return f"{person} finds nothing to revoke"
    process.broker.revoke(caller(person), request.id, process.clock(), "enough")
    if dice.chance(0.5):
        process.wake(request.id)
    return f"{person} revokes {request.id[-6:]}: {_stands(world, request)}"


def withdraws(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, State.PENDING, State.SCHEDULED)
    if request is None:
        return f"{person} has nothing to withdraw"
    process.broker.withdraw(caller(request.person), request.id, process.clock())
    return f"{request.person} withdraws {request.id[-6:]}"


def extends(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, State.ACTIVE)
    if request is None:
        return f"{person} has nothing to extend"
    glass = dice.chance(0.1)
    wish = Wish(
        duration=timedelta(minutes=dice.pick(MINUTES)),
        justification="not done yet",
        incident="INC-1" if glass else None,
        break_glass=glass,
    )
    name = world.name(dice)
    process.broker.extend(caller(request.person), request.id, wish, process.clock(), name)
    process.wake(name)
    after = world.account.requests[name]
    return f"{request.person} extends {request.id[-6:]}: {_stands(world, after)}"


def reviews(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - every act has one
    owed = process.broker.unreviewed(caller(person))
    if not owed:
        return f"{person} finds nothing to review"
    request = dice.pick(owed)
    fine = dice.chance(0.8)
    process.broker.review(caller(person), request.id, process.clock(), fine=fine, note="seen")
    return f"{person} reviews {request.id[-6:]}"


def brakes(world: World, process: Process, person: str, dice: Dice) -> str:
    things, now = sorted(world.catalog), process.clock()
    scope = dice.pick(
        (
            EVERYTHING,
            Scope(reach=Reach.PERSON, id=dice.pick(("ana", "ben"))),
            Scope(reach=Reach.ENTITLEMENT, id=dice.pick(things)),
        )
    )
    broker, said = process.broker, f"{scope.reach} {scope.id}".strip()
    verb = dice.weighed(((1.0, "stop"), (3.0, "resume"), (0.7, "end")))
    if verb == "end":
        broker.end_all(caller(person), scope, now, "just in case")
        return f"{person} ends all of {said}"
    if verb == "stop":
        broker.stop(caller(person), scope, now, "just in case")
        return f"{person} stops {said}"
    stops = () if world.account.controls is None else world.account.controls.stops
    if not stops:
        return f"{person} finds nothing to resume"
    broker.resume(caller(person), dice.pick(stops).scope, now, "all is well")
    return f"{person} resumes what was stopped"


def uses(world: World, process: Process, person: str, dice: Dice) -> str:
    """Somebody makes something of their access: credentials, or a session that outlives it."""
    request = world.any(dice, State.ACTIVE)
    if request is None:
        return f"{person} has nothing to use"
    stage = world.stages[request.entitlement.mechanism]
    if request.places.grant is not None:
        said = stage.used(request.person, request.entitlement.id)
        return said or f"{request.person} uses {request.entitlement.id}"
    made = process.broker.issue(caller(request.person), request.id, process.clock)
    if not world.restores:
        # What a record that was lost had denied stays denied, though nobody knows of it any more.
        stage.received(request, made)
    world.secrets += (made.secret_access_key, made.session_token)
    world.issued += 1
    if not dice.chance(0.3):
        return f"{request.person} gets credentials for {request.id[-6:]}"
    process.broker.give_back(caller(request.person), request.id, process.clock())
    process.wake(request.id)
    stands = _stands(world, request)
    return f"{request.person} gets credentials for {request.id[-6:]} and gives it back: {stands}"


# ── Machines and time ────────────────────────────────────────────────────────────────────────


def sweeps(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - a machine does
    world.swept(process)
    return f"{process.name} sweeps"


def lets_time_pass(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - all do
    seconds = dice.pick(WAITS)
    world.clock.forward(timedelta(seconds=seconds))
    return f"{seconds:g} s pass"


def is_at_work(world: World, process: Process, person: str, dice: Dice) -> str:  # noqa: ARG001 - machines are
    """Time passes with sweeps as they should be: whenever something is due."""
    until = world.clock.now + timedelta(seconds=dice.pick((30, 120, 600)))
    world.watch(until, most=40)
    return f"all is swept as it should be until {world.clock.now:%H:%M:%S}"


def _stands(world: World, request: Request) -> str:
    known = world.account.requests.get(request.id, request)
    return f"{request.id[-6:]} is {known.state}"


PEOPLES: tuple[tuple[float, Act], ...] = (
    (6.0, asks),
    (6.0, votes),
    (1.5, gives_back),
    (0.8, revokes),
    (0.4, withdraws),
    (1.5, extends),
    (0.8, breaks_the_glass),
    (1.0, reviews),
    (0.5, brakes),
    (2.0, uses),
    *misuse.ACTS,
)

ACTS: tuple[tuple[float, Act], ...] = (
    *PEOPLES,
    (2.5, sweeps),
    (3.0, lets_time_pass),
    (1.5, is_at_work),
    *operations.ACTS,
)

MEANWHILE: tuple[tuple[float, Act], ...] = (
    *PEOPLES,
    (5.0, sweeps),
    (0.6, operations.a_cloud_goes_down),
)
"""What may happen in the middle of a call: nothing that lets much time pass."""
