"""What rules would have said to the requests of the past: judged again, and compared.

The facts of an ask are as they were frozen, and those of its world as they were recorded with
the first decision. People and catalog are those of now: no record keeps who was in which group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jitcloud.catalog import Catalog
from jitcloud.errors import NotFound, Refused
from jitcloud.facts import world_of
from jitcloud.lifecycle import window_from
from jitcloud.model import (
    Ask,
    Decided,
    Decision,
    Denied,
    Entitlement,
    Facts,
    GlassBroken,
    Person,
    PersonId,
    Request,
    RequestId,
    RuleId,
    Sealed,
    Window,
)
from jitcloud.policy import slices
from jitcloud.policy.advice import Decide
from jitcloud.policy.entities import World
from jitcloud.policy.source import Rule
from jitcloud.ports import Directory

ANSWERS = 20_000
"""How many answers are kept for whoever asked the same."""


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


@dataclass(frozen=True, slots=True)
class Rejudge:
    """Judges requests of the past by these rules, and those that ask the same of them once.

    ``decide`` judges an ask by the entitlement it carries, whatever the catalog has.
    """

    rules: Sequence[Rule]
    decide: Decide
    _answers: dict[tuple[object, ...], Decision] = field(default_factory=dict, repr=False)
    _readers: dict[str, frozenset[RuleId]] = field(default_factory=dict, repr=False)
    """By fact of an ask: the rules that may look at it."""
    _mine: dict[PersonId, list[Rule]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # A rule that looks at a fact has the word in its tree.
        trees = {rule.id: repr(rule.cedar) for rule in self.rules}
        for fact in _FACTS:
            self._readers[fact] = frozenset(name for name, tree in trees.items() if fact in tree)

    def judge(self, again: Again) -> Decision:
        """Say what these rules say to a request of the past."""
        said = self._said(again)
        problems = again.past.problems
        if problems and not isinstance(said, Denied):
            return Denied(because=problems, rules=said.rules)
        return said

    def _said(self, again: Again) -> Decision:
        same = self._same(again)
        known = self._answers.get(same)
        if known is None:
            known = self.decide(again.ask, again.world)
            if len(self._answers) >= ANSWERS:
                self._answers.clear()
            self._answers[same] = known
        return known

    def _same(self, again: Again) -> tuple[object, ...]:
        """Return all that an answer can hang on; what no rule reads changes nothing."""
        ask, world, thing = again.ask, again.world, again.ask.entitlement
        window = window_from(ask.start or ask.asked_at, ask.duration)
        last = window.deadline - timedelta(microseconds=1)
        read = self._read(again.person, thing)
        return (
            (ask.person, ask.duration, window.deadline > window.start),
            (ask.break_glass, ask.break_glass and ask.incident is None),
            (thing.id, thing.cloud, thing.privilege, thing.environment),
            (thing.owner, thing.labels, thing.zone),
            "freeze" in read and world.freeze,
            ask.mfa_age if "mfaAge" in read else None,
            ask.ticket if "ticket" in read and world.ticket_verified else None,
            ask.incident if "incident" in read and world.incident_verified else None,
            _hour(window.start, thing.zone) if "start" in read else None,
            _hour(last, thing.zone) if "end" in read else None,
        )

    def _read(self, person: Person, thing: Entitlement) -> frozenset[str]:
        """Return the facts that a rule about this person and this thing may look at."""
        if person.id not in self._mine:
            self._mine[person.id] = slices.about_person(self.rules, person)
        rules = {rule.id for rule in slices.about_thing(self._mine[person.id], thing)}
        return frozenset(fact for fact in _FACTS if not rules.isdisjoint(self._readers[fact]))


_FACTS = ("mfaAge", "ticket", "incident", "freeze", "start", "end")


def _hour(instant: datetime, zone: str) -> object:
    """Return what a rule can see of an instant; all of it where this machine lacks the zone."""
    try:
        local = instant.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return instant
    return local.hour, local.isoweekday()
