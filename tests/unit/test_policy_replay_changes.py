from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from jitcloud.approval import combine, outstanding
from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    BreakGlass,
    Decision,
    Denied,
    Escalation,
    GroupId,
    Need,
    NeedsApproval,
    PersonId,
    RequestId,
    Review,
    RuleId,
    Stage,
    Vote,
)
from jitcloud.policy import World
from jitcloud.policy.approvals import ApprovalRule
from jitcloud.policy.changes import Changes, Kind, kind
from jitcloud.policy.names import Related
from jitcloud.policy.replay import Again, Past
from tests import drawn_policies as drawn
from tests.drawn_policies import HERE
from tests.example import TUESDAY, minutes

RULES = (RuleId("some-rule"),)
NO = Denied(because=("No.",), rules=RULES)
AT_ONCE = Activate(rules=RULES)


def approval(text: str) -> Approval:
    found = ApprovalRule.parse(text).resolve(
        Related(owner=GroupId("owners"), manager=PersonId("the-manager"))
    )
    assert found is not None
    return found


def after(text: str) -> NeedsApproval:
    return NeedsApproval(rules=RULES, approval=approval(text))


def glass(text: str = "1 of security", hours: int = 24) -> BreakGlass:
    review = Review(within=timedelta(hours=hours), by=approval(text).stages[0])
    return BreakGlass(rules=RULES, review=review)


# ── How two answers differ ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (NO, NO, Kind.UNCHANGED),
        (AT_ONCE, AT_ONCE, Kind.UNCHANGED),
        (AT_ONCE, NO, Kind.REFUSED),
        (after("1 of sre"), NO, Kind.REFUSED),
        (glass(), NO, Kind.REFUSED),
        (NO, AT_ONCE, Kind.LET_IN),
        (NO, after("1 of sre"), Kind.LET_IN),
        (NO, glass(), Kind.LET_IN),
        (AT_ONCE, after("1 of sre"), Kind.NEEDS_YES),
        (glass(), after("1 of sre"), Kind.NEEDS_YES),
        (after("1 of sre"), AT_ONCE, Kind.AT_ONCE),
        (after("1 of sre"), glass(), Kind.AT_ONCE),
        (AT_ONCE, glass(), Kind.HEAVIER),
        (glass(), AT_ONCE, Kind.LIGHTER),
    ],
)
def test_answers_differ_by_what_they_mean_for_who_asks(
    then: Decision, now: Decision, expected: Kind
) -> None:
    assert kind(then, now) is expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ("1 of sre", "1 of sre", Kind.UNCHANGED),
        ("1 of sre or dev", "1 of dev or sre", Kind.UNCHANGED),
        ("1 of sre", "2 of sre", Kind.HEAVIER),
        ("1 of sre", "1 of sre then 1 of security", Kind.HEAVIER),
        ("2 of sre", "1 of sre", Kind.LIGHTER),
        ("1 of sre then 1 of security", "1 of sre", Kind.LIGHTER),
        ("1 of sre", "1 of security", Kind.OTHERS),
        ("1 of sre", "1 of sre or security", Kind.LIGHTER),
        ("1 of sre or security", "1 of sre", Kind.HEAVIER),
        ("1 of sre or security", "2 of sre or dev", Kind.OTHERS),
        ("1 of sre then 1 of security", "1 of security then 1 of sre", Kind.OTHERS),
        ("2 of sre", "1 of sre then 1 of security", Kind.OTHERS),
    ],
)
def test_approvals_are_weighed_by_whom_they_ask(then: str, now: str, expected: Kind) -> None:
    assert kind(after(then), after(now)) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (glass(), Kind.UNCHANGED),
        (glass(hours=4), Kind.HEAVIER),
        (glass(hours=48), Kind.LIGHTER),
        (glass("2 of security", hours=48), Kind.HEAVIER),
        (glass("1 of platform", hours=4), Kind.OTHERS),
    ],
    ids=["same", "sooner", "later", "more", "others"],
)
def test_reviews_are_weighed_by_who_looks_and_how_soon(now: BreakGlass, expected: Kind) -> None:
    assert kind(glass(), now) is expected


def test_rules_and_escalations_make_no_difference() -> None:
    to = Escalation(after=minutes(30), to=Approver(kind="group", id="leads"))
    (stage,) = approval("1 of sre").stages
    joined = Stage(needs=tuple(replace(need, escalation=to) for need in stage.needs))
    other = NeedsApproval(rules=(RuleId("other"),), approval=Approval(stages=(joined,)))
    assert kind(after("1 of sre"), other) is Kind.UNCHANGED
    assert kind(AT_ONCE, replace(AT_ONCE, rules=())) is Kind.UNCHANGED


def test_the_same_people_asked_twice_are_as_many_as_asked_once_for_all() -> None:
    need = Need(count=1, approvers=(Approver(kind="group", id="sre"),))
    twice = NeedsApproval(rules=RULES, approval=Approval(stages=(Stage(needs=(need, need)),)))
    assert kind(after("2 of sre"), twice) is Kind.UNCHANGED
    assert kind(after("1 of sre"), twice) is Kind.HEAVIER
    wider = replace(need, approvers=(*need.approvers, Approver(kind="group", id="dev")))
    either = replace(twice, approval=Approval(stages=(Stage(needs=(need, wider)),)))
    assert kind(either, after("2 of sre")) is Kind.HEAVIER


@given(drawn.approvals(), drawn.approvals())
def test_what_adds_up_is_never_lighter_and_the_way_back_never_heavier(one: str, two: str) -> None:
    then = after(one)
    both = replace(then, approval=combine((then.approval, approval(two))))
    assert kind(then, both) in {Kind.HEAVIER, Kind.UNCHANGED}
    assert kind(both, then) in {Kind.LIGHTER, Kind.UNCHANGED}
    opposite = {Kind.HEAVIER: Kind.LIGHTER, Kind.LIGHTER: Kind.HEAVIER}
    there, back = kind(after(one), after(two)), kind(after(two), after(one))
    assert back is opposite.get(there, there)


@settings(max_examples=150)
@given(drawn.approvals(), drawn.approvals(), drawn.votes())
def test_votes_that_do_for_what_is_heavier_do_for_what_was(
    one: str, two: str, votes: list[Vote]
) -> None:
    then, now = after(one), after(two)
    if kind(then, now) in {Kind.HEAVIER, Kind.UNCHANGED} and are_enough(now, votes):
        assert are_enough(then, votes)


def are_enough(decision: NeedsApproval, votes: list[Vote]) -> bool:
    voters = {person.id: person for person in drawn.VOTERS.values()}
    nobody = PersonId("somebody-else")
    missing = outstanding(decision.approval, votes, voters, nobody, asked_at=TUESDAY, now=TUESDAY)
    return missing is None


# ── Whom a change would touch ────────────────────────────────────────────────────────────────


def an_again(number: int, said: Decision, who: str = "dev", duration: str = "1h") -> Again:
    at = TUESDAY + timedelta(days=number)
    ask = HERE.ask(who, "dev-db", duration, at=at)
    past = Past(request=RequestId(f"R{number}"), ask=ask, said=said, facts=None)
    person = HERE.person(who)
    return Again(past=past, person=person, ask=ask, world=World(), is_retired=False, is_moved=False)


def test_the_same_change_is_told_once_with_how_often_and_when() -> None:
    changes = Changes()
    for number, duration in ((2, "8h"), (1, "1h"), (3, "4h")):
        # By which rules it was let in then, and how long it was asked for, makes no other change.
        then = Activate(rules=(RuleId(f"rule-{number}"),))
        changes.add(an_again(number, then, duration=duration), NO)
    changes.add(an_again(4, AT_ONCE), AT_ONCE)
    (change,) = changes.told()
    assert (change.what.kind, change.what.person) == (Kind.REFUSED, "u-dev")
    assert (change.what.then, change.what.now) == (Activate(rules=()), NO)
    assert change.requests == ("R1", "R2", "R3")
    assert change.first == TUESDAY + timedelta(days=1)
    assert change.last == TUESDAY + timedelta(days=3)
    assert (change.shortest, change.longest) == (minutes(60), minutes(480))
    assert changes.counts == {Kind.REFUSED: 3, Kind.UNCHANGED: 1}


def test_what_would_be_said_otherwise_is_told_apart() -> None:
    changes = Changes()
    changes.add(an_again(1, AT_ONCE), NO)
    changes.add(an_again(2, AT_ONCE), replace(NO, because=("Never.",)))
    changes.add(an_again(3, after("1 of sre")), NO)
    changes.add(an_again(4, AT_ONCE, who="sre"), NO)
    assert [change.requests for change in changes.told()] == [("R3",), ("R2",), ("R1",), ("R4",)]


def test_refusals_are_told_first_and_of_each_kind_the_most_frequent() -> None:
    changes = Changes()
    changes.add(an_again(1, NO), AT_ONCE)
    changes.add(an_again(2, AT_ONCE), NO)
    for number in (3, 4):
        changes.add(an_again(number, AT_ONCE, who="sre"), NO)
    changes.add(an_again(5, AT_ONCE), after("1 of sre"))
    told = [(change.what.kind, change.what.person) for change in changes.told()]
    assert told == [
        (Kind.REFUSED, "u-sre"),
        (Kind.REFUSED, "u-dev"),
        (Kind.LET_IN, "u-dev"),
        (Kind.NEEDS_YES, "u-dev"),
    ]


def test_what_the_rules_in_force_say_too_is_told_apart_and_asked_only_of_changes() -> None:
    changes = Changes()
    asked: list[str] = []

    def today(again: Again) -> Decision:
        asked.append(again.past.request)
        return replace(NO, because=("No, by another rule.",)) if len(asked) == 1 else AT_ONCE

    for number, now in ((1, NO), (2, NO), (3, AT_ONCE)):
        changes.add(an_again(number, AT_ONCE), now, today)
    assert asked == ["R1", "R2"]
    told = {change.requests: change.what.already for change in changes.told()}
    assert told == {("R1",): True, ("R2",): False}
