"""What can be asked for: the catalog as policy would answer whoever looks. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from jitcloud import controls, shapes
from jitcloud.api.commands.command import Command, Doing
from jitcloud.api.commands.reading import NO_CURSOR, OfPage, cursor, uncovered
from jitcloud.api.inputs import Duration, EntitlementName, Strict
from jitcloud.api.message import Answer
from jitcloud.durations import parse_duration
from jitcloud.errors import Invalid
from jitcloud.facts import as_if, world_of
from jitcloud.model import Ask, Decision, Entitlement
from jitcloud.policy import World
from jitcloud.policy.advice import LADDER, Offer, offered
from jitcloud.shapes_of_advice import of_advice

MOST_JUDGED = 200
"""How many entitlements are judged for one page: each costs a decision a duration."""


class OfEntitlements(OfPage):
    """Which entitlements."""

    all: bool = False
    """Also those that could not be had now."""
    duration: Duration | None = None
    """For how long an ask would be, to be told what would be said to it."""


class OfEntitlement(Strict):
    """An entitlement, and for how long it would be asked for."""

    entitlement: EntitlementName
    duration: Duration = "1h"


def entitlements(doing: Doing, what: OfEntitlements) -> Answer:
    """List what the caller could have now, and for how long; see ``policy.advice``."""
    things = tuple(doing.seeing.judge().catalog)
    begin = 0 if what.after is None else _position(uncovered(what.after), things)
    judged = judging(doing)
    length = None if what.duration is None else parse_duration(what.duration)
    found: list[dict[str, object]] = []
    last = begin
    for thing in islice(things, begin, begin + MOST_JUDGED):
        last += 1
        offers = judged(thing)
        if offers or what.all:
            said = None if length is None else _would_be(doing, thing, length)
            found.append({**_shape(thing, offers), "decision": said})
        if len(found) == what.limit:
            break
    following = cursor(things[last - 1].id) if last < len(things) else None
    return Answer(status=200, body={"entitlements": found, "next": following})


def judging(doing: Doing) -> Callable[[Entitlement], tuple[Offer, ...]]:
    """Return what says which durations the caller could have of something, and how."""
    judge, person = doing.seeing.judge(), doing.seeing.person()
    known = doing.acting.deployment.ledger.controls()
    judge = replace(judge, stops=controls.in_force(known))
    at = doing.acting.caller.signed_in_at

    def offers(thing: Entitlement) -> tuple[Offer, ...]:
        ask = Ask(
            person=person.id,
            entitlement=thing,
            duration=timedelta(hours=1),
            justification="What if?",
            asked_at=doing.now,
            mfa_age=None if at is None else doing.now - at,
        )
        facts = judge.look(ask, judge.window(ask, doing.now))

        def decide(what_if: Ask, around: World) -> Decision:
            return replace(judge, look=as_if(around)).first(what_if, None, doing.now)

        return offered(decide, ask, world_of(facts), LADDER)

    return offers


def _would_be(doing: Doing, thing: Entitlement, length: timedelta) -> dict[str, object]:
    """What policy would say to an ask for this, now, with neither ticket nor incident."""
    ask = Ask(
        person=doing.seeing.person().id,
        entitlement=thing,
        duration=length,
        justification="What if?",
        asked_at=doing.now,
    )
    return shapes.of_decision(doing.seeing.judge().first(ask, None, doing.now))


def entitlement(doing: Doing, what: OfEntitlement) -> Answer:
    """Say what would be said to an ask for this, now, and what would help."""
    found = doing.acting.outlook(what.entitlement, what.duration)
    return Answer(
        status=200,
        body={
            **shapes.of_entitlement(found.ask.entitlement),
            "decision": shapes.of_decision(found.decision),
            **of_advice(found),
        },
    )


def _shape(thing: Entitlement, offers: tuple[Offer, ...]) -> dict[str, object]:
    told = [
        {"duration": offer.duration // timedelta(seconds=1), "kind": offer.decision.kind}
        for offer in offers
    ]
    return {**shapes.of_entitlement(thing), "offers": told}


def _position(name: str, things: tuple[Entitlement, ...]) -> int:
    """Return where the page behind this one begins; a catalog changes while it is read."""
    positions: Iterator[int] = (number for number, each in enumerate(things, 1) if each.id == name)
    found = next(positions, None)
    if found is None:
        raise Invalid(NO_CURSOR)
    return found


COMMANDS: tuple[Command[Any], ...] = (
    Command(name="entitlements", takes=OfEntitlements, run=entitlements),
    Command(name="entitlement", takes=OfEntitlement, run=entitlement),
)
