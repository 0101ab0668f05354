"""The rights that ``aws.sts-session`` needs."""

from __future__ import annotations

from collections.abc import Iterator

from jitcloud.model import Entitlement
from jitcloud.providers.aws import rights_deny_document
from jitcloud.providers.aws.rights import BROKER, Right, literal, reached
from jitcloud.providers.aws.target import read

_ISSUE = ("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")


def rights(entitlement: Entitlement) -> Iterator[Right]:
    """Yield what handing its sessions out takes, and ending them. Raises ``Misconfigured``."""
    target = read(entitlement)
    role, document = literal(target.role_arn), target.deny_document
    for action in _ISSUE:
        yield Right(whose=BROKER, action=action, resource=role)
    whose = target.account_role or BROKER
    yield from reached(target.account_role, ends=document is not None)
    yield Right(whose=whose, action="iam:GetRole", resource=role)
    if document is not None:
        yield from rights_deny_document.rights(whose, literal(document))
