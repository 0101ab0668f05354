"""Who could get what, for everybody and everything: a table to keep beside the policy.

Most people are alike to a policy, and so are most things: whoever is in the same groups, as far
as any rule can tell, is judged once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from jitcloud.model import Activate, Ask, Entitlement, Person
from jitcloud.policy import slices, wording
from jitcloud.policy.advice import Decide
from jitcloud.policy.entities import World
from jitcloud.policy.everybody import Named
from jitcloud.policy.source import Rule
from jitcloud.text import printable

DURATIONS = tuple(timedelta(hours=hours) for hours in (1, 4, 8))
"""For which it is asked, unless somebody says for which."""

NOON = datetime(2030, 1, 8, 12)  # noqa: DTZ001 - on a Tuesday, in the zone of the entitlement
"""When it is asked, just after a sign-in, with no change freeze on."""

FEWER: Mapping[str, tuple[str, ...]] = {
    "": (),
    "ticket": ("",),
    "incident": ("",),
    "ticket+incident": ("ticket", "incident", ""),
}
"""What it is asked with, and what has less of it."""

_FACTS = ("ticket", "incident")
_GLASS = "breakGlass"
_SOME = "SOME-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one person could get of one thing, with this at hand."""

    person: str
    name: str
    """The person's, for readers."""
    entitlement: str
    having: str
    """One of ``FEWER``."""
    outcomes: tuple[str, ...]
    """For each duration: ``activate``, ``request: 1 of ...``, ``break-glass: 1 of ...`` with those
    who review it, the last two with ``; `` between them, or nothing at all."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Judges everybody about everything: once for all who are alike, about all that is alike.

    What Cedar is told of a person are id, manager, groups and rotations, and of an entitlement
    id, cloud, privilege, owner, environment and labels; its zone sets the hours. Ids can be
    compared with what a rule names and with each other, and nothing else can be done with them.
    Two people who agree in all else could change places, so it cannot matter which of them asks:
    whether enough others could approve is the same for both too.
    """

    rules: tuple[Rule, ...]
    about: Callable[[Person], Decide]
    """Returns what judges asks of one person's."""
    named: Named
    durations: Sequence[timedelta] = DURATIONS
    _reading: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def rows(
        self,
        people: Iterable[Person],
        catalog: Iterable[Entitlement],
        advance: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Row]:
        """Yield a row wherever somebody could get something, by entitlement for each person.

        ``advance`` is told how many entitlements more have been looked at.
        """
        things = sorted(catalog, key=lambda thing: thing.id)
        alike: dict[object, list[tuple[str, _Rows]]] = {}
        for person in people:
            who = self._who(person)
            if who in alike:
                advance(len(things))
            else:
                alike[who] = list(self._of(person, things, advance))
            for thing, rows in alike[who]:
                for having, outcomes in rows:
                    yield Row(
                        person=printable(person.id),
                        name=printable(person.name),
                        entitlement=thing,
                        having=having,
                        outcomes=outcomes,
                    )

    def _of(
        self, person: Person, things: Iterable[Entitlement], advance: Callable[[int], None]
    ) -> Iterator[tuple[str, _Rows]]:
        rules = slices.about_person(self.rules, person)
        decide = self.about(person)
        alike: dict[object, _Rows] = {}
        for thing in things:
            what = self._what(thing)
            if what not in alike:
                those = slices.about_thing(rules, thing)
                # Most people can have no part of most things, and Cedar need not be asked.
                could = any(rule.cedar.effect == "permit" for rule in those)
                alike[what] = self._rows(person, thing, decide, those) if could else ()
            advance(1)
            if alike[what]:
                yield thing.id, alike[what]

    def _rows(
        self, person: Person, thing: Entitlement, decide: Decide, rules: Iterable[Rule]
    ) -> _Rows:
        read = {fact for rule in rules for fact in self._read_by(rule)}
        has_glass = any(rule.verb == _GLASS for rule in rules)
        every: dict[str, tuple[str, ...]] = {}
        for having in FEWER:
            # What no rule looks at changes nothing.
            same = "+".join(fact for fact in having.split("+") if fact in read)
            every[having] = every.get(same) or tuple(
                _outcome(decide, *what_if(person, thing, duration, having), has_glass=has_glass)
                for duration in self.durations
            )
        return told(every)

    def _read_by(self, rule: Rule) -> tuple[str, ...]:
        """Return what a rule may look at of that which can be at hand: its tree holds the word."""
        if rule.id not in self._reading:
            # Nobody breaks a glass without an incident, whether the rule looks at it or not.
            tree = f"incident {rule.cedar!r}" if rule.verb == _GLASS else repr(rule.cedar)
            self._reading[rule.id] = tuple(fact for fact in _FACTS if fact in tree)
        return self._reading[rule.id]

    def _who(self, person: Person) -> object:
        is_named = person.id in self.named.people or person.id == person.manager
        return (
            person.id if is_named else "",
            person.groups & self.named.groups,
            person.rotations & self.named.rotations,
            person.manager,
            person.disabled,
        )

    def _what(self, thing: Entitlement) -> object:
        return (
            thing.id if thing.id in self.named.entitlements else "",
            thing.cloud,
            thing.privilege,
            thing.environment,
            thing.owner,
            frozenset(thing.labels),
            thing.zone,
        )


_Rows = Sequence[tuple[str, tuple[str, ...]]]


def told(every: Mapping[str, tuple[str, ...]]) -> _Rows:
    """Leave out whatever ``untold`` would read as the same."""
    kept: dict[str, tuple[str, ...]] = {}
    nothing = tuple("" for _ in every[""])
    for having, outcomes in every.items():
        if outcomes != untold(kept, having, nothing):
            kept[having] = outcomes
    return tuple(kept.items())


def untold(
    rows: Mapping[str, tuple[str, ...]], having: str, nothing: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what holds with this at hand: as told, else as with less at hand, else nothing."""
    return next((rows[each] for each in (having, *FEWER[having]) if each in rows), nothing)


def _outcome(decide: Decide, ask: Ask, world: World, *, has_glass: bool) -> str:
    plain = decide(ask, world)
    said = [wording.outcome(plain)]
    if has_glass and ask.incident is not None and not isinstance(plain, Activate):
        said.append(wording.outcome(decide(replace(ask, break_glass=True), world)))
    return "; ".join(filter(None, said))


def what_if(
    person: Person,
    thing: Entitlement,
    duration: timedelta,
    having: str,
    at: datetime = NOON,
) -> tuple[Ask, World]:
    """Return an ask at a local time, just after a sign-in, with this at hand."""
    ticket, incident = "ticket" in having, "incident" in having
    ask = Ask(
        person=person.id,
        entitlement=thing,
        duration=duration,
        justification="What if?",
        asked_at=at.replace(tzinfo=ZoneInfo(thing.zone)).astimezone(UTC),
        mfa_age=timedelta(),
        ticket=_SOME if ticket else None,
        incident=_SOME if incident else None,
    )
    return ask, World(ticket_verified=ticket, incident_verified=incident)
