"""The rights that ``aws.iam-policy`` needs."""

from __future__ import annotations

from collections.abc import Iterator

from jitcloud.model import Entitlement
from jitcloud.providers.aws import iam_targets
from jitcloud.providers.aws.iam_targets import PolicyTarget
from jitcloud.providers.aws.rights import BROKER, Right, literal, reached

_WRITING = frozenset({"iam:PutRolePolicy", "iam:PutUserPolicy"})


def is_boundless(right: Right) -> bool:
    """Whether with this right the broker could give a role or user any right there is."""
    return right.action in _WRITING and right.boundary is None


def rights(entitlement: Entitlement) -> Iterator[Right]:
    """Yield what writing its policy takes, and deleting it. Raises ``Misconfigured``."""
    target = iam_targets.read(PolicyTarget, entitlement)
    whose, kind = target.account_role or BROKER, target.kind.title()
    yield from reached(target.account_role, ends=True)
    for arn in [target.role_arn] if target.role_arn else (target.users or {}).values():
        on = literal(arn)
        if target.role_arn:
            yield Right(whose=whose, action="iam:GetRole", resource=on)
        yield Right(whose=whose, action=f"iam:List{kind}Policies", resource=on)
        yield Right(whose=whose, action=f"iam:Get{kind}Policy", resource=on, ends=True)
        # A deletion gives nobody anything, and must work though somebody took the boundary off.
        yield Right(whose=whose, action=f"iam:Delete{kind}Policy", resource=on, ends=True)
        boundary = target.permissions_boundary
        yield Right(whose=whose, action=f"iam:Put{kind}Policy", resource=on, boundary=boundary)
