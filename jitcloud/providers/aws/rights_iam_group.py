"""The rights that ``aws.iam-group`` needs."""

from __future__ import annotations

from collections.abc import Iterator

from jitcloud.model import Entitlement
from jitcloud.providers.aws import iam_targets
from jitcloud.providers.aws.iam_targets import GroupTarget
from jitcloud.providers.aws.rights import BROKER, Right, literal, reached


def rights(entitlement: Entitlement) -> Iterator[Right]:
    """Yield what putting its users into the group takes, and taking them out.

    AWS judges both by the group alone: whoever may add anybody may add everybody, itself included.
    Raises ``Misconfigured``.
    """
    target = iam_targets.read(GroupTarget, entitlement)
    whose, group = target.account_role or BROKER, literal(target.group_arn)
    yield from reached(target.account_role, ends=True)
    for action, ends in (
        ("iam:AddUserToGroup", False),
        ("iam:GetGroup", False),
        ("iam:RemoveUserFromGroup", True),
    ):
        yield Right(whose=whose, action=action, resource=group, ends=ends)
    for user in target.users.values():
        listing = "iam:ListGroupsForUser"
        yield Right(whose=whose, action=listing, resource=literal(user), ends=True)
