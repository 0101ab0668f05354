"""Why a decision came out as it did: every rule that matched, who could say yes, what would help.

The verdict is the one decision function's. Which rules match is asked of Cedar a second time,
permits and forbids apart, because next to a forbid Cedar no longer names the permits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import cedarpy
from cedarpy import pst

from jitcloud.errors import NotFound, Refused
from jitcloud.model import (
    Approver,
    Ask,
    BreakGlass,
    Decision,
    GroupId,
    Need,
    NeedsApproval,
    Person,
    PersonId,
    RotationId,
    RuleId,
    Stage,
    Window,
)
from jitcloud.policy.advice import Decide, Hint, Offer, hints, offered
from jitcloud.policy.engine import Policy, verbs_of
from jitcloud.policy.entities import World, about_ask
from jitcloud.policy.known import named
from jitcloud.policy.source import (
    Rule,
    _statements,  # its name is not public yet
    schema,
)
from jitcloud.ports import Directory

_ANYTHING = pst.Template(
    id="anything",
    effect="permit",
    principal=pst.ScopeAny(),
    action=pst.ScopeAny(),
    resource=pst.ScopeAny(),
    clauses=(),
    annotations={},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The rules that match an ask, for one verb."""

    verb: str
    permits: tuple[Rule, ...]
    forbids: tuple[Rule, ...]

    @property
    def is_allowed(self) -> bool:
        """Whether these rules, by themselves, let the verb be done."""
        return bool(self.permits) and not self.forbids


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One need of an approval, and the people who could meet it."""

    stage: int
    need: Need
    people: tuple[Person, ...]
    """By name; without the requester and the disabled, whose yes would not count."""
    joining: tuple[Person, ...] = ()
    """The others who join them by the need's escalation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Somebody who hears of a broken glass at once, and the people that is."""

    who: Approver
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One decision, with all that led to it."""

    ask: Ask
    decision: Decision
    matched: tuple[Matched, ...]
    asked: tuple[Asked, ...]
    """Also where too few of them are left to ask, and the decision is therefore a denial. Of a
    broken glass, those whose yes is passed over."""
    reviewers: tuple[Asked, ...]
    """Who must look at a broken glass afterwards."""
    hearing: tuple[Hearing, ...]
    offers: tuple[Offer, ...]
    hints: tuple[Hint, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that matched, once, in the order of the policy."""
        found = {rule.id: rule for each in self.matched for rule in (*each.permits, *each.forbids)}
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Explains decisions of a policy about the people of a directory."""

    policy: Policy
    directory: Directory
    decide: Decide

    def explain(self, ask: Ask, world: World, window: Window) -> Explanation:
        """Explain what is said to an ask. Raises ``NotFound`` for somebody who is not there."""
        person = self.directory.person(ask.person)
        judged = self.policy.judge(ask, person, world, window)
        asked: tuple[Stage, ...] = ()
        reviewers: tuple[Stage, ...] = ()
        hearing: tuple[Approver, ...] = ()
        match judged:
            case NeedsApproval(approval=approval):
                asked = approval.stages
            case BreakGlass(review=review, notify=hearing, skipped=skipped):
                asked = () if skipped is None else skipped.stages
                reviewers = (review.by,)
        return Explanation(
            ask=ask,
            decision=self.decide(ask, world),
            matched=self._matched(ask, person, world, window),
            asked=tuple(self._asked(asked, person)),
            reviewers=tuple(self._asked(reviewers, person)),
            hearing=tuple(Hearing(who=who, people=self._people([who])) for who in hearing),
            offers=offered(self.decide, ask, world),
            hints=hints(self.decide, ask, world),
        )

    def _matched(
        self, ask: Ask, person: Person, world: World, window: Window
    ) -> tuple[Matched, ...]:
        rules = self.policy.rules
        try:
            question = about_ask(ask, person, world, window, named(rules, "Group"))
            things = cedarpy.Entities.from_json_str(question.about, schema())
            known = things.with_added_json_str(question.people, schema())
        except ValueError:  # the decision says what does not fit
            return ()
        verbs = verbs_of(ask)
        requests = question.requests(verbs)
        permits, forbids = (
            cedarpy.is_authorized_batch(requests, part, known, schema())
            for part in (_part(rules, "permit"), _part(rules, "forbid", _ANYTHING))
        )
        return tuple(
            Matched(verb=verb, permits=_reasons(rules, may), forbids=_reasons(rules, may_not))
            for verb, may, may_not in zip(verbs, permits, forbids, strict=True)
        )

    def _asked(self, stages: Iterable[Stage], requester: Person) -> Iterator[Asked]:
        for number, stage in enumerate(stages):
            for need in stage.needs:
                people = self._people(need.approvers, requester)
                joining = [] if need.escalation is None else [need.escalation.to]
                later = (who for who in self._people(joining, requester) if who not in people)
                yield Asked(stage=number, need=need, people=people, joining=tuple(later))

    def _people(
        self, those: Iterable[Approver], requester: Person | None = None
    ) -> tuple[Person, ...]:
        ids = {person for who in those for person in members(self.directory, who)}
        people = [found for id_ in ids if (found := self._found(id_)) is not None]
        may = [person for person in people if person != requester and not person.disabled]
        return tuple(sorted(may, key=lambda person: (person.name.casefold(), person.id)))

    def _found(self, id_: PersonId) -> Person | None:
        try:
            return self.directory.person(id_)
        except (NotFound, Refused):
            return None


def members(directory: Directory, who: Approver) -> frozenset[PersonId]:
    """Return everybody an approver stands for; nobody for a group that is not there."""
    match who.kind:
        case "group":
            return directory.members(GroupId(who.id)) or frozenset()
        case "rotation":
            return directory.on_call(RotationId(who.id)) or frozenset()
        case "person":
            return frozenset({PersonId(who.id)})
        case _:
            assert_never(who.kind)


def texts_of(rules: Iterable[Rule], files: Mapping[str, str]) -> dict[RuleId, str]:
    """Return the text of each rule by its id, as it stands in its file.

    ``rules`` are all of the policy and ``files`` the texts it was made from.
    """
    statements = {name: _statements(text) for name, text in files.items()}
    return {rule.id: next(statements[rule.file]).text for rule in rules if rule.file in statements}


def _part(rules: Iterable[Rule], effect: pst.Effect, *more: pst.Template) -> cedarpy.PolicySet:
    """Return the rules of one effect alone, numbered as in the whole policy."""
    nodes = {
        f"policy{number}": replace(rule.cedar, id=f"policy{number}")
        for number, rule in enumerate(rules)
        if rule.cedar.effect == effect
    }
    nodes |= {node.id: node for node in more}
    return cedarpy.PolicySet.from_pst(
        pst.PolicySet(templates={}, static_policies=nodes, template_links=())
    )


def _reasons(rules: tuple[Rule, ...], result: cedarpy.AuthzResult) -> tuple[Rule, ...]:
    numbers = {
        int(reason.removeprefix("policy"))
        for reason in result.diagnostics.reasons
        if reason != _ANYTHING.id
    }
    return tuple(rules[number] for number in sorted(numbers))
