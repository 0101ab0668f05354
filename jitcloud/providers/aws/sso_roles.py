"""The role that an Identity Center permission set is in an account: how AWS names it. Pure.

``arn:PARTITION:iam::ACCOUNT:role/aws-reserved/sso.amazonaws.com/REGION/AWSReservedSSO_SET_SUFFIX``,
without a region where the directory is in us-east-1. The role goes with the set's last assignment
in the account, and the next one gets another suffix.
https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html

The suffix has 16 characters wherever AWS shows one, and has room for no more: a set's name has up
to 32 (botocore's model of sso-admin), a role's 64 (that of IAM). So the whole of it is matched by
its length, and a set called Admin is never taken for one called Admin_Read.
"""

from __future__ import annotations

import re

from jitcloud.providers.aws.target import parse_arn

PATH = "/aws-reserved/sso.amazonaws.com/"
"""Under which IAM has these roles, whatever follows for the region."""

_SET = r"[A-Za-z0-9_+=,.@-]{1,32}"
"""What a permission set may be called (botocore's model of sso-admin, in ASCII)."""

_SUFFIX = 16
_ROLE = re.compile(rf"AWSReservedSSO_(?P<set>{_SET})_.{{{_SUFFIX}}}")
_PATTERN = re.compile(rf"[^?]*/AWSReservedSSO_(?P<set>{_SET})_\?{{{_SUFFIX}}}")


def is_permission_set(text: str) -> bool:
    """Whether a permission set can be called this: nothing in it means anything in a policy."""
    return re.fullmatch(_SET, text) is not None


def pattern(policy_arn: str, permission_set: str) -> str:
    """Match the ARN of the set's role in the policy's account, whichever suffix it has.

    The one asterisk stands for a region or nothing. No name holds a slash, so that it cannot
    reach into one: a set may be called AWSReservedSSO_Admin, too.
    """
    arn = parse_arn(policy_arn)
    path = PATH.removesuffix("/")
    name = f"AWSReservedSSO_{permission_set}_{'?' * _SUFFIX}"
    return f"arn:{arn.partition}:iam::{arn.account}:role{path}*/{name}"


def matched(policy_arn: str, text: str) -> str | None:
    """The permission set whose pattern this is; None where it is none of that account."""
    found = _PATTERN.fullmatch(text)
    if found is None or pattern(policy_arn, found["set"]) != text:
        return None
    return found["set"]


def permission_set_of(role_name: str) -> str | None:
    """The permission set that a role with this name, under ``PATH``, is made of."""
    found = _ROLE.fullmatch(role_name)
    return None if found is None else found["set"]
