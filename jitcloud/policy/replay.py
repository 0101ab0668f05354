"""What rules would have said to the requests of the past: judged again, and compared.

The facts of an ask are as they were frozen, and those of its world as they were recorded with
the first decision. People and catalog are those of now: no record keeps who was in which group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from jitcloud.catalog import Catalog
from jitcloud.errors import NotFound, Refused
from jitcloud.facts import world_of
from jitcloud.model import (
    Ask,
    Decided,
    Decision,
    Denied,
    Facts,
    GlassBroken,
    Person,
    Request,
    RequestId,
    Sealed,
    Window,
)
from jitcloud.policy.entities import World
from jitcloud.ports import Directory


class Skip(StrEnum):
    """Why a request is not judged again."""

    GONE = "gone"
    """The directory no longer has the person."""
    DISABLED = "disabled"
    """The directory has disabled the person."""
    NOT_BY_RULES = "not-by-rules"
    """It was refused before any rule was asked: a brake was on, a ticket was closed, an extension
    came too late, a broken glass was unreviewed."""
    UNDECIDED = "undecided"
    """Nothing was ever said to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A request of the past: what was asked, and what was said to it first."""

    request: RequestId
    ask: Ask
    said: Decision
    facts: Facts | None
    """None: it was recorded when facts were not."""
    problems: tuple[str, ...] = ()
    """Why its cloud would have refused it, as far as could be seen then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The same request, ready to be judged again."""

    past: Past
    person: Person
    """As of now."""
    ask: Ask
    """With the catalog's entry of now, if it still has one."""
    world: World
    is_retired: bool
    """Whether the catalog no longer has what was asked for."""
    is_moved: bool
    """Whether the catalog has something else by this name now."""


def read(request: Request, trail: Iterable[Sealed], parent: Window | None = None) -> Past | Skip:
    """Read one trail.

    ``parent`` is the window of the grant that the request extends, if it does. Rules judge an
    extension as an ask for the new whole, which begins where the grant did.
    """
    for line in trail:
        match line.event.what:
            case Decided(decision=said, facts=facts) | GlassBroken(decision=said, facts=facts):
                if not _is_by_rules(said):
                    return Skip.NOT_BY_RULES
                start = request.ask.start if parent is None else parent.start
                return Past(
                    request=request.id,
                    ask=replace(request.ask, start=start, extends=None),
                    said=said,
                    # Canonical JSON: within a text the quotation marks would be escaped.
                    facts=facts if '"facts":{' in line.text else None,
                    problems=() if request.plan is None else request.plan.problems,
                )
    return Skip.UNDECIDED


def _is_by_rules(said: Decision) -> bool:
    # Nothing else in the record tells a refusal by no rule from one before any rule was asked.
    return (
        not isinstance(said, Denied) or bool(said.rules) or said.because[0].startswith(_RULES_SAID)
    )


_RULES_SAID = ("No rule lets you ", "The policy could not be evaluated")


@dataclass(frozen=True, slots=True)
class Present:
    """People and catalog as they are now, each looked up once."""

    catalog: Catalog
    directory: Directory
    _people: dict[str, Person | Skip] = field(default_factory=dict, repr=False)

    def settle(self, past: Past) -> Again | Skip:
        """Bring a request of the past before the judges of today."""
        person = self._person(past.ask)
        if isinstance(person, Skip):
            return person
        asked = past.ask.entitlement
        try:
            thing = self.catalog.get(asked.id)
        except NotFound:
            thing = None
        return Again(
            past=past,
            person=person,
            ask=past.ask if thing is None else replace(past.ask, entitlement=thing),
            world=world_of(past.facts or Facts()),
            is_retired=thing is None,
            is_moved=thing is not None and thing != asked,
        )

    def _person(self, ask: Ask) -> Person | Skip:
        if ask.person not in self._people:
            self._people[ask.person] = self._look_up(ask)
        return self._people[ask.person]

    def _look_up(self, ask: Ask) -> Person | Skip:
        try:
            person = self.directory.person(ask.person)
        except (NotFound, Refused):
            return Skip.GONE
        if person.id != ask.person:  # an id of then that is somebody's e-mail now
            return Skip.GONE
        return Skip.DISABLED if person.disabled else person
