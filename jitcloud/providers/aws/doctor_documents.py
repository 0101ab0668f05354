"""Whether sessions can be ended early: deny documents, and the roles that they bind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jitcloud.doctor import Finding, Grade
from jitcloud.errors import CloudRefused
from jitcloud.providers.aws import deny_text, target
from jitcloud.providers.aws.clients import translated
from jitcloud.providers.aws.doctor_examination import Examination, gathered
from jitcloud.providers.aws.principals import elsewhere, written
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.providers.aws.target import parse_arn

NEARLY_FULL = 80
"""From which use of a document's room on it is told, in percent."""

Way = tuple[str, str | None]
"""The ARN of a role or policy, and the role through which its account is reached."""


# ── Roles ────────────────────────────────────────────────────────────────────────────────────


def roles(examination: Examination) -> Iterator[Finding]:
    """Look at each role that is handed out, and at its boundary."""
    targets = [(one.id, target.read(one)) for one in examination.of(StsSession.name)]

    def look(about: str, wanted: tuple[str, str | None, str | None]) -> Iterator[Finding]:
        role_arn, document, through = wanted
        arn = parse_arn(role_arn)
        if document is None:
            yield _no_document(about)
        if through is None and examination.clients.account(arn.partition, None) != arn.account:
            if document is not None:
                raise CloudRefused(elsewhere(arn))
            return
        role = examination.looks.role(role_arn, through)
        if role is None:
            yield Finding(
                grade=Grade.FAILURE,
                about=about,
                what="It does not exist.",
                costs="Whoever is granted it gets no credentials.",
                remedy="Create it (infra/README.md), or correct the catalog.",
            )
            return
        bound = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if document not in {None, bound}:
            yield Finding(
                grade=Grade.HARM,
                about=about,
                what="Its permissions boundary is not the deny document that the catalog names.",
                costs="Sessions of it that are given back or revoked work on until their deadline.",
                remedy=f"Attach {document} to it as its permissions boundary.",
            )

    yield from examination.each(
        gathered(
            "role",
            (
                (id_, one.role_arn, (one.role_arn, one.deny_document, one.account_role))
                for id_, one in targets
            ),
        ),
        look,
    )


def _no_document(about: str) -> Finding:
    return Finding(
        grade=Grade.NOTICE,
        about=about,
        what="The catalog names no deny document for it.",
        costs="Sessions of it that are given back or revoked work on until their deadline.",
        remedy="Set one up (infra/README.md) and name it as deny_document.",
    )


# ── Documents ────────────────────────────────────────────────────────────────────────────────


def documents(examination: Examination) -> Iterator[Finding]:
    """Look at each deny document that roles are bound by."""
    targets = [(one.id, target.read(one)) for one in examination.of(StsSession.name)]
    named = (
        (id_, one.deny_document, (one.deny_document, one.account_role))
        for id_, one in targets
        if one.deny_document is not None
    )
    yield from examination.each(
        gathered("deny document", named), lambda about, way: document(examination, about, way)
    )


def document(examination: Examination, about: str, way: Way) -> Iterator[Finding]:
    """Look at one deny document. Raises ``CloudError``."""
    policy_arn = way[0]
    policy = examination.looks.once(("policy", *way), lambda: _policy(examination, way))
    if policy is None:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what="It does not exist.",
            costs="Sessions that are given back or revoked work on until their deadline.",
            remedy="Create it with the text that infra/README.md shows, as the boundary of each"
            " role that names it.",
        )
        return
    if policy.attached:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"It is attached as a permissions policy (to {policy.attached}), and not only as"
            " a boundary.",
            costs="It allows everything: whoever it is attached to may do anything in the account.",
            remedy="Detach it there; as a boundary it stays.",
        )
    if policy.is_set_back:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what="An older version of it is in effect than the newest.",
            costs="Sessions that were ended early since then may work again, until their deadline.",
            remedy="See in CloudTrail who set it back (SetDefaultPolicyVersion). The next early end"
            " in the account writes it anew; make the newest version the default until then.",
        )
    yield from _form(about, policy_arn, policy.text)
    yield from _room(about, policy_arn, policy.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Policy:
    text: Mapping[str, object]
    attached: int
    """To how many users, groups and roles, as a permissions policy."""
    is_set_back: bool


def _policy(examination: Examination, way: Way) -> _Policy | None:
    policy_arn, through = way
    arn, clients = parse_arn(policy_arn), examination.clients
    if clients.account(arn.partition, through) != arn.account:
        raise CloudRefused(elsewhere(arn))
    iam = clients.iam(arn.partition, through)
    with translated(f"iam:GetPolicy on {written(arn)}"):
        try:
            policy = iam.get_policy(PolicyArn=policy_arn)["Policy"]
        except iam.exceptions.NoSuchEntityException:
            return None
    default = policy.get("DefaultVersionId", "")
    with translated(f"iam:GetPolicyVersion on {written(arn)}"):
        answer = iam.get_policy_version(PolicyArn=policy_arn, VersionId=default)
    with translated(f"iam:ListPolicyVersions on {written(arn)}"):
        listed = iam.list_policy_versions(PolicyArn=policy_arn)["Versions"]
    text: object = answer["PolicyVersion"].get("Document")
    newest = max((_number(each.get("VersionId", "")) for each in listed), default=0)
    return _Policy(
        text=text if isinstance(text, dict) else {},
        attached=policy.get("AttachmentCount", 0),
        is_set_back=_number(default) < newest,
    )


MOST_DIGITS = 9
"""Of the number of a version."""


def _number(version: str) -> int:
    digits = version.removeprefix("v")
    return int(digits) if digits.isdecimal() and len(digits) <= MOST_DIGITS else 0


def _form(about: str, policy_arn: str, text: Mapping[str, object]) -> Iterator[Finding]:
    everything, *kept = json.loads(deny_text.base_document(policy_arn))["Statement"]
    statements = text.get("Statement")
    there = statements if isinstance(statements, list) else [statements]
    if everything not in there:
        yield Finding(
            grade=Grade.FAILURE,
            about=about,
            what="It does not allow everything, and so takes rights from the roles that it bounds.",
            costs="Whoever is granted them can do less than they should, or nothing.",
            remedy="Restore the text that infra/README.md shows.",
        )
    if any(statement not in there for statement in kept):
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what="It lacks the statements by which it keeps itself and boundaries from being"
            " edited.",
            costs="A session that may write IAM can lift its own end.",
            remedy="Restore the text that infra/README.md shows; the next early end in the account"
            " writes it, too.",
        )
    elif everything in there and not deny_text.is_exactly(
        policy_arn, text, deny_text.denials_in(policy_arn, text)
    ):
        yield Finding(
            grade=Grade.NOTICE,
            about=about,
            what="It says something that jitcloud did not write.",
            costs="The next early end in the account overwrites it.",
            remedy="Put what it says elsewhere, and see who may write it besides the broker.",
        )


def _room(about: str, policy_arn: str, text: Mapping[str, object]) -> Iterator[Finding]:
    ended = deny_text.denials_in(policy_arn, text)
    used = len(deny_text.document(policy_arn, ended)) * 100 // deny_text.MOST_CHARACTERS
    if not deny_text.takes_request(policy_arn, ended):
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"It is full: it ends the sessions of {len(ended)} already.",
            costs="Of the next that are given back or revoked, those whose sessions live longest"
            " are ended, and the others work on until their deadline.",
            remedy="Hand out shorter sessions, or have further roles in another account.",
        )
    elif used >= NEARLY_FULL:
        yield Finding(
            grade=Grade.NOTICE,
            about=about,
            what=f"It is {used} % full: it ends the sessions of {len(ended)}.",
            costs="When it is full, some sessions cannot be ended early any more.",
            remedy="Hand out shorter sessions, or have further roles in another account.",
        )
