"""What the API ``identitystore`` answers about who is in which group.

https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.identity_store import IdentityStore, Membership, bare, no
from jitcloud.emulators.identity_center.nouns import User
from jitcloud.emulators.identity_center.paging import page
from jitcloud.emulators.identity_center.refusal import conflict


class MembershipCalls:
    """Answers for one identity store."""

    def __init__(self, store: IdentityStore, behaviour: Behaviour) -> None:
        """Answer for this store."""
        self._store = store
        self._behaviour = behaviour

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who answers what."""
        return {
            "CreateGroupMembership": self._create,
            "DeleteGroupMembership": self._delete,
            "GetGroupMembershipId": self._get_id,
            "IsMemberInGroups": self._is_member,
            "ListGroupMemberships": self._list,
            "ListGroupMembershipsForMember": self._list_for_member,
        }

    def _create(self, call: Call) -> Answer:
        group = self._store.find_group(call.params["GroupId"])
        user = self._member(call)
        if self._store.membership(group.id, user.id) is not None:
            raise conflict("Member already exists.", Reason="UNIQUENESS_CONSTRAINT_VIOLATION")
        return self._id(self._store.add_member(group.id, user.id))

    def _delete(self, call: Call) -> Answer:
        said = bare(call.params["MembershipId"])
        found = next((one for one in self._store.memberships if one.id == said), None)
        if found is None:
            raise no("GROUP_MEMBERSHIP")
        self._store.remove_member(found.group, found.user)
        return {}

    def _get_id(self, call: Call) -> Answer:
        group = self._store.find_group(call.params["GroupId"])
        found = self._store.membership(group.id, self._member(call).id)
        if found is None:
            raise no("GROUP_MEMBERSHIP")
        return self._id(found)

    def _is_member(self, call: Call) -> Answer:
        user = self._member(call)
        groups = [self._store.find_group(said).id for said in call.params["GroupIds"]]
        inside = self._store.groups_of(user.id)
        return {
            "Results": [
                {
                    "GroupId": group,
                    "MemberId": {"UserId": user.id},
                    "MembershipExists": group in inside,
                }
                for group in groups
            ]
        }

    def _list(self, call: Call) -> Answer:
        group = self._store.find_group(call.params["GroupId"])
        return self._page(call, (one for one in self._as_of(call) if one.group == group.id))

    def _list_for_member(self, call: Call) -> Answer:
        user = self._member(call)
        return self._page(call, (one for one in self._as_of(call) if one.user == user.id))

    def _as_of(self, call: Call) -> frozenset[Membership]:
        return self._store.memberships.as_of(call.now - self._behaviour.lag)

    def _page(self, call: Call, found: Iterable[Membership]) -> Answer:
        rows = [(one.id, self._told(one)) for one in found]
        return page(call, self._behaviour, "GroupMemberships", rows)

    def _member(self, call: Call) -> User:
        return self._store.find_user(call.params["MemberId"]["UserId"])

    def _told(self, one: Membership) -> Answer:
        return {
            **self._id(one),
            "GroupId": one.group,
            "MemberId": {"UserId": one.user},
            "CreatedAt": one.created_at,
            "UpdatedAt": one.created_at,
        }

    def _id(self, one: Membership) -> Answer:
        return {
            "IdentityStoreId": self._store.id,
            "MembershipId": one.id,
            "MembershipArn": f"arn:aws:identitystore:::membership/{one.id}",
        }
