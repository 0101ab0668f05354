"""What the catalog's target tables say for ``aws.iam-group`` and ``aws.iam-policy``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table
from jitcloud.model import Entitlement, PersonId
from jitcloud.providers.aws import escapes, timed_policy
from jitcloud.providers.aws.principals import GroupArn, RoleArn, Users, principal, user_of
from jitcloud.providers.aws.session_policy import Statement
from jitcloud.providers.aws.target import Arn, parse_arn
from jitcloud.text import did_you_mean, quoted

T = TypeVar("T", bound="_Target")


def _document(document: dict[str, object]) -> dict[str, object]:
    timed_policy.parse(document)
    return document


def _boundary(text: str) -> str:
    if parse_arn(text).kind != "policy":
        raise ValueError(
            f"{quoted(text)} must be the ARN of a managed policy, arn:aws:iam::ACCOUNT:policy/NAME"
        )
    return text


def _escape(name: str) -> str:
    if name not in escapes.NAMES:
        raise ValueError(
            f"{quoted(name)} opens nothing; the names are {', '.join(escapes.NAMES)}."
            f"{did_you_mean(name, escapes.NAMES)}"
        )
    return name


class _Target(BaseModel):
    """A table. Nothing is converted, nothing unknown is skipped."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    account_role: RoleArn | None = None
    """The role in the target's account by which the broker reads and writes IAM there.

    Not needed in the broker's own account.
    """

    def _named(self) -> Mapping[str, str]:
        """Every ARN in the table, by what to call it."""
        return {} if self.account_role is None else {"account_role": self.account_role}

    @model_validator(mode="after")
    def _is_in_one_account(self) -> _Target:
        named = [(what, principal(arn)) for what, arn in self._named().items()]
        for what, arn in named[1:]:
            first, home = named[0]
            if (arn.partition, arn.account) != (home.partition, home.account):
                raise ValueError(f"{what} must be in the account of {first}, {home.account}")
        return self


class GroupTarget(_Target):
    """The table of ``aws.iam-group``."""

    group_arn: GroupArn
    """The group that people are put into."""
    users: Users
    """Whose IAM user is whose. Nobody else can be let in."""
    exclusive: bool = True
    """Whether nobody is in the group but by jitcloud: a reconcile then tells whoever else is."""

    def _named(self) -> Mapping[str, str]:
        return {"group_arn": self.group_arn, **_users(self.users), **super()._named()}

    @property
    def group(self) -> Arn:
        """The group's ARN, taken apart."""
        return principal(self.group_arn)


class PolicyTarget(_Target):
    """The table of ``aws.iam-policy``."""

    role_arn: RoleArn | None = None
    """The role that gets the rights, whoever may assume it …"""
    users: Users | None = None
    """… or each person's own IAM user."""
    policy: Annotated[
        dict[str, object], BeforeValidator(timed_policy.from_json), AfterValidator(_document)
    ]
    """What is allowed, without any deadline."""
    permissions_boundary: Annotated[str, AfterValidator(_boundary)] | None = None
    """What bounds whoever gets the rights: the broker may write only while it is attached there."""
    allow_escape: list[Annotated[str, AfterValidator(_escape)]] = []

    def _named(self) -> Mapping[str, str]:
        role = {} if self.role_arn is None else {"role_arn": self.role_arn}
        return {**role, **_users(self.users or {}), **super()._named()}

    @model_validator(mode="after")
    def _agrees(self) -> PolicyTarget:
        if (self.role_arn is None) == (self.users is None):
            raise ValueError("name either role_arn or users: who gets the rights")
        what, bound = "permissions_boundary", self.permissions_boundary
        first, arn = next(iter(self._named().items()))
        home = principal(arn).account
        if bound is not None and parse_arn(bound).account not in {home, "aws"}:
            raise ValueError(f"{what} must be in the account of {first}, {home}")
        shut = [
            escape.name
            for escape in timed_policy.opened(self.statements)
            if escape.name not in self.allow_escape
        ]
        if shut:
            raise ValueError(
                "policy allows what would outlive the grant; allow less, "
                f"or name it in allow_escape: {', '.join(shut)}"
            )
        size, most = timed_policy.characters(self.statements), self.room
        if size > most:
            raise ValueError(
                f"policy has {size} characters with its deadline, and IAM takes {most} in all "
                f"inline policies of a {self.kind}; shorten it"
            )
        return self

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements of ``policy``."""
        return timed_policy.parse(self.policy)

    @property
    def kind(self) -> str:
        """What gets the rights: a role, or a user."""
        return "user" if self.role_arn is None else "role"

    @property
    def room(self) -> int:
        """What IAM takes in all inline policies of whoever gets the rights, in characters."""
        return timed_policy.MOST_CHARACTERS[self.kind]

    def of(self, person: PersonId, entitlement: Entitlement) -> Arn:
        """Who gets the rights. Raises ``Refused`` for whom the catalog names no IAM user."""
        if self.role_arn is not None:
            return principal(self.role_arn)
        return user_of(self.users or {}, person, entitlement)


def _users(users: Mapping[str, str]) -> Mapping[str, str]:
    return {f"users.{person}": user for person, user in users.items()}


def check(model: type[_Target], entitlement: Entitlement) -> tuple[str, ...]:
    """Say in sentences what is wrong with a table; empty when nothing is."""
    wrong: list[str] = []
    parse_table(model, dict(entitlement.target), "target", wrong)
    return tuple(wrong)


def read(model: type[T], entitlement: Entitlement) -> T:
    """Read a table. Raises ``Misconfigured``."""
    target, wrong = _read(model, json.dumps(entitlement.target))
    if not isinstance(target, model):
        message = f"The target of {entitlement.id} cannot be used: {' '.join(wrong)}"
        raise Misconfigured(message)
    return target


@lru_cache(maxsize=1024)  # each step of a grant reads it
def _read(model: type[_Target], table: str) -> tuple[_Target | None, tuple[str, ...]]:
    wrong: list[str] = []
    return parse_table(model, json.loads(table), "target", wrong), tuple(wrong)
