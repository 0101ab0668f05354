"""The rules that could match one person or one thing: a few, of a thousand.

A rule matches only where its scope does (``principal in Group::"sre"``), and Cedar looks at
nothing else of a rule whose scope does not match: not even an error could come of it. So a
policy cut down to the rules in whose scope somebody is says the same about them as the whole.
Cutting it down costs more than one decision, and much less than a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cedarpy
from cedarpy import pst

from jitcloud.model import Entitlement, Person
from jitcloud.policy.engine import Policy
from jitcloud.policy.source import Rule

_Uid = tuple[str, str]

_ASKING = frozenset({"access", "activate", "request", "breakGlass"})


def cut(policy: Policy, person: Person) -> Policy:
    """Return what of a policy can decide an ask of this person's, and judges it the same."""
    rules = tuple(about_person(policy.rules, person))
    nodes = {
        f"policy{number}": replace(rule.cedar, id=f"policy{number}")
        for number, rule in enumerate(rules)
    }
    policies = cedarpy.PolicySet.from_pst(
        pst.PolicySet(templates={}, static_policies=nodes, template_links=())
    )
    return Policy.of(rules, policies, policy.digest)


def about_person(rules: Iterable[Rule], person: Person) -> list[Rule]:
    """Return the rules about asking whose scope holds this person."""
    within = {
        ("User", person.id),
        *(("Group", group) for group in person.groups),
        *(("Rotation", rotation) for rotation in person.rotations),
    }
    return [rule for rule in rules if _is_asked(rule) and _holds(rule.cedar.principal, within)]


def about_thing(rules: Iterable[Rule], thing: Entitlement) -> list[Rule]:
    """Return the rules about asking whose scope holds this entitlement."""
    within = {
        ("Entitlement", thing.id),
        ("Environment", thing.environment),
        *(("Label", label) for label in thing.labels),
    }
    return [rule for rule in rules if _is_asked(rule) and _holds(rule.cedar.resource, within)]


def _is_asked(rule: Rule) -> bool:
    return not isinstance(rule.cedar.action, pst.ActionEq) or rule.verb in _ASKING


def _holds(scope: pst.PrincipalOrResourceConstraint, within: set[_Uid]) -> bool:
    """Whether an entity that is these, or is in them, can be in a scope."""
    match scope:
        case pst.ScopeEq(entity=pst.EntityUid() as uid):
            return (str(uid.type), uid.id) in within
        case pst.ScopeIn(entity=pst.EntityUid() as uid):
            return (str(uid.type), uid.id) in within
        case pst.ScopeIsIn(entity=pst.EntityUid() as uid):
            return (str(uid.type), uid.id) in within
        case _:
            return True  # any, or a type alone
