"""What ``infra/aws/account.yaml`` says, where no emulator can tell what AWS would make of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # its types are not among the locked ones

from jitcloud.providers.aws import deny_text
from jitcloud.providers.aws.target import REQUEST_TAG

INFRA = Path(__file__).parents[2] / "infra" / "aws"
ISSUE = {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
END = {
    "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListEntitiesForPolicy",
    "iam:ListPolicyVersions",
}
NOTHING = {"Ref": "AWS::NoValue"}
TARGETS = [
    {"Fn::If": [f"Has{name}", {"Fn::GetAtt": f"{name}.Arn"}, NOTHING]}
    for name in ("ReadRole", "WriteRole")
]


def _parsed() -> dict[str, Any]:
    """The template, with ``!Ref x`` as ``{"Ref": x}``: as its JSON form would have it."""
    loader = type("Loader", (yaml.SafeLoader,), {})
    yaml.add_multi_constructor("!", _tagged, Loader=loader)
    text = (INFRA / "account.yaml").read_text()
    template: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - the safe one, with tags
    return template


def _tagged(loader: Any, suffix: str, node: Any) -> dict[str, object]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    return {name: loader.construct_sequence(node, deep=True)}


PARSED = _parsed()
RESOURCES: dict[str, dict[str, Any]] = PARSED["Resources"]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: made["Properties"]
        for name, made in RESOURCES.items()
        if made["Type"] == f"AWS::IAM::{kind}"
    }


def statements(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The statements of a policy, each with the condition under which it is there."""
    listed: list[dict[str, Any]] = of_type("ManagedPolicy")[name]["PolicyDocument"]["Statement"]
    return [("", each) if "Effect" in each else _conditional(each) for each in listed]


def _conditional(each: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    condition, statement, otherwise = each["Fn::If"]
    assert otherwise == NOTHING
    return condition, statement


def of_parameter(name: str) -> dict[str, list[object]]:
    return {"Fn::Split": [",", {"Ref": name}]}


def told(listed: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, set[str], object, object]]:
    return [
        (
            condition,
            {one["Action"]} if isinstance(one["Action"], str) else set(one["Action"]),
            one["Resource"],
            one.get("Condition"),
        )
        for condition, one in listed
    ]


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_the_deny_document_is_word_for_word_what_the_broker_would_write(partition: str) -> None:
    arn = f"arn:{partition}:iam::111122223333:policy/jitcloud-deny-document"
    made = of_type("ManagedPolicy")["DenyDocument"]
    told = json.dumps(made["PolicyDocument"])
    told = told.replace("${AWS::Partition}", partition)
    told = told.replace("${AWS::AccountId}", "111122223333")
    told = told.replace(json.dumps({"Fn::Sub": arn}), json.dumps(arn))
    assert json.loads(told) == json.loads(deny_text.base_document(arn))
    assert made["ManagedPolicyName"] == "jitcloud-deny-document"


def test_nothing_but_its_own_text_can_make_cloudformation_write_the_deny_document() -> None:
    made = RESOURCES["DenyDocument"]
    # A change of any other property would replace it, and a parameter could change.
    assert set(made["Properties"]) == {"ManagedPolicyName", "PolicyDocument"}
    assert "Ref" not in json.dumps(made)
    assert made["DeletionPolicy"] == made["UpdateReplacePolicy"] == "Retain"


def test_the_stack_policy_keeps_even_that_from_happening_by_accident() -> None:
    kept = json.loads((INFRA / "stack-policy.json").read_text())["Statement"][-1]
    assert kept["Effect"] == "Deny"
    assert kept["Action"] == "Update:*"
    assert kept["Resource"] == "LogicalResourceId/DenyDocument"


@pytest.mark.parametrize("name", ["ReadRole", "WriteRole"])
def test_a_role_that_is_handed_out_is_bound_and_trusts_the_broker_alone(name: str) -> None:
    role = of_type("Role")[name]
    assert role["PermissionsBoundary"] == {"Ref": "DenyDocument"}
    comes_in, brings = role["AssumeRolePolicyDocument"]["Statement"]
    assert comes_in["Principal"] == brings["Principal"] == {"AWS": {"Ref": "BrokerArn"}}
    assert {comes_in["Action"], *brings["Action"]} == ISSUE
    assert comes_in["Condition"] == {
        "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}},
        "StringLike": {f"aws:RequestTag/{REQUEST_TAG}": "?*"},
    }
    # AWS has no sts:ExternalId to compare when it judges these, and would never allow them.
    assert "Condition" not in brings


def test_the_broker_gets_these_rights_on_these_things_and_no_others() -> None:
    groups, users = of_parameter("GroupArns"), of_parameter("GroupUserArns")
    to_roles, to_users = of_parameter("PolicyRoleArns"), of_parameter("PolicyUserArns")
    bound = {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}
    assert told(statements("IssuePolicy")) == [("", ISSUE, TARGETS, None)]
    assert told(statements("GrantPolicy")) == [
        ("HasGroups", {"iam:AddUserToGroup", "iam:GetGroup"}, groups, None),
        ("HasPolicyRoles", {"iam:GetRole", "iam:ListRolePolicies"}, to_roles, None),
        ("HasPolicyUsers", {"iam:ListUserPolicies"}, to_users, None),
        ("HasPolicyRoles", {"iam:PutRolePolicy"}, to_roles, bound),
        ("HasPolicyUsers", {"iam:PutUserPolicy"}, to_users, bound),
    ]
    assert told(statements("EndPolicy")) == [
        ("HasRoles", {"iam:GetRole"}, TARGETS, None),
        ("", END, {"Ref": "DenyDocument"}, None),
        ("EndsSets", {"iam:ListRoles"}, "*", None),
        ("HasGroups", {"iam:RemoveUserFromGroup"}, groups, None),
        ("HasGroupUsers", {"iam:ListGroupsForUser"}, users, None),
        ("HasPolicyRoles", {"iam:GetRolePolicy", "iam:DeleteRolePolicy"}, to_roles, None),
        ("HasPolicyUsers", {"iam:GetUserPolicy", "iam:DeleteUserPolicy"}, to_users, None),
    ]


def test_without_a_boundary_the_broker_may_write_nowhere() -> None:
    for name in ("HasPolicyRoles", "HasPolicyUsers"):
        bounded, _ = PARSED["Conditions"][name]["Fn::And"]
        assert bounded == {"Condition": "HasBoundary"}


def test_whoever_is_bound_can_neither_edit_the_boundary_nor_take_one_off() -> None:
    allowed, keeps, *others = statements("Boundary")
    (_, allow), (_, this) = allowed, keeps
    assert (allow["Effect"], allow["Action"]) == ("Allow", of_parameter("BoundaryAllows"))
    name = of_type("ManagedPolicy")["Boundary"]["ManagedPolicyName"]
    assert this["Effect"] == "Deny"
    assert this["Resource"]["Fn::Sub"].endswith(f":policy/{name}")
    assert {"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"} <= set(this["Action"])
    ((_, bounds),) = others
    assert (bounds["Effect"], bounds["Resource"]) == ("Deny", "*")
    assert set(bounds["Action"]) == {
        f"iam:{verb}{kind}PermissionsBoundary"
        for verb in ("Delete", "Put")
        for kind in ("Role", "User")
    }


def test_whoever_comes_by_the_account_role_is_the_broker_and_shows_the_external_id() -> None:
    role = of_type("Role")["AccountRole"]
    (comes_in,) = role["AssumeRolePolicyDocument"]["Statement"]
    broker = {"Fn::If": ["IsSeveral", of_parameter("FunctionArns"), {"Ref": "BrokerArn"}]}
    assert comes_in == {
        "Effect": "Allow",
        "Principal": {"AWS": broker},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
    }
    granting = {"Fn::If": ["NeedsGrantPolicy", {"Ref": "GrantPolicy"}, NOTHING]}
    assert role["ManagedPolicyArns"] == [{"Ref": "EndPolicy"}, granting]


def test_there_is_nothing_else_in_it() -> None:
    policies = {"DenyDocument", "Boundary", "IssuePolicy", "GrantPolicy", "EndPolicy"}
    assert set(of_type("ManagedPolicy")) == policies
    assert set(of_type("Role")) == {"ReadRole", "WriteRole", "AccountRole"}
    assert len(RESOURCES) == 8
    assert not any("Policies" in role for role in of_type("Role").values())


# ── What parameters take ─────────────────────────────────────────────────────────────────────


def _takes(parameter: str, value: str) -> bool:
    pattern: str = PARSED["Parameters"][parameter]["AllowedPattern"]
    return re.fullmatch(pattern, value) is not None


@pytest.mark.parametrize(
    ("parameter", "kind"),
    [
        ("GroupArns", "group"),
        ("GroupUserArns", "user"),
        ("PolicyRoleArns", "role"),
        ("PolicyUserArns", "user"),
        ("FunctionArns", "role"),
    ],
)
def test_a_list_takes_nothing_or_arns_of_its_kind_and_no_patterns(
    parameter: str, kind: str
) -> None:
    one = f"arn:aws:iam::111122223333:{kind}/team/x"
    assert _takes(parameter, "")
    assert _takes(parameter, one)
    assert _takes(parameter, f"{one},{one}2")
    for wrong in (f"{one}, {one}", f"{one},", f"{one}*", "*", one.replace(f":{kind}/", ":policy/")):
        assert not _takes(parameter, wrong)


def test_a_boundary_allows_actions_and_never_everything() -> None:
    assert _takes("BoundaryAllows", "")
    assert _takes("BoundaryAllows", "s3:Get*,logs:*")
    for wrong in ("*", "*:*", "s3", "s3:*, logs:*"):
        assert not _takes("BoundaryAllows", wrong)


@pytest.mark.parametrize("parameter", ["ReadPolicyArn", "WritePolicyArn"])
def test_a_role_need_not_be_made(parameter: str) -> None:
    assert _takes(parameter, "")


LINTER = Path(sys.executable).with_name("cfn-lint")


@pytest.mark.skipif(not LINTER.exists(), reason="cfn-lint is not installed here")
def test_cfn_lint_finds_nothing() -> None:
    command = [LINTER, INFRA / "account.yaml"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool and file
    assert (said.returncode, said.stdout) == (0, "")
