"""The rights that ``aws.identity-center`` needs, in up to three accounts: see each function.

Not among them is what AWS wants besides:

* for assignments in the management account, writing IAM there, for Identity Center then makes the
  roles with the caller's own rights. Whoever wants that adds it by hand, knowing what it is.
  https://docs.aws.amazon.com/singlesignon/latest/userguide/iam-auth-access-using-id-policies.html
* ``kms:Decrypt``, where Identity Center's data is encrypted with a key of one's own.
  https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-customer-managed-keys.html
"""

from __future__ import annotations

from collections.abc import Iterator

from jitcloud.model import Entitlement
from jitcloud.providers.aws import identity_center_target, rights_deny_document
from jitcloud.providers.aws.identity_center_target import Target
from jitcloud.providers.aws.rights import BROKER, Right, reached

_ASSIGNING = (
    ("sso:CreateAccountAssignment", False),
    ("sso:DeleteAccountAssignment", True),
    ("sso:ListAccountAssignments", True),
)
"""What is judged by instance, permission set and account, each by itself, and whether ending needs
it: so who may assign one set in one account and another in another, may assign either in both."""

_FOLLOWING = (
    "sso:DescribeAccountAssignmentCreationStatus",
    "sso:DescribeAccountAssignmentDeletionStatus",
    "sso:ListAccountAssignmentCreationStatus",
    "sso:ListAccountAssignmentDeletionStatus",
    "sso:ListAccountAssignmentsForPrincipal",
)
"""What is judged by the instance alone, and ending needs: a grant may still be under way then."""

ANY = "*"


def rights(entitlement: Entitlement) -> Iterator[Right]:
    """Yield what its assignments take, made and ended. Raises ``Misconfigured``."""
    target = identity_center_target.read(entitlement)
    yield from reached(target.account_role, ends=True)
    whose = target.account_role or BROKER
    yield from _assignments(target, whose)
    yield from _people(target, whose)
    yield from _accounts(target, whose)
    if target.deny_document is not None:
        yield from _denial(target, target.deny_document)


def _assignments(target: Target, whose: str) -> Iterator[Right]:
    """Yield what is done in the account that administers Identity Center."""
    one = f"arn:{target.partition}:sso:::account/{target.account or ANY}"
    places = (target.instance_arn, target.permission_set_arn, one)
    for action, ends in _ASSIGNING:
        for on in places:
            yield Right(whose=whose, action=action, resource=on, ends=ends)
    for action in _FOLLOWING:
        yield Right(whose=whose, action=action, resource=target.instance_arn, ends=True)
    reading = ["sso:DescribePermissionSet"]
    if target.deny_document is not None:
        reading.append("sso:GetPermissionsBoundaryForPermissionSet")
    for action in reading:
        for on in (target.instance_arn, target.permission_set_arn):
            yield Right(whose=whose, action=action, resource=on)
    # To tell a permission set that is gone from an instance that is in another region.
    yield Right(whose=whose, action="sso:ListInstances", resource=ANY)


def _people(target: Target, whose: str) -> Iterator[Right]:
    """Yield what looking users and groups up takes, in the same account."""
    # The store is the management account's, which the catalog does not name; its id is enough.
    of = f"arn:{target.partition}:identitystore:"
    store = f"{of}:{ANY}:identitystore/{target.identity_store_id}"
    if target.group_id is None:
        asked = ["identitystore:DescribeUser", "identitystore:GetUserId"]
        on = f"{of}::user/{ANY}"
    else:
        asked = ["identitystore:DescribeGroup"]
        on = f"{of}::group/{target.group_id}"
    for action in asked:
        for resource in (store, on):
            yield Right(whose=whose, action=action, resource=resource)


def _accounts(target: Target, whose: str) -> Iterator[Right]:
    """Yield what looking at the organization takes, in the same account."""
    of = f"arn:{target.partition}:organizations::{ANY}:"
    one = f"{of}account/o-{ANY}/{target.account or ANY}"
    yield Right(whose=whose, action="organizations:DescribeAccount", resource=one)
    if target.accounts_tagged is not None:
        yield Right(whose=whose, action="organizations:ListAccounts", resource=ANY)
        yield Right(whose=whose, action="organizations:ListTagsForResource", resource=one)
    if target.accounts_in is None:
        return
    for unit in _units(target.accounts_in, nested=target.nested):
        on = f"{of}{'root' if unit.startswith('r-') else 'ou'}/o-{ANY}/{unit}"
        yield Right(whose=whose, action="organizations:ListAccountsForParent", resource=on)
        if target.nested:
            action = "organizations:ListOrganizationalUnitsForParent"
            yield Right(whose=whose, action=action, resource=on)


def _units(top: str, *, nested: bool) -> Iterator[str]:
    """Yield a unit or root, and where those below are meant a pattern for all of its root."""
    yield top
    if nested:
        yield f"ou-{top.split('-')[1]}-{ANY}"


def _denial(target: Target, document: str) -> Iterator[Right]:
    """Yield what ending running sessions takes, in each account in which they may run."""
    home = f"arn:{target.partition}:iam::{target.account or ANY}"
    whose = BROKER
    if target.deny_role is not None:
        whose = f"{home}:role/{target.deny_role}"
        yield Right(whose=BROKER, action="sts:AssumeRole", resource=whose, ends=True)
    yield from rights_deny_document.rights(whose, f"{home}:policy/{document}")
    # To tell a role that went with its last assignment from one that is no longer bound. It takes
    # no resource (Service Authorization Reference, AWS IAM).
    yield Right(whose=whose, action="iam:ListRoles", resource=ANY, ends=True)
