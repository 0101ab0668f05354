"""What the API ``sso-admin`` answers about permission sets.

https://docs.aws.amazon.com/singlesignon/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.nouns import PermissionSet
from jitcloud.emulators.identity_center.organization import Organization
from jitcloud.emulators.identity_center.paging import page
from jitcloud.emulators.identity_center.permission_sets import PermissionSets, Place
from jitcloud.emulators.identity_center.refusal import conflict, denied, invalid, not_found
from jitcloud.emulators.identity_center.workflows import Workflows


class PermissionSetCalls:
    """Answers for one Identity Center."""

    def __init__(
        self,
        sets: PermissionSets,
        organization: Organization,
        workflows: Workflows,
        behaviour: Behaviour,
    ) -> None:
        """Answer for these permission sets."""
        self._sets = sets
        self._organization = organization
        self._workflows = workflows
        self._behaviour = behaviour

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who answers what."""
        return {
            "CreatePermissionSet": self._create,
            "DeletePermissionSet": self._delete,
            "DescribePermissionSet": self._describe,
            "DescribePermissionSetProvisioningStatus": self._status,
            "GetPermissionsBoundaryForPermissionSet": self._get_boundary,
            "ListAccountsForProvisionedPermissionSet": self._list_accounts,
            "ListPermissionSets": self._list,
            "ListPermissionSetsProvisionedToAccount": self._list_provisioned,
            "ListTagsForResource": self._list_tags,
            "ProvisionPermissionSet": self._provision,
            "PutPermissionsBoundaryToPermissionSet": self._put_boundary,
        }

    # ── Permission sets ──────────────────────────────────────────────────────────────────────

    def _create(self, call: Call) -> Answer:
        name = call.params["Name"]
        if any(other.name == name for other in self._sets.all.values()):
            raise conflict(f"PermissionSet with name {name} already exists.")
        made = self._sets.put(
            name,
            call.params.get("SessionDuration", "PT1H"),
            description=call.params.get("Description"),
            relay_state=call.params.get("RelayState"),
            tags={tag["Key"]: tag["Value"] for tag in call.params.get("Tags", [])},
        )
        return {"PermissionSet": _told(made)}

    def _delete(self, call: Call) -> Answer:
        found = self._managed(call)
        if any(arn == found.arn for _, arn in self._sets.provisioned):
            raise conflict("The permission set is provisioned to an account, and is not deleted.")
        del self._sets.all[found.arn]
        return {}

    def _describe(self, call: Call) -> Answer:
        return {"PermissionSet": _told(self._sets.find(call.params["PermissionSetArn"]))}

    def _list(self, call: Call) -> Answer:
        rows = [(arn, arn) for arn in self._sets.all]
        return page(call, self._behaviour, "PermissionSets", rows)

    def _list_tags(self, call: Call) -> Answer:
        resource = call.params["ResourceArn"]
        if ":permissionSet/" not in resource:
            raise not_found("Only permission sets are tagged here.")
        tags = self._sets.find(resource).tags
        rows = [(key, {"Key": key, "Value": value}) for key, value in tags.items()]
        return page(call, self._behaviour, "Tags", rows)

    # ── Permissions boundaries ───────────────────────────────────────────────────────────────

    def _get_boundary(self, call: Call) -> Answer:
        boundary = self._sets.find(call.params["PermissionSetArn"]).boundary
        if boundary is None:
            raise not_found("The permission set has no permissions boundary.")
        return {"PermissionsBoundary": boundary}

    def _put_boundary(self, call: Call) -> Answer:
        boundary = call.params["PermissionsBoundary"]
        if len(boundary) != 1:
            raise invalid("Name either a customer managed policy or an AWS managed one.")
        self._managed(call).boundary = dict(boundary)
        return {}

    # ── Where they are provisioned ───────────────────────────────────────────────────────────

    def _provision(self, call: Call) -> Answer:
        found = self._managed(call)
        if self._workflows.keeps_out(found.arn):
            raise conflict("The permission set is being provisioned.")
        target = call.params.get("TargetId")
        told: Answer = {"PermissionSetArn": found.arn}
        if call.params["TargetType"] == "AWS_ACCOUNT":
            if target is None:
                raise invalid("An AWS_ACCOUNT needs a TargetId.")
            if not self._organization.has(target):
                raise not_found("There is no such account in the organization.")
            told["AccountId"] = target

        def effect(at: datetime) -> str | None:
            if found.arn not in self._sets.all:
                return "Received a 404 status error: the permission set was deleted."
            for account in self._accounts_of(found.arn) if target is None else [target]:
                reason = self._organization.unmanageable(account)
                if reason is not None:
                    return reason
                self._sets.provision(account, found.arn, at)
            return None

        status = self._workflows.start("provisioning", call, told, found.arn, effect)
        return {"PermissionSetProvisioningStatus": status}

    def _status(self, call: Call) -> Answer:
        request = call.params["ProvisionPermissionSetRequestId"]
        status = self._workflows.find("provisioning", request).answer
        return {"PermissionSetProvisioningStatus": status}

    def _list_accounts(self, call: Call) -> Answer:
        arn = self._sets.find(call.params["PermissionSetArn"]).arn
        rows = [(place[0], place[0]) for place in self._places(call) if place[1] == arn]
        return page(call, self._behaviour, "AccountIds", rows)

    def _list_provisioned(self, call: Call) -> Answer:
        account = call.params["AccountId"]
        rows = [(place[1], place[1]) for place in self._places(call) if place[0] == account]
        return page(call, self._behaviour, "PermissionSets", rows)

    def _places(self, call: Call) -> list[Place]:
        places = self._sets.provisioned.as_of(call.now - self._behaviour.lag)
        wanted = call.params.get("ProvisioningStatus")
        return [place for place in places if wanted in {None, self._provisioning(place)}]

    def _provisioning(self, place: Place) -> str:
        role, found = self._sets.role(*place), self._sets.all.get(place[1])
        latest = role is not None and found is not None and role.boundary == found.boundary
        return f"LATEST_PERMISSION_SET_{'' if latest else 'NOT_'}PROVISIONED"

    def _accounts_of(self, arn: str) -> list[str]:
        return [account for account, provisioned in self._sets.provisioned if provisioned == arn]

    def _managed(self, call: Call) -> PermissionSet:
        """The permission set that a call is to change, if its caller may."""
        found = self._sets.find(call.params["PermissionSetArn"])
        if self._behaviour.delegated and self._organization.management in self._accounts_of(
            found.arn
        ):
            raise denied("The permission set is provisioned in the management account.")
        return found


def _told(found: PermissionSet) -> Answer:
    told = {
        "Name": found.name,
        "PermissionSetArn": found.arn,
        "Description": found.description,
        "CreatedDate": found.created_at,
        "SessionDuration": found.session_text,
        "RelayState": found.relay_state,
    }
    return {name: value for name, value in told.items() if value is not None}
