"""What the catalog's target table says for ``aws.identity-center``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table
from jitcloud.model import Entitlement, Person
from jitcloud.providers.aws.identity_center_ids import (
    AccountId,
    GroupId,
    InstanceArn,
    Issuer,
    PermissionSetArn,
    PolicyName,
    Region,
    RoleName,
    SsoArn,
    StoreId,
    TagKey,
    TagValue,
    UnitId,
    UserId,
    partition_of,
    sso_arn,
)
from jitcloud.providers.aws.principals import RoleArn, principal
from jitcloud.text import quoted


def _one_each(users: dict[str, str]) -> dict[str, str]:
    whose: dict[str, str] = {}
    for person, user in users.items():
        other = whose.setdefault(user.lower(), person)
        if other != person:
            raise ValueError(
                f"{quoted(user)} is given to both {quoted(other)} and {quoted(person)}; "
                "each person needs a user of their own"
            )
    return users


class _Table(BaseModel):
    """Nothing is converted, nothing unknown is skipped."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Tag(_Table):
    """A tag that accounts have. AWS distinguishes case in both."""

    key: TagKey
    value: TagValue


class Target(_Table):
    """The table."""

    instance_arn: InstanceArn
    identity_store_id: StoreId
    region: Region
    """Where the instance is."""
    permission_set_arn: PermissionSetArn
    account: AccountId | None = None
    """The account that it is given in …"""
    accounts_in: UnitId | None = None
    """… or the organizational unit (or root) whose accounts are meant …"""
    nested: bool = False
    """… with those of the units below it …"""
    accounts_tagged: Tag | None = None
    """… or the tag that accounts have which are meant."""
    group_id: GroupId | None = None
    """The group that gets the assignment, and all who are in it, instead of the person's user."""
    find_user_by: Literal["user-name", "email", "external-id"] = "user-name"
    """By what a person's user is found in the identity store."""
    external_id_issuer: Issuer | None = None
    """Whose external ids the ids of people are."""
    users: Annotated[dict[str, UserId], AfterValidator(_one_each)] = {}
    """Person's id -> user id, of whoever is not found like that. Wins over ``find_user_by``."""
    account_role: RoleArn | None = None
    """The role by which the broker calls Identity Center, in an account that administers it.

    Not needed where the broker itself is in such an account.
    """
    deny_document: PolicyName | None = None
    """The managed policy in each account, by its name, that ends sessions early: the permission
    set's boundary."""
    deny_role: RoleName | None = None
    """The role in each account, by its name, through which the broker writes that policy."""
    exclusive: bool = True
    """Whether nobody but jitcloud gives anybody this permission set there."""

    @model_validator(mode="after")
    def _agrees(self) -> Target:
        for wrong in self._complaints():
            raise ValueError(wrong)
        return self

    def _complaints(self) -> Iterator[str]:
        yield from self._about_arns()
        yield from self._about_accounts()
        yield from self._about_people()
        if self.deny_role is not None and self.deny_document is None:
            yield "deny_role is of no use without deny_document; name that policy, or take it out"
        if self.deny_document is not None and self.account is None and self.deny_role is None:
            yield (
                "deny_document is in several accounts; name deny_role too, by which the broker "
                "gets into each of them"
            )

    def _about_arns(self) -> Iterator[str]:
        if self.permission_set.instance != self.instance.instance:
            yield (
                "permission_set_arn is of another instance than instance_arn; "
                "copy both from the same Identity Center"
            )
        others = {
            "permission_set_arn": self.permission_set.partition,
            "region": partition_of(self.region),
        }
        if self.account_role is not None:
            others["account_role"] = principal(self.account_role).partition
        home = self.instance.partition
        for key, partition in others.items():
            if partition != home:
                yield f"{key} is in the partition {partition}, and instance_arn in {home}"

    def _about_accounts(self) -> Iterator[str]:
        named = (self.account, self.accounts_in, self.accounts_tagged)
        if sum(which is not None for which in named) != 1:
            yield "name one of account, accounts_in and accounts_tagged: where it is given"
        if self.nested and self.accounts_in is None:
            yield "nested is of no use without accounts_in; name a unit, or take it out"

    def _about_people(self) -> Iterator[str]:
        if self.group_id is not None:
            for key in ("users", "find_user_by", "external_id_issuer"):
                if key in self.model_fields_set:
                    yield f"with group_id nobody's user is looked for; take {key} out"
            if self.deny_document is not None:
                yield (
                    "deny_document ends the sessions of one user, and with group_id a group gets "
                    "access; take one of the two out"
                )
        if (self.find_user_by == "external-id") != (self.external_id_issuer is not None):
            yield 'external_id_issuer goes with find_user_by = "external-id"; name both or neither'

    # ── What it comes to ─────────────────────────────────────────────────────────────────────

    @property
    def instance(self) -> SsoArn:
        """The instance's ARN, taken apart."""
        return sso_arn(self.instance_arn)

    @property
    def permission_set(self) -> SsoArn:
        """The permission set's ARN, taken apart."""
        return sso_arn(self.permission_set_arn)

    @property
    def partition(self) -> str:
        """Where all of it is: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return self.instance.partition

    @property
    def accounts(self) -> str:
        """Which accounts are meant, in words that go on after "the accounts"."""
        if self.accounts_tagged is not None:
            tag = self.accounts_tagged
            return f"tagged {quoted(tag.key)} = {quoted(tag.value)}"
        return f"in {self.accounts_in}{' or below it' if self.nested else ''}"

    def handles(self, person: Person) -> tuple[str, ...]:
        """By what this person's user is looked for, each once."""
        handles: tuple[str, ...] = (person.id, *person.emails)
        if self.find_user_by == "external-id":
            handles = (person.id,)
        elif self.find_user_by == "email":
            handles = tuple(text for text in handles if "@" in text)  # others are nobody's address
        return tuple(dict.fromkeys(handles))


def check(entitlement: Entitlement) -> tuple[str, ...]:
    """Say in sentences what is wrong with the table; empty when nothing is."""
    wrong: list[str] = []
    parse_table(Target, dict(entitlement.target), "target", wrong)
    return tuple(wrong)


def read(entitlement: Entitlement) -> Target:
    """Read the table. Raises ``Misconfigured``."""
    target, wrong = _read(json.dumps(entitlement.target))
    if target is None:
        message = f"The target of {entitlement.id} cannot be used: {' '.join(wrong)}"
        raise Misconfigured(message)
    return target


@lru_cache(maxsize=1024)  # each step of a grant reads it
def _read(table: str) -> tuple[Target | None, tuple[str, ...]]:
    wrong: list[str] = []
    return parse_table(Target, json.loads(table), "target", wrong), tuple(wrong)
