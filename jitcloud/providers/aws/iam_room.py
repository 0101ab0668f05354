"""What is in IAM already, and how much room that leaves: for plans, bounded in calls and time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud.errors import Throttled
from jitcloud.providers.aws import inline_policies, timed_policy
from jitcloud.providers.aws.clients import CALL, Clients, translated
from jitcloud.providers.aws.principals import iam_of, written
from jitcloud.providers.aws.session_policy import texts
from jitcloud.providers.aws.target import Arn

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

MOST_GROUPS = 10
"""How many groups a user can be in (IAM User Guide, "IAM and AWS STS quotas"; fixed)."""

MOST_POLICIES = 20
"""How many inline policies of one role or user are measured."""

MOST_PAGES = 10
"""How many parts of one answer are read."""

WITHIN = timedelta(seconds=20)
"""How long one plan looks around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What IAM says about a group or a role."""

    arn: str
    members: int = 0
    """Of a group: how many users are in it, up to a thousand."""
    trusted: tuple[str, ...] = ()
    """Of a role: whom its trust policy lets in."""


@dataclass(slots=True)
class Room:
    """Looks around in one account. Every look raises ``CloudError`` when IAM does not answer."""

    clients: Clients
    through: str | None
    _until: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Look until then, and no longer."""
        self._until = self.clients.clock() + WITHIN

    def group(self, arn: Arn) -> Found | None:
        """Look at a group; None when IAM knows none of that name."""
        iam = self._iam(arn)
        with translated(f"iam:GetGroup on {written(arn)}"):
            try:
                answer = iam.get_group(GroupName=arn.name, MaxItems=1000)
            except iam.exceptions.NoSuchEntityException:
                return None
        return Found(arn=answer["Group"]["Arn"], members=len(answer["Users"]))

    def role(self, arn: Arn) -> Found | None:
        """Look at a role; None when IAM knows none of that name."""
        iam = self._iam(arn)
        with translated(f"iam:GetRole on {written(arn)}"):
            try:
                role = iam.get_role(RoleName=arn.name)["Role"]
            except iam.exceptions.NoSuchEntityException:
                return None
        trust: object = role.get("AssumeRolePolicyDocument")
        return Found(arn=role["Arn"], trusted=tuple(dict.fromkeys(_trusted(trust))))

    def groups(self, user: Arn) -> frozenset[str] | None:
        """Name the groups that a user is in; None when IAM knows no such user."""
        return groups_of(self._iam(user), user, self._in_time)

    def taken(self, of: Arn, besides: str) -> int | None:
        """Count the characters of the inline policies of a role or user, but the one named.

        Measures ``MOST_POLICIES`` of them; with more there, it is that many characters or more.
        None when IAM knows no such role or user.
        """
        names = inline_policies.names(self._iam(of), of)
        if names is None:
            return None
        others = [name for name in names if name != besides]
        return sum(self._size(of, name) for name in others[:MOST_POLICIES])

    def _size(self, of: Arn, name: str) -> int:
        policy = inline_policies.get(self._iam(of), of, name)
        text = json.dumps(policy, separators=(",", ":"), ensure_ascii=False)
        return 0 if policy is None else timed_policy.counted(text)

    def _iam(self, arn: Arn) -> IAMClient:
        self._in_time()
        return iam_of(self.clients, arn, self.through)

    def _in_time(self) -> None:
        if self.clients.clock() > self._until - CALL:
            raise Throttled("IAM answers too slowly just now; try again shortly.")


def groups_of(
    iam: IAMClient, user: Arn, in_time: Callable[[], None] = lambda: None
) -> frozenset[str] | None:
    """Name the groups a user is in, in small letters; None when IAM knows no such user.

    One call as a rule: IAM may tell less than all at once, and says so. ``in_time`` raises when
    no further call is to begin.
    """
    found: set[str] = set()
    more: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        with translated(f"iam:ListGroupsForUser on {written(user)}", denied=_DENIED):
            try:
                page = iam.list_groups_for_user(UserName=user.name, MaxItems=1000, **more)
            except iam.exceptions.NoSuchEntityException:
                return None
        found |= {group["GroupName"].lower() for group in page["Groups"]}
        if not page.get("IsTruncated"):
            return frozenset(found)
        more = {"Marker": page["Marker"]}
        in_time()
    raise Throttled(f"IAM tells the groups of {user.name} in too many parts; it is tried again.")


_DENIED = (
    " Check that the broker, or the account_role it goes through, may list the groups of the user."
)


def _trusted(trust: object) -> Iterator[str]:
    """Whom a trust policy lets in, as it writes them; its conditions are not read."""
    statements = trust.get("Statement") if isinstance(trust, dict) else None
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
            continue
        who = statement.get("Principal")
        yield from texts(who)
        for named in who.values() if isinstance(who, dict) else ():
            yield from texts(named)
