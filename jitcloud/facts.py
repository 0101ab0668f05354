"""Facts of the world that neither directory nor catalog nor policy knows, looked up anew each time.

A rule may only lean on what somebody has looked up: a ticket is text until it was found open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jitcloud.errors import Refused, Unavailable
from jitcloud.freezes import Freezes
from jitcloud.model import Ask, Entitlement, Facts, Looked, Window
from jitcloud.policy import World
from jitcloud.ports import Tickets
from jitcloud.text import quoted

Look = Callable[[Ask, Window], Facts]
"""Looks up what an ask for a window depends on.

Raises ``Refused`` for what is found and does not do, and ``Unavailable`` for what cannot be told.
"""

COUNTS = frozenset({Looked.OPEN, Looked.UNCHECKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Looks at the calendar of freezes, and at the systems that keep tickets and incidents."""

    freezes: Freezes = field(default_factory=Freezes)
    tickets: Tickets | None = None
    incidents: Tickets | None = None

    def __call__(self, ask: Ask, window: Window) -> Facts:
        """Look up what this ask depends on; see ``Look``."""
        return Facts(
            freeze=self.freezes.during(ask.entitlement, window),
            ticket=_looked("ticket", ask.ticket, self.tickets, ask.entitlement),
            incident=_looked("incident", ask.incident, self.incidents, ask.entitlement),
        )


def as_if(world: World) -> Look:
    """Look nothing up: the world is as somebody supposes it to be."""

    def look(ask: Ask, _: Window) -> Facts:
        return Facts(
            freeze="a change freeze" if world.freeze else "",
            ticket=_supposed(ask.ticket, is_open=world.ticket_verified),
            incident=_supposed(ask.incident, is_open=world.incident_verified),
        )

    return look


def world_of(facts: Facts) -> World:
    """Return what a policy sees of these facts."""
    return World(
        freeze=bool(facts.freeze),
        ticket_verified=facts.ticket in COUNTS,
        incident_verified=facts.incident in COUNTS,
    )


def _supposed(given: str | None, *, is_open: bool) -> Looked | None:
    if given is None:
        return None
    return Looked.OPEN if is_open else Looked.UNKNOWN


def _looked(
    what: str, given: str | None, system: Tickets | None, entitlement: Entitlement
) -> Looked | None:
    if given is None:
        return None
    if system is None:
        return Looked.UNKNOWN
    try:
        found = system.look(given)
    except Unavailable:
        if entitlement.unchecked_tickets:
            return Looked.UNCHECKED
        raise
    if found is None:
        raise Refused(f"There is no {what} {quoted(given)}; name one that exists and is open.")
    if found.is_open is False:
        raise Refused(f"The {what} {quoted(given)} is closed; name one that is open.")
    projects = entitlement.ticket_projects
    if what == "ticket" and projects and found.project not in projects:
        named = ", ".join(projects)
        raise Refused(
            f"The ticket {quoted(given)} belongs elsewhere; {entitlement.id} takes one of {named}."
        )
    return Looked.UNCHECKED if found.is_open is None else Looked.OPEN
