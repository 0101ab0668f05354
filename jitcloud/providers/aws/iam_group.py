"""Membership of a person's IAM user in an IAM group, which the broker ends at the deadline.

A group takes neither marks nor deadlines: who is in it looks the same whoever put them there.
Who was there at the first read ever was there before us, and stays; unless the catalog leaves
the group to jitcloud alone (``exclusive``): then a reconcile says so, and may end it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.model import (
    Area,
    Entitlement,
    Guarantee,
    Hold,
    Listing,
    Person,
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
    patience: timedelta = timedelta(minutes=2)
    page: int = 100
    """How many users one page of a list names: what GetGroup gives unless told (botocore's model,
    which takes up to 1,000)."""
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

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - a group takes neither marks nor deadlines
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
        return None

    def remove(self, slot: Slot) -> str | None:
        """Take the user out of the group. Whoever does not exist is in none."""
        group, user, through = _where(slot)
        iam = iam_of(self.clients, group, through)
        with translated(f"iam:RemoveUserFromGroup on {written(group)}", denied=_DENIED):
            try:
                iam.remove_user_from_group(GroupName=group.name, UserName=user.name)
            except iam.exceptions.NoSuchEntityException:
                return None
        return None

    def hold(self, slot: Slot) -> Hold:
        """Exclusive, unless the catalog said that others put people into the group too."""
        return Hold.SHARED if slot.where.get("exclusive") is False else Hold.EXCLUSIVE

    def area(self, slot: Slot) -> Area:
        """The group."""
        return _area(slot.where)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:  # noqa: ARG002 - nothing in it depends on the time
        """Read who is in the group, a page at a time. In a group that is not there is nobody."""
        group, through = principal(str(area.where["group_arn"])), _through(area.where)
        more = {} if after is None else {"Marker": after}
        iam = iam_of(self.clients, group, through)
        with translated(f"iam:GetGroup on {written(group)}", denied=_UNSEEN):
            try:
                page = iam.get_group(GroupName=group.name, MaxItems=self.page, **more)
            except iam.exceptions.NoSuchEntityException:
                return Listing(found=())
        found = tuple(_place(area.where, user["Arn"]) for user in page["Users"])
        return Listing(found=found, after=page["Marker"] if page.get("IsTruncated") else None)

    def _still_in_time(self, began: datetime) -> None:
        if self.clients.clock() - began > self.timeout - CALL:
            raise Throttled("IAM answers too slowly just now; it is tried again by itself.")


_DENIED = (
    " Check that the broker, or the account_role it goes through, may add users to this group "
    "and remove them."
)
_UNSEEN = (
    " Check that the broker, or the account_role it goes through, may look who is in this group."
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

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - a group is one thing
        """Name none: a group is one thing."""
        return ()

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,  # noqa: ARG002 - it is the same for all
        now: datetime,  # noqa: ARG002 - the same
        *,
        part: str = "",  # noqa: ARG002 - it is one thing
        person: Person | None = None,  # noqa: ARG002 - it is the same for all
    ) -> Plan:
        """Say what granting would mean, from what is in IAM now."""
        return group_plan(self.clients, iam_targets.read(GroupTarget, entitlement))

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - it is one thing
        """Name the membership. Raises ``Refused`` for whom the catalog names no IAM user.

        Who is meant is fixed here: the end needs neither the catalog nor the directory.
        """
        target = iam_targets.read(GroupTarget, entitlement)
        user_of(target.users, person.id, entitlement)
        return Places(grant=_place(_group_of(target), target.users[person.id]))

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - the catalog says it
        """The group."""
        return (_area(_group_of(iam_targets.read(GroupTarget, entitlement))),)


def _group_of(target: GroupTarget) -> Mapping[str, object]:
    """What leads to the group, as the record keeps it; what goes without saying is left out."""
    where: dict[str, object] = {"group_arn": target.group_arn}
    if target.account_role is not None:
        where["account_role"] = target.account_role
    if not target.exclusive:
        where["exclusive"] = False
    return where


def _area(where: Mapping[str, object]) -> Area:
    group = {key: value for key, value in where.items() if key != "user_arn"}
    key = f"{KIND}/{one_spelling(principal(str(where['group_arn'])))}"
    return Area(key=key, kind=KIND, where=group)


def _place(group: Mapping[str, object], user_arn: str) -> Place:
    key = f"{_area(group).key}/{principal(user_arn).name.lower()}"
    return Place(key=SlotKey(key), kind=KIND, where={**group, "user_arn": user_arn})


def _where(slot: Slot) -> tuple[Arn, Arn, str | None]:
    return (
        principal(str(slot.where["group_arn"])),
        principal(str(slot.where["user_arn"])),
        _through(slot.where),
    )


def _through(where: Mapping[str, object]) -> str | None:
    through = where.get("account_role")
    return None if through is None else str(through)
