from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from jitcloud.facts import as_if
from jitcloud.judge import Judge
from jitcloud.model import (
    Activate,
    Ask,
    BreakGlass,
    Decision,
    Denied,
    GroupId,
    NeedsApproval,
    Person,
    PersonId,
    RotationId,
    RuleId,
    Window,
)
from jitcloud.policy import Policy, World
from jitcloud.policy.explain import Explainer, Explanation, texts_of
from jitcloud.policy.source import shipped
from jitcloud.ports import Directory
from tests import drawn_policies as drawn
from tests.drawn_policies import HERE
from tests.example import Organisation

VERIFIED = World(ticket_verified=True, incident_verified=True)


def explained(
    ask: Ask,
    world: World = VERIFIED,
    policy: Policy | None = None,
    organisation: Organisation = HERE,
) -> Explanation:
    policy = policy or organisation.policy()

    def decide(asked: Ask, around: World) -> Decision:
        judge = Judge(policy, organisation.catalog, organisation.directory, {}, as_if(around))
        return judge.first(asked, None, asked.asked_at)

    window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)
    explainer = Explainer(policy=policy, directory=organisation.directory, decide=decide)
    return explainer.explain(ask, world, window)


def matched(found: Explanation) -> dict[str, tuple[list[str], list[str]]]:
    return {
        each.verb: ([rule.id for rule in each.permits], [rule.id for rule in each.forbids])
        for each in found.matched
    }


def test_every_rule_that_matches_is_named_for_each_verb_also_next_to_a_forbid() -> None:
    ask = HERE.ask("oncall", "prod-admin", mfa=None, ticket="T-1", incident="I-1")
    found = explained(ask)
    assert isinstance(found.decision, Denied)
    assert matched(found) == {
        "activate": ([], ["prod-needs-fresh-mfa", "admin-is-never-self-serve"]),
        "request": (["sre-prod-admin"], ["prod-needs-fresh-mfa"]),
    }
    assert [rule.id for rule in found.rules] == [
        "prod-needs-fresh-mfa",
        "admin-is-never-self-serve",
        "sre-prod-admin",
    ]
    assert not any(each.is_allowed for each in found.matched)


def test_rules_of_a_verb_that_did_not_decide_are_named_too() -> None:
    found = explained(HERE.ask("oncall", "prod-write", ticket="T-1", incident="I-1"))
    assert isinstance(found.decision, Activate)
    assert matched(found) == {
        "activate": (["sre-oncall-prod-write"], []),
        "request": (["sre-prod-admin"], []),
    }


def broken(who: str, what: str, ticket: str | None = None) -> Ask:
    return replace(HERE.ask(who, what, incident="I-1", ticket=ticket), break_glass=True)


def test_of_a_broken_glass_reviewers_those_who_hear_and_those_passed_over_are_named() -> None:
    found = explained(broken("oncall", "prod-admin", ticket="T-1"))
    assert matched(found) == {
        "activate": ([], ["admin-is-never-self-serve"]),
        "request": (["sre-prod-admin"], []),
        "breakGlass": (["oncall-break-glass"], []),
    }
    assert [[person.id for person in each.people] for each in found.reviewers] == [["u-security"]]
    assert [(each.who.id, [person.id for person in each.people]) for each in found.hearing] == [
        ("security", ["u-security"]),
        ("platform-leads", ["u-lead-1", "u-lead-2"]),
    ]
    assert [[person.id for person in each.people] for each in found.asked] == [
        ["u-lead-1", "u-lead-2"]
    ]
    assert explained(HERE.ask("oncall", "prod-admin", incident="I-1")).reviewers == ()


def test_those_who_join_by_an_escalation_are_named_apart() -> None:
    policy = asks_for("1 of resource.owner", '@escalate("after 30m to developers")')
    (asked,) = explained(HERE.ask("many", "prod-read"), policy=policy).asked
    assert [person.id for person in asked.people] == ["u-dev", "u-owner"]
    # Neither those who are asked already, nor the disabled, nor whoever asks.
    assert [person.id for person in asked.joining] == ["u-contractor"]


def test_those_who_could_say_yes_are_named_stage_by_stage() -> None:
    found = explained(HERE.ask("many", "pii-read"))
    assert [(each.stage, [p.name for p in each.people]) for each in found.asked] == [
        (0, ["Dev, a developer", "Owner"]),
        (1, ["Privacy"]),
    ]


def test_the_requester_is_not_among_those_who_could_say_yes() -> None:
    (asked,) = explained(HERE.ask("dev", "prod-read")).asked
    assert [person.id for person in asked.people] == ["u-owner"]


def test_where_too_few_are_left_to_ask_they_are_named_all_the_same() -> None:
    found = explained(HERE.ask("lead-1", "prod-admin", ticket="T-1"))
    assert isinstance(found.decision, Denied)
    (asked,) = found.asked
    assert [person.id for person in asked.people] == ["u-lead-2"]


def asks_for(approval: str, more: str = "") -> Policy:
    return HERE.policy(
        {
            "only.cedar": f'@id("ask") @approval("{approval}") {more}'
            ' permit (principal, action == Action::"request", resource);'
        }
    )


def test_rotations_and_managers_are_named_as_people() -> None:
    policy = asks_for("1 of rotation.sre-primary or principal.manager or developers")
    (asked,) = explained(HERE.ask("dev", "prod-read"), policy=policy).asked
    # The disabled are left out, and so is whoever asks.
    assert [person.id for person in asked.people] == [
        "u-contractor",
        "u-manager",
        "u-many",
        "u-oncall",
    ]


class Vanishing:
    """A directory from which somebody is gone between two questions."""

    def __init__(self, inner: Directory, gone: str) -> None:
        self.inner = inner
        self.gone = gone

    def person(self, handle: str) -> Person:
        return self.inner.person("nobody" if handle == self.gone else handle)

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        return None if group == "privacy" else self.inner.members(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        return self.inner.on_call(rotation)

    def groups(self) -> frozenset[GroupId] | None:
        return self.inner.groups()

    def rotations(self) -> frozenset[RotationId] | None:
        return self.inner.rotations()


def test_somebody_who_is_gone_meanwhile_is_left_out() -> None:
    policy = asks_for("1 of resource.owner or privacy")
    organisation = Organisation(directory=Vanishing(HERE.directory, "u-owner"))
    (asked,) = explained(
        HERE.ask("sre", "prod-read"), policy=policy, organisation=organisation
    ).asked
    assert [person.id for person in asked.people] == ["u-dev"]


def test_what_cannot_be_put_to_cedar_is_denied_and_has_no_rules() -> None:
    ask = HERE.ask("dev", "dev-db")
    elsewhere = replace(ask, entitlement=replace(ask.entitlement, zone="Europe/Atlantis"))
    found = explained(elsewhere)
    assert isinstance(found.decision, Denied)
    assert found.rules == ()


def test_the_text_of_a_rule_is_as_it_stands_in_its_file() -> None:
    two = (
        '@id("two")\n// why; indeed\n@because("No; never.")\nforbid (principal, action, resource);'
    )
    one = '@id("one") permit (principal, action == Action::"activate", resource);'
    three = two.replace("two", "three")
    files = {"b.cedar": f"// first\n{three}", "a.cedar": f"{one} {two} // after\n"}
    texts = texts_of(HERE.policy(files).rules, files)
    assert texts == {"one": one, "two": two, "three": three}
    with_guardrails = texts_of(HERE.policy(files).rules, {**files, **shipped()})
    assert with_guardrails[RuleId("no-self-approval")].startswith('@id("no-self-approval")')


def test_offers_and_hints_are_those_of_the_ask() -> None:
    found = explained(HERE.ask("sre", "prod-admin", mfa=None))
    assert found.offers == ()
    assert len(found.hints) == 1
    assert explained(HERE.ask("sre", "prod-read")).hints == ()
    assert len(explained(HERE.ask("sre", "prod-read")).offers) == 6


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(base=drawn.rules(), ask=drawn.asks(), world=drawn.worlds())
def test_the_rules_that_match_are_those_that_decided(
    base: list[str], ask: Ask, world: World
) -> None:
    policy = HERE.policy({"drawn.cedar": "\n".join(drawn.named(base))})
    person = HERE.directory.person(ask.person)
    window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)

    def decide(asked: Ask, around: World) -> Decision:
        return policy.judge(asked, person, around, window)

    found = Explainer(policy=policy, directory=HERE.directory, decide=decide).explain(
        ask, world, window
    )
    activate, request, *glass = found.matched
    breaking = glass[0] if glass else request
    assert len(glass) == ask.break_glass
    match found.decision:
        case Activate(rules=rules):
            assert activate.is_allowed
            assert rules == tuple(rule.id for rule in activate.permits)
        case NeedsApproval(rules=rules):
            assert (activate.is_allowed, request.is_allowed) == (False, True)
            assert rules == tuple(rule.id for rule in request.permits)
        case BreakGlass(rules=rules, skipped=skipped):
            assert (activate.is_allowed, breaking.is_allowed) == (False, True)
            assert rules == tuple(rule.id for rule in breaking.permits)
            assert request.is_allowed or skipped is None
            assert (found.asked == ()) == (skipped is None)
            assert found.reviewers
        case Denied(rules=rules) if ask.break_glass and ask.incident is None:
            assert rules == ()
        case Denied(rules=rules):
            assert not activate.is_allowed
            forbids = {rule.id for each in found.matched for rule in each.forbids}
            if ask.break_glass:
                forbids = {rule.id for rule in breaking.forbids}
            no_manager = {rule.id for rule in breaking.permits}
            assert set(rules) == (no_manager if breaking.is_allowed else forbids)
