"""Judges requests of the past by rules: each question once, whoever asked it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jitcloud.lifecycle import window_from
from jitcloud.model import Decision, Denied, Entitlement, Person, RuleId
from jitcloud.policy import slices
from jitcloud.policy.advice import Decide
from jitcloud.policy.everybody import Named
from jitcloud.policy.replay import Again
from jitcloud.policy.source import Rule

ANSWERS = 20_000
"""How many answers are kept for whoever asks the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudge:
    """Judges requests of the past by some rules, and those that ask the same of them once.

    As in a matrix, whoever is in the same groups as far as any rule can tell could change places,
    and so could what the catalog has; see there. What no rule about them looks at changes nothing.
    """

    rules: Sequence[Rule]
    decide: Decide
    """Judges an ask by the entitlement it carries, whatever the catalog has."""
    named: Named
    readers: Mapping[str, frozenset[RuleId]]
    """By fact: the rules that may look at it."""
    _answers: dict[Hashable, Decision] = field(default_factory=dict, repr=False)
    _about: dict[Hashable, list[Rule]] = field(default_factory=dict, repr=False)

    @classmethod
    def by(cls, rules: Sequence[Rule], decide: Decide) -> Rejudge:
        """Look at what the rules look at."""
        # A rule that looks at a fact has the word in its tree, annotations included.
        trees = {rule.id: repr(rule.cedar) for rule in rules}
        return cls(
            rules=rules,
            decide=decide,
            named=Named.by(rules, ()),
            readers={
                fact: frozenset(name for name, tree in trees.items() if fact in tree)
                for fact in _FACTS
            },
        )

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

    def _same(self, again: Again) -> Hashable:
        """Return all that an answer can hang on."""
        ask, world, person, thing = again.ask, again.world, again.person, again.ask.entitlement
        window = window_from(ask.start or ask.asked_at, ask.duration)
        last = window.deadline - timedelta(microseconds=1)
        who = self._who(person)
        read = self._read(who, person, thing)
        return (
            (who, thing.owner in person.groups, person.manager if "manager" in read else None),
            (thing.id if thing.id in self.named.entitlements else "", thing.owner, thing.labels),
            (thing.cloud, thing.privilege, thing.environment, thing.zone),
            (ask.duration, window.deadline > window.start),
            (ask.break_glass, ask.break_glass and ask.incident is None),
            "freeze" in read and world.freeze,
            ask.mfa_age if "mfaAge" in read else None,
            ask.ticket if "ticket" in read and world.ticket_verified else None,
            ask.incident if "incident" in read and world.incident_verified else None,
            _hour(window.start, thing.zone) if "start" in read else None,
            _hour(last, thing.zone) if "end" in read else None,
        )

    def _who(self, person: Person) -> Hashable:
        named = self.named
        is_named = person.id in named.people or person.id == person.manager
        return (
            person.id if is_named else "",
            person.groups & named.groups,
            person.rotations & named.rotations,
        )

    def _read(self, who: Hashable, person: Person, thing: Entitlement) -> frozenset[str]:
        """Return the facts that a rule about this person and this thing may look at."""
        if who not in self._about:
            self._about[who] = slices.about_person(self.rules, person)
        rules = {rule.id for rule in slices.about_thing(self._about[who], thing)}
        return frozenset(fact for fact in _FACTS if not rules.isdisjoint(self.readers[fact]))


_FACTS = ("mfaAge", "ticket", "incident", "freeze", "start", "end", "manager")


def _hour(instant: datetime, zone: str) -> object:
    """Return what a rule can see of an instant; all of it where this machine lacks the zone."""
    try:
        local = instant.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return instant
    return local.hour, local.isoweekday()
