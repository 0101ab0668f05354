from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.model import Denied, Person, Reach, RuleId, Scope
from jitcloud.policy import Policy
from tests.drawn_policies import HERE
from tests.example import minutes

Verb = Literal["stop", "end"]

EVERYTHING = Scope(reach=Reach.EVERYTHING)
AWS = Scope(reach=Reach.CLOUD, id="aws")
THING = Scope(reach=Reach.ENTITLEMENT, id="prod-read")
DEV = Scope(reach=Reach.PERSON, id="u-dev")


def braked(  # noqa: PLR0913 - each one a fact of the brake
    policy: Policy,
    verb: Verb,
    who: str | Person,
    scope: Scope,
    *,
    mfa: timedelta | None = None,
    gone: bool = False,
) -> Denied | None:
    person = HERE.person(who) if isinstance(who, str) else who
    thing = HERE.catalog.get(scope.id) if scope.reach is Reach.ENTITLEMENT else None
    about = HERE.directory.person(scope.id) if scope.reach is Reach.PERSON else None
    return policy.may_brake(
        verb, person, mfa, scope, None if gone else thing, None if gone else about
    )


def may(policy: Policy, verb: Verb, who: str | Person, scope: Scope) -> bool:
    return braked(policy, verb, who, scope) is None


def alone(*rules: str) -> Policy:
    return HERE.policy({"only.cedar": "\n".join(rules)})


def permit(verb: str = "stop", when: str = "", principal: str = "principal") -> str:
    clause = f" when {{ {when} }}" if when else ""
    return f'@id("p") permit ({principal}, action == Action::"{verb}", resource){clause};'


# ── The example organisation ─────────────────────────────────────────────────────────────────

POLICY = HERE.policy()


@pytest.mark.parametrize("scope", [EVERYTHING, AWS, THING, DEV], ids=lambda scope: scope.reach)
@pytest.mark.parametrize("verb", ["stop", "end"])
def test_security_may_use_every_brake_and_an_outsider_none(verb: Verb, scope: Scope) -> None:
    assert may(POLICY, verb, "security", scope)
    assert POLICY.brake(verb, HERE.person("security"), None, scope, None, None) == (
        RuleId(f"security-may-{verb}"),
    )
    no_rule = (
        "No rule lets you use this brake; whoever keeps the policy would have to permit you"
        f' Action::"{verb}".'
    )
    assert braked(POLICY, verb, "outsider", scope) == Denied(because=(no_rule,))


def test_owners_stop_what_they_own_and_managers_end_what_theirs_hold() -> None:
    assert may(POLICY, "stop", "owner", THING)
    assert not may(POLICY, "end", "owner", THING)
    assert not may(POLICY, "stop", "owner", replace(THING, id="org-root"))
    assert not may(POLICY, "stop", "owner", EVERYTHING)
    assert may(POLICY, "end", "manager", DEV)
    assert not may(POLICY, "stop", "manager", DEV)
    assert not may(POLICY, "end", "manager", replace(DEV, id="u-sre"))
    assert not may(POLICY, "end", "dev", DEV)


def test_somebody_disabled_uses_no_brake() -> None:
    security = replace(HERE.person("security"), disabled=True)
    refusal = braked(POLICY, "stop", security, EVERYTHING)
    assert refusal == Denied(because=("Your account is disabled in the directory.",))


# ── What a rule can tell apart ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("when", "scopes"),
    [
        ("resource.everything", {Reach.EVERYTHING}),
        ("resource has cloud", {Reach.CLOUD}),
        ('resource has cloud && resource.cloud == Cloud::"gcp"', set()),
        ("resource has entitlement", {Reach.ENTITLEMENT}),
        (
            'resource has entitlement && resource.entitlement in Environment::"prod"',
            {Reach.ENTITLEMENT},
        ),
        ('resource has entitlement && resource.entitlement in Label::"pii"', set()),
        (
            'resource has entitlement && resource.entitlement.privilege == Privilege::"read"',
            {Reach.ENTITLEMENT},
        ),
        ("resource has person", {Reach.PERSON}),
        ('resource has person && resource.person in Group::"developers"', {Reach.PERSON}),
        ('resource has person && resource.person in Group::"sre"', set()),
        ('resource has person && resource.person in Rotation::"sre-primary"', set()),
    ],
)
def test_a_rule_can_look_at_what_a_brake_is_about(when: str, scopes: set[Reach]) -> None:
    policy = alone(permit(when=when))
    found = {
        scope.reach for scope in (EVERYTHING, AWS, THING, DEV) if may(policy, "stop", "sre", scope)
    }
    assert found == scopes


def test_nobody_is_in_a_group_of_whoever_they_brake() -> None:
    policy = alone(permit("end", principal='principal in Group::"developers"'))
    assert not may(policy, "end", "sre", DEV)
    assert may(policy, "end", "dev", replace(DEV, id="u-sre"))


def test_somebody_may_be_let_to_brake_themselves() -> None:
    policy = alone(permit("end", "resource has person && resource.person == principal"))
    assert may(policy, "end", "dev", DEV)
    assert not may(policy, "end", "sre", DEV)


def test_what_is_gone_can_be_braked_by_rules_that_do_not_look_at_it() -> None:
    looking = alone(permit(when="resource has entitlement || resource has person"))
    for scope in (THING, DEV):
        assert braked(alone(permit()), "stop", "sre", scope, gone=True) is None
        assert braked(looking, "stop", "sre", scope) is None
        assert braked(looking, "stop", "sre", scope, gone=True) is not None


def test_one_verb_does_not_open_the_other() -> None:
    assert not may(alone(permit("stop")), "end", "sre", EVERYTHING)
    assert not may(alone(permit("end")), "stop", "sre", EVERYTHING)


def test_a_forbid_wins_and_says_why() -> None:
    policy = alone(
        permit("end"),
        '@id("fresh") @because("Sign in anew to end everything.")'
        ' forbid (principal, action == Action::"end", resource) when { resource.everything }'
        ' unless { context has mfaAge && context.mfaAge <= duration("15m") };',
    )
    refusal = Denied(because=("Sign in anew to end everything.",), rules=(RuleId("fresh"),))
    assert braked(policy, "end", "sre", EVERYTHING) == refusal
    assert braked(policy, "end", "sre", EVERYTHING, mfa=minutes(16)) == refusal
    assert braked(policy, "end", "sre", EVERYTHING, mfa=minutes(15)) is None
    assert braked(policy, "end", "sre", AWS) is None


def test_a_forbid_that_errs_refuses() -> None:
    policy = alone(
        permit("end"),
        '@id("fails") @because("Never.") forbid (principal, action == Action::"end", resource)'
        " when { context has mfaAge &&"
        " context.mfaAge.toMilliseconds() * 9223372036854775807 > 0 };",
    )
    refusal = braked(policy, "end", "sre", EVERYTHING, mfa=minutes(5))
    assert refusal is not None
    assert refusal.rules == ("fails",)


def test_a_cloud_that_is_none_is_a_refusal() -> None:
    refusal = braked(alone(permit()), "stop", "sre", Scope(reach=Reach.CLOUD, id="awz"))
    assert refusal is not None
    assert "could not be evaluated" in refusal.because[0]


def test_a_rule_about_access_says_nothing_about_brakes() -> None:
    policy = alone(
        permit(),
        '@id("no") @because("No.") forbid (principal, action in Action::"access", resource);',
    )
    assert may(policy, "stop", "sre", EVERYTHING)


@pytest.mark.parametrize("notes", ['@approval("1 of sre")', '@review("within 1h by sre")'])
def test_nobody_is_asked_before_or_after_a_brake(notes: str) -> None:
    with pytest.raises(Misconfigured, match="and this is a permit of stop; take it away"):
        alone(permit().replace("permit", f"{notes} permit", 1))
