"""The text of a deny document: a managed policy that ends sessions early. Pure.

Attached to a role as its permissions boundary it grants nothing, so whoever may write it can
take access away and never give any. The whole text is derived from whom it is to name: what
somebody else adds to it is overwritten.

* It allows everything, which in a boundary leaves the role as it is.
* It denies edits of itself, and of any role's boundary, to the sessions it binds.
* It denies everything to the sessions that carry one of the request ids as their tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from jitcloud.model import RequestId, Slot
from jitcloud.providers.aws.session_policy import texts
from jitcloud.providers.aws.target import REQUEST_TAG

MOST_CHARACTERS = 6144
"""What IAM takes as one managed policy (it does not count white space; there is none here)."""

_TAG_KEY = f"aws:PrincipalTag/{REQUEST_TAG}"
_BESIDES = {"Effect": "Deny", "Action": "*", "Resource": "*"}
_A_REQUEST = RequestId("0" * 26)


def base_document(policy_arn: str) -> str:
    """The document that ends nobody: what to create the policy with, at set-up."""
    return document(policy_arn, ())


def document(policy_arn: str, ended: Sequence[RequestId]) -> str:
    """The document that denies everything to the sessions of these requests."""
    statements: list[Mapping[str, object]] = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Sid": "KeepThisDocument",
            "Effect": "Deny",
            "Action": [
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:SetDefaultPolicyVersion",
                "iam:TagPolicy",
                "iam:UntagPolicy",
            ],
            "Resource": policy_arn,
        },
        {
            "Sid": "KeepBoundaries",
            "Effect": "Deny",
            "Action": ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"],
            "Resource": "*",
        },
    ]
    if ended:
        condition = {"StringEquals": {_TAG_KEY: sorted(set(ended))}}
        statements.append({"Sid": "Ended", **_BESIDES, "Condition": condition})
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def ended_in(policy: Mapping[str, object]) -> frozenset[RequestId]:
    """Whom a document denies everything, in exactly the form that ``document`` writes."""
    statements = policy.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    return frozenset(RequestId(text) for statement in listed for text in _ended_by(statement))


def _ended_by(statement: object) -> tuple[str, ...]:
    if not isinstance(statement, dict):
        return ()
    said = {key: value for key, value in statement.items() if key != "Sid"}
    try:
        named = said["Condition"]["StringEquals"][_TAG_KEY]
    except (KeyError, TypeError):
        return ()
    # With anything more to it, the statement would deny less than it seems to.
    exactly = {**_BESIDES, "Condition": {"StringEquals": {_TAG_KEY: named}}}
    return texts(named) if said == exactly else ()


@lru_cache(maxsize=256)
def capacity(policy_arn: str) -> int:
    """How many sessions one document can end."""
    first = len(document(policy_arn, (_A_REQUEST,)))
    another = len(f'"{_A_REQUEST}",')
    return 1 + (MOST_CHARACTERS - first) // another


def fitting(
    slot: Slot, policy_arn: str, wish: Sequence[RequestId], last: datetime
) -> tuple[RequestId, ...]:
    """As many of the requests as fit: those whose sessions would otherwise live longest."""
    until = {holder.request: holder.until for holder in slot.holders}
    first = sorted(set(wish), key=lambda request: (until.get(request, last), request))
    return tuple(first[-capacity(policy_arn) :])
