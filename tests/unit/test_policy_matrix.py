from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from jitcloud.catalog import Catalog
from jitcloud.cli.rulebook import Rulebook
from jitcloud.errors import Misconfigured
from jitcloud.freezes import Freezes
from jitcloud.model import (
    BreakGlass,
    Decision,
    Denied,
    EntitlementId,
    GroupId,
    NeedsApproval,
    Person,
    PersonId,
)
from jitcloud.policy import Policy, golden, wording
from jitcloud.policy.everybody import ANYBODY, Named, WithAnybody
from jitcloud.policy.golden import Difference, Golden
from jitcloud.policy.matrix import FEWER, Matrix, Row, untold, what_if
from jitcloud.policy.reach import reach
from jitcloud.policy.slices import about_person, about_thing, cut
from jitcloud.ports import Directory
from tests import drawn_policies as drawn
from tests.drawn_policies import HERE

HOURS = (timedelta(hours=1), timedelta(hours=4))


def book_of(policy: Policy | None = None, directory: Directory = HERE.directory) -> Rulebook:
    book = Rulebook(
        texts=HERE.texts(),
        policy=policy or HERE.policy(),
        catalog=HERE.catalog,
        directory=directory,
        freezes=Freezes(),
    )
    return book.with_anybody()


def rows_of(book: Rulebook, durations: tuple[timedelta, ...] = HOURS) -> list[Row]:
    named = Named.by(book.policy.rules, book.catalog)
    matrix = Matrix(book.policy.rules, book.about, named, durations)
    return list(matrix.rows(named.everybody(book.directory), book.catalog))


def only(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


def permit(
    principal: str = "principal", resource: str = "resource", when: str = "", name: str = "p"
) -> str:
    clause = f" when {{ {when} }}" if when else ""
    action = 'action == Action::"activate"'
    return f'@id("{name}") permit ({principal}, {action}, {resource}){clause};'


# ── Who and what ─────────────────────────────────────────────────────────────────────────────


def test_everybody_is_in_it_whom_a_rule_could_treat_in_a_way_of_their_own() -> None:
    named = Named.by(HERE.policy().rules, HERE.catalog)
    everybody = [person.id for person in named.everybody(HERE.directory)]
    assert everybody[-1] == ANYBODY.id
    assert everybody[:-1] == sorted(everybody[:-1])
    # In no group, or named by nobody.
    assert not {"u-outsider", "u-manager"} & set(everybody)
    assert {"u-dev", "u-oncall", "u-owner", "u-security", "u-disabled"} <= set(everybody)


def test_whoever_a_rule_names_is_in_it() -> None:
    policy = only(permit('principal == User::"u-outsider"'))
    named = Named.by(policy.rules, HERE.catalog)
    assert "u-outsider" in {person.id for person in named.everybody(HERE.directory)}


def test_somebody_who_is_gone_since_their_group_was_read_is_left_out() -> None:
    class Gone(WithAnybody):
        def members(self, group: GroupId) -> frozenset[PersonId] | None:
            return frozenset({PersonId("u-gone")}) if group == "sre" else None

    named = Named.by(only(permit('principal in Group::"sre"')).rules, HERE.catalog)
    assert named.everybody(Gone(HERE.directory)) == (ANYBODY,)


def test_a_directory_is_asked_once_about_each(tmp_path: Path) -> None:
    book = book_of()
    directory = book.directory
    assert directory.groups() == HERE.directory.groups()
    assert directory.rotations() == HERE.directory.rotations()
    assert directory.person(ANYBODY.id) == ANYBODY
    assert ANYBODY.manager is not None
    assert directory.person(ANYBODY.manager).id == ANYBODY.manager
    first = directory.members(GroupId("sre"))
    assert first is directory.members(GroupId("sre"))
    assert tmp_path.exists()


# ── What they could get ──────────────────────────────────────────────────────────────────────


LEADS = "2 of sre-leads (or platform-leads after 30m)"


def test_a_row_says_for_each_duration_what_could_be_had() -> None:
    rows = [row for row in rows_of(book_of()) if row.person == "u-sre"]
    assert [(row.entitlement, row.having, row.outcomes) for row in rows] == [
        ("pii-read", "", ("activate", "activate")),
        ("prod-admin", "ticket", (f"request: {LEADS}", "")),
        ("prod-read", "", ("activate", "activate")),
        ("prod-write", "ticket", (f"request: {LEADS}", "")),
    ]


def test_a_row_stands_there_only_where_more_at_hand_makes_a_difference() -> None:
    rows = [row for row in rows_of(book_of()) if row.person == "u-oncall"]
    having = [row.having for row in rows if row.entitlement == "prod-write"]
    # With both it is as with an incident, which is not as with a ticket.
    assert having == ["ticket", "incident", "ticket+incident"]
    assert [row.having for row in rows if row.entitlement == "prod-read"] == [""]


def test_a_glass_is_only_broken_with_an_incident_and_where_it_is_not_open_anyway() -> None:
    rows = [row for row in rows_of(book_of()) if row.person == "u-oncall"]
    told = {(row.entitlement, row.having): row.outcomes[0] for row in rows}
    review = "break-glass: 1 of security within 1d"
    assert told["prod-admin", "incident"] == review
    assert told["prod-admin", "ticket+incident"] == f"request: {LEADS}; {review}"
    assert told["prod-write", "incident"] == told["prod-read", ""] == "activate"
    # Whether the rule looks at the incident or not: without one nobody breaks anything.
    always = rows_of(book_of(only(GLASS)))
    assert {(row.having, row.outcomes) for row in always} == {("incident", (review, review))}


def test_the_disabled_get_nothing_and_leads_cannot_approve_themselves() -> None:
    rows = rows_of(book_of())
    assert "u-disabled" not in {row.person for row in rows}
    assert ("u-lead-1", "prod-admin") not in {(row.person, row.entitlement) for row in rows}


def test_what_is_open_to_anybody_shows() -> None:
    rows = rows_of(book_of(only(permit(resource='resource in Environment::"dev"'))))
    assert [(row.person, row.entitlement) for row in rows if row.person == ANYBODY.id] == [
        (ANYBODY.id, "dev-db")
    ]
    asks = (
        '@id("ask") @approval("1 of principal.manager")'
        ' permit (principal, action == Action::"request", resource);'
    )
    (outcome, *_) = {
        row.outcomes[0] for row in rows_of(book_of(only(asks))) if row.person == ANYBODY.id
    }
    assert outcome == "request: 1 of (their manager)"


def test_progress_is_told_for_everybody_and_everything() -> None:
    book = book_of()
    named = Named.by(book.policy.rules, book.catalog)
    people = named.everybody(book.directory)
    # Twice the same people and things: those who are alike are looked at too.
    twins = [replace(thing, id=EntitlementId(f"{thing.id}-2")) for thing in book.catalog]
    told: list[int] = []
    matrix = Matrix(book.policy.rules, book.about, named)
    rows = list(matrix.rows([*people, *people], [*book.catalog, *twins], told.append))
    assert sum(told) == 4 * len(people) * len(book.catalog)
    assert len(rows) == 4 * len(rows_of(book))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(base=drawn.rules(), directory=drawn.directories(), catalog=drawn.catalogs())
def test_those_who_are_alike_are_judged_as_each_of_them_would_be(
    base: list[str], directory: drawn.Drawn, catalog: Catalog
) -> None:
    policy = only(*drawn.named(base))
    book = replace(book_of(policy, directory), catalog=catalog)
    matrix = Matrix(policy.rules, book.about, Named.by(policy.rules, catalog), HOURS[:1])
    found = {
        (row.person, row.entitlement, row.having): row.outcomes
        for row in matrix.rows([*directory.people, ANYBODY], catalog)
    }
    for person, thing in product([*directory.people, ANYBODY], catalog):
        told = {
            having: found[person.id, thing.id, having]
            for having in FEWER
            if (person.id, thing.id, having) in found
        }
        for having in FEWER:
            ask, world = what_if(person, thing, HOURS[0], having)
            said, broken = (
                shown(book.decide(replace(ask, break_glass=is_broken), world))
                for is_broken in (False, True)
            )
            expected = "; ".join(filter(None, (said, broken if broken != said else "")))
            assert untold(told, having, ("",)) == (expected,)


def shown(decision: Decision) -> str:
    match decision:
        case NeedsApproval(approval=approval):
            return f"request: {wording.approval(approval)}"
        case BreakGlass(review=review):
            return f"break-glass: {wording.review(review)}"
        case Denied():
            return ""
        case _:
            return "activate"


# ── A few rules of a thousand ────────────────────────────────────────────────────────────────

SCOPES = {
    "principal": True,
    "principal is User": True,
    'principal == User::"u-sre"': True,
    'principal in User::"u-sre"': True,
    'principal in Group::"sre"': True,
    'principal is User in Group::"sre"': True,
    'principal in Group::"developers"': False,
    'principal is User in Group::"developers"': False,
    'principal in Rotation::"sre-primary"': False,
    'principal == User::"u-dev"': False,
}


@pytest.mark.parametrize(("scope", "holds"), SCOPES.items(), ids=SCOPES)
def test_a_rule_is_about_whoever_is_in_its_scope(scope: str, *, holds: bool) -> None:
    rules = only(permit(scope)).rules
    assert bool(about_person(rules, HERE.person("sre"))) == holds


THINGS = {
    "resource": True,
    "resource is Entitlement": True,
    'resource == Entitlement::"pii-read"': True,
    'resource in Label::"pii"': True,
    'resource in Environment::"prod"': True,
    'resource is Entitlement in Environment::"dev"': False,
    'resource in Label::"cloud-root"': False,
    'resource == Entitlement::"dev-db"': False,
}


@pytest.mark.parametrize(("scope", "holds"), THINGS.items(), ids=THINGS)
def test_a_rule_is_about_whatever_is_in_its_scope(scope: str, *, holds: bool) -> None:
    rules = only(permit(resource=scope)).rules
    assert bool(about_thing(rules, HERE.catalog.get("pii-read"))) == holds


def test_a_policy_is_cut_down_to_the_rules_about_asking() -> None:
    small = cut(HERE.policy(), HERE.person("outsider"))
    assert [rule.id for rule in small.rules] == [
        "prod-needs-fresh-mfa",
        "admin-is-never-self-serve",
        "change-freeze",
    ]
    assert small.digest == HERE.policy().digest


# ── As a file ────────────────────────────────────────────────────────────────────────────────


def row(having: str = "", *outcomes: str, person: str = "ana", thing: str = "t") -> Row:
    return Row(person=person, name="Ana", entitlement=thing, having=having, outcomes=outcomes)


def written(folder: Path, rows: list[Row], name: str = "matrix.csv") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in golden.lines(HOURS, rows)))
    return path


def test_a_matrix_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    rows = rows_of(book_of())
    odd = [row("", "request: 1 of a, b", "", person=person) for person in ("=1+1", "'x", '"y', "-")]
    path = written(tmp_path, [*rows, *odd])
    assert golden.read(path) == Golden(durations=HOURS, rows=(*rows, *odd))
    # A spreadsheet would otherwise run it.
    assert "\n'=1+1,Ana,t,," in path.read_text()


def test_nothing_in_it_can_steer_a_terminal_or_begin_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, [row("", "activate", "", person="a\n\u202eb")])
    assert path.read_text().splitlines()[1:] == [r"a\n\u202eb,Ana,t,,activate,"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "who,what\n",
        "person,name,entitlement,with\n",
        "person,name,entitlement,with,soon\n",
        '"person\n',
    ],
    ids=["empty", "other", "no duration", "bad duration", "no csv"],
)
def test_what_is_no_matrix_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=r"m\.csv is not a matrix; write one with"):
        golden.read(path)


@pytest.mark.parametrize("line", ["ana,Ana,t,", "ana,Ana,t,luck,activate,"])
def test_a_line_that_is_not_one_of_a_matrix_is_refused(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, [row("", "activate", "")])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(Misconfigured, match="line 3 is not one of a matrix"):
        golden.read(path)


def compared(before: list[Row], now: list[Row]) -> list[Difference]:
    return list(golden.differences(Golden(durations=HOURS, rows=tuple(before)), now))


def kinds(before: list[Row], now: list[Row]) -> list[tuple[str, str, str, str]]:
    return [(each.kind, each.having, each.before, each.now) for each in compared(before, now)]


def test_the_same_matrix_has_no_differences() -> None:
    rows = rows_of(book_of())
    assert compared(rows, list(reversed(rows))) == []


def test_somebody_gains_loses_or_has_others_to_ask() -> None:
    assert kinds([], [row("", "activate", "")]) == [("gains", "", "", "activate")]
    assert kinds([row("", "activate", "")], []) == [("loses", "", "activate", "")]
    asked, others = "request: 1 of a", "request: 2 of a"
    assert kinds([row("", asked, "")], [row("", "activate", "")]) == [
        ("gains", "", asked, "activate")
    ]
    assert kinds([row("", "activate", "")], [row("", asked, "")]) == [
        ("loses", "", "activate", asked)
    ]
    assert kinds([row("", asked, "")], [row("", others, "")]) == [("changes", "", asked, others)]


def test_at_once_is_more_than_with_a_review_and_that_is_more_than_after_a_yes() -> None:
    rising = [
        "",
        "request: 1 of a",
        "break-glass: 1 of a within 1d",
        "request: 1 of a; break-glass: 1 of a within 1d",
        "activate",
    ]
    for less, more in combinations(rising, 2):
        (change,) = kinds([row("incident", less, "")], [row("incident", more, "")])
        assert change[0] == "gains"
        (change,) = kinds([row("incident", more, "")], [row("incident", less, "")])
        assert change[0] == "loses"
    others = row("incident", "break-glass: 1 of b within 1d", "")
    (change,) = kinds([row("incident", rising[2], "")], [others])
    assert change[0] == "changes"


def test_durations_with_the_same_change_are_told_together() -> None:
    (one,) = compared([], [row("", "activate", "activate")])
    assert one.durations == HOURS
    two = compared([row("", "activate", "")], [row("", "", "activate")])
    assert [(each.kind, each.durations) for each in two] == [
        ("loses", HOURS[:1]),
        ("gains", HOURS[1:]),
    ]


def test_the_same_change_with_more_at_hand_is_told_once() -> None:
    ticket = row("ticket", "activate", "activate")
    # Before: nothing, with a ticket activate. Now: activate with and without.
    assert kinds([ticket], [row("", "activate", "activate")]) == [
        ("gains", "", "", "activate"),
    ]
    assert kinds([], [ticket]) == [("gains", "ticket", "", "activate")]
    both = row("ticket+incident", "activate", "")
    assert kinds([], [both]) == [("gains", "ticket+incident", "", "activate")]
    # Neither of the two has less at hand than the other.
    apart = [row("ticket", "activate", ""), row("incident", "activate", "")]
    assert [having for _, having, _, _ in kinds([], apart)] == ["ticket", "incident"]


def test_differences_come_in_the_order_of_people_and_things() -> None:
    now = [row("", "activate", "", person=p, thing=t) for p in ("b", "a") for t in ("y", "x")]
    found = [(each.person, each.entitlement) for each in compared([], now)]
    assert found == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]


# ── Whether anybody could have anything ──────────────────────────────────────────────────────


def reached(*rules: str) -> tuple[bool, bool]:
    """Say whether anything was tried, and whether it was allowed."""
    book = book_of(only(*rules))
    found = reach(book.policy.rules, book.directory, list(book.catalog), book.decide)
    return found.tried > 0, found.allowed


NEVER = '@id("n") @because("No.") forbid (principal, action in Action::"access", resource);'
GLASS = (
    '@id("glass") @review("within 1d by security")'
    ' permit (principal, action == Action::"breakGlass", resource);'
)

LETS_IN = [
    permit(),
    permit('principal in Group::"sre"'),
    permit('principal == User::"u-outsider"'),
    permit('principal in Rotation::"sre-primary"', 'resource in Label::"pii"'),
    permit(when="principal in resource.owner"),
    permit(when='principal in Group::"sre" && context has ticket && context has incident'),
    permit(resource='resource == Entitlement::"prod-read"', when="context.start.hour < 6"),
    GLASS,
    permit(when='!(context has ticket) && resource.privilege == Privilege::"admin"'),
]


@pytest.mark.parametrize("rule", LETS_IN, ids=range(len(LETS_IN)))
def test_a_policy_that_lets_somebody_in_is_found_to(rule: str) -> None:
    assert reached(rule) == (True, True)


def test_a_policy_that_lets_nobody_in_is_found_to() -> None:
    assert reached(permit(), NEVER) == (True, False)
    assert reached(permit(when="false")) == (True, False)
    assert reached(NEVER) == (False, False)
    assert reached(GLASS, NEVER) == (True, False)


def test_each_permit_has_its_turn_before_any_has_a_second() -> None:
    # The first would take all the tries there are.
    closed = [permit(name=f"closed-{number}", when="false") for number in range(40)]
    assert reached(*closed, permit('principal in Group::"sre"', name="open")) == (True, True)


def test_somebody_gone_meanwhile_is_not_tried() -> None:
    class Gone(WithAnybody):
        def members(self, group: GroupId) -> frozenset[PersonId] | None:
            return frozenset({PersonId("u-gone")}) if group == "sre" else None

    book = book_of(only(permit('principal in Group::"sre"')))
    directory = Gone(HERE.directory)
    found = reach(book.policy.rules, directory, list(book.catalog), book.decide)
    assert (found.tried > 0, found.allowed) == (True, False)


def test_a_thing_or_person_whom_rules_name_is_judged_alone() -> None:
    policy = only(
        permit('principal == User::"u-dev"', 'resource == Entitlement::"prod-read"'),
    )
    rows = rows_of(book_of(policy))
    assert [(row.person, row.entitlement) for row in rows] == [("u-dev", "prod-read")]
    assert EntitlementId("pii-read") in {thing.id for thing in HERE.catalog}


def test_whoever_manages_themselves_is_like_nobody_else() -> None:
    own = Person(id=PersonId("own"), name="Own", manager=PersonId("own"))
    other = Person(id=PersonId("other"), name="Other", manager=PersonId("own"))

    class Two(WithAnybody):
        def person(self, handle: str) -> Person:
            return {"own": own, "other": other}.get(handle) or super().person(handle)

    asks = (
        '@id("ask") @approval("1 of principal.manager")'
        ' permit (principal, action == Action::"request", resource == Entitlement::"dev-db");'
    )
    book = Rulebook(
        texts={},
        policy=only(asks),
        catalog=HERE.catalog,
        directory=Two(HERE.directory),
        freezes=Freezes(),
    )
    matrix = Matrix(book.policy.rules, book.about, Named.by(book.policy.rules, book.catalog), HOURS)
    found = [row.person for row in matrix.rows([other, own], book.catalog)]
    assert found == ["other"]
