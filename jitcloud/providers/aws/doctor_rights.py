"""Whether the broker may do what the catalog needs, and nothing by which it could help itself.

Which roles let it in is tried instead (``doctor_ways_in``): that depends on them, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from jitcloud.doctor import Finding, Grade
from jitcloud.errors import CloudError
from jitcloud.model import Entitlement
from jitcloud.providers.aws import doctor_ways_in, rights_of_catalog
from jitcloud.providers.aws.doctor_examination import Examination, further, unknown
from jitcloud.providers.aws.doctor_identity_center import meant
from jitcloud.providers.aws.doctor_simulation import NOBODY, Whose, whose
from jitcloud.providers.aws.principals import principal
from jitcloud.providers.aws.rights import BROKER, Right

EXCESS: Mapping[str, Sequence[str]] = {
    "role": (
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
        "sts:AssumeRole",
    ),
    "user": (
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:CreateUser",
        "iam:DeleteUserPermissionsBoundary",
        "iam:PutUserPolicy",
    ),
}
"""By which of them somebody gets more than they have, done to a role or user of no catalog's."""

WRITING = frozenset({"iam:PutRolePolicy", "iam:PutUserPolicy"})
"""What the broker may do to whoever the catalog names, while a boundary limits what that gives."""

SETS = (
    "sso:AttachCustomerManagedPolicyReferenceToPermissionSet",
    "sso:AttachManagedPolicyToPermissionSet",
    "sso:DeletePermissionsBoundaryFromPermissionSet",
    "sso:PutInlinePolicyToPermissionSet",
    "sso:PutPermissionsBoundaryToPermissionSet",
)
"""By which of them a permission set gives more."""

_READING = "sso:DescribePermissionSet"
_EACH = "::*:"

MOST_SHOWN = 4

MOST_ACCOUNTS = 5
"""Of so many of the roles that are the same in each account."""

MOST_THINGS = 100
"""About how many things it is asked for each principal; each takes a call."""


def rights(examination: Examination) -> Iterator[Finding]:
    """Simulate what each principal of the broker may do."""
    needed: defaultdict[str, set[Right]] = defaultdict(set)
    needed[BROKER] = set()
    for one in examination.entitlements:
        if one.mechanism in rights_of_catalog.OF:
            for right in rights_of_catalog.OF[one.mechanism](one):
                for each in _in_accounts(examination, one, right):
                    needed[each.whose].add(each)
    everybody = [(_called(named), named) for named in needed]

    def look(about: str, named: str) -> Iterator[Finding]:
        try:
            who = whose(examination.clients, examination.partition, named)
            if who is None:
                return
            yield from _excess(about, who)
            yield from _permission_sets(about, who, needed[named])
            things = sorted({right.resource for right in needed[named]})
            asked = frozenset(things[:MOST_THINGS])
            rights_ = [right for right in needed[named] if right.resource in asked]
            yield from _boundless(about, who, rights_)
            yield from _lacking(about, who, _simulated(rights_))
            if len(things) > MOST_THINGS:
                yield further(len(things), MOST_THINGS, f"things that {about} needs rights to")
        except CloudError as exc:
            yield unknown(
                about,
                "Whether it may do what it must, and no more,",
                str(exc),
                "Allow it iam:SimulatePrincipalPolicy on itself; or compare its policies with what"
                " `jitcloud infra rights` writes.",
            )

    yield from examination.each(everybody, look)


def _called(named: str) -> str:
    return doctor_ways_in.BROKER if named == BROKER else f"role {named}"


def _in_accounts(examination: Examination, one: Entitlement, right: Right) -> Iterator[Right]:
    """The right, in some of the accounts if it is one of a role that is in each of several."""
    if _EACH not in right.whose:
        yield right
        return
    for account in meant(examination, one)[:MOST_ACCOUNTS]:
        home = f"::{account}:"
        whose_ = right.whose.replace(_EACH, home)
        yield replace(right, whose=whose_, resource=right.resource.replace(_EACH, home))


def _simulated(needed: Iterable[Right]) -> Iterator[Right]:
    """Those that a simulation tells. Roles are tried; a boundary it would have to be told of."""
    for right in needed:
        if right.boundary is None and not right.action.startswith("sts:"):
            yield right


def _excess(about: str, who: Whose) -> Iterator[Finding]:
    own = principal(who.arn)
    allowed: list[str] = []
    for kind, actions in EXCESS.items():
        anybody = f"arn:{own.partition}:iam::{own.account}:{kind}/{NOBODY}"
        allowed += sorted(who.may(actions, anybody))
    if allowed:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"It may do {', '.join(allowed)} to any role or user in its account.",
            costs="Whoever takes the broker over gives themselves any access in that account,"
            " without a grant and for good.",
            remedy="Leave it the rights that `jitcloud infra rights` writes, and no others.",
        )


def _permission_sets(about: str, who: Whose, needed: Iterable[Right]) -> Iterator[Finding]:
    things = sorted({right.resource for right in needed if right.action == _READING})
    # AWS judges by the instance and by the permission set, and wants both allowed.
    allowed = frozenset(SETS)
    for is_instance in (True, False):
        some = [who.may(SETS, one) for one in things if (":instance/" in one) is is_instance]
        allowed &= frozenset[str]().union(*some)
    if allowed:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"It may do {', '.join(sorted(allowed))} to permission sets of the catalog.",
            costs="Whoever takes the broker over changes what those give, to whoever has them.",
            remedy="Leave it the rights that `jitcloud infra rights` writes, and no others.",
        )


def _boundless(about: str, who: Whose, needed: Iterable[Right]) -> Iterator[Finding]:
    # Asked without any boundary: where the right depends on one, AWS says no.
    writing = [right for right in needed if right.action in WRITING]
    bound = set(who.lacks(writing))
    anyhow = {_told(right) for right in writing if right not in bound}
    if anyhow:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"It may do this whatever bounds them: {_some(anyhow)}.",
            costs="Whoever takes the broker over gives these any right there is, without a grant"
            " and for good.",
            remedy="Attach a boundary to each, name it as permissions_boundary, and give the"
            " broker the rights that `jitcloud infra rights` then writes.",
        )


def _lacking(about: str, who: Whose, needed: Iterable[Right]) -> Iterator[Finding]:
    lacks = list(who.lacks(needed))
    ending = {_told(right) for right in lacks if right.ends}
    granting = {_told(right) for right in lacks} - ending
    if ending:
        yield Finding(
            grade=Grade.HARM,
            about=about,
            what=f"It lacks what ending needs: {_some(ending)}.",
            costs="What is granted there stays beyond its deadline where the broker has to end it,"
            " and what is revoked early works up to its deadline.",
            remedy="Give it the rights that `jitcloud infra rights` writes.",
        )
    if granting:
        yield Finding(
            grade=Grade.FAILURE,
            about=about,
            what=f"It lacks what granting needs: {_some(granting)}.",
            costs="Grants of these fail.",
            remedy="Give it the rights that `jitcloud infra rights` writes.",
        )


def _told(right: Right) -> str:
    return f"{right.action} on {right.resource}"


def _some(told: Iterable[str]) -> str:
    listed = sorted(told)
    shown, more = ", ".join(listed[:MOST_SHOWN]), len(listed) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
