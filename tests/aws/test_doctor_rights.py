"""What the broker may do: all that the catalog needs, and nothing that would help a thief."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from jitcloud.doctor import Finding, Grade
from jitcloud.emulators.ministack import Ministack
from jitcloud.providers.aws import doctor_rights
from jitcloud.providers.aws.clients import Clients
from tests.aws.conftest import named, policy
from tests.aws.doctor_world import HOME, NOBODY, SIMULATING, Clinic, consulting
from tests.aws.fake_aws import WHO, FakeAws, error

RIGHTS = "rights-0"


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        yield opened


def found(clinic: Clinic) -> list[Finding]:
    return clinic.found(doctor_rights.rights, *clinic.good)


Statement = Mapping[str, Any]


@contextmanager
def rewritten(
    clinic: Clinic, role: str, rewrite: Callable[[Statement], Statement | None]
) -> Iterator[None]:
    """Let a principal of the broker have its rights otherwise for a while."""
    aws = clinic.home if role == clinic.broker else clinic.away
    iam, name = aws.iam(), named(role)
    was: Any = iam.get_role_policy(RoleName=name, PolicyName=RIGHTS)["PolicyDocument"]
    now = {**was, "Statement": [s for each in was["Statement"] if (s := rewrite(each))]}
    assert now != was
    iam.put_role_policy(RoleName=name, PolicyName=RIGHTS, PolicyDocument=json.dumps(now))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=name, PolicyName=RIGHTS, PolicyDocument=json.dumps(was))


@contextmanager
def besides(clinic: Clinic, *statements: Statement) -> Iterator[None]:
    """Let the broker do more for a while."""
    iam, name = clinic.home.iam(), named(clinic.broker)
    iam.put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=policy(*statements))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="more")


def without(action: str) -> Callable[[Statement], Statement]:
    def rewrite(statement: Statement) -> Statement:
        return {**statement, "Action": [a for a in statement["Action"] if a != action] or ["a:B"]}

    return rewrite


def test_the_rights_that_are_printed_are_enough_and_not_too_many(clinic: Clinic) -> None:
    assert found(clinic) == []


@pytest.mark.parametrize(
    ("action", "grade"),
    [
        ("iam:AddUserToGroup", Grade.FAILURE),
        ("iam:RemoveUserFromGroup", Grade.HARM),
        ("iam:DeleteRolePolicy", Grade.HARM),
        ("sso:CreateAccountAssignment", Grade.FAILURE),
        ("sso:DeleteAccountAssignment", Grade.HARM),
    ],
)
def test_a_right_that_is_missing_is_a_failure_or_for_an_end_harm(
    clinic: Clinic, action: str, grade: Grade
) -> None:
    with rewritten(clinic, clinic.broker, without(action)):
        (finding,) = found(clinic)
    assert (finding.grade, finding.about) == (grade, "the broker")
    assert action in finding.what


def test_a_right_that_an_account_role_lacks_is_that_role_s(clinic: Clinic) -> None:
    with rewritten(clinic, clinic.way_in, without("iam:CreatePolicyVersion")):
        (finding,) = found(clinic)
    assert finding.grade is Grade.HARM
    assert finding.about == f"role {clinic.way_in}"
    assert clinic.deny_document in finding.what


@pytest.mark.parametrize(
    "action", [action for actions in doctor_rights.EXCESS.values() for action in actions]
)
def test_a_right_by_which_a_thief_gets_anything_is_harm(clinic: Clinic, action: str) -> None:
    with besides(clinic, {"Effect": "Allow", "Action": action, "Resource": "*"}):
        (finding,) = clinic.found(doctor_rights.rights, clinic.good[1])
    assert finding.grade is Grade.HARM
    assert finding.what == f"It may do {action} to any role or user in its account."


def test_writing_policies_whatever_bounds_the_role_is_harm(clinic: Clinic) -> None:
    def unbound(statement: Statement) -> Statement:
        return {key: value for key, value in statement.items() if key != "Condition"}

    with rewritten(clinic, clinic.broker, unbound):
        (finding,) = found(clinic)
    assert finding.grade is Grade.HARM
    assert finding.what.startswith("It may do this whatever bounds them: iam:PutRolePolicy on")


def test_changing_what_permission_sets_give_is_harm(clinic: Clinic) -> None:
    action = "sso:PutInlinePolicyToPermissionSet"
    only = {"Effect": "Allow", "Action": action, "Resource": clinic.admins}
    with besides(clinic, only):  # AWS wants it allowed on the instance, too
        assert found(clinic) == []
    with besides(clinic, {**only, "Resource": [clinic.admins, clinic.center.instance_arn]}):
        (finding,) = found(clinic)
    assert finding.grade is Grade.HARM
    assert finding.what == f"It may do {action} to permission sets of the catalog."


def test_that_it_may_not_ask_is_told_and_no_more(clinic: Clinic) -> None:
    iam, name = clinic.home.iam(), named(clinic.broker)
    iam.put_role_policy(
        RoleName=name,
        PolicyName="blind",
        PolicyDocument=policy({**SIMULATING, "Effect": "Deny"}),
    )
    try:
        (finding,) = found(clinic)
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="blind")
    assert (finding.grade, finding.about) == (Grade.NOTICE, "the broker")
    assert "could not be looked at. AWS refused iam:SimulatePrincipalPolicy" in finding.what


def test_an_aws_that_cannot_simulate_is_told(clinic: Clinic, fake: FakeAws, reach: Clients) -> None:
    fake.answers += [WHO, error(500, "InternalFailure")]  # as moto answers
    (finding,) = clinic.found(doctor_rights.rights, clinic.good[1], clients=reach)
    assert finding.grade is Grade.NOTICE


def test_of_a_root_nothing_is_asked(clinic: Clinic) -> None:
    root = clinic.reach(
        type(NOBODY)(
            access_key_id=HOME,
            secret_access_key="test",  # noqa: S106 - ministack gives it to every root
            session_token="",
            expires_at=NOBODY.expires_at,
        )
    )
    assert clinic.found(doctor_rights.rights, clinic.good[1], clients=root) == []
    assert root.watch.calls == 1


def test_of_many_things_a_bounded_number_is_asked_about(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_rights, "MOST_THINGS", 1)
    (finding,) = clinic.found(doctor_rights.rights, clinic.good[1])
    assert finding.grade is Grade.NOTICE
    assert finding.what == "Of 2 things that the broker needs rights to the first 1 were looked at."
