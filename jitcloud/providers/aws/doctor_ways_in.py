"""Who the broker is at AWS, and whether it gets in where it must, and nobody in its name."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from jitcloud.doctor import Finding, Grade
from jitcloud.errors import CloudRefused
from jitcloud.model import RequestId
from jitcloud.providers.aws import outlook, target
from jitcloud.providers.aws.clients import translated
from jitcloud.providers.aws.doctor_examination import Examination, gathered
from jitcloud.providers.aws.principals import principal
from jitcloud.providers.aws.session_policy import session_policy
from jitcloud.providers.aws.sts_session import SHORTEST_SESSION, StsSession
from jitcloud.providers.aws.target import REQUEST_TAG, Target, parse_arn

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

BROKER = "the broker"

SESSION = "jitcloud-doctor"
"""The name of every session that is only tried: CloudTrail shows it."""

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
"""A deadline that has passed: a session that is only tried may do nothing from its first second."""

_NO_REQUEST = RequestId("0" * 26)


def identity(caller: str) -> Iterator[Finding]:
    """Say where it is a risk who the broker is, by its ARN."""
    if caller.endswith(":root"):
        yield Finding(
            grade=Grade.HARM,
            about=BROKER,
            what=f"It is the root of its account ({caller}).",
            costs="Whoever takes it over owns the account for good: no policy limits a root.",
            remedy="Give its process a role with the rights that `jitcloud infra rights` writes,"
            " and delete the root's access key.",
        )
    elif ":user/" in caller:
        yield Finding(
            grade=Grade.NOTICE,
            about=BROKER,
            what=f"It is an IAM user ({caller}), so its key works until somebody deletes it.",
            costs="Whoever copies the key is the broker for as long as it is there.",
            remedy="Give its process a role instead: an instance profile, or a container's role.",
        )


def unreachable(examination: Examination, why: str) -> Finding:
    """What to say when AWS does not even tell who the broker is."""
    costs, by_us = "Nothing is granted in AWS.", examination.ended_by_broker
    if by_us:
        costs = f"{costs} What {', '.join(by_us)} has granted lives on until AWS is reached again."
    return Finding(
        grade=Grade.HARM if by_us else Grade.FAILURE,
        about=BROKER,
        what=f"AWS does not tell who it is, so nothing else was looked at. {why}",
        costs=costs,
        remedy="See to its credentials and to the network, and run this again.",
    )


# ── The roles through which accounts are reached ─────────────────────────────────────────────


def account_roles(examination: Examination) -> Iterator[Finding]:
    """Try each account role, and whether it asks for the deployment's external id."""
    named = ((one.id, one.target.get("account_role")) for one in examination.entitlements)
    roles = gathered("role", ((id_, str(role), str(role)) for id_, role in named if role))

    yield from examination.each(roles, partial(way_in, examination))


def way_in(examination: Examination, about: str, role: str) -> Generator[Finding, None, bool]:
    """Try one account role; return whether it lets the broker in.

    Raises ``Throttled`` or ``OutcomeUnknown``.
    """
    id_ = examination.external_id
    call: AssumeRoleRequestTypeDef = {
        "RoleArn": role,
        "RoleSessionName": SESSION,
        "DurationSeconds": int(SHORTEST_SESSION.total_seconds()),
        "Policy": session_policy(deadline=_LONG_AGO).text,
    }
    refused = _tried(examination, call if id_ is None else {**call, "ExternalId": id_})
    if refused is not None:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"The broker does not get in by it. {refused}",
            costs="Nothing is granted in its account, and what the broker has to end there lives"
            " on: memberships and assignments beyond their deadline, sessions that were revoked"
            " up to theirs.",
            remedy="Correct its trust policy, the external_id under [aws], or the broker's own"
            " rights; `jitcloud infra rights` writes these.",
        )
        return False
    if id_ is None and not is_at_home(examination, role):
        yield Finding(
            grade=Grade.NOTICE,
            about=about,
            what="The deployment shows no external id to it.",
            costs="A broker that serves several organisations could be talked into working in this"
            " account for another one's catalog.",
            remedy="Choose an external_id under [aws], and let the role's trust policy ask for it"
            " (sts:ExternalId).",
        )
    elif id_ is not None and _tried(examination, call) is None:
        yield _asks_for_none(about)
    return True


def _asks_for_none(about: str) -> Finding:
    return Finding(
        grade=Grade.HARM,
        about=about,
        what="It lets the broker in without the external id.",
        costs="A broker that serves several organisations can be talked into this account by the"
        " catalog of another one, which then has access that nobody here allowed.",
        remedy="Add the condition StringEquals sts:ExternalId to its trust policy.",
    )


# ── The roles that are handed out ────────────────────────────────────────────────────────────


def target_roles(examination: Examination) -> Iterator[Finding]:
    """Try each role as for a grant, with a session that may do nothing."""
    targets = [(one.id, target.read(one)) for one in examination.of(StsSession.name)]
    tables = {table.model_dump_json(): table for _, table in targets}
    roles = gathered(
        "role", ((id_, table.role_arn, table.model_dump_json()) for id_, table in targets)
    )

    def look(about: str, table: str) -> Iterator[Finding]:
        yield from _session(examination, about, tables[table])

    yield from examination.each(roles, look)


def _session(examination: Examination, about: str, wanted: Target) -> Iterator[Finding]:
    call = _call(wanted)
    refused = _tried(examination, call, wanted.region)
    if refused is not None:
        yield Finding(
            grade=Grade.FAILURE,
            about=about,
            what=f"The broker gets no session of it. {refused}",
            costs="Whoever is granted it gets no credentials.",
            remedy="Correct what the message names: the role's trust policy, the external_id of"
            " the entitlement, what narrows the session, or the broker's own rights.",
        )
        return
    if wanted.external_id is not None:
        open_: AssumeRoleRequestTypeDef = {**call}
        del open_["ExternalId"]
        if _tried(examination, open_, wanted.region) is None:
            yield _asks_for_none(about)


def _call(wanted: Target) -> AssumeRoleRequestTypeDef:
    # In the form of a grant's, so that AWS judges what it would then; its deadline has passed.
    policy = session_policy(
        deadline=_LONG_AGO,
        allow_escape=wanted.allow_escape,
        narrowing=wanted.narrowing,
        arns=wanted.narrow_policy_arns,
    )
    tags: Mapping[str, str] = outlook.tags(wanted, _NO_REQUEST)
    call: AssumeRoleRequestTypeDef = {
        "RoleArn": wanted.role_arn,
        "RoleSessionName": SESSION,
        "SourceIdentity": SESSION,
        "DurationSeconds": int(SHORTEST_SESSION.total_seconds()),
        "Policy": policy.text,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "TransitiveTagKeys": [REQUEST_TAG],
    }
    if policy.arns:
        call["PolicyArns"] = [{"arn": arn} for arn in policy.arns]
    if wanted.external_id is not None:
        call["ExternalId"] = wanted.external_id
    return call


def _tried(
    examination: Examination, call: AssumeRoleRequestTypeDef, region: str | None = None
) -> CloudRefused | None:
    """Why AWS lets the broker in by no such call; None when it does. The session is dropped."""
    role = call["RoleArn"]
    sts = examination.clients.sts(principal(role).partition, region)

    def ask() -> None:
        with translated(f"sts:AssumeRole on {role}"):
            sts.assume_role(**call)

    try:
        examination.looks.once(("assume", region, json.dumps(call, sort_keys=True)), ask)
    except CloudRefused as exc:
        return exc
    return None


def is_at_home(examination: Examination, named: str) -> bool:
    """Whether a role or policy is in the broker's own account."""
    arn = parse_arn(named)
    return examination.clients.account(arn.partition, None) == arn.account
