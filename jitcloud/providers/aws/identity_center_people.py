"""Which user of an identity store a person is, right now.

Names and addresses pass from one to another, ids do not: whoever is found is looked up anew for
each decision, by what the directory says of that very person, and the record keeps the user's id.
By name or by e-mail a user is as much a person's as both directories are kept up together; where
somebody who left keeps their user and their address goes to a successor, find people by an
external id, or name them in ``users``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Person
from jitcloud.providers.aws.clients import Clients, translated
from jitcloud.providers.aws.facts import REMEMBERED
from jitcloud.providers.aws.identity_center_ids import is_principal
from jitcloud.providers.aws.identity_center_target import Target
from jitcloud.providers.aws.remembered import Remembered
from jitcloud.text import printable, quoted

LOOKED_UP = timedelta(seconds=5)
"""How long somebody is not looked up again: from an ask to its activation, an instant later as a
rule, or over all accounts of one ask."""

MOST_HANDLES = 10
"""By how many names or addresses one person is looked up."""

_PATHS = {"user-name": "userName", "email": "emails.value"}
"""The two unique attributes that GetUserId takes (botocore's model)."""

_NAMED = {"user-name": "named", "email": "with the e-mail", "external-id": "with the external id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the identity store."""

    id: str
    disabled: bool = False
    names: frozenset[str] = frozenset()
    """Their name and addresses, case-folded."""
    unseen: str = ""
    """Why it could not be looked up whether they are disabled, and what they are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of the identity store."""

    exists: bool = True
    name: str = ""
    unseen: str = ""
    """Why it could not be looked up."""


@dataclass(frozen=True, slots=True)
class People:
    """Asks the identity store. Safe for several threads."""

    clients: Clients
    _users: Remembered[tuple[object, ...], User | str] = field(
        default_factory=lambda: Remembered(LOOKED_UP)
    )
    """A sentence stands for nobody."""
    _groups: Remembered[tuple[object, ...], Group] = field(
        default_factory=lambda: Remembered(REMEMBERED)
    )

    def user(self, target: Target, person: Person, now: datetime) -> User:
        """Find a person's user: by name in two calls, and one more for each name it does not have.

        Raises ``Refused`` where there is none, more than one, or a disabled one; ``CloudError``.
        """
        named, handles = target.users.get(person.id), target.handles(person)
        key = (
            target.identity_store_id,
            target.region,
            target.account_role,
            target.find_user_by,
            target.external_id_issuer,
            named,
            handles,
        )
        found = self._users.ask(key, now, lambda: self._user(target, named, handles))
        if isinstance(found, str):
            raise Refused(found)
        return found

    def group(self, target: Target, now: datetime) -> Group:
        """Look at the group that gets the assignment. Raises ``Throttled``, ``OutcomeUnknown``."""
        key = (target.identity_store_id, target.region, target.account_role, target.group_id)
        known = self._groups.get(key, now)
        if known is not None:
            return known
        try:
            return self._groups.put(key, now, self._group(target))
        except CloudRefused as exc:
            return Group(unseen=str(exc))

    # ── Calls ────────────────────────────────────────────────────────────────────────────────

    def _user(self, target: Target, named: str | None, handles: Sequence[str]) -> User | str:
        if named is not None:
            known = self._described(target, named)
            return _NOT_THERE if known is None else _unless_disabled(known)
        if not handles:
            return (
                "You are looked for in Identity Center by your e-mail, and the directory has none "
                f"of yours; have it added there, or {_IN_USERS}"
            )
        if len(handles) > MOST_HANDLES:
            return (
                f"The directory has more than {MOST_HANDLES} names and addresses of yours, too "
                f"many to look each up in Identity Center; {_IN_USERS}"
            )
        found: User | None = None
        for handle in handles:
            if found is not None and handle.casefold() in found.names:
                continue  # it is theirs, too, and so nobody else's
            id_ = self._id(target, handle)
            if id_ is None or (found is not None and id_ == found.id):
                continue
            if found is not None:
                return (
                    "Identity Center has more than one user that could be yours "
                    f"({_listed(handles, 'and')}); {_IN_USERS}"
                )
            found = self._described(target, id_)  # None if deleted since: as if never there
        if found is None:
            return (
                f"Identity Center has no user {_NAMED[target.find_user_by]} "
                f"{_listed(handles, 'or')}; have yours made there, or {_IN_USERS}"
            )
        return _unless_anothers(target, found)

    def _id(self, target: Target, handle: str) -> str | None:
        # Any: what is asked by is a union, and AWS takes any document as a value.
        asked: dict[str, Any] = {"ExternalId": {"Issuer": target.external_id_issuer, "Id": handle}}
        if target.find_user_by != "external-id":
            path = _PATHS[target.find_user_by]
            asked = {"UniqueAttribute": {"AttributePath": path, "AttributeValue": handle}}
        answer = self._asked(target, "GetUserId", AlternateIdentifier=asked)
        if answer is None:
            return None
        # The API may name a user by an ARN, and an assignment takes none.
        id_ = str(answer["UserId"]).rpartition("/")[2]
        if not is_principal(id_):
            raise CloudRefused(f"Identity Center names a user {quoted(id_)}, which is no user id.")
        return id_

    def _described(self, target: Target, user: str) -> User | None:
        """The user of this id; None if there is none."""
        try:
            answer = self._asked(target, "DescribeUser", UserId=user)
        except CloudRefused as exc:
            return User(id=user, unseen=str(exc))
        if answer is None:
            return None
        emails = [email.get("Value", "") for email in answer.get("Emails", ())]
        return User(
            id=user,
            disabled=answer.get("UserStatus") == "DISABLED",
            # Only of the kind that is looked up by: one's address may be another's user name.
            names=frozenset(
                name.casefold()
                for name in (
                    emails if target.find_user_by == "email" else [answer.get("UserName", "")]
                )
            ),
        )

    def _group(self, target: Target) -> Group:
        answer = self._asked(target, "DescribeGroup", GroupId=target.group_id)
        if answer is None:
            return Group(exists=False)
        return Group(name=printable(str(answer.get("DisplayName", ""))))

    # Any: the answers of different calls.
    def _asked(self, target: Target, operation: str, **params: Any) -> dict[str, Any] | None:  # noqa: ANN401 - see above
        """Ask the identity store; None where it has no such user or group."""
        store = self.clients.identity_store(target.region, target.account_role)
        call = {
            "GetUserId": store.get_user_id,
            "DescribeUser": store.describe_user,
            "DescribeGroup": store.describe_group,
        }[operation]
        doing = f"identitystore:{operation} in {target.identity_store_id}"
        with translated(doing, denied=_DENIED):
            try:
                return dict(call(IdentityStoreId=target.identity_store_id, **params))
            except store.exceptions.ResourceNotFoundException as exc:
                if exc.response.get("ResourceType") != "IDENTITY_STORE":
                    return None
                raise Refused(
                    f"There is no identity store {target.identity_store_id} in {target.region}; "
                    "ask whoever keeps the catalog to correct identity_store_id or region."
                ) from exc


_NOT_THERE = (
    "The user of Identity Center that the catalog names as yours does not exist; "
    "ask whoever keeps the catalog to correct its users."
)
_IN_USERS = "ask whoever keeps the catalog to name the id of yours in its users."
_DENIED = (
    " Check that the broker, or the account_role it goes through, may look users and groups up "
    "in this identity store."
)


def _unless_anothers(target: Target, user: User) -> User | str:
    if user.id.casefold() in {known.casefold() for known in target.users.values()}:
        return (
            "The user of Identity Center that could be yours is named in the catalog as somebody "
            f"else's; {_IN_USERS}"
        )
    return _unless_disabled(user)


def _unless_disabled(user: User) -> User | str:
    if user.disabled:
        return "Your user in Identity Center is disabled; have it enabled, and ask again."
    return user


def _listed(handles: Sequence[str], joint: str) -> str:
    return f" {joint} ".join(quoted(handle) for handle in handles)
