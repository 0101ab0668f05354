"""Whether IAM's groups, users and roles are there, and take what would be granted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jitcloud.doctor import Finding, Grade
from jitcloud.errors import CloudRefused
from jitcloud.model import EntitlementId
from jitcloud.providers.aws import iam_group, iam_policy, iam_targets, timed_policy
from jitcloud.providers.aws.doctor_examination import Examination, further, gathered
from jitcloud.providers.aws.iam_room import MOST_GROUPS, Room
from jitcloud.providers.aws.iam_targets import GroupTarget, PolicyTarget
from jitcloud.providers.aws.principals import elsewhere, principal
from jitcloud.providers.aws.target import Arn

MOST_USERS = 200
"""How many users one run looks at, of groups and of policies each."""


# ── Groups ───────────────────────────────────────────────────────────────────────────────────


def groups(examination: Examination) -> Iterator[Finding]:
    """Look whether each group is there, and whether its users could join it."""
    targets = {one.id: iam_targets.read(GroupTarget, one) for one in examination.of(iam_group.KIND)}
    ways = [(id_, one.group_arn, (one.group_arn, one.account_role)) for id_, one in targets.items()]
    users = [
        (id_, user, (user, one.group.name.lower(), one.account_role))
        for id_, one in targets.items()
        for user in one.users.values()
    ]

    def group(about: str, way: tuple[str, str | None]) -> Iterator[Finding]:
        arn = principal(way[0])
        room = _room(examination, arn, way[1])
        found = examination.looks.once(("group", *way), lambda: room.group(arn))
        if found is None or found.arn != way[0]:
            yield _missing(about)

    def user(about: str, way: tuple[str, str, str | None]) -> Iterator[Finding]:
        arn, through = principal(way[0]), way[2]
        room = _room(examination, arn, through)
        joined = examination.looks.once(("groups", way[0], through), lambda: room.groups(arn))
        if joined is None:
            yield _missing(about)
        elif len(joined) >= MOST_GROUPS and way[1] not in joined:
            yield Finding(
                grade=Grade.FAILURE,
                about=about,
                what=f"The user is in {MOST_GROUPS} groups, and IAM allows no more.",
                costs="Whoever this user is cannot be put into a further one.",
                remedy="Take the user out of one of them.",
            )

    yield from examination.each(gathered("group", ways), group)
    yield from examination.each(gathered("user", users[:MOST_USERS]), user)
    if len(users) > MOST_USERS:
        yield further(len(users), MOST_USERS, "users of groups")


# ── Policies ─────────────────────────────────────────────────────────────────────────────────


def policies(examination: Examination) -> Iterator[Finding]:
    """Look whether whoever gets an inline policy is there, bounded as said, and has room for it."""
    targets = {
        one.id: iam_targets.read(PolicyTarget, one) for one in examination.of(iam_policy.KIND)
    }
    holders = [
        (id_, arn, (arn, id_))
        for id_, one in targets.items()
        for arn in ([one.role_arn] if one.role_arn is not None else (one.users or {}).values())
    ]

    def holder(about: str, way: tuple[str, EntitlementId]) -> Iterator[Finding]:
        arn, wanted = principal(way[0]), targets[way[1]]
        room = _room(examination, arn, wanted.account_role)
        if arn.kind == "role":
            role = examination.looks.role(way[0], wanted.account_role)
            if role is None:
                yield _missing(about)
                return
            yield from _bounded(about, role.get("PermissionsBoundary", {}), wanted)
        name = timed_policy.policy_name(wanted.statements)
        key = ("taken", way[0], wanted.account_role, name)
        taken = examination.looks.once(key, lambda: room.taken(arn, besides=name))
        size = timed_policy.characters(wanted.statements)
        if taken is None:
            yield _missing(about)
        elif taken + size > wanted.room:
            yield Finding(
                grade=Grade.FAILURE,
                about=about,
                what=f"Its other inline policies have {taken} characters, the one to be granted"
                f" has {size}, and IAM takes {wanted.room} in all.",
                costs="Grants of it fail.",
                remedy="Take out what is not needed there.",
            )

    yield from examination.each(gathered("holder", holders[:MOST_USERS]), holder)
    if len(holders) > MOST_USERS:
        yield further(len(holders), MOST_USERS, "roles and users that get policies")


def _bounded(about: str, boundary: Mapping[str, object], wanted: PolicyTarget) -> Iterator[Finding]:
    named = wanted.permissions_boundary
    if named is None:
        yield Finding(
            grade=Grade.NOTICE,
            about=about,
            what="The catalog names no permissions_boundary for it.",
            costs="Nothing has to limit what the broker, or whoever takes it over, may give it.",
            remedy="Attach a boundary to it, and name that; `jitcloud infra rights` writes no"
            " rights without.",
        )
    elif named != boundary.get("PermissionsBoundaryArn"):
        yield Finding(
            grade=Grade.FAILURE,
            about=about,
            what="Its permissions boundary is not the one that the catalog names.",
            costs="The broker may write there only while it is, so grants of it fail.",
            remedy=f"Attach {named} to it as its permissions boundary.",
        )


def _missing(about: str) -> Finding:
    return Finding(
        grade=Grade.FAILURE,
        about=about,
        what="IAM knows none of that name and path.",
        costs="Grants of it fail.",
        remedy="Create it, or correct the catalog.",
    )


def _room(examination: Examination, arn: Arn, through: str | None) -> Room:
    """What looks around in a principal's account. Raises ``CloudRefused`` where it cannot."""
    if examination.clients.account(arn.partition, through) != arn.account:
        raise CloudRefused(elsewhere(arn))
    return Room(examination.clients, through)
