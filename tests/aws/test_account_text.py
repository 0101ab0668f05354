"""What ``infra/aws/account.yaml`` says, where no emulator can tell what AWS would make of it."""

from __future__ import annotations

import json
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
TARGETS = [
    {"Fn::GetAtt": "ReadRole.Arn"},
    {"Fn::If": ["HasWriteRole", {"Fn::GetAtt": "WriteRole.Arn"}, {"Ref": "AWS::NoValue"}]},
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


RESOURCES: dict[str, dict[str, Any]] = _parsed()["Resources"]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: made["Properties"]
        for name, made in RESOURCES.items()
        if made["Type"] == f"AWS::IAM::{kind}"
    }


def statements(name: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = of_type("ManagedPolicy")[name]["PolicyDocument"]["Statement"]
    return listed


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
    (issue,) = statements("IssuePolicy")
    assert (set(issue["Action"]), issue["Resource"]) == (ISSUE, TARGETS)
    look, end = statements("EndPolicy")
    assert (look["Action"], look["Resource"]) == ("iam:GetRole", TARGETS)
    assert (set(end["Action"]), end["Resource"]) == (END, {"Ref": "DenyDocument"})


def test_there_is_nothing_else_in_it() -> None:
    assert set(of_type("ManagedPolicy")) == {"DenyDocument", "IssuePolicy", "EndPolicy"}
    assert set(of_type("Role")) == {"ReadRole", "WriteRole", "AccountRole"}
    assert len(RESOURCES) == 6
    assert not any("Policies" in role for role in of_type("Role").values())
    assert of_type("Role")["AccountRole"]["ManagedPolicyArns"] == [{"Ref": "EndPolicy"}]
