"""The places of ``aws.identity-center``: who has which permission set in which account.

All that a record keeps of one is made here, and read here. Ids are compared without regard to
case: a place that had two keys would be taken for two places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jitcloud.model import Area, Place, Slot, SlotKey

KIND = "aws.identity-center"

PrincipalType = Literal["USER", "GROUP"]


def area(  # noqa: PLR0913 - what it takes to find it again
    *,
    instance_arn: str,
    region: str,
    permission_set_arn: str,
    account: str,
    exclusive: bool = True,
    account_role: str | None = None,
) -> Area:
    """Everybody who has a permission set in an account.

    ``region`` is where the instance is, ``account_role`` the role in an account that administers
    it, if the broker is in none, and ``exclusive`` says that nobody else gives it to anybody.
    """
    where: dict[str, object] = {
        "instance_arn": instance_arn,
        "region": region,
        "permission_set_arn": permission_set_arn,
        "account": account,
        "exclusive": exclusive,
    }
    if account_role is not None:
        where["account_role"] = account_role
    parts = (KIND, _id(instance_arn), account, _id(permission_set_arn))
    return Area(key="/".join(parts), kind=KIND, where=where)


def place(area: Area, principal_type: PrincipalType, principal_id: str) -> Place:
    """The place of one user or group in an area."""
    return Place(
        key=SlotKey(f"{area.key}/{principal_type}/{principal_id.lower()}"),
        kind=KIND,
        where={**area.where, "principal_type": principal_type, "principal_id": principal_id},
    )


def area_of(slot: Slot) -> Area:
    """The area that a slot's place is in."""
    where = dict(slot.where)
    del where["principal_type"], where["principal_id"]
    key, _, _ = str(slot.key).rsplit("/", 2)
    return Area(key=key, kind=KIND, where=where)


def _id(arn: str) -> str:
    return arn.rpartition("/")[2].lower()


# ── As it is asked for ───────────────────────────────────────────────────────────────────────

About = tuple[str, str, str, str]
"""Account, permission set, type and id of the principal, in small letters: one assignment."""

Way = tuple[str, str | None]
"""The region of an instance, and the role by which it is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The ``where`` of a place or an area, read. Of an area, the principal is empty."""

    instance: str
    region: str
    permission_set: str
    account: str
    principal_type: str
    principal: str
    through: str | None

    @property
    def way(self) -> Way:
        """By which way it is reached."""
        return self.region, self.through

    @property
    def about(self) -> About:
        """Which assignment is meant."""
        return about(self.target)

    @property
    def target(self) -> dict[str, str]:
        """What create and delete take."""
        return {
            "InstanceArn": self.instance,
            "TargetId": self.account,
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": self.permission_set,
            "PrincipalType": self.principal_type,
            "PrincipalId": self.principal,
        }


def read(where: Mapping[str, object]) -> Where:
    """Read what a record keeps."""
    through = where.get("account_role")
    return Where(
        instance=str(where["instance_arn"]),
        region=str(where["region"]),
        permission_set=str(where["permission_set_arn"]),
        account=str(where["account"]),
        principal_type=str(where.get("principal_type", "")),
        principal=str(where.get("principal_id", "")),
        through=None if through is None else str(through),
    )


def about(told: Mapping[str, object], account: str = "TargetId") -> About:
    """Which assignment AWS tells of; lists call the account otherwise than statuses do."""
    names = (account, "PermissionSetArn", "PrincipalType", "PrincipalId")
    where, permission_set, kind, principal = (str(told.get(name, "")).lower() for name in names)
    return where, permission_set, kind, principal
