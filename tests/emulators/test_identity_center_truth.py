from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from jitcloud.emulators.identity_center import Assignment, Behaviour, IdentityCenter, Session
from jitcloud.errors import Invalid, Refused
from tests.emulators.identity_centers import NOON, PROD, SettableClock

ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}
NONE = {"Effect": "Deny", "Action": "*", "Resource": "*"}


class Org:
    """The same small organization, without HTTP."""

    def __init__(self, region: str = "eu-west-1") -> None:
        self.clock = SettableClock()
        self.center = IdentityCenter(self.clock, Behaviour(rate=None), region=region)
        self.center.organization.add_account(PROD, "prod")
        boundary = {"CustomerManagedPolicyReference": {"Name": "deny", "Path": "/jit/"}}
        self.admins = self.center.permission_sets.add(
            "Admins", session=timedelta(hours=2), boundary=boundary
        )
        self.ada, self.bob = (self.center.store.add_user(name) for name in ("ada", "bob"))
        self.team = self.center.store.add_group("team")

    def assigned(self) -> Session:
        self.center.assign_by_hand(self.ada, self.admins, PROD)
        return self.sign_in()

    def sign_in(self, user: str | None = None) -> Session:
        return self.center.sign_in(user or self.ada, self.admins, PROD)

    def unassign(self) -> None:
        self.center.unassign_by_hand(self.ada, self.admins, PROD)


@pytest.fixture
def org() -> Org:
    return Org()


# ── Who can ──────────────────────────────────────────────────────────────────────────────────


def test_people_can_what_they_or_a_group_of_theirs_have(org: Org) -> None:
    org.center.assign_by_hand(org.team, org.admins, PROD, "GROUP")
    assert org.center.who_can(org.admins, PROD) == frozenset()
    org.center.store.add_member(org.team, org.bob)
    assert org.center.who_can(org.admins, PROD) == {org.bob}
    org.center.assign_by_hand(org.ada, org.admins, PROD)
    assert org.center.who_can(org.admins, PROD) == {org.ada, org.bob}
    org.center.store.remove_member(org.team, org.bob)
    org.unassign()
    assert org.center.who_can(org.admins, PROD) == frozenset()
    assert org.center.holders() == {Assignment(PROD, org.admins, "GROUP", org.team)}


def test_nobody_can_elsewhere(org: Org) -> None:
    org.assigned()
    management = org.center.organization.management
    assert org.center.who_can(org.admins, management) == frozenset()
    assert org.center.who_can(org.center.permission_sets.add("Other"), PROD) == frozenset()


def test_a_deleted_user_can_nothing_and_a_disabled_one_still_can(org: Org) -> None:
    org.center.assign_by_hand(org.team, org.admins, PROD, "GROUP")
    org.center.store.add_member(org.team, org.ada)
    org.center.store.add_member(org.team, org.bob)
    org.center.store.disable(org.ada)
    org.center.store.delete_user(org.bob)
    assert org.center.who_can(org.admins, PROD) == {org.ada}
    with pytest.raises(Refused, match="disabled"):
        org.sign_in()
    assert org.center.sign_in(org.ada, org.admins, PROD, through_portal=True).user == org.ada
    org.center.store.enable(org.ada)
    assert org.sign_in().user == org.ada


def test_only_what_exists_is_assigned_by_hand(org: Org) -> None:
    for wrong in (
        ("nobody", org.admins, PROD),
        (org.ada, "nothing", PROD),
        (org.ada, org.admins, "999999999999"),
    ):
        with pytest.raises(Invalid):
            org.center.assign_by_hand(*wrong)


# ── Role sessions ────────────────────────────────────────────────────────────────────────────


def test_who_is_not_assigned_gets_no_session(org: Org) -> None:
    org.assigned()
    with pytest.raises(Refused, match="does not have"):
        org.sign_in(org.bob)
    org.unassign()
    with pytest.raises(Refused, match="does not have"):
        org.sign_in()


def test_a_session_outlives_its_assignment_until_it_expires(org: Org) -> None:
    session = org.assigned()
    org.unassign()
    org.center.store.delete_user(org.ada)
    org.clock.tick(2 * 3600 - 0.001)
    assert org.center.works(session)
    org.clock.tick(0.001)
    assert not org.center.works(session)


def test_a_role_is_named_as_aws_names_it(org: Org) -> None:
    role = org.assigned().role
    path, _, suffix = role.arn.rpartition("_")
    assert path == (
        f"arn:aws:iam::{PROD}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admins"
    )
    assert len(suffix) == 16
    assert role.boundary_arn == f"arn:aws:iam::{PROD}:policy/jit/deny"


def test_a_boundary_binds_a_role_when_it_is_provisioned(org: Org) -> None:
    role = org.assigned().role
    other = {"ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    org.center.client("sso-admin").put_permissions_boundary_to_permission_set(
        InstanceArn=org.center.instance_arn,
        PermissionSetArn=org.admins,
        PermissionsBoundary=other,
    )
    assert role.boundary_arn == f"arn:aws:iam::{PROD}:policy/jit/deny"
    org.center.client("sso-admin").provision_permission_set(
        InstanceArn=org.center.instance_arn,
        PermissionSetArn=org.admins,
        TargetType="ALL_PROVISIONED_ACCOUNTS",
    )
    org.clock.tick(5)
    assert org.center.holders()
    assert role.boundary_arn == "arn:aws:iam::aws:policy/ReadOnlyAccess"


# ── The deny document ────────────────────────────────────────────────────────────────────────


def document(*statements: Mapping[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [ANY, *statements]}


def ending(org: Org, before: datetime, **instead: object) -> dict[str, object]:
    """What ends ada's sessions of this permission set that were issued before that instant."""
    pattern = f"arn:aws:iam::{PROD}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Admins_*"
    condition: dict[str, object] = {
        "StringEquals": {"identitystore:UserId": [org.bob, org.ada]},
        "ArnLike": {"aws:PrincipalArn": pattern},
        "DateLessThan": {"aws:TokenIssueTime": before.isoformat()},
        **instead,
    }
    return document({**NONE, "Sid": "Ended", "Condition": condition})


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_denial_ends_the_sessions_issued_before_it_and_no_later_ones(region: str) -> None:
    org = Org(region)
    session = org.assigned()
    org.clock.tick(60)
    assert not org.center.works(session, ending(org, org.clock.now))
    again = org.sign_in()
    assert org.center.works(again, ending(org, org.clock.now))
    assert not org.center.works(again, ending(org, org.clock.now + timedelta(seconds=1)))


def test_a_token_tells_whole_seconds(org: Org) -> None:
    org.clock.tick(0.9)
    session = org.assigned()
    assert org.center.works(session, ending(org, NOON))
    assert not org.center.works(session, ending(org, NOON + timedelta(milliseconds=1)))


@pytest.mark.parametrize(
    "instead",
    [
        pytest.param({"StringEquals": {"identitystore:UserId": "another"}}, id="user"),
        pytest.param(
            {
                "ArnLike": {
                    "aws:PrincipalArn": f"arn:aws:iam::{PROD}:role/aws-reserved"
                    "/sso.amazonaws.com/*AWSReservedSSO_Admin_*"
                }
            },
            id="role",
        ),
        pytest.param(
            {"ArnLike": {"aws:PrincipalArn": f"arn:aws:sts::{PROD}:assumed-role/*/*"}},
            id="session-arn",
        ),
        pytest.param(
            {"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{PROD}:role/*"}},
            id="wildcard-in-equals",
        ),
        pytest.param({"DateLessThan": {"aws:TokenIssueTime": "soon"}}, id="malformed-date"),
        pytest.param({"DateLessThan": {"aws:TokenIssueTime": "1767225600"}}, id="epoch"),
        pytest.param({"StringEquals": {"aws:PrincipalTag/jitcloud-request": "01J"}}, id="tag"),
        pytest.param({"StringLike": {"aws:userid": "*:bob"}}, id="userid"),
        pytest.param(
            {
                "StringLike": {"aws:userid": "*:ada"},
                "DateGreaterThanEquals": {"aws:CurrentTime": "2026-01-01T12:00:01Z"},
            },
            id="not-yet",
        ),
    ],
)
def test_a_denial_that_does_not_fit_ends_nothing(org: Org, instead: dict[str, object]) -> None:
    session = org.assigned()
    late = NOON + timedelta(hours=1)
    assert not org.center.works(session, ending(org, late))
    assert org.center.works(session, ending(org, late, **instead))


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param({"StringEquals": {"IDENTITYSTORE:userid": "ADA"}}, id="case-of-key"),
        pytest.param({"StringLike": {"aws:userid": "AROA*:?da"}}, id="like"),
        pytest.param({"ArnEquals": {"aws:PrincipalArn": "arn:*:iam:*:2*4:role/*"}}, id="arn"),
        pytest.param({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}}, id="day"),
        pytest.param({"DateGreaterThanEquals": {"aws:CurrentTime": "1767268800"}}, id="epoch"),
        pytest.param({"DateLessThanEquals": {"aws:TokenIssueTime": "1767268800"}}, id="equal"),
        pytest.param({"StringEquals": {"aws:PrincipalAccount": [PROD]}}, id="account"),
        pytest.param({}, id="none"),
    ],
)
def test_conditions_hold_as_iam_holds_them(org: Org, condition: dict[str, object]) -> None:
    session = org.assigned()
    said = eval_ids(condition, org)
    assert not org.center.works(session, document({**NONE, "Condition": said}))


def eval_ids(condition: object, org: Org) -> object:
    if isinstance(condition, dict):
        return {key: eval_ids(value, org) for key, value in condition.items()}
    return org.ada if condition == "ADA" else condition


def test_a_boundary_that_allows_nothing_leaves_nothing(org: Org) -> None:
    session = org.assigned()
    assert not org.center.works(session, {"Version": "2012-10-17", "Statement": []})
    assert org.center.works(session, {"Version": "2012-10-17", "Statement": ANY})


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"Action": ["iam:CreatePolicyVersion"]}, id="action"),
        pytest.param({"Resource": "arn:aws:iam::222233334444:policy/deny"}, id="resource"),
        pytest.param({"Action": "s3:*"}, id="service"),
    ],
)
def test_a_denial_of_less_than_everything_leaves_something(
    org: Org, part: dict[str, object]
) -> None:
    assert org.center.works(org.assigned(), document({**NONE, **part}))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param({**NONE, "Condition": {"Null": {"aws:userid": "true"}}}, id="operator"),
        pytest.param({**NONE, "Condition": {"StringEqualsIfExists": {"aws:userid": ""}}}, id="if"),
        pytest.param({**NONE, "Condition": {"StringEquals": {"aws:SourceIp": "::1"}}}, id="key"),
        pytest.param(
            {**NONE, "Condition": {"StringEquals": {"aws:userid": "${aws:userid}"}}}, id="variable"
        ),
        pytest.param({**NONE, "Condition": {"ArnLike": {"aws:PrincipalArn": "*"}}}, id="arn"),
        pytest.param({**NONE, "Condition": "all"}, id="condition"),
        pytest.param({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}, id="not-action"),
        pytest.param("Deny", id="statement"),
        pytest.param(
            {
                **NONE,
                "Action": "s3:*",
                "Condition": {
                    "StringEquals": {"identitystore:UserId": "another"},
                    "Bool": {"aws:SecureTransport": "true"},
                },
            },
            id="behind-one-that-does-not-hold",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(org: Org, statement: object) -> None:
    session = org.assigned()
    with pytest.raises(Invalid):
        org.center.works(session, {"Statement": [ANY, statement]})
