"""Policies, asks and votes that nobody would think of, about the example organisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from jitcloud.catalog import Catalog
from jitcloud.errors import NotFound
from jitcloud.model import (
    Ask,
    Entitlement,
    EntitlementId,
    GroupId,
    Person,
    PersonId,
    Privilege,
    RotationId,
    Vote,
)
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
# What matches often stands there often: rules that match nothing show nothing.
_PRINCIPALS = (
    *("principal",) * 12,
    'principal in Rotation::"sre-primary"',
    *('principal == User::"u-dev"',) * 3,
    *(f'principal in Group::"{group}"' for group in _GROUPS),
)
_RESOURCES = (
    *("resource",) * 6,
    *('resource in Environment::"prod"',) * 3,
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
    "sre",
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
    clauses = st.lists(one.map(lambda each: f" {each[0]} {{ {each[1]} }}"), max_size=1)
    return st.one_of(st.just(""), clauses.map("".join))


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
    """Draw some rules: mostly permits of request, so that approvals add up."""
    some = st.one_of(permits_of_activate(), forbids())
    return st.tuples(
        st.lists(permits_of_request(), min_size=1, max_size=3), st.lists(some, max_size=3)
    ).map(lambda drawn: [*drawn[0], *drawn[1]])


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


def directories() -> st.SearchStrategy[Drawn]:
    """Draw a few people who are much alike, in groups that rules name, some managing others."""
    ids = ("u-dev", "u-1", "u-2", "u-3", "u-4", "u-5")

    def person(id_: str) -> st.SearchStrategy[Person]:
        return st.builds(
            Person,
            id=st.just(PersonId(id_)),
            name=st.just(id_),
            groups=st.sampled_from([frozenset[GroupId](), *map(_just, _GROUPS[:2])]),
            rotations=st.sampled_from(
                [*[frozenset[RotationId]()] * 3, frozenset({RotationId("sre-primary")})]
            ),
            manager=st.sampled_from((None, None, *map(PersonId, ids[:2]))),
            disabled=st.sampled_from((*(False,) * 9, True)),
        )

    return st.tuples(*map(person, ids)).map(lambda people: Drawn(list(people)))


def _just(group: str) -> frozenset[GroupId]:
    return frozenset({GroupId(group)})


class Drawn:
    """A directory of these people, and of the groups of the example."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.people = people

    def __repr__(self) -> str:
        return f"Drawn({self.people})"

    def person(self, handle: str) -> Person:
        for person in self.people:
            if person.id == handle:
                return person
        raise NotFound(handle)

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        return frozenset(person.id for person in self.people if group in person.groups)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return frozenset(person.id for person in self.people if rotation in person.rotations)

    def groups(self) -> frozenset[GroupId] | None:
        return HERE.directory.groups()

    def rotations(self) -> frozenset[RotationId] | None:
        return HERE.directory.rotations()


def catalogs() -> st.SearchStrategy[Catalog]:
    """Draw a few things that are much alike."""
    first = HERE.catalog.get("prod-admin")

    def thing(id_: str) -> st.SearchStrategy[Entitlement]:
        return st.builds(
            lambda privilege, environment, owner, labels: replace(
                first,
                id=EntitlementId(id_),
                privilege=privilege,
                environment=environment,
                owner=owner,
                labels=tuple(sorted(labels)),
            ),
            st.sampled_from((Privilege.READ, Privilege.ADMIN)),
            st.sampled_from(("prod", "dev")),
            st.sampled_from(_GROUPS[:3]).map(GroupId),
            st.frozensets(st.just("pii")),
        )

    ids = ("prod-admin", "t-1", "t-2", "t-3")
    return st.tuples(*map(thing, ids)).map(lambda all_: Catalog({each.id: each for each in all_}))


def votes() -> st.SearchStrategy[list[Vote]]:
    cast = st.dictionaries(st.sampled_from(sorted(VOTERS)), st.integers(0, 1))
    return cast.map(
        lambda stages: [
            Vote(by=VOTERS[name].id, stage=stage, at=TUESDAY, reason="")
            for name, stage in stages.items()
        ]
    )
