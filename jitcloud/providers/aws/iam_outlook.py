"""What granting in IAM would mean, told beforehand from what is in the account now.

A plan is made for an entitlement and not for a person. So where each person has an IAM user of
their own, each user of the table is looked at as long as they are few, and only what is true of
all of them keeps everybody out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from jitcloud.durations import format_duration
from jitcloud.errors import CloudRefused
from jitcloud.model import Guarantee, Plan
from jitcloud.providers.aws import timed_policy
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_room import MOST_GROUPS, Room
from jitcloud.providers.aws.iam_targets import GroupTarget, PolicyTarget
from jitcloud.providers.aws.inline_policies import missing
from jitcloud.providers.aws.outlook import STAYS_OPEN
from jitcloud.providers.aws.principals import elsewhere, principal
from jitcloud.providers.aws.target import Arn
from jitcloud.text import printable

MOST_USERS = 5
"""How many users of a table a plan looks at; of a longer one at none."""

MOST_SHOWN = 5

LEAVES_GROUP = (
    "Giving back or revoking takes the IAM user out of the group; "
    "IAM acts on it within seconds as a rule."
)
BROKER_ENDS = (
    "AWS holds no deadline for a group: jitcloud takes the user out at its end, and while "
    "jitcloud does not run, the user stays in."
)
MADE_MEANWHILE = (
    "What the group's rights let somebody make stays: access keys, roles, policies and compute; "
    "a session of another role lives until it expires."
)
POLICY_GOES = "Giving back or revoking deletes the policy; IAM acts on it within seconds as a rule."


@dataclass(slots=True)
class _Findings:
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


Look = Callable[[Room, _Findings], None]


def group_plan(clients: Clients, target: GroupTarget) -> Plan:
    """Plan a membership. Raises ``Throttled`` or ``OutcomeUnknown``."""

    def look(room: Room, found: _Findings) -> None:
        group = room.group(target.group)
        if group is None or group.arn != target.group_arn:
            found.problems.append(missing(target.group))
            return
        if group.members:
            found.notes.append(
                f"The group has {group.members} users already; whoever was in it before a grant "
                "stays in it."
            )
        _users(target.users, found, lambda user: _cannot_join(room, user, target.group))

    found = _looked(clients, target.group, target.account_role, look)
    return Plan(
        guarantee=Guarantee.BROKER,
        early_end=LEAVES_GROUP,
        residual=(BROKER_ENDS, MADE_MEANWHILE),
        notes=tuple(found.notes),
        problems=tuple(found.problems),
    )


def policy_plan(clients: Clients, target: PolicyTarget) -> Plan:
    """Plan an inline policy. Raises ``Throttled`` or ``OutcomeUnknown``."""

    def look(room: Room, found: _Findings) -> None:
        if target.role_arn is None:
            _users(target.users or {}, found, lambda user: _no_room(room, user, target))
            return
        arn = principal(target.role_arn)
        role = room.role(arn)
        if role is None or role.arn != target.role_arn:
            found.problems.append(missing(arn))
            return
        found.notes.append(
            "The rights go to the role, so whoever may assume it has them too until then: "
            f"{_shown(role.trusted)}."
        )
        if trouble := _no_room(room, arn, target):
            found.problems.append(trouble)

    named = target.role_arn or next(iter((target.users or {}).values()))
    found = _looked(clients, principal(named), target.account_role, look)
    if clients.watch.difference is not None and clients.watch.is_apart:
        # Measured on the answers just now: both must mean the same instant by a deadline.
        found.problems.append(_clocks_differ(clients.watch.difference))
    opened = timed_policy.opened(target.statements)
    return Plan(
        guarantee=Guarantee.CLOUD,
        early_end=POLICY_GOES,
        residual=(
            *(f"{escape.name} is open: {escape.outlives}" for escape in opened),
            STAYS_OPEN,
        ),
        notes=tuple(found.notes),
        problems=tuple(found.problems),
    )


def _looked(clients: Clients, at: Arn, through: str | None, look: Look) -> _Findings:
    found = _Findings()
    try:
        if clients.account(at.partition, through) == at.account:
            look(Room(clients, through), found)
        else:
            found.problems.append(elsewhere(at))
    except CloudRefused as exc:
        # Whether it works shows when it is tried: the broker may be allowed that much.
        found.notes.append(f"The broker could not look around: {str(exc).rstrip('.')}.")
    return found


def _users(users: Mapping[str, str], found: _Findings, trouble: Callable[[Arn], str]) -> None:
    """Say which users could not be granted it; a problem only where that is all of them."""
    if len(users) > MOST_USERS:
        return
    troubles = [said for user in users.values() if (said := trouble(principal(user)))]
    if len(troubles) == len(users):
        found.problems += troubles
    else:
        found.notes += troubles


def _cannot_join(room: Room, user: Arn, group: Arn) -> str:
    groups = room.groups(user)
    if groups is None:
        return missing(user)
    if len(groups) >= MOST_GROUPS and group.name.lower() not in groups:
        return full(user)
    return ""


def full(user: Arn) -> str:
    """What to tell when IAM takes a user into no further group."""
    return (
        f"The IAM user {user.name} is in {MOST_GROUPS} groups, and IAM allows no more; "
        "take it out of one."
    )


def _no_room(room: Room, of: Arn, target: PolicyTarget) -> str:
    statements = target.statements
    taken = room.taken(of, besides=timed_policy.policy_name(statements))
    if taken is None:
        return missing(of)
    size = timed_policy.characters(statements)
    if taken + size <= target.room:
        return ""
    return (
        f"Other inline policies of the {of.kind} {of.name} have {taken} characters, this one has "
        f"{size}, and IAM takes {target.room} in all; take out what is not needed there."
    )


def _shown(trusted: Sequence[str]) -> str:
    if not trusted:
        return "nobody, as its trust policy stands"
    shown = ", ".join(printable(who[:100]) for who in trusted[:MOST_SHOWN])
    more = len(trusted) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _clocks_differ(difference: timedelta) -> str:
    return (
        f"This machine's clock and that of AWS are {format_duration(abs(difference))} or more "
        "apart and mean different instants by a deadline; set this one right (NTP)."
    )
