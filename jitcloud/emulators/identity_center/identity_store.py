"""Who there is: users, groups, and who is in which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jitcloud.emulators.identity_center.agenda import Agenda
from jitcloud.emulators.identity_center.history import History
from jitcloud.emulators.identity_center.names import Ids
from jitcloud.emulators.identity_center.nouns import Group, PrincipalType, User
from jitcloud.emulators.identity_center.refusal import Refusal, not_found


@dataclass(frozen=True, slots=True)
class Membership:
    """A user is in a group."""

    id: str
    group: str
    user: str
    created_at: datetime


class IdentityStore:
    """The directory of an Identity Center. What is done to it here is done at once."""

    def __init__(self, agenda: Agenda, ids: Ids) -> None:
        """Make an empty one."""
        self._agenda = agenda
        self._ids = ids
        self.id = f"d-{ids.digits(10)}"
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.memberships: History[Membership] = History()
        self._membership: dict[tuple[str, str], Membership] = {}

    def add_user(
        self,
        name: str,
        *,
        email: str | None = None,
        external_id: str | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> str:
        """Make a user; return the id. ``external_id`` is what a SCIM client knows the user by.

        Without an ``email`` it is the name at example.org. ``attributes`` are CreateUser's.
        """
        told = {
            "UserName": name,
            "DisplayName": name,
            "Name": {"GivenName": name, "FamilyName": name},
            "Emails": [{"Value": email or f"{name}@example.org", "Type": "work", "Primary": True}],
        }
        external = [] if external_id is None else [{"Issuer": "scim", "Id": external_id}]
        return self.put_user({**told, **(attributes or {})}, external)

    def put_user(
        self, attributes: Mapping[str, object], external_ids: Sequence[Mapping[str, str]]
    ) -> str:
        """Make a user that has exactly these attributes; return the id."""
        with self._agenda.moment() as now:
            user = User(self._new_id(), dict(attributes), now, external_ids)
            self.users[user.id] = user
            return user.id

    def disable(self, user: str) -> None:
        """Let a user sign in no more; see ``IdentityCenter.sign_in`` for what that leaves."""
        with self._agenda.moment():
            self.users[user].enabled = False

    def enable(self, user: str) -> None:
        """Take that back."""
        with self._agenda.moment():
            self.users[user].enabled = True

    def delete_user(self, user: str) -> None:
        """Delete a user and the user's memberships. What was assigned to the user stays."""
        with self._agenda.moment():
            del self.users[user]
            for group in self.groups_of(user):
                self.remove_member(group, user)

    def add_group(self, name: str, *, description: str | None = None) -> str:
        """Make a group; return its id."""
        with self._agenda.moment() as now:
            group = Group(self._new_id(), name, now, description)
            self.groups[group.id] = group
            return group.id

    def add_member(self, group: str, user: str) -> Membership:
        """Put a user into a group, if not in it."""
        with self._agenda.moment() as now:
            made = Membership(self._new_id(), group, user, now)
            membership = self._membership.setdefault((group, user), made)
            self.memberships.add(membership, now)
            return membership

    def remove_member(self, group: str, user: str) -> None:
        """Take a user out of a group, if in it."""
        with self._agenda.moment() as now:
            membership = self._membership.pop((group, user), None)
            if membership is not None:
                self.memberships.discard(membership, now)

    def membership(self, group: str, user: str) -> Membership | None:
        """That membership, if there is one."""
        with self._agenda.moment():
            return self._membership.get((group, user))

    def has(self, principal_type: PrincipalType, principal: str) -> bool:
        """Whether there is such a user or group."""
        return principal in (self.users if principal_type == "USER" else self.groups)

    def people(self, principal_type: PrincipalType, principal: str) -> frozenset[str]:
        """Who is meant by a user or a group: the ids of users that exist."""
        with self._agenda.moment():
            if principal_type == "USER":
                return frozenset({principal} & self.users.keys())
            return frozenset(user for group, user in self._membership if group == principal)

    def groups_of(self, user: str) -> frozenset[str]:
        """The ids of the groups that a user is in."""
        with self._agenda.moment():
            return frozenset(group for group, member in self._membership if member == user)

    # ── What a call names ────────────────────────────────────────────────────────────────────

    def check(self, said: str) -> None:
        """Raise what AWS answers about the id or ARN of another identity store."""
        if bare(said) != self.id:
            raise no("IDENTITY_STORE")

    def find_user(self, said: str) -> User:
        """The user of an id or ARN. Raises what AWS answers when there is none."""
        user = self.users.get(bare(said))
        if user is None:
            raise no("USER", said)
        return user

    def find_group(self, said: str) -> Group:
        """The group of an id or ARN. Raises what AWS answers when there is none."""
        group = self.groups.get(bare(said))
        if group is None:
            raise no("GROUP", said)
        return group

    def _new_id(self) -> str:
        return f"{self.id.removeprefix('d-')}-{self._ids.uuid()}"


def bare(said: str) -> str:
    """The id in an ARN of the identity store, or the id itself."""
    return said.rpartition("/")[2]


def no(kind: str, said: str | None = None) -> Refusal:
    """Say that there is no such user, group or membership."""
    members = {} if said is None else {"ResourceId": said}
    return not_found(f"{kind} not found.", ResourceType=kind, **members)
