"""The text of a deny document: a managed policy that ends sessions early. Pure.

Attached to a role as its permissions boundary it grants nothing, so whoever may write it can
take access away and never give any. The whole text is derived from whom it is to name: what
somebody else adds to it is overwritten.

* It allows everything, which in a boundary leaves the role as it is.
* It denies edits of itself, and of any role's boundary, to the sessions it binds.
* It denies everything to the sessions that carry one of the request ids as their tag.
* It denies everything to the sessions of a permission set's role that belong to some users of
  Identity Center. Each role and cutoff has a statement to itself, so that nobody's other role is
  in it. ``aws:PrincipalArn`` is the role's ARN, never the session's.
  https://docs.aws.amazon.com/singlesignon/latest/userguide/prereqs-revoking-user-permissions.html
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from jitcloud.model import Holder, RequestId
from jitcloud.providers.aws import sso_roles
from jitcloud.providers.aws.deny_subjects import NOBODY, Denials, SsoUser, denials, later, subject
from jitcloud.providers.aws.session_policy import texts
from jitcloud.providers.aws.target import REQUEST_TAG

MOST_CHARACTERS = 6144
"""What IAM takes as one managed policy (it does not count white space; there is none here)."""

_TAG = f"aws:PrincipalTag/{REQUEST_TAG}"
_USER = "identitystore:UserId"
_ROLE = "aws:PrincipalArn"
_ISSUED = "aws:TokenIssueTime"
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_BESIDES = {"Effect": "Deny", "Action": "*", "Resource": "*"}

_A_REQUEST = RequestId("-" * 26)
_A_USER = "-" * 47
"""Of nobody, and as long as any."""

Statement = Mapping[str, object]


# ── Writing ──────────────────────────────────────────────────────────────────────────────────


def base_document(policy_arn: str) -> str:
    """The document that ends nobody: what to create the policy with, at set-up."""
    return document(policy_arn, NOBODY)


def document(policy_arn: str, ended: Denials) -> str:
    """The document that denies everything to the sessions of these, and nothing to others."""
    statements: list[Statement] = [
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
    if ended.requests:
        condition = {"StringEquals": {_TAG: sorted(ended.requests)}}
        statements.append({"Sid": "Ended", **_BESIDES, "Condition": condition})
    statements += _of_users(policy_arn, ended.users)
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _of_users(policy_arn: str, users: Mapping[SsoUser, datetime | None]) -> Iterator[Statement]:
    told = sorted((who.permission_set, _instant(at), who.user) for who, at in users.items())
    for (permission_set, at), grouped in groupby(told, key=lambda one: one[:2]):
        condition: dict[str, object] = {
            "StringEquals": {_USER: [user for _, _, user in grouped]},
            "ArnLike": {_ROLE: sso_roles.pattern(policy_arn, permission_set)},
        }
        if at:
            condition["DateLessThanEquals"] = {_ISSUED: at}
        yield {**_BESIDES, "Condition": condition}


def _instant(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime(_INSTANT)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────


def denials_in(policy_arn: str, policy: Mapping[str, object]) -> Denials:
    """Whom a document denies everything, in exactly the form that ``document`` writes."""
    requests: set[RequestId] = set()
    users: dict[SsoUser, datetime | None] = {}
    statements = policy.get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        requests.update(_requests_in(statement))
        for who, at in _users_in(policy_arn, statement):
            users[who] = later(users[who], at) if who in users else at
    return Denials(requests=frozenset(requests), users=users)


def is_exactly(policy_arn: str, policy: Mapping[str, object], said: Denials) -> bool:
    """Whether a document says this in our words, and nothing besides."""
    ours: object = json.loads(document(policy_arn, said))
    return policy == ours


def _requests_in(statement: object) -> Iterator[RequestId]:
    try:
        named = statement["Condition"]["StringEquals"][_TAG]  # type: ignore[index] # it raises
    except (KeyError, TypeError):
        return
    if _is_denial(statement, {"StringEquals": {_TAG: named}}):
        yield from (RequestId(text) for text in texts(named))


def _users_in(policy_arn: str, statement: object) -> Iterator[tuple[SsoUser, datetime | None]]:
    try:
        condition = statement["Condition"]  # type: ignore[index] # it raises
        named, role = condition["StringEquals"][_USER], condition["ArnLike"][_ROLE]
        permission_set = sso_roles.matched(policy_arn, role)
        exactly = {"StringEquals": {_USER: named}, "ArnLike": {_ROLE: role}}
        at = None
        if "DateLessThanEquals" in condition:
            told = condition["DateLessThanEquals"][_ISSUED]
            at = datetime.strptime(told, _INSTANT).replace(tzinfo=UTC)
            exactly["DateLessThanEquals"] = {_ISSUED: told}
    except (KeyError, TypeError, ValueError):
        return
    if permission_set is not None and _is_denial(statement, exactly):
        yield from ((SsoUser(permission_set, user), at) for user in texts(named))


def _is_denial(statement: object, condition: Statement) -> bool:
    # With anything more to it, the statement would deny less than it seems to.
    if not isinstance(statement, dict):
        return False
    said = {key: value for key, value in statement.items() if key != "Sid"}
    return said == {**_BESIDES, "Condition": condition}


# ── Room ─────────────────────────────────────────────────────────────────────────────────────


def fits(policy_arn: str, ended: Denials) -> bool:
    """Whether IAM would take the document."""
    return len(document(policy_arn, ended)) <= MOST_CHARACTERS


def takes_request(policy_arn: str, ended: Denials) -> bool:
    """Whether a document that ends these would take one more request."""
    return fits(policy_arn, replace(ended, requests=ended.requests | {_A_REQUEST}))


def takes_user(policy_arn: str, ended: Denials, permission_set: str) -> bool:
    """Whether a document that ends these would take one more user of this permission set."""
    users = {**ended.users, SsoUser(permission_set, _A_USER): None}
    return fits(policy_arn, replace(ended, users=users))


def fitting(policy_arn: str, holders: Iterable[Holder]) -> Denials:
    """What the holders want denied, as far as it fits: those that would live longest come first.

    Each user and role, and each request, is in it as all its holders together want it or not at
    all.
    """
    held: dict[RequestId | SsoUser, list[Holder]] = {}
    for holder in holders:
        if (whose := subject(holder)) is not None:
            held.setdefault(whose, []).append(holder)
    everything = denials(holder for those in held.values() for holder in those)
    if fits(policy_arn, everything):
        return everything
    last = sorted(held.values(), key=lambda those: max((h.until, h.request) for h in those))
    kept = NOBODY
    for those in reversed(last):
        more = denials(those)
        wider = Denials(requests=kept.requests | more.requests, users={**kept.users, **more.users})
        if fits(policy_arn, wider):
            kept = wider
    return kept
