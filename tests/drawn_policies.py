"""Policies, asks and votes that nobody would think of, about the example organisation."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from jitcloud.model import Ask, Person, Vote
from jitcloud.policy import World
from tests.example import TUESDAY, Organisation

HERE = Organisation()
NAMES = ("dev", "sre", "oncall", "analyst", "platform", "many", "contractor", "outsider", "lead-1")
THINGS = tuple(thing.id for thing in HERE.catalog)
VOTERS: dict[str, Person] = {
    name: HERE.person(name)
    for name in ("owner", "privacy", "security", "lead-1", "lead-2", "oncall", "dev", "manager")
}

_GROUPS = ("developers", "sre", "sre-leads", "data-analysts", "platform", "db-owners")
_PRINCIPALS = (
    "principal",
    'principal in Rotation::"sre-primary"',
    'principal == User::"u-dev"',
    *(f'principal in Group::"{group}"' for group in _GROUPS),
)
_RESOURCES = (
    "resource",
    'resource in Environment::"prod"',
    'resource in Environment::"dev"',
    'resource in Label::"pii"',
    'resource == Entitlement::"prod-admin"',
)
_CONDITIONS = (
    'context.duration <= duration("1h")',
    'context.duration <= duration("4h")',
    "context has ticket",
    "context has incident",
    "context.freeze",
    'context has mfaAge && context.mfaAge <= duration("15m")',
    'resource.privilege == Privilege::"read"',
    'resource.cloud == Cloud::"aws"',
    "principal in resource.owner",
    "principal has manager",
    "context.start.hour >= 8 && context.end.hour < 18",
)
_APPROVERS = (
    "sre-leads",
    "security",
    "privacy",
    "resource.owner",
    "principal.manager",
    "rotation.sre-primary",
    "db-owners",
)


def conditions() -> st.SearchStrategy[str]:
    one = st.tuples(st.sampled_from(("when", "unless")), st.sampled_from(_CONDITIONS))
    return st.lists(one.map(lambda each: f" {each[0]} {{ {each[1]} }}"), max_size=2).map("".join)


def approvals() -> st.SearchStrategy[str]:
    names = st.lists(st.sampled_from(_APPROVERS), min_size=1, max_size=2, unique=True)
    stage = st.tuples(st.integers(1, 2), names).map(lambda s: f"{s[0]} of {' or '.join(s[1])}")
    return st.lists(stage, min_size=1, max_size=2).map(" then ".join)


def _rule(head: st.SearchStrategy[str], effect: str, action: str) -> st.SearchStrategy[str]:
    """Draw a rule that begins with what is drawn, and is named by whoever puts it in a policy."""
    return st.builds(
        lambda h, p, r, c: f'@id("NAME") {h}\n{effect} ({p}, {action}, {r}){c};',
        head,
        st.sampled_from(_PRINCIPALS),
        st.sampled_from(_RESOURCES),
        conditions(),
    )


def permits_of_request() -> st.SearchStrategy[str]:
    head = approvals().map(lambda text: f'@approval("{text}")')
    return _rule(head, "permit", 'action == Action::"request"')


def permits_of_activate() -> st.SearchStrategy[str]:
    return _rule(st.just(""), "permit", 'action == Action::"activate"')


def forbids() -> st.SearchStrategy[str]:
    actions = ('action in Action::"access"', 'action == Action::"activate"')
    return st.sampled_from(actions).flatmap(
        lambda action: _rule(st.just('@because("Not so.")'), "forbid", action)
    )


def rules() -> st.SearchStrategy[list[str]]:
    any_rule = st.one_of(permits_of_request(), permits_of_activate(), forbids())
    return st.lists(any_rule, min_size=1, max_size=6)


def named(drawn: Sequence[str], prefix: str = "r") -> list[str]:
    """Give each rule an id of its own."""
    return [rule.replace("NAME", f"{prefix}-{number}") for number, rule in enumerate(drawn)]


def asks() -> st.SearchStrategy[Ask]:
    some = st.sampled_from(("T-1", None))
    return st.builds(
        lambda who, what, duration, mfa, ticket, incident: HERE.ask(
            who, what, duration, mfa=mfa, ticket=ticket, incident=incident
        ),
        st.sampled_from(NAMES),
        st.sampled_from(THINGS),
        st.sampled_from(("30m", "1h", "2h", "4h", "8h")),
        st.sampled_from(("5m", "1h", None)),
        some,
        some,
    )


def worlds() -> st.SearchStrategy[World]:
    return st.builds(
        World, freeze=st.booleans(), ticket_verified=st.booleans(), incident_verified=st.booleans()
    )


def votes() -> st.SearchStrategy[list[Vote]]:
    cast = st.dictionaries(st.sampled_from(sorted(VOTERS)), st.integers(0, 1))
    return cast.map(
        lambda stages: [
            Vote(by=VOTERS[name].id, stage=stage, at=TUESDAY, reason="")
            for name, stage in stages.items()
        ]
    )
