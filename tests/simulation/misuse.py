"""What people do that they may not, or twice, or wrong: none of it may change anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import Conflict, Invalid, NotFound, Refused
from jitcloud.model import EntitlementId, RequestId, State
from tests.simulation.dice import Dice
from tests.simulation.people import caller
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

FINISHED = (State.ENDED, State.FAILED, State.DENIED, State.WITHDRAWN, State.LAPSED)


def votes_for_themselves(world: World, process: Process, person: str, dice: Dice) -> str:
    """P5: the vote of whoever asked never counts."""
    request = world.any(dice, State.PENDING)
    if request is None:
        return f"{person} has nothing to approve for themselves"
    now = process.clock()
    _refused(
        world, lambda: process.broker.approve(caller(request.person), request.id, now), request.id
    )
    return f"{request.person} tries to approve {request.id[-6:]}, their own"


def votes_on_what_is_over(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, *FINISHED)
    if request is None:
        return f"{person} finds nothing that is over"
    now = process.clock()
    _refused(world, lambda: process.broker.approve(caller(person), request.id, now), request.id)
    return f"{person} tries to approve {request.id[-6:]}, which is {request.state}"


def asks_again(world: World, process: Process, person: str, dice: Dice) -> str:
    """P10: the same ask twice is one request, and another under its name is refused."""
    request = world.any(dice, *(state for state in State if state is not State.EXTENDED))
    if request is None or request.ask.extends is not None or request.ask.together:
        return f"{person} has nothing to ask again"
    ask, before = request.ask, len(world.account.requests)
    same = dice.chance(0.5)
    seconds = 0 if same else 17

    def again() -> None:
        answer = process.broker.request(
            caller(ask.person),
            ask.entitlement.id,
            duration=ask.duration + timedelta(seconds=seconds),
            justification=ask.justification,
            now=process.clock(),
            start=ask.start,
            incident=ask.incident,
            break_glass=ask.break_glass,
            id_=request.id,
        )
        if answer.id != request.id or len(world.account.requests) != before or not same:
            world.defects.append(f"P10: {request.id} was asked twice and is there twice")

    try:
        again()
    except Conflict as exc:
        if same and not world.chaos.told:
            world.defects.append(f"P10: {request.id} asked again is refused: {exc}")
    return f"{ask.person} asks {request.id[-6:]} again"


def says_it_twice(world: World, process: Process, person: str, dice: Dice) -> str:
    """P10: one person's two yeses are one."""
    request = world.any(dice, State.PENDING)
    voted = None if request is None else next((vote.by for vote in request.votes), None)
    if request is None or voted is None:
        return f"{person} has said nothing that they could say twice"
    now = process.clock()
    _refused(world, lambda: process.broker.approve(caller(voted), request.id, now), request.id)
    return f"{voted} says yes to {request.id[-6:]} again"


def ends_it_twice(world: World, process: Process, person: str, dice: Dice) -> str:
    """P10: what is ending, or has ended, ends no more for being told again."""
    request = world.any(dice, State.ENDING, State.ENDED)
    if request is None:
        return f"{person} finds nothing to end twice"
    seq = request.seq
    process.broker.give_back(caller(request.person), request.id, process.clock())
    now = world.account.requests[request.id]
    if now.seq != seq and not world.chaos.told:
        world.defects.append(f"P10: {request.id} was ended twice")
    return f"{request.person} gives {request.id[-6:]} back twice"


def gives_back_anothers(world: World, process: Process, person: str, dice: Dice) -> str:
    request = world.any(dice, State.ACTIVE)
    if request is None or request.person == person:
        return f"{person} finds nothing of others to give back"
    now = process.clock()
    _refused(world, lambda: process.broker.give_back(caller(person), request.id, now), request.id)
    return f"{person} tries to give back {request.id[-6:]} of {request.person}"


def asks_nonsense(world: World, process: Process, person: str, dice: Dice) -> str:
    """P13: whatever cannot be understood is refused, and is on no record."""
    what, before = dice.pick(sorted(world.catalog)), len(world.account.requests)
    now = process.clock()
    wrong: tuple[dict[str, object], ...] = (
        {"duration": timedelta(0)},
        {"duration": timedelta(minutes=-5)},
        {"duration": timedelta(days=400)},
        {"start": now - timedelta(hours=1)},
        {"start": now + timedelta(days=4000)},
        {"justification": ""},
        {"justification": "two\nlines"},
        {"break_glass": True},
        {"entitlement": EntitlementId("nothing-of-the-kind")},
        {"caller": caller("mallory")},
    )
    facts = {
        "caller": caller(person),
        "entitlement": what,
        "duration": timedelta(minutes=5),
        "justification": "nonsense",
        "now": now,
        **dice.pick(wrong),
    }
    name = world.name(dice)
    try:
        process.broker.request(**facts, id_=name)  # type: ignore[arg-type] # that is the point
    except (Invalid, NotFound, Refused):
        if len(world.account.requests) != before and not world.chaos.told:
            world.defects.append("P13: nonsense is on record")
        return f"{person} asks nonsense, and is refused"
    world.defects.append(f"P13: {facts} was taken for an ask")
    return f"{person} asks nonsense"


def asks_for_too_much(world: World, process: Process, person: str, dice: Dice) -> str:
    """P12: how long it may last is for policy to say."""
    what = dice.pick(sorted(world.catalog))
    request = process.broker.request(
        caller(person),
        what,
        duration=timedelta(hours=dice.number(9, 300)),
        justification="for ever, nearly",
        now=process.clock(),
        id_=world.name(dice),
    )
    asked = (request.id, *request.ask.together)
    states = {
        world.account.requests[name].state for name in asked if name in world.account.requests
    }
    if states - {State.DENIED}:
        world.defects.append(f"P12: {request.id} is {states} though nothing may last so long")
    return f"{person} asks for {what} for days: denied"


def _refused(world: World, act: Callable[[], object], name: RequestId) -> None:
    """Try what must be refused, and leave the request as it was."""
    before = world.account.requests[name]
    try:
        act()
    except (Refused, NotFound):
        after = world.account.requests[name]
        if (after.seq, after.state) != (before.seq, before.state) and not world.chaos.told:
            world.defects.append(f"P5: {name} moved though that was refused")
        return
    world.defects.append(f"P5: what must be refused was done to {name}")


ACTS = (
    (0.3, votes_for_themselves),
    (0.2, votes_on_what_is_over),
    (0.3, asks_again),
    (0.2, says_it_twice),
    (0.2, ends_it_twice),
    (0.2, gives_back_anothers),
    (0.3, asks_nonsense),
    (0.2, asks_for_too_much),
)
