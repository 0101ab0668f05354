"""Everything that the product asks of IAM and STS, in one order, whoever answers it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from jitcloud.providers.aws import timed_policy
from jitcloud.providers.aws.deny_subjects import Denials
from jitcloud.providers.aws.deny_text import base_document, document
from jitcloud.providers.aws.session_policy import session_policy
from tests.simulation.clouds.aws_stage import allowing
from tests.world import START

PEOPLE = ("ana", "ben")
GROUP, OTHER, ROLE, POLICY = "team", "other", "worker", "deny"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:*"]},
        ],
    }
)

Call = tuple[str, str, dict[str, Any]]
Said = tuple[Call, object]
"""A call, and what came of it: the form of the answer, or the code of an error and its status."""


def furnished(iam: Any, account: str) -> None:
    """Make what is there before, in somebody else's IAM."""
    for name in PEOPLE:
        iam.create_user(UserName=name)
    for name in (GROUP, OTHER):
        iam.create_group(GroupName=name)
    arn = f"arn:aws:iam::{account}:policy/{POLICY}"
    iam.create_policy(PolicyName=POLICY, PolicyDocument=base_document(arn))
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn)
    iam.put_role_policy(RoleName=ROLE, PolicyName="rights", PolicyDocument=allowing("*"))


def calls(account: str) -> Iterator[Call]:
    """Each call with what it is asked, and again where there is nothing."""
    yield ("sts", "get_caller_identity", {})
    yield from _of_groups()
    for kind, name in (("user", "ana"), ("role", ROLE)):
        yield from _of_inline(kind, name)
    yield from _of_document(f"arn:aws:iam::{account}:policy/{POLICY}")
    yield from _of_roles(account)


def _of_groups() -> Iterator[Call]:
    both = {"GroupName": GROUP, "UserName": "ana"}
    yield ("iam", "list_groups_for_user", {"UserName": "ana", "MaxItems": 1000})
    yield ("iam", "list_groups_for_user", {"UserName": "nobody", "MaxItems": 1000})
    yield ("iam", "add_user_to_group", both)
    yield ("iam", "add_user_to_group", both)
    yield ("iam", "add_user_to_group", {"GroupName": GROUP, "UserName": "nobody"})
    yield ("iam", "add_user_to_group", {"GroupName": "none", "UserName": "ana"})
    yield ("iam", "list_groups_for_user", {"UserName": "ana", "MaxItems": 1000})
    yield ("iam", "get_group", {"GroupName": GROUP, "MaxItems": 100})
    yield ("iam", "add_user_to_group", {"GroupName": GROUP, "UserName": "ben"})
    yield ("iam", "get_group", {"GroupName": GROUP, "MaxItems": 100})
    yield ("iam", "get_group", {"GroupName": "none", "MaxItems": 100})
    yield ("iam", "remove_user_from_group", both)
    yield ("iam", "remove_user_from_group", {"GroupName": "none", "UserName": "ana"})
    yield ("iam", "remove_user_from_group", {"GroupName": GROUP, "UserName": "nobody"})
    yield ("iam", "list_groups_for_user", {"UserName": "ana", "MaxItems": 1000})


def _of_inline(kind: str, name: str) -> Iterator[Call]:
    of = f"{kind.title()}Name"
    ours = {of: name, "PolicyName": "jit-1"}
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    text = timed_policy.document([statement], START)
    names = f"list_{kind}_policies"
    yield ("iam", names, {of: name, "MaxItems": 1000})
    yield ("iam", f"get_{kind}_policy", ours)
    yield ("iam", f"put_{kind}_policy", {**ours, "PolicyDocument": text})
    yield ("iam", f"put_{kind}_policy", {**ours, "PolicyDocument": text})
    yield ("iam", f"put_{kind}_policy", {**ours, "PolicyDocument": "no document"})
    yield ("iam", f"get_{kind}_policy", ours)
    yield ("iam", names, {of: name, "MaxItems": 1000})
    yield ("iam", f"delete_{kind}_policy", ours)
    yield ("iam", f"delete_{kind}_policy", ours)
    nobody = {of: "nobody", "PolicyName": "jit-1"}
    yield ("iam", names, {of: "nobody", "MaxItems": 1000})
    yield ("iam", f"get_{kind}_policy", nobody)
    yield ("iam", f"put_{kind}_policy", {**nobody, "PolicyDocument": text})
    yield ("iam", f"delete_{kind}_policy", nobody)


def _of_document(arn: str) -> Iterator[Call]:
    here, nowhere = {"PolicyArn": arn}, {"PolicyArn": f"{arn}-too"}
    text = document(arn, Denials(requests=frozenset({"0" * 26})))  # type: ignore[arg-type] # any id
    yield ("iam", "get_policy", here)
    yield ("iam", "get_policy", nowhere)
    yield ("iam", "get_policy_version", {**here, "VersionId": "v1"})
    yield ("iam", "get_policy_version", {**here, "VersionId": "v9"})
    yield ("iam", "list_policy_versions", here)
    yield ("iam", "list_policy_versions", nowhere)
    for _ in range(5):  # of which IAM takes four
        yield (
            "iam",
            "create_policy_version",
            {**here, "PolicyDocument": text, "SetAsDefault": True},
        )
    yield (
        "iam",
        "create_policy_version",
        {**nowhere, "PolicyDocument": text, "SetAsDefault": True},
    )
    yield ("iam", "list_policy_versions", here)
    yield ("iam", "get_policy", here)
    yield ("iam", "delete_policy_version", {**here, "VersionId": "v5"})
    yield ("iam", "delete_policy_version", {**here, "VersionId": "v1"})
    yield ("iam", "delete_policy_version", {**here, "VersionId": "v1"})
    yield ("iam", "list_policy_versions", here)
    asked = {"EntityFilter": "Role", "PolicyUsageFilter": "PermissionsBoundary", "MaxItems": 1000}
    yield ("iam", "list_entities_for_policy", {**here, **asked})
    yield ("iam", "list_entities_for_policy", {**here, **asked, "PathPrefix": "/aws-reserved/"})
    yield ("iam", "list_entities_for_policy", {**nowhere, **asked})


def _of_roles(account: str) -> Iterator[Call]:
    arn = f"arn:aws:iam::{account}:role/{ROLE}"
    until = session_policy(deadline=datetime.fromisoformat("2030-01-01T00:00:00+00:00")).text
    asked = {
        "RoleArn": arn,
        "RoleSessionName": "jit-1",
        "SourceIdentity": "ana",
        "DurationSeconds": 900,
        "Policy": until,
        "Tags": [{"Key": "jitcloud-request", "Value": "1"}],
        "TransitiveTagKeys": ["jitcloud-request"],
    }
    yield ("iam", "get_role", {"RoleName": ROLE})
    yield ("iam", "get_role", {"RoleName": "none"})
    yield ("iam", "list_roles", {"PathPrefix": "/", "MaxItems": 1000})
    yield ("iam", "list_roles", {"PathPrefix": "/aws-reserved/", "MaxItems": 1000})
    yield ("sts", "assume_role", asked)
    yield ("sts", "assume_role", {"RoleArn": arn, "RoleSessionName": "jitcloud"})
    yield ("sts", "assume_role", {**asked, "DurationSeconds": 7200})
    yield ("sts", "assume_role", {**asked, "RoleArn": f"{arn}-too"})
    yield ("sts", "assume_role", {**asked, "Policy": "no document"})
    yield ("sts", "assume_role", {**asked, "Policy": until + " " * 2048})


def form(value: object) -> object:
    """What an answer is made of, whatever it says; of a list, what its first entry is made of."""
    match value:
        case Mapping():
            return {key: form(item) for key, item in value.items() if key != "ResponseMetadata"}
        case list():
            return [form(value[0])] if value else []
        case datetime():
            return "an instant"
        case _:
            return type(value).__name__


def heard(clients: Mapping[str, Any], account: str) -> Iterator[tuple[Call, object]]:
    """Make all calls; tell what came of each."""
    for call in calls(account):
        service, method, params = call
        try:
            yield call, getattr(clients[service], method)(**params)
        except ClientError as exc:
            status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
            yield call, (exc.response["Error"]["Code"], status, type(exc).__name__)
