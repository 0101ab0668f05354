"""What can be asked for, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from jitcloud.model.ids import Digest, EntitlementId, GroupId, PersonId, RotationId


class Cloud(StrEnum):
    """A cloud provider."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


class Privilege(StrEnum):
    """How much an entitlement can do, as policy sees it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """One thing in the catalog that can be asked for."""

    id: EntitlementId
    title: str
    cloud: Cloud
    mechanism: str
    """Which adapter grants it, such as ``aws.sts-session``."""
    target: Mapping[str, object]
    """What the mechanism needs to know (role, scope); plain JSON, checked by the mechanism."""
    privilege: Privilege
    environment: str
    owner: GroupId
    labels: tuple[str, ...] = ()
    zone: str = "UTC"
    """IANA time zone in which policy reads the hours of a window."""
    ticket_projects: tuple[str, ...] = ()
    """To which projects of the ticket system a ticket for this belongs; empty for any."""
    unchecked_tickets: bool = False
    """Whether a ticket counts that could not be looked up just now."""
    bound_votes: bool = False
    """Whether a yes counts only with a token that was asked for to say it; see ``binding``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who somebody is right now, as the directory says."""

    id: PersonId
    name: str
    emails: tuple[str, ...] = ()
    groups: frozenset[GroupId] = frozenset()
    """Every group the person is in, nested ones resolved."""
    rotations: frozenset[RotationId] = frozenset()
    """Every on-call rotation the person has right now."""
    manager: PersonId | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a caller showed to prove who they are: named, never kept."""

    kind: str
    """``oidc``, ``aws`` … or ``unsafe-local`` for a trial on one machine."""
    id: str
    sha256: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What somebody presents to prove who they are: a secret, never kept, logged or shown."""

    kind: Literal["oidc", "aws"]
    """An OpenID Connect token, or a presigned ``sts:GetCallerIdentity``."""
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who speaks, as whoever verified their token says."""

    person: PersonId
    token: Token
    signed_in_at: datetime | None = None
    """When the multi-factor sign-in happened; None where that is not known."""
    bound_to: Digest | None = None
    """What alone the token was asked for (its ``nonce``); None where it was for nothing special."""
