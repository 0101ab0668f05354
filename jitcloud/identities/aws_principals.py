"""By what a directory may know whoever AWS says is calling. Pure.

The forms of ARNs and ids: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
and, for ``UserId``, the table of principals in
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Collection

from jitcloud.errors import Unauthenticated, Unavailable
from jitcloud.identities.sts_answer import Answered
from jitcloud.text import quoted

_NAME = r"[\w+=,.@-]{1,64}"
_USER = re.compile(
    rf"arn:(?P<partition>[a-z-]+):iam::(?P<account>[0-9]{{12}}):user/(?:[!-.0-~]+/)*{_NAME}",
    re.ASCII,
)
_SESSION = re.compile(
    r"arn:(?P<partition>[a-z-]+):sts::(?P<account>[0-9]{12}):assumed-role/"
    rf"(?P<role>{_NAME})/(?P<session>[\w+=,.@-]{{2,64}})",
    re.ASCII,
)
_ID = re.compile(r"[A-Z0-9]{16,128}")

_RESERVED = "AWSReservedSSO_"
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
_PERMISSION_SET = re.compile(rf"{_RESERVED}[\w+=,.@-]{{1,32}}_[0-9a-f]{{16}}", re.ASCII)


def handles(
    answered: Answered,
    *,
    partition: str,
    accounts: Collection[str],
    identity_center: bool,
) -> tuple[str, ...]:
    """Return what may name the caller, all of it the same one; raises ``Unauthenticated``.

    An IAM user is its ARN or its id; an assumed role is the role's ARN, without its path, or
    the role's id, whatever its session is called: whoever assumes a role names the session.
    Only a role of Identity Center, if that is believed, is who its session is called.
    Raises ``Unavailable`` for an answer that contradicts itself.
    """
    user, session = _USER.fullmatch(answered.arn), _SESSION.fullmatch(answered.arn)
    found = user or session
    if found is None:
        raise Unauthenticated(
            f"AWS says that {quoted(answered.arn, limit=200)} is calling, which is neither an IAM"
            " user nor an assumed role; sign in as one of these."
        )
    account = found["account"]
    if answered.account != account or found["partition"] != partition:
        raise _no_sense()
    if account not in accounts:
        raise Unauthenticated(
            f"Nobody of AWS account {account} may call here; sign in with another account, or have"
            " it added to accounts of [sign_in.aws]."
        )
    if session is None:
        return (answered.arn, _id(answered.user_id))
    id_, _, session_name = answered.user_id.partition(":")
    if session_name != session["session"]:
        raise _no_sense()
    role = session["role"]
    if not role.startswith(_RESERVED):
        return (f"arn:{partition}:iam::{account}:role/{role}", _id(id_))
    if not identity_center or _PERMISSION_SET.fullmatch(role) is None:
        raise Unauthenticated(
            "A role of Identity Center is shared by many people, and its sessions are not taken"
            " here; sign in otherwise, or have identity_center set in [sign_in.aws]."
        )
    return (session_name,)


def _id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise _no_sense()
    return text


def _no_sense() -> Unavailable:
    return Unavailable("What STS answered contradicts itself; try again later.")
