"""Who and what a policy tells apart, and what is judged once for all that it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.cli.rulebook import Rulebook
from jitcloud.errors import Misconfigured
from jitcloud.facts import as_if
from jitcloud.freezes import Freezes
from jitcloud.judge import Judge
from jitcloud.model import (
    Activate,
    Ask,
    BreakGlass,
    Decision,
    Denied,
    Entitlement,
    EntitlementId,
    Person,
    PersonId,
    RequestId,
)
from jitcloud.policy import Policy, World, golden
from jitcloud.policy.advice import Decide
from jitcloud.policy.everybody import ANYBODY, Named, WithAnybody
from jitcloud.policy.golden import Golden
from jitcloud.policy.matrix import Matrix, Row
from jitcloud.policy.reach import Reach, reach
from jitcloud.policy.rejudge import Rejudge
from jitcloud.policy.replay import Again, Past
from jitcloud.ports import Directory
from tests.drawn_policies import HERE

HOUR = timedelta(hours=1)

ACTIVATE = 'action == Action::"activate"'
OPEN = f'@id("open") permit (principal, {ACTIVATE}, resource == Entitlement::"dev-db");'
GLASS = (
    '@id("glass") @review("within 24h by security")'
    ' permit (principal, action == Action::"breakGlass", resource == Entitlement::"dev-db");'
)
NEVER = '@id("never") @because("No.") forbid (principal, action in Action::"access", resource);'
ASKED = (
    '@id("asked") @approval("1 of privacy or rotation.sre-primary")'
    ' permit (principal, action == Action::"request", resource);'
)


def only(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


def book(policy: Policy, directory: Directory = HERE.directory) -> Rulebook:
    found = Rulebook(
        texts={},
        policy=policy,
        catalog=HERE.catalog,
        directory=directory,
        freezes=Freezes(),
    )
    return found.with_anybody()


# ── Everybody ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "people"),
    [
        (ASKED, {"u-privacy", "u-oncall"}),
        (GLASS, {"u-security"}),
        (GLASS.replace("@review", '@notify("privacy") @review'), {"u-security", "u-privacy"}),
        (OPEN.replace("principal,", 'principal in Rotation::"sre-primary",'), {"u-oncall"}),
        (OPEN, set()),
    ],
    ids=["approval", "review", "notify", "rotation", "nobody"],
)
def test_whoever_is_in_what_a_rule_names_is_looked_at(rule: str, people: set[str]) -> None:
    owners = {"u-owner", "u-dev", "u-platform", "u-lead-1", "u-lead-2"}
    found = Named.by(only(rule).rules, HERE.catalog).everybody(HERE.directory)
    assert {person.id for person in found} == people | owners | {ANYBODY.id}


# ── A matrix ─────────────────────────────────────────────────────────────────────────────────


class Team(WithAnybody):
    """The directory of the organisation, with these people as they are here."""

    def __init__(self, *people: Person) -> None:
        super().__init__(HERE.directory)
        self._people |= {person.id: person for person in people}


def rows(
    policy: Policy, *people: Person, catalog: Iterable[Entitlement] = HERE.catalog
) -> tuple[list[Row], Counter[PersonId]]:
    """Return what these could get, and how often a judge was asked about each."""
    asked: Counter[PersonId] = Counter()
    here = book(policy, Team(*people))

    def about(person: Person) -> Decide:
        decide = here.about(person)

        def counted(ask: Ask, world: World) -> Decision:
            asked[person.id] += 1
            return decide(ask, world)

        return counted

    matrix = Matrix(policy.rules, about, Named.by(policy.rules, HERE.catalog), (HOUR,))
    return list(matrix.rows(people, catalog)), asked


def told(found: list[Row]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(row.person, row.having): row.outcomes for row in found}


def test_two_who_are_alike_are_judged_once() -> None:
    one, other = HERE.person("outsider"), HERE.person("manager")
    found, asked = rows(only(OPEN), one, other)
    assert asked.keys() == {one.id}
    assert told(found) == {(one.id, ""): ("activate",), (other.id, ""): ("activate",)}


def test_a_thing_that_a_rule_names_is_like_no_other() -> None:
    thing = HERE.catalog.get("dev-db")
    twin = replace(thing, id=EntitlementId("dev-db-2"))
    found, _ = rows(only(OPEN), HERE.person("dev"), catalog=[thing, twin])
    assert [row.entitlement for row in found] == ["dev-db"]


def test_a_person_whom_a_rule_names_is_like_nobody_else() -> None:
    policy = only(OPEN.replace("principal,", 'principal == User::"u-outsider",'))
    found, _ = rows(policy, HERE.person("outsider"), HERE.person("manager"))
    assert [row.person for row in found] == ["u-outsider"]


def test_progress_counts_each_thing_once_for_each_person_alike_or_not() -> None:
    policy, told_of = only(OPEN), list[int]()
    matrix = Matrix(policy.rules, book(policy).about, Named.by(policy.rules, ()), (HOUR,))
    people = [HERE.person(name) for name in ("outsider", "manager", "sre")]
    assert len(list(matrix.rows(people, HERE.catalog, told_of.append))) == len(people)
    assert sum(told_of) == len(people) * len(HERE.catalog)


def test_whoever_manages_themselves_is_judged_alone() -> None:
    # Their own yes does not count; anybody else's manager, the same person, may give it.
    theirs = '@id("m") @approval("1 of principal.manager")'
    policy = only(f'{theirs} permit (principal, action == Action::"request", resource);')
    own = replace(HERE.person("manager"), manager=PersonId("u-manager"))
    others = (replace(own, id=PersonId(f"u-{name}")) for name in ("sre", "analyst"))
    found, asked = rows(policy, own, *others)
    assert {row.person for row in found} == {"u-sre", "u-analyst"}
    assert asked.keys() == {"u-manager", "u-sre"}


def test_no_glass_is_told_of_where_the_door_is_open() -> None:
    glass = "break-glass: 1 of security within 1d"
    person = HERE.person("dev")
    assert told(rows(only(OPEN, GLASS), person)[0]) == {("u-dev", ""): ("activate",)}
    assert told(rows(only(GLASS), person)[0]) == {("u-dev", "incident"): (glass,)}
    both, _ = rows(only(ASKED, GLASS), person)
    assert {row.outcomes for row in both if row.having == "incident"} == {
        (f"request: 1 of privacy or rotation.sre-primary; {glass}",)
    }


def test_a_matrix_is_read_back_row_for_row(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    found, _ = rows(only(ASKED, GLASS), HERE.person("dev"), HERE.person("sre"))
    assert len(found) > 2
    path.write_text("".join(f"{line}\n" for line in golden.lines((HOUR,), found)))
    assert golden.read(path) == Golden(durations=(HOUR,), rows=tuple(found))


def test_a_cell_that_goes_on_behind_its_quotation_mark_is_none(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text('person,name,entitlement,with,1h\nana,"A"na,t,,activate\n')
    with pytest.raises(Misconfigured, match="is not a matrix"):
        golden.read(path)


def test_another_table_is_no_matrix_though_it_has_durations(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("who,name,entitlement,with,1h\n")
    with pytest.raises(Misconfigured, match="is not a matrix"):
        golden.read(path)


# ── Whether anybody gets anything ────────────────────────────────────────────────────────────


def reached(*rules: str) -> Reach:
    here = book(only(*rules))
    return reach(here.policy.rules, here.directory, list(here.catalog), here.decide)


def test_only_what_gives_access_is_tried() -> None:
    votes = '@id("v") permit (principal, action == Action::"approve", resource);'
    ones = NEVER.replace("action in", "action ==").replace("access", "activate")
    for rule in (votes, NEVER, ones):
        assert reached(rule) == Reach(tried=0, allowed=False)


def test_the_first_thing_that_a_rule_names_is_the_first_to_be_tried() -> None:
    dev = OPEN.replace('resource == Entitlement::"dev-db"', 'resource in Environment::"dev"')
    assert reached(dev) == reached(OPEN) == Reach(tried=1, allowed=True)


# ── What was asked in the past ───────────────────────────────────────────────────────────────


class Rules:
    """Rules that judge, and how often they were asked."""

    def __init__(self, *rules: str) -> None:
        self.policy = only(*rules)
        self.asked = 0
        self.rejudge = Rejudge.by(self.policy.rules, self.decide)

    def decide(self, ask: Ask, world: World) -> Decision:
        self.asked += 1
        judge = Judge(self.policy, HERE.catalog, HERE.directory, {}, as_if(world))
        return judge.first(ask, None, ask.asked_at)

    def said(self, ask: Ask, world: World | None = None) -> Decision:
        past = Past(request=RequestId("x"), ask=ask, said=Denied(because=("",)), facts=None)
        return self.rejudge.judge(
            Again(
                past=past,
                person=HERE.directory.person(ask.person),
                ask=ask,
                world=world or World(),
                is_retired=False,
                is_moved=False,
            )
        )


@pytest.mark.parametrize("fact", ["ticket", "incident"])
def test_what_nobody_looked_up_is_not_what_somebody_did(fact: str) -> None:
    rules = Rules(f"{OPEN.removesuffix(';')} when {{ context has {fact} }};")
    ask = HERE.ask("dev", "dev-db", ticket="X-1", incident="X-1")
    found = World(ticket_verified=True, incident_verified=True)
    assert isinstance(rules.said(ask, found), Activate)
    assert isinstance(rules.said(ask), Denied)


@pytest.mark.parametrize(
    "never", ["", NEVER.replace("principal", 'principal == User::"u-manager"')]
)
def test_somebody_whom_a_rule_names_is_like_nobody_else(never: str) -> None:
    rules = Rules(OPEN.replace("principal,", 'principal == User::"u-outsider",'), never)
    assert isinstance(rules.said(HERE.ask("outsider", "dev-db")), Activate)
    assert isinstance(rules.said(HERE.ask("manager", "dev-db")), Denied)


def test_something_that_a_rule_names_is_like_nothing_else() -> None:
    never = NEVER.replace("resource)", 'resource == Entitlement::"prod-read")')
    rules = Rules(OPEN, never)
    ask = HERE.ask("dev", "dev-db")
    other = replace(ask, entitlement=replace(ask.entitlement, id=EntitlementId("prod-read")))
    assert isinstance(rules.said(ask), Activate)
    assert isinstance(rules.said(other), Denied)


def test_whoever_has_the_pager_is_not_like_who_has_none() -> None:
    rules = Rules(OPEN.replace("principal,", 'principal in Rotation::"sre-primary",'))
    assert isinstance(rules.said(HERE.ask("oncall", "dev-db")), Activate)
    assert isinstance(rules.said(HERE.ask("sre", "dev-db")), Denied)


def test_a_glass_with_an_incident_is_not_like_one_without() -> None:
    rules = Rules(GLASS)
    ask = replace(HERE.ask("dev", "dev-db", incident="I-1"), break_glass=True)
    assert isinstance(rules.said(ask), BreakGlass)
    assert isinstance(rules.said(replace(ask, incident=None)), Denied)


def test_answers_are_kept_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitcloud.policy.rejudge.ANSWERS", 2)
    rules = Rules(OPEN)
    one, two, three = (HERE.ask("dev", "dev-db", f"{hours}h") for hours in (1, 2, 3))
    for ask in (one, two, one, two):
        rules.said(ask)
    assert rules.asked == 2
    rules.said(three)
    rules.said(one)
    assert rules.asked == 4
