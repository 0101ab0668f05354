"""What the API ``identitystore`` answers about users and groups.

https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.identity_store import IdentityStore, no
from jitcloud.emulators.identity_center.nouns import Group, User
from jitcloud.emulators.identity_center.paging import page
from jitcloud.emulators.identity_center.refusal import Refusal, conflict, invalid

_RESERVED = frozenset({"administrator", "awsadministrators"})
_REVISION = "1"


class IdentityStoreCalls:
    """Answers for one identity store."""

    def __init__(self, store: IdentityStore, behaviour: Behaviour) -> None:
        """Answer for this store."""
        self._store = store
        self._behaviour = behaviour

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who answers what."""
        return {
            "CreateGroup": self._create_group,
            "CreateUser": self._create_user,
            "DeleteUser": self._delete_user,
            "DescribeGroup": self._describe_group,
            "DescribeUser": self._describe_user,
            "GetGroupId": self._get_group_id,
            "GetUserId": self._get_user_id,
            "ListGroups": self._list_groups,
            "ListUsers": self._list_users,
        }

    # ── Users ────────────────────────────────────────────────────────────────────────────────

    def _create_user(self, call: Call) -> Answer:
        said = {name: value for name, value in call.params.items() if name != "IdentityStoreId"}
        # "When used in IAM Identity Center, this parameter is required", says the API reference.
        name = said.get("Name", {})
        if (
            not {"UserName", "DisplayName"} <= said.keys()
            or not {
                "FamilyName",
                "GivenName",
            }
            <= name.keys()
        ):
            raise invalid("A user needs UserName, DisplayName, Name.FamilyName and Name.GivenName.")
        if said["UserName"].lower() in _RESERVED:
            raise invalid("This UserName is reserved.")
        if any(user.name == said["UserName"] for user in self._store.users.values()):
            raise _taken("Duplicate UserName")
        user = self._store.put_user(copy.deepcopy(said), [])
        return {**self._id("User", user), "Revision": _REVISION}

    def _delete_user(self, call: Call) -> Answer:
        # What the user is assigned stays: "you should remove permission sets and applications
        # assignments from users or groups you want to delete before deleting them".
        # https://docs.aws.amazon.com/singlesignon/latest/userguide/howtodeletepermissionset.html
        self._store.delete_user(self._store.find_user(call.params["UserId"]).id)
        return {}

    def _describe_user(self, call: Call) -> Answer:
        return self._told_user(self._store.find_user(call.params["UserId"]))

    def _get_user_id(self, call: Call) -> Answer:
        # Values are compared as they are. Whether AWS folds case is not documented.
        asked = call.params["AlternateIdentifier"]
        path, value = _alternate(asked, "userName", "emails.value")
        for user in self._store.users.values():
            known = {"userName": [user.name], "emails.value": _emails(user)}
            if value in known.get(path, user.external_ids):
                return self._id("User", user.id)
        raise no("USER")

    def _list_users(self, call: Call) -> Answer:
        name = _filter(call, "UserName")
        found = [user for user in self._store.users.values() if name in {None, user.name}]
        rows = [(user.id, self._told_user(user)) for user in found]
        return page(call, self._behaviour, "Users", rows)

    def _told_user(self, user: User) -> Answer:
        external = {"ExternalIds": list(user.external_ids)} if user.external_ids else {}
        return {
            **copy.deepcopy(dict(user.attributes)),
            **external,
            **self._id("User", user.id),
            "Revision": _REVISION,
            "UserStatus": "ENABLED" if user.enabled else "DISABLED",
            "CreatedAt": user.created_at,
            "UpdatedAt": user.created_at,
        }

    # ── Groups ───────────────────────────────────────────────────────────────────────────────

    def _create_group(self, call: Call) -> Answer:
        name = call.params.get("DisplayName")
        if name is None or name.lower() in _RESERVED:
            raise invalid("A group needs a DisplayName that is not reserved.")
        if any(group.name == name for group in self._store.groups.values()):
            raise _taken("Duplicate GroupDisplayName")
        group = self._store.add_group(name, description=call.params.get("Description"))
        return {**self._id("Group", group), "Revision": _REVISION}

    def _describe_group(self, call: Call) -> Answer:
        return self._told_group(self._store.find_group(call.params["GroupId"]))

    def _get_group_id(self, call: Call) -> Answer:
        path, value = _alternate(call.params["AlternateIdentifier"], "displayName")
        for group in self._store.groups.values():
            if value in {"displayName": [group.name]}.get(path, group.external_ids):
                return self._id("Group", group.id)
        raise no("GROUP")

    def _list_groups(self, call: Call) -> Answer:
        name = _filter(call, "DisplayName")
        found = [group for group in self._store.groups.values() if name in {None, group.name}]
        rows = [(group.id, self._told_group(group)) for group in found]
        return page(call, self._behaviour, "Groups", rows)

    def _told_group(self, group: Group) -> Answer:
        described = {} if group.description is None else {"Description": group.description}
        return {
            **self._id("Group", group.id),
            **described,
            "DisplayName": group.name,
            "Revision": _REVISION,
            "CreatedAt": group.created_at,
            "UpdatedAt": group.created_at,
        }

    def _id(self, kind: str, resource: str) -> Answer:
        return {
            "IdentityStoreId": self._store.id,
            f"{kind}Id": resource,
            f"{kind}Arn": f"arn:aws:identitystore:::{kind.lower()}/{resource}",
        }


def _emails(user: User) -> Sequence[object]:
    listed = user.attributes.get("Emails", [])
    return [email["Value"] for email in listed] if isinstance(listed, list) else []


def _alternate(asked: Mapping[str, Any], *unique: str) -> tuple[str, object]:
    """The attribute that is asked by, and its value; no attribute if by an external id."""
    if "ExternalId" in asked:
        return "", asked["ExternalId"]
    path = asked["UniqueAttribute"]["AttributePath"]
    named = {name.lower(): name for name in unique}.get(path.lower())
    if named is None:
        raise invalid(f"The attribute {path} is not a unique attribute; ask by {unique}.")
    return named, asked["UniqueAttribute"]["AttributeValue"]


def _filter(call: Call, path: str) -> str | None:
    for asked in call.params.get("Filters", []):
        if asked["AttributePath"].lower() != path.lower():
            raise invalid(f"Filter by {path}.")
        return str(asked["AttributeValue"])
    return None


def _taken(message: str) -> Refusal:
    return conflict(message, Reason="UNIQUENESS_CONSTRAINT_VIOLATION")
