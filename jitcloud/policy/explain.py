"""Why a decision came out as it did: every rule that matched, who could say yes, what would help.

The verdict is the one decision function's. Which rules match is asked of Cedar a second time,
permits and forbids apart, because next to a forbid Cedar no longer names the permits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import cedarpy
from cedarpy import pst

from jitcloud.errors import NotFound, Refused
from jitcloud.model import (
    Approval,
    Approver,
    Ask,
    Decision,
    GroupId,
    Need,
    NeedsApproval,
    Person,
    PersonId,
    RotationId,
    RuleId,
    Window,
)
from jitcloud.policy.advice import Decide, Hint, Offer, hints, offered
from jitcloud.policy.engine import Policy
from jitcloud.policy.entities import World, about_ask, uid
from jitcloud.policy.source import (
    Rule,
    _statements,  # its name is not public yet
    schema,
)
from jitcloud.ports import Directory

VERBS = ("activate", "request")
"""What the broker asks policy about, in this order: the first that is allowed is the verdict."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One decision, with all that led to it."""

    ask: Ask
    decision: Decision
    matched: tuple[Matched, ...]
    asked: tuple[Asked, ...]
    """Also where too few of them are left to ask, and the decision is therefore a denial."""
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
        return Explanation(
            ask=ask,
            decision=self.decide(ask, world),
            matched=self._matched(ask, person, world, window),
            asked=self._asked(judged.approval, person) if isinstance(judged, NeedsApproval) else (),
            offers=offered(self.decide, ask, world),
            hints=hints(self.decide, ask, world),
        )

    def _matched(
        self, ask: Ask, person: Person, world: World, window: Window
    ) -> tuple[Matched, ...]:
        rules = self.policy.rules
        try:
            question = about_ask(ask, person, world, window, named(rules, "Group"))
            known = cedarpy.Entities.from_json_str(question.entities, schema())
        except ValueError:  # the decision says what does not fit
            return ()
        requests = [
            {
                "principal": question.principal,
                "action": uid("Action", verb),
                "resource": question.resource,
                "context": question.context,
            }
            for verb in VERBS
        ]
        permits, forbids = (
            cedarpy.is_authorized_batch(requests, part, known, schema())
            for part in (_part(rules, "permit"), _part(rules, "forbid", _ANYTHING))
        )
        return tuple(
            Matched(verb=verb, permits=_reasons(rules, may), forbids=_reasons(rules, may_not))
            for verb, may, may_not in zip(VERBS, permits, forbids, strict=True)
        )

    def _asked(self, approval: Approval, requester: Person) -> tuple[Asked, ...]:
        return tuple(
            Asked(stage=number, need=need, people=self._people(need, requester))
            for number, stage in enumerate(approval.stages)
            for need in stage.needs
        )

    def _people(self, need: Need, requester: Person) -> tuple[Person, ...]:
        ids = {person for who in need.approvers for person in members(self.directory, who)}
        people = [found for id_ in ids if (found := self._found(id_)) is not None]
        may = [person for person in people if person.id != requester.id and not person.disabled]
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


def named(rules: Iterable[Rule], kind: str) -> frozenset[str]:
    """Return the ids of every entity of a kind that a rule names."""
    return frozenset(
        found.id
        for rule in rules
        for found in pst.entity_uids(rule.cedar)
        if str(found.type) == kind
    )


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
