"""Policies, asks and votes that nobody would think of, about the example organisation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from jitcloud.catalog import Catalog
from jitcloud.errors import NotFound
from jitcloud.model import (
    Ask,
    Cloud,
    Entitlement,
    EntitlementId,
    GroupId,
    Person,
    PersonId,
    Privilege,
    Reach,
    RotationId,
    Scope,
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
_OF_BRAKES = (
    "resource.everything",
    'resource has cloud && resource.cloud == Cloud::"aws"',
    "resource has entitlement && principal in resource.entitlement.owner",
    'resource has entitlement && resource.entitlement in Environment::"prod"',
    "resource has person && resource.person == principal",
    'resource has person && resource.person in Group::"developers"',
    "context has mfaAge",
)
_WAITS = ("10m", "30m", "1h")
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


def escalations() -> st.SearchStrategy[str]:
    """Draw an escalation, or none."""
    one = st.tuples(st.sampled_from(_WAITS), st.sampled_from(_APPROVERS[:6]))
    return st.one_of(st.just(""), one.map(lambda e: f' @escalate("after {e[0]} to {e[1]}")'))


def reviews() -> st.SearchStrategy[str]:
    """Draw a review, and perhaps who is notified."""
    by = st.tuples(st.sampled_from(("1h", "4h", "1d")), st.sampled_from(_APPROVERS))
    heard = st.lists(st.sampled_from(_APPROVERS), max_size=2)
    return st.tuples(by, heard).map(
        lambda d: (
            f'@review("within {d[0][0]} by {d[0][1]}")'
            + (f' @notify("{", ".join(d[1])}")' if d[1] else "")
        )
    )


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
    asked = approvals().map(lambda text: f'@approval("{text}")')
    head = st.tuples(asked, escalations()).map("".join)
    return _rule(head, "permit", 'action == Action::"request"')


def permits_of_break_glass() -> st.SearchStrategy[str]:
    return _rule(reviews(), "permit", 'action == Action::"breakGlass"')


def permits_of_activate() -> st.SearchStrategy[str]:
    return _rule(st.just(""), "permit", 'action == Action::"activate"')


def forbids() -> st.SearchStrategy[str]:
    actions = (
        *('action in Action::"access"',) * 3,
        *(f'action == Action::"{verb}"' for verb in ("activate", "request", "breakGlass")),
    )
    return st.sampled_from(actions).flatmap(
        lambda action: _rule(st.just('@because("Not so.")'), "forbid", action)
    )


def brakes() -> st.SearchStrategy[str]:
    """Draw a rule about brakes."""
    return st.builds(
        lambda head, verb, principal, when: (
            f'@id("NAME") {head} ({principal}, action == Action::"{verb}", resource){when};'
        ),
        st.sampled_from(("permit", "permit", "permit", '@because("Not so.") forbid')),
        st.sampled_from(("stop", "end")),
        st.sampled_from(_PRINCIPALS),
        st.sampled_from(("", *(f" when {{ {condition} }}" for condition in _OF_BRAKES))),
    )


def forbids_of_anything() -> st.SearchStrategy[str]:
    """Draw a forbid that may be about votes and brakes as well."""
    actions = ("action", *(f'action == Action::"{verb}"' for verb in ("approve", "stop", "end")))
    head = '@id("NAME") @because("Not so.")'
    others = st.builds(
        lambda action, principal: f"{head} forbid ({principal}, {action}, resource);",
        st.sampled_from(actions),
        st.sampled_from(_PRINCIPALS),
    )
    return st.one_of(forbids(), others)


def rules() -> st.SearchStrategy[list[str]]:
    """Draw some rules: mostly permits of request, so that approvals add up."""
    some = st.one_of(permits_of_activate(), permits_of_break_glass(), forbids())
    return st.tuples(
        st.lists(permits_of_request(), min_size=1, max_size=3), st.lists(some, max_size=3)
    ).map(lambda drawn: [*drawn[0], *drawn[1]])


@st.composite
def rules_and_one_more(draw: st.DrawFn) -> tuple[list[str], str]:
    """Draw some rules, and a further permit of request.

    Often it is the twin of one of them but for its escalation: those add up in a way of their own.
    """
    base = draw(rules())
    more = draw(permits_of_request())
    asking = [rule for rule in base if "@approval" in rule]
    kind = draw(st.sampled_from(("other", "strict", "another time", "another")))
    if asking and kind != "other":
        more = draw(st.sampled_from(asking))
        if kind == "another time":
            more = re.sub(r"after \w+", f"after {draw(st.sampled_from(_WAITS))}", more)
        else:
            later = draw(escalations()) if kind == "another" else ""
            more = re.sub(r"( @escalate\(.*?\))?\n", f"{later}\n", more, count=1)
    return base, more


def rules_about_glass() -> st.SearchStrategy[list[str]]:
    """Draw some rules, of which several let break the glass."""
    glass = st.lists(permits_of_break_glass(), min_size=1, max_size=3)
    return st.tuples(rules(), glass).map(lambda drawn: [*drawn[0], *drawn[1]])


def named(drawn: Sequence[str], prefix: str = "r") -> list[str]:
    """Give each rule an id of its own."""
    return [rule.replace("NAME", f"{prefix}-{number}") for number, rule in enumerate(drawn)]


def asks(*, break_glass: tuple[bool, ...] = (False, False, True)) -> st.SearchStrategy[Ask]:
    some = st.sampled_from(("T-1", None))
    return st.builds(
        lambda who, what, duration, mfa, ticket, incident, broken: replace(
            HERE.ask(who, what, duration, mfa=mfa, ticket=ticket, incident=incident),
            break_glass=broken,
        ),
        st.sampled_from(NAMES),
        st.sampled_from(THINGS),
        st.sampled_from(("30m", "1h", "2h", "4h", "8h")),
        st.sampled_from(("5m", "1h", None)),
        some,
        some,
        st.sampled_from(break_glass),
    )


def scopes() -> st.SearchStrategy[Scope]:
    return st.one_of(
        st.just(Scope(reach=Reach.EVERYTHING)),
        st.sampled_from([Scope(reach=Reach.CLOUD, id=cloud) for cloud in Cloud]),
        st.sampled_from([Scope(reach=Reach.ENTITLEMENT, id=thing) for thing in THINGS]),
        st.sampled_from([Scope(reach=Reach.PERSON, id=f"u-{name}") for name in NAMES]),
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
    """Draw votes that were all cast when it was asked."""
    cast = st.dictionaries(st.sampled_from(sorted(VOTERS)), st.integers(0, 1))
    return cast.map(
        lambda stages: [
            Vote(by=VOTERS[name].id, stage=stage, at=TUESDAY, reason="")
            for name, stage in stages.items()
        ]
    )
