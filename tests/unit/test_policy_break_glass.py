from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    Ask,
    BreakGlass,
    Decision,
    Denied,
    Escalation,
    Need,
    NeedsApproval,
    Review,
    RuleId,
    Stage,
)
from jitcloud.policy import Policy, World
from jitcloud.policy.engine import verbs_of
from tests.drawn_policies import HERE
from tests.example import minutes

POLICY = HERE.policy()
VERIFIED = World(ticket_verified=True, incident_verified=True)

NO_INCIDENT = "Breaking the glass takes an incident; open one and name it."
NO_GLASS = "No rule lets you break the glass for this as you asked for it."
ASK_INSTEAD = "You can ask for it without breaking the glass; that takes a yes from others."
MFA = "Production access needs a multi-factor sign-in within the last 15 minutes."


def group(name: str) -> Approver:
    return Approver(kind="group", id=name)


def review(within: timedelta, *by: Approver) -> Review:
    return Review(
        within=within, by=Stage(needs=tuple(Need(count=1, approvers=(who,)) for who in by))
    )


LEADS = Approval(
    stages=(
        Stage(
            needs=(
                Need(
                    count=2,
                    approvers=(group("sre-leads"),),
                    escalation=Escalation(after=minutes(30), to=group("platform-leads")),
                ),
            )
        ),
    )
)
BY_SECURITY = BreakGlass(
    rules=(RuleId("oncall-break-glass"),),
    review=review(timedelta(days=1), group("security")),
    notify=(group("security"), group("platform-leads")),
)


def broken(who: str, what: str, duration: str = "1h", **facts: str | None) -> Ask:
    given = {"incident": "I-1", "ticket": None, "mfa": "5m"} | facts
    ask = HERE.ask(
        who,
        what,
        duration,
        incident=given["incident"],
        ticket=given["ticket"],
        mfa=given["mfa"],
    )
    return replace(ask, break_glass=True)


def judged(ask: Ask, policy: Policy = POLICY, world: World = VERIFIED) -> Decision:
    return HERE.judge(policy, ask, world)


def alone(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


def glass(review: str, notes: str = "", name: str = "glass", when: str = "") -> str:
    return (
        f'@id("{name}") @review("{review}") {notes}'
        f' permit (principal, action == Action::"breakGlass", resource){when};'
    )


def asking(approval: str, notes: str = "", name: str = "ask") -> str:
    return (
        f'@id("{name}") @approval("{approval}") {notes}'
        ' permit (principal, action == Action::"request", resource);'
    )


SELF = '@id("self") permit (principal, action == Action::"activate", resource);'

# ── The verdict ──────────────────────────────────────────────────────────────────────────────

TABLE: Mapping[str, tuple[Ask, World, Decision]] = {
    "broken": (broken("oncall", "prod-admin"), VERIFIED, BY_SECURITY),
    "past others": (
        broken("oncall", "prod-admin", ticket="T-1"), VERIFIED, replace(BY_SECURITY, skipped=LEADS),
    ),
    "open anyway": (
        broken("oncall", "prod-write"), VERIFIED,
        Activate(rules=(RuleId("sre-oncall-prod-write"),)),
    ),
    "open to others": (
        broken("sre", "prod-read"), VERIFIED, Activate(rules=(RuleId("sre-prod-read"),)),
    ),
    "too long": (broken("oncall", "prod-admin", "1h1s"), VERIFIED, Denied(because=(NO_GLASS,))),
    "not theirs": (broken("sre", "prod-admin"), VERIFIED, Denied(because=(NO_GLASS,))),
    "to be asked for": (
        broken("sre", "prod-admin", ticket="T-1"), VERIFIED,
        Denied(because=(NO_GLASS, ASK_INSTEAD)),
    ),
    "no incident": (
        broken("oncall", "prod-admin", incident=None), VERIFIED, Denied(because=(NO_INCIDENT,)),
    ),
    "no incident, open anyway": (
        broken("sre", "prod-read", incident=None), VERIFIED, Denied(because=(NO_INCIDENT,)),
    ),
    "not verified": (
        broken("oncall", "prod-admin"), replace(VERIFIED, incident_verified=False),
        Denied(because=(NO_GLASS,)),
    ),
    "frozen": (broken("oncall", "prod-admin"), replace(VERIFIED, freeze=True), BY_SECURITY),
    "forbidden": (
        broken("oncall", "prod-admin", mfa=None), VERIFIED,
        Denied(because=(MFA,), rules=(RuleId("prod-needs-fresh-mfa"),)),
    ),
    "disabled": (
        broken("disabled", "prod-admin"), VERIFIED,
        Denied(because=("Your account is disabled in the directory.",)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("ask", "world", "expected"), TABLE.values(), ids=TABLE)
def test_a_glass_is_broken_where_a_rule_lets_it(ask: Ask, world: World, expected: Decision) -> None:
    assert judged(ask, world=world) == expected


def test_nobody_gets_in_by_breaking_a_glass_who_did_not_say_so() -> None:
    ask = replace(broken("oncall", "prod-admin"), break_glass=False)
    assert isinstance(judged(ask), Denied)
    everybody = alone(glass("within 1h by security"))
    assert isinstance(judged(ask, everybody), Denied)
    assert isinstance(judged(replace(ask, break_glass=True), everybody), BreakGlass)
    assert verbs_of(ask) == ("activate", "request")


def test_whoever_breaks_the_glass_never_ends_up_waiting_for_a_yes() -> None:
    policy = alone(asking("1 of resource.owner"))
    assert judged(broken("sre", "prod-read"), policy) == Denied(because=(NO_GLASS, ASK_INSTEAD))


def test_what_cannot_be_asked_for_either_is_not_offered_instead() -> None:
    # It would need the yes of a manager who is not there.
    policy = alone(asking("1 of principal.manager"))
    assert judged(broken("sre", "prod-read"), policy) == Denied(because=(NO_GLASS,))
    with_glass = alone(asking("1 of principal.manager"), glass("within 1h by security"))
    decision = judged(broken("sre", "prod-read"), with_glass)
    assert isinstance(decision, BreakGlass)
    assert decision.skipped is None


def test_a_glass_needs_the_incident_as_text_even_where_no_rule_looks_at_it() -> None:
    policy = alone(glass("within 1h by security"))
    unverified = World()
    assert isinstance(judged(broken("sre", "prod-read"), policy, unverified), BreakGlass)
    nothing = judged(broken("sre", "prod-read", incident=None), policy, unverified)
    assert nothing == Denied(because=(NO_INCIDENT,))


@pytest.mark.parametrize("verb", ["activate", "request", "breakGlass", "access"])
def test_an_error_of_any_of_the_three_verbs_denies(verb: str) -> None:
    effect = (
        '@because("Never.") forbid (principal, action in Action::"access", resource)'
        if verb == "access"
        else f'@because("Never.") forbid (principal, action == Action::"{verb}", resource)'
    )
    fails = f'@id("fails") {effect} when {{ context.start.hour * 9223372036854775807 > 0 }};'
    policy = alone(glass("within 1h by security"), asking("1 of resource.owner"), fails)
    decision = judged(broken("sre", "prod-read"), policy)
    assert isinstance(decision, Denied)
    assert decision.rules == ("fails",)


def test_a_forbid_of_asking_only_takes_away_whom_it_would_go_past() -> None:
    no = '@id("no") @because("No.") forbid (principal, action == Action::"request", resource);'
    policy = alone(glass("within 1h by security"), asking("1 of resource.owner"), no)
    decision = judged(broken("sre", "prod-read"), policy)
    assert isinstance(decision, BreakGlass)
    assert decision.skipped is None
    everything = no.replace("== Action", "in Action").replace("request", "access")
    closed = alone(glass("within 1h by security"), everything)
    assert judged(broken("sre", "prod-read"), closed) == Denied(
        because=("No.",), rules=(RuleId("no"),)
    )


# ── Adding up ────────────────────────────────────────────────────────────────────────────────


def test_reviews_add_up_to_the_shortest_time_and_everybody_named() -> None:
    policy = alone(
        glass("within 1d by security", '@notify("sre, sre-leads")', "one"),
        glass("within 4h by resource.owner", '@notify("sre-leads, rotation.sre-primary")', "two"),
        glass("within 2d by db-owners", name="three"),
        glass("within 1h by privacy", name="other", when=" when { context has ticket }"),
    )
    assert judged(broken("sre", "prod-read"), policy) == BreakGlass(
        rules=tuple(map(RuleId, ("one", "two", "three"))),
        # The owner of this is db-owners: equal groups are asked once.
        review=review(timedelta(hours=4), group("security"), group("db-owners")),
        notify=(
            group("sre"),
            group("sre-leads"),
            Approver(kind="rotation", id="sre-primary"),
        ),
    )


def test_what_is_skipped_is_what_asking_would_have_taken() -> None:
    later = '@escalate("after 30m to privacy")'
    rules = (
        asking("1 of security", later),
        asking("2 of security then 1 of privacy", later, "more"),
    )
    plain = judged(replace(broken("sre", "prod-read"), break_glass=False), alone(*rules))
    assert isinstance(plain, NeedsApproval)
    decision = judged(broken("sre", "prod-read"), alone(*rules, glass("within 1h by security")))
    assert isinstance(decision, BreakGlass)
    assert decision.skipped == plain.approval


def test_managers_and_rotations_review_and_hear_too() -> None:
    policy = alone(glass("within 1h by principal.manager", '@notify("principal.manager, sre")'))
    manager = Approver(kind="person", id="u-manager")
    assert judged(broken("dev", "prod-read"), policy) == BreakGlass(
        rules=(RuleId("glass"),),
        review=review(timedelta(hours=1), manager),
        notify=(manager, group("sre")),
    )


def test_somebody_without_the_manager_who_would_review_breaks_no_glass() -> None:
    policy = alone(
        glass("within 1h by principal.manager"), glass("within 1h by security", name="other")
    )
    decision = judged(broken("sre", "prod-read"), policy)
    assert isinstance(decision, Denied)
    assert "Your manager would have to review this" in decision.because[0]
    assert set(decision.rules) == {"glass", "other"}
    # To hear of it is another matter: whoever is not there hears nothing.
    heard = alone(glass("within 1h by security", '@notify("principal.manager")'))
    told = judged(broken("sre", "prod-read"), heard)
    assert isinstance(told, BreakGlass)
    assert told.notify == ()


# ── Escalation ───────────────────────────────────────────────────────────────────────────────


def escalations(*rules: str, who: str = "dev") -> list[list[Escalation | None]]:
    ask = HERE.ask(who, "prod-read")
    decision = judged(ask, alone(*rules))
    assert isinstance(decision, NeedsApproval)
    return [[need.escalation for need in stage.needs] for stage in decision.approval.stages]


def test_an_escalation_holds_for_every_stage_of_its_rule() -> None:
    later = Escalation(after=minutes(45), to=group("sre"))
    rule = asking("1 of security then 1 of privacy", '@escalate("after 45m to sre")')
    assert escalations(rule) == [[later], [later]]


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("resource.owner", group("db-owners")),
        ("principal.manager", Approver(kind="person", id="u-manager")),
        ("rotation.sre-primary", Approver(kind="rotation", id="sre-primary")),
    ],
)
def test_an_escalation_names_whom_an_approval_could(name: str, to: Approver) -> None:
    rule = asking("1 of security", f'@escalate("after 1h to {name}")')
    assert escalations(rule) == [[Escalation(after=timedelta(hours=1), to=to)]]


def test_an_escalation_to_a_manager_who_is_not_there_is_none() -> None:
    rule = asking("1 of security", '@escalate("after 1h to principal.manager")')
    assert escalations(rule, who="sre") == [[None]]


def test_a_further_rule_that_does_not_escalate_takes_the_escalation_away() -> None:
    rule = asking("1 of security", '@escalate("after 1h to sre")')
    assert escalations(rule, asking("1 of security", name="strict")) == [[None]]
    later = asking("1 of security", '@escalate("after 2h to sre")', "later")
    assert escalations(rule, later) == [[Escalation(after=timedelta(hours=2), to=group("sre"))]]
