"""Membership of a person's IAM user in an IAM group, which the broker ends at the deadline.

A group takes neither marks nor deadlines: who is in it looks the same whoever put them there.
Who was there at the first read ever was there before us, and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.model import (
    Entitlement,
    Guarantee,
    PersonId,
    Place,
    Places,
    Plan,
    RequestId,
    Sight,
    Slot,
    SlotKey,
)
from jitcloud.providers.aws import iam_targets
from jitcloud.providers.aws.clients import CALL, Clients, translated
from jitcloud.providers.aws.iam_outlook import full, group_plan
from jitcloud.providers.aws.iam_room import groups_of
from jitcloud.providers.aws.iam_targets import GroupTarget
from jitcloud.providers.aws.principals import iam_of, one_spelling, principal, user_of, written
from jitcloud.providers.aws.target import Arn
from jitcloud.text import printable

KIND = "aws.iam-group"


@dataclass(frozen=True, slots=True)
class GroupMembership:
    """The slot kind. A slot's ``where`` names group, user, and the role to reach them by."""

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """IAM is eventually consistent: a change shows, and counts, within seconds as a rule; AWS
    promises no time (IAM User Guide, "Troubleshoot IAM")."""
    timeout: timedelta = timedelta(seconds=10)
    """For one call, and before it the one that says who the broker is, or assumes its way in."""
    name: str = KIND
    grants: bool = True
    takes_standing: bool = True

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whether the user is in the group."""
        # Deleting a user takes it out of its groups first, so "no such user" says as much as a
        # list without the group. The core believes neither before the last call has settled.
        group, user, through = _where(slot)
        began = self.clients.clock()
        iam = iam_of(self.clients, user, through)
        groups = groups_of(iam, user, lambda: self._still_in_time(began))
        return Sight(at=now, present=group.name.lower() in (groups or ()))

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> None:  # noqa: ARG002 - a group takes neither marks nor deadlines
        """Put the user into the group. AWS does so twice without complaint."""
        group, user, through = _where(slot)
        iam = iam_of(self.clients, group, through)
        with translated(f"iam:AddUserToGroup on {written(group)}", denied=_DENIED):
            try:
                iam.add_user_to_group(GroupName=group.name, UserName=user.name)
            except iam.exceptions.NoSuchEntityException as exc:
                said = printable(exc.response["Error"]["Message"]).rstrip(".")
                raise CloudRefused(
                    f"The IAM user {user.name} or the group {group.name} does not exist ({said}); "
                    "create it, or correct the catalog."
                ) from exc
            except iam.exceptions.LimitExceededException as exc:
                raise CloudRefused(full(user)) from exc

    def remove(self, slot: Slot) -> None:
        """Take the user out of the group. Whoever does not exist is in none."""
        group, user, through = _where(slot)
        iam = iam_of(self.clients, group, through)
        with translated(f"iam:RemoveUserFromGroup on {written(group)}", denied=_DENIED):
            try:
                iam.remove_user_from_group(GroupName=group.name, UserName=user.name)
            except iam.exceptions.NoSuchEntityException:
                return

    def _still_in_time(self, began: datetime) -> None:
        if self.clients.clock() - began > self.timeout - CALL:
            raise Throttled("IAM answers too slowly just now; it is tried again by itself.")


_DENIED = (
    " Check that the broker, or the account_role it goes through, may add users to this group "
    "and remove them."
)


@dataclass(frozen=True, slots=True)
class IamGroup:
    """The mechanism ``aws.iam-group``. Safe for several threads."""

    clients: Clients
    name: str = KIND
    guarantee: Guarantee = Guarantee.BROKER

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with the target table."""
        return iam_targets.check(GroupTarget, entitlement)

    def plan(self, entitlement: Entitlement, duration: timedelta, now: datetime) -> Plan:  # noqa: ARG002 - it is the same for all
        """Say what granting would mean, from what is in IAM now."""
        return group_plan(self.clients, iam_targets.read(GroupTarget, entitlement))

    def places(self, entitlement: Entitlement, person: PersonId) -> Places:
        """Name the membership. Raises ``Refused`` for whom the catalog names no IAM user.

        Who is meant is fixed here: the end needs neither the catalog nor the directory.
        """
        target = iam_targets.read(GroupTarget, entitlement)
        user = user_of(target.users, person, entitlement)
        where: dict[str, object] = {"group_arn": target.group_arn, "user_arn": target.users[person]}
        if target.account_role is not None:
            where["account_role"] = target.account_role
        key = f"{KIND}/{one_spelling(target.group)}/{user.name.lower()}"
        return Places(grant=Place(key=SlotKey(key), kind=KIND, where=where))


def _where(slot: Slot) -> tuple[Arn, Arn, str | None]:
    through = slot.where.get("account_role")
    return (
        principal(str(slot.where["group_arn"])),
        principal(str(slot.where["user_arn"])),
        None if through is None else str(through),
    )
