"""What there is in an Identity Center, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

PrincipalType = Literal["USER", "GROUP"]
AccountId = str
Arn = str


@dataclass(frozen=True, slots=True, order=True)
class Assignment:
    """A user or a group has a permission set in an account."""

    account: AccountId
    permission_set: Arn
    principal_type: PrincipalType
    principal: str


@dataclass(slots=True)
class User:
    """Somebody in the identity store."""

    id: str
    attributes: Mapping[str, object]
    """As CreateUser takes them, without the identity store: ``UserName``, ``Emails`` and so on."""
    created_at: datetime
    external_ids: Sequence[Mapping[str, str]] = ()
    enabled: bool = True

    @property
    def name(self) -> str:
        """What the user signs in with, and what its role sessions are called."""
        return str(self.attributes["UserName"])


@dataclass(slots=True)
class Group:
    """A group in the identity store."""

    id: str
    name: str
    created_at: datetime
    description: str | None = None
    external_ids: Sequence[Mapping[str, str]] = ()


@dataclass(slots=True)
class PermissionSet:
    """What becomes a role in each account in which somebody has it."""

    arn: Arn
    name: str
    session: timedelta
    session_text: str
    created_at: datetime
    description: str | None = None
    relay_state: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: Mapping[str, object] | None = None
    """As PutPermissionsBoundaryToPermissionSet takes it."""


@dataclass(slots=True, eq=False)
class Role:
    """The role that a permission set is in one account."""

    arn: Arn
    id: str
    account: AccountId
    permission_set: Arn
    boundary: Mapping[str, object] | None
    """The permission set's, when it was last provisioned."""

    @property
    def boundary_arn(self) -> Arn | None:
        """The managed policy in the role's account that bounds it."""
        if self.boundary is None:
            return None
        if "ManagedPolicyArn" in self.boundary:
            return str(self.boundary["ManagedPolicyArn"])
        reference = self.boundary["CustomerManagedPolicyReference"]
        if not isinstance(reference, Mapping):
            raise TypeError(reference)
        path = reference.get("Path", "/")
        return f"arn:aws:iam::{self.account}:policy{path}{reference['Name']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A role session that somebody got: it lives until it expires, whatever becomes of the rest."""

    user: str
    user_name: str
    role: Role
    issued_at: datetime
    expires_at: datetime
