"""Which function needs which of the broker's rights at AWS, as a CloudFormation template.

One broker on one machine holds all of them. Functions share them out, so that a theft of one
gives its part alone: ``issue`` hands out sessions and changes nothing, ``look`` and ``reconcile``
read, ``advance`` changes what the catalog names and hands out nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

BROKER = "broker"
"""Whose rights of ``jitcloud infra rights`` these are; the others are those of roles elsewhere."""

ISSUING = frozenset({"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"})
"""On one role together, they hand out its sessions. ``sts:AssumeRole`` alone is the way into an
account, by a role of the broker's own there."""

_READING = ("Describe", "Get", "List")

_OF_ENDS = frozenset({"iam:ListEntitiesForPolicy", "iam:ListPolicyVersions", "iam:ListRoles"})
"""What whoever ends sessions reads: to write a deny document, and to see whom it binds."""

_OF_PLANS = frozenset({"iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole"})
"""What is read before a grant and for an end: a comparison looks at places, and these are none."""

_OF_LISTS = frozenset({"iam:GetGroup"})
"""What tells who else is in a place: whoever changes one membership goes by its user."""

Statement = Mapping[str, object]


def _issues(actions: frozenset[str], action: str) -> bool:
    return action in ISSUING and actions >= ISSUING


def _reaches(actions: frozenset[str], action: str) -> bool:
    return action == "sts:AssumeRole" and not _issues(actions, action)


def _reads(actions: frozenset[str], action: str) -> bool:
    return action.partition(":")[2].startswith(_READING) or _reaches(actions, action)


def _looks(actions: frozenset[str], action: str) -> bool:
    return _reads(actions, action) and action not in _OF_ENDS


def _compares(actions: frozenset[str], action: str) -> bool:
    return _looks(actions, action) and action not in _OF_PLANS


def _changes(actions: frozenset[str], action: str) -> bool:
    return not _issues(actions, action) and action not in _OF_LISTS


OF: Mapping[str, Callable[[frozenset[str], str], bool]] = {
    "IssueRights": _issues,
    "LookRights": _looks,
    "AdvanceAwsRights": _changes,
    "ReconcileRights": _compares,
}
"""Parameter of infra/template.yaml -> whether an action of a statement is among those rights."""


def stack(rights: object) -> dict[str, object]:
    """Return a template with the policies of each function, and their ARNs as its outputs.

    ``rights`` is what ``jitcloud infra rights`` writes under ``aws``. A function that needs nothing
    has no output. What stands under the ARN of a role is not in it: that role is in another
    account, and its rights are attached there.
    """
    documents = rights.get(BROKER, []) if isinstance(rights, Mapping) else []
    resources: dict[str, object] = {}
    outputs: dict[str, object] = {}
    for name, is_of in OF.items():
        parts = [part for document in documents if (part := _part(document["Statement"], is_of))]
        named = [f"{name}{number}" for number, _ in enumerate(parts, 1)]
        for logical_id, part in zip(named, parts, strict=True):
            resources[logical_id] = _policy(name, part)
        if named:
            value = {"Fn::Join": [",", [{"Ref": logical_id} for logical_id in named]]}
            outputs[name] = {"Description": f"{name} of infra/template.yaml.", "Value": value}
    if not resources:  # CloudFormation takes no stack without a resource
        resources["Nothing"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What the functions of jitcloud may do at AWS, made from its catalog.",
        "Resources": resources,
        **({"Outputs": outputs} if outputs else {}),
    }


def _part(
    statements: Iterable[Statement], is_of: Callable[[frozenset[str], str], bool]
) -> list[Statement]:
    found: list[Statement] = []
    for statement in statements:
        actions = _listed(statement["Action"])
        mine = [action for action in actions if is_of(frozenset(actions), action)]
        if mine:
            found.append({**statement, "Action": mine})
    return found


def _listed(actions: object) -> Sequence[str]:
    return [actions] if isinstance(actions, str) else [str(each) for each in _sequence(actions)]


def _sequence(of: object) -> Sequence[object]:
    return of if isinstance(of, list) else []


def _policy(name: str, statements: Sequence[Statement]) -> dict[str, object]:
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": f"{name} of jitcloud, made from its catalog.",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)},
        },
    }
