"""What each role may do, one permission at a time: taken away, and given back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from jitcloud.emulators.fleet import Fleet

Document = dict[str, Any]

CATALOG = "Catalog"
"""Stands for the name of a statement that ``jitcloud infra rights`` has made."""

KEY = "SignByJudge"
"""The statement of the key's own policy that is the judge's."""

_NOTHING = {"Effect": "Deny", "Action": "s3:DeleteBucketWebsite", "Resource": "*"}
"""A policy needs a statement: this one takes nothing that anybody has."""


@dataclass(frozen=True)
class Permission:
    """One action of one statement of what a function's role may do."""

    function: str
    statement: str
    action: str
    policy: str
    """Where it stands: the name of an inline policy, or the ARN of one that is attached."""
    number: int
    """Which statement it is."""

    @property
    def name(self) -> tuple[str, str]:
        return self.statement, self.action


def permissions(fleet: Fleet, function: str) -> Iterator[Permission]:
    """Yield all that a function may do, by its role or by the key's own policy."""
    iam, role = fleet.deployed.client("iam"), _role(fleet, function)
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    policies = [*iam.list_role_policies(RoleName=role)["PolicyNames"]]
    policies += [each["PolicyArn"] for each in attached]
    if function == "judge":
        policies.append(fleet.deployed.signing_key)
    for policy in policies:
        for number, statement in enumerate(_read(fleet, role, policy)["Statement"]):
            sid = statement.get("Sid", CATALOG)
            if policy == fleet.deployed.signing_key and sid != KEY:
                continue
            for action in _actions(statement):
                yield Permission(function, sid, action, policy, number)


@contextmanager
def without(fleet: Fleet, permission: Permission) -> Iterator[None]:
    """Take one permission away for the time of a block."""
    role, policy = _role(fleet, permission.function), permission.policy
    before = _read(fleet, role, policy)
    _write(fleet, role, policy, _less(before, permission))
    try:
        yield
    finally:
        _write(fleet, role, policy, before)


def _less(document: Document, permission: Permission) -> Document:
    changed = deepcopy(document)
    statement = changed["Statement"][permission.number]
    left = [action for action in _actions(statement) if action != permission.action]
    if left:
        statement["Action"] = left
    else:
        del changed["Statement"][permission.number]
    changed["Statement"] = changed["Statement"] or [_NOTHING]
    return changed


def _actions(statement: Mapping[str, Any]) -> list[str]:
    said = statement["Action"]
    return [said] if isinstance(said, str) else list(said)


def _role(fleet: Fleet, function: str) -> str:
    return fleet.deployed.role(function).rpartition("/")[2]


def _read(fleet: Fleet, role: str, policy: str) -> Document:
    iam, found = fleet.deployed.client("iam"), None
    if policy == fleet.deployed.signing_key:
        kms = fleet.deployed.client("kms")
        found = json.loads(kms.get_key_policy(KeyId=policy, PolicyName="default")["Policy"])
    elif policy.startswith("arn:"):
        version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=policy, VersionId=version)
        found = answer["PolicyVersion"]["Document"]
    else:
        found = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    document: Document = found
    return document


def _write(fleet: Fleet, role: str, policy: str, document: Document) -> None:
    iam, text = fleet.deployed.client("iam"), json.dumps(document)
    if policy == fleet.deployed.signing_key:
        kms = fleet.deployed.client("kms")
        kms.put_key_policy(KeyId=policy, PolicyName="default", Policy=text)
    elif policy.startswith("arn:"):
        # IAM keeps five versions of a policy.
        for each in iam.list_policy_versions(PolicyArn=policy)["Versions"]:
            if not each["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=policy, VersionId=each["VersionId"])
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=text, SetAsDefault=True)
    else:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)
