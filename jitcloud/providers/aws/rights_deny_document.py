"""The rights to end sessions early: on the versions of one managed policy, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from jitcloud.providers.aws.rights import Right

_ACTIONS = (
    "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListEntitiesForPolicy",
    "iam:ListPolicyVersions",
)


def rights(whose: str, policy: str) -> Iterator[Right]:
    """Yield what reading and writing a deny document takes; ``policy`` is a pattern."""
    for action in _ACTIONS:
        yield Right(whose=whose, action=action, resource=policy, ends=True)
