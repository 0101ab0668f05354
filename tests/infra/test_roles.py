"""P11: no role may do more than its function needs; each line is listed in ``roles.py``."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.infra.roles import CATALOG, PATTERNS, RIGHTS, complaints
from tests.infra.text import Template, functions, grants, of_type, parsed

FACE_THE_NETWORK = ("Request", "Approve")


def test_each_role_may_do_what_its_function_needs_and_nothing_else() -> None:
    assert list(complaints(parsed())) == []
    assert set(RIGHTS) == set(functions(parsed()))


Change = Callable[[dict[str, Any]], object]


def _statement(action: str, on: object = "*") -> dict[str, object]:
    return {"Sid": "More", "Effect": "Allow", "Action": action, "Resource": on}


def _more(action: str, on: object = "*") -> Change:
    return lambda role: role["Policies"][0]["PolicyDocument"]["Statement"].append(
        _statement(action, on)
    )


def _widened(role: dict[str, Any]) -> None:
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    next(each for each in statements if each["Sid"] != "Log")["Resource"] = "*"


CHANGES: dict[str, Change] = {
    "may take on any role": _more("sts:AssumeRole"),
    "may write the table": _more("dynamodb:PutItem", {"Fn::GetAtt": ["Table", "Arn"]}),
    "may read the table": _more("dynamodb:GetItem", {"Fn::GetAtt": ["Table", "Arn"]}),
    "may sign": _more("kms:Sign", {"Fn::GetAtt": ["SigningKey", "Arn"]}),
    "may invoke anything": _widened,
    "has a second policy": lambda role: role["Policies"].append(
        {
            "PolicyName": "more",
            "PolicyDocument": {"Statement": [_statement("sqs:SendMessage")]},
        }
    ),
    "has a managed policy": lambda role: role.update(
        ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]
    ),
    "may not even ask": lambda role: role["Policies"][0]["PolicyDocument"].update(Statement=[]),
}


@pytest.mark.parametrize("function", FACE_THE_NETWORK)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_faces_the_network_cannot_be_given_more_unseen(function: str, change: Change) -> None:
    template = deepcopy(parsed())
    change(template["Resources"][f"{function}Role"]["Properties"])
    assert [line for line in complaints(template) if line.startswith(function)]


def test_rights_given_beside_the_roles_are_seen() -> None:
    template = deepcopy(parsed())
    template["Resources"]["More"] = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {}}
    assert list(complaints(template)) == ["More: rights are given beside the roles"]


def test_what_faces_the_network_may_ask_the_judge_and_write_its_log() -> None:
    for function in FACE_THE_NETWORK:
        may = {(grant.action, grant.thing) for grant in grants(_role(function))}
        assert may == {
            ("lambda:InvokeFunction", "Judge.Arn"),
            ("logs:CreateLogStream", f"{function}Log.Arn"),
            ("logs:PutLogEvents", f"{function}Log.Arn"),
        }


def test_nothing_is_allowed_by_a_pattern_but_what_is_named_here() -> None:
    for function in RIGHTS:
        for grant in grants(_role(function)):
            assert "*" not in grant.action
            assert "*" not in grant.thing or grant.thing in PATTERNS, grant
    seen = {grant.thing for function in RIGHTS for grant in grants(_role(function))}
    assert set(PATTERNS) <= seen


def test_nobody_may_touch_roles_or_take_one_on_but_as_the_catalog_says() -> None:
    for function in RIGHTS:
        services = {grant.action.partition(":")[0] for grant in grants(_role(function))}
        assert not services & {"iam", "sts", "organizations", "sso", "identitystore"}, function
    reach_no_cloud = set(RIGHTS) - set(CATALOG)
    assert reach_no_cloud == {"Request", "Approve", "Judge", "Expire", "Publish"}


def test_a_role_is_for_lambda_alone_and_has_the_boundary_that_is_asked_for() -> None:
    for role in of_type(parsed(), "AWS::IAM::Role").values():
        assert role["AssumeRolePolicyDocument"] == {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        asked, otherwise = {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}
        assert role["PermissionsBoundary"] == {"Fn::If": ["HasBoundary", asked, otherwise]}


# ── The key ──────────────────────────────────────────────────────────────────────────────────


def test_only_the_judge_may_sign_and_nobody_can_pass_that_on() -> None:
    template = parsed()
    keep, sign = _key_policy(template)
    assert sign["Principal"] == {"AWS": {"Fn::GetAtt": ["JudgeRole", "Arn"]}}
    assert set(sign["Action"]) == {"kms:GetPublicKey", "kms:Sign"}
    # What the root is allowed, the account's own policies may allow anybody (KMS developer guide,
    # "Default key policy"). It keeps the key, and can neither use it nor lend it.
    assert keep["Principal"] == {
        "AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    }
    assert not [action for action in keep["Action"] if "*" in action]
    assert not set(keep["Action"]) & {"kms:Sign", "kms:CreateGrant", "kms:ReplicateKey"}
    # Without it the key could never be changed again; KMS refuses such a policy.
    assert "kms:PutKeyPolicy" in keep["Action"]
    for function in RIGHTS:
        assert "kms:Sign" not in {grant.action for grant in grants(_role(function))}


def _key_policy(template: Template) -> list[dict[str, Any]]:
    key = of_type(template, "AWS::KMS::Key")["SigningKey"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    policy: list[dict[str, Any]] = key["KeyPolicy"]["Statement"]
    assert all(each["Effect"] == "Allow" and each["Resource"] == "*" for each in policy)
    return policy


def _role(function: str) -> dict[str, Any]:
    return of_type(parsed(), "AWS::IAM::Role")[f"{function}Role"]
