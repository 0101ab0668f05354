"""What the API ``sso-admin`` answers about assignments.

https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeleteAccountAssignment.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from jitcloud.emulators.identity_center.assignments import Assignments
from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, Call, Handler
from jitcloud.emulators.identity_center.nouns import Assignment
from jitcloud.emulators.identity_center.paging import page
from jitcloud.emulators.identity_center.refusal import conflict, denied, not_found, throttled
from jitcloud.emulators.identity_center.workflows import Kind, Workflows


class AssignmentCalls:
    """Answers for one Identity Center."""

    def __init__(
        self, assignments: Assignments, workflows: Workflows, behaviour: Behaviour
    ) -> None:
        """Answer for these assignments."""
        self._assignments = assignments
        self._workflows = workflows
        self._behaviour = behaviour

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who answers what."""
        return {
            "CreateAccountAssignment": self._create,
            "DeleteAccountAssignment": self._delete,
            "DescribeAccountAssignmentCreationStatus": self._creation,
            "DescribeAccountAssignmentDeletionStatus": self._deletion,
            "ListAccountAssignmentCreationStatus": partial(self._list_status, "creation"),
            "ListAccountAssignmentDeletionStatus": partial(self._list_status, "deletion"),
            "ListAccountAssignments": self._list,
            "ListAccountAssignmentsForPrincipal": self._list_for_principal,
        }

    # ── Create and delete ────────────────────────────────────────────────────────────────────

    def _create(self, call: Call) -> Answer:
        wanted = self._changeable(call)
        if self._behaviour.already == "conflict" and wanted in self._assignments.history:
            raise conflict("The assignment exists already.")
        return {"AccountAssignmentCreationStatus": self._start("creation", call, wanted)}

    def _delete(self, call: Call) -> Answer:
        unwanted = self._changeable(call)
        if self._behaviour.missing == "not found" and unwanted not in self._assignments.history:
            raise not_found("There is no such assignment.")
        return {"AccountAssignmentDeletionStatus": self._start("deletion", call, unwanted)}

    def _changeable(self, call: Call) -> Assignment:
        """What a call is to change, if that can be begun; the rest shows when it ends."""
        account, said = call.params["TargetId"], call.params
        if not self._assignments.organization.has(account):
            raise not_found("There is no such account in the organization.")
        found = self._assignments.sets.find(said["PermissionSetArn"])
        management = self._assignments.organization.management
        if self._behaviour.delegated and (
            account == management or self._assignments.sets.role(management, found.arn) is not None
        ):
            # https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
            raise denied("A delegated administrator manages nothing in the management account.")
        return Assignment(account, found.arn, said["PrincipalType"], said["PrincipalId"])

    def _start(self, kind: Kind, call: Call, assignment: Assignment) -> Answer:
        most = self._behaviour.outstanding
        if most is not None and self._workflows.outstanding("creation", "deletion") >= most:
            # https://github.com/aws-samples/aws-iam-identity-center-extensions/issues/87
            raise throttled("There are too many requests processing. Please try again later.")
        within = self._within(assignment)
        if self._workflows.keeps_out(within):
            raise conflict("Another operation is in progress.")
        act = self._assignments.create if kind == "creation" else self._assignments.delete
        told: Answer = {
            "TargetId": assignment.account,
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": assignment.permission_set,
            "PrincipalType": assignment.principal_type,
            "PrincipalId": assignment.principal,
        }
        return self._workflows.start(kind, call, told, within, partial(act, assignment))

    def _within(self, assignment: Assignment) -> object:
        match self._behaviour.conflicts_within:
            case "assignment":
                return assignment
            case "role":
                return assignment.account, assignment.permission_set
            case "account":
                return assignment.account

    # ── What became of them ──────────────────────────────────────────────────────────────────

    def _creation(self, call: Call) -> Answer:
        request = call.params["AccountAssignmentCreationRequestId"]
        status = self._workflows.find("creation", request).answer
        return {"AccountAssignmentCreationStatus": status}

    def _deletion(self, call: Call) -> Answer:
        request = call.params["AccountAssignmentDeletionRequestId"]
        status = self._workflows.find("deletion", request).answer
        return {"AccountAssignmentDeletionStatus": status}

    def _list_status(self, kind: Kind, call: Call) -> Answer:
        wanted = call.params.get("Filter", {}).get("Status")
        rows = [
            (made.request_id, made.summary)
            for made in self._workflows.of(kind)
            if wanted in {None, made.status}
        ]
        return page(call, self._behaviour, f"AccountAssignments{kind.capitalize()}Status", rows)

    # ── What exists ──────────────────────────────────────────────────────────────────────────

    def _list(self, call: Call) -> Answer:
        place = (
            call.params["AccountId"],
            self._assignments.sets.find(call.params["PermissionSetArn"]).arn,
        )
        found = (one for one in self._as_of(call) if (one.account, one.permission_set) == place)
        return self._page(call, found)

    def _list_for_principal(self, call: Call) -> Answer:
        if self._behaviour.delegated:
            # "This action must be called from the management account", says its reference.
            raise denied("Call this from the management account.")
        kind, principal = call.params["PrincipalType"], call.params["PrincipalId"]
        meant = {(kind, principal)}
        if kind == "USER" and self._behaviour.inherited:
            meant |= {("GROUP", group) for group in self._assignments.store.groups_of(principal)}
        account = call.params.get("Filter", {}).get("AccountId")
        found = (
            one
            for one in self._as_of(call)
            if (one.principal_type, one.principal) in meant and account in {None, one.account}
        )
        return self._page(call, found)

    def _as_of(self, call: Call) -> frozenset[Assignment]:
        return self._assignments.history.as_of(call.now - self._behaviour.lag)

    def _page(self, call: Call, found: Iterable[Assignment]) -> Answer:
        rows = [(_key(one), _told(one)) for one in found]
        return page(call, self._behaviour, "AccountAssignments", rows)


def _key(one: Assignment) -> str:
    return f"{one.account} {one.permission_set} {one.principal_type} {one.principal}"


def _told(one: Assignment) -> Answer:
    return {
        "AccountId": one.account,
        "PermissionSetArn": one.permission_set,
        "PrincipalType": one.principal_type,
        "PrincipalId": one.principal,
    }
