"""Whose sessions a deny document ends. Pure.

A holder of the document's slot is a request that has ended, and its detail says how its sessions
are told apart from all others:

* the ARN of a role: jitcloud handed them out, and each carries the request's id as its tag;
* ``sso USER SET``: Identity Center hands out sessions of a permission set by itself, and nothing
  of ours is on them. They are told by the user, the set's role, and when they were issued.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jitcloud.errors import Refused
from jitcloud.model import Holder, RequestId
from jitcloud.providers.aws.identity_center_ids import is_principal
from jitcloud.providers.aws.sso_roles import is_permission_set
from jitcloud.text import quoted

_PREFIX = "sso "


@dataclass(frozen=True, slots=True, order=True)
class SsoUser:
    """The role sessions of one user in one permission set."""

    permission_set: str
    """Its name: it is in the role's, and cannot be changed."""
    user: str
    """The user's id in the identity store, which outlives a change of name or e-mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denials:
    """Whom one document denies everything."""

    requests: frozenset[RequestId] = frozenset()
    """Those whose sessions carry one of these as their tag."""
    users: Mapping[SsoUser, datetime | None] = field(default_factory=dict)
    """Those of Identity Center: all sessions (None), or those issued up to and in that second."""

    def __len__(self) -> int:
        """How many it names."""
        return len(self.requests) + len(self.users)

    def without(self, others: Denials) -> Denials:
        """Those of them that are not among the others just as they are here."""
        users = {who: at for who, at in self.users.items() if (who, at) not in others.users.items()}
        return Denials(requests=self.requests - others.requests, users=users)


NOBODY = Denials()


def sso_detail(user: str, permission_set: str) -> str:
    """What the holders of a deny document say of this user's sessions in this permission set.

    Nothing that IAM would take for a pattern or a variable gets through. Raises ``Refused``.
    """
    if not is_principal(user):
        raise Refused(
            f"{quoted(user)} is not the id of a user in Identity Center, so their sessions could "
            "not be ended early; correct it in the catalog."
        )
    if not is_permission_set(permission_set):
        raise Refused(
            f"{quoted(permission_set)} cannot be the name of a permission set, so its sessions "
            "could not be ended early; name one that AWS would take."
        )
    return f"{_PREFIX}{user} {permission_set}"


def subject(holder: Holder) -> RequestId | SsoUser | None:
    """Whose sessions a holder wants ended.

    None for a detail that no ``sso_detail`` has made: it must not reach a policy, nor keep others
    from being denied. Its sessions then count as not denied, and are waited for.
    """
    if not holder.detail.startswith(_PREFIX):
        return holder.request
    user, _, permission_set = holder.detail.removeprefix(_PREFIX).partition(" ")
    readable = is_principal(user) and is_permission_set(permission_set)
    return SsoUser(permission_set, user) if readable else None


def denials(holders: Iterable[Holder]) -> Denials:
    """What all of the holders together want denied.

    Of two cutoffs for the same user and role the later one holds, and none at all above all.
    ``before`` means nothing for sessions that are told by their request: there are no later ones.
    """
    requests: set[RequestId] = set()
    users: dict[SsoUser, datetime | None] = {}
    for holder in holders:
        whose = subject(holder)
        if isinstance(whose, SsoUser):
            until = cutoff(holder)
            users[whose] = later(users[whose], until) if whose in users else until
        elif whose is not None:
            requests.add(whose)
    return Denials(requests=frozenset(requests), users=users)


def cutoff(holder: Holder) -> datetime | None:
    """The last second in which a session that is to be denied may have been issued.

    ``aws:TokenIssueTime`` tells whole seconds. In the second of the cutoff old and new sessions
    cannot be told apart: both are denied, for a new one can be had by signing in again.
    """
    if holder.before is None:
        return None
    return holder.before.astimezone(UTC).replace(microsecond=0)


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The cutoff that denies more; None denies all."""
    return None if one is None or other is None else max(one, other)


def denied(there: Denials, holders: Sequence[Holder]) -> tuple[Holder, ...]:
    """Those of the holders whose sessions a document ends, just as all of them together want it.

    Where it denies less, sessions live on; where it denies more, people are shut out who have
    got the same anew. Neither is what the holder wants.
    """
    wanted = denials(holders).users
    exactly = there.users.items() & wanted.items()
    users = {whose for whose, _ in exactly}
    return tuple(h for h in holders if subject(h) in users or subject(h) in there.requests)
