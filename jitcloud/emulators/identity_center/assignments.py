"""Who has which permission set in which account: what exists, and what may come of a change."""

from __future__ import annotations

from datetime import datetime

from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.history import History
from jitcloud.emulators.identity_center.identity_store import IdentityStore
from jitcloud.emulators.identity_center.nouns import Assignment, PrincipalType
from jitcloud.emulators.identity_center.organization import Organization
from jitcloud.emulators.identity_center.permission_sets import PermissionSets
from jitcloud.errors import Invalid
from jitcloud.text import quoted


class Assignments:
    """All of one Identity Center."""

    def __init__(
        self,
        organization: Organization,
        store: IdentityStore,
        sets: PermissionSets,
        behaviour: Behaviour,
    ) -> None:
        """Begin with none."""
        self.organization = organization
        self.store = store
        self.sets = sets
        self._behaviour = behaviour
        self.history: History[Assignment] = History()

    # ── By hand ──────────────────────────────────────────────────────────────────────────────

    def named(
        self, principal: str, permission_set: str, account: str, principal_type: PrincipalType
    ) -> Assignment:
        """That assignment. Raises ``Invalid`` if it names what does not exist."""
        if permission_set not in self.sets.all:
            raise Invalid(f"{quoted(permission_set)} is no permission set here; give its ARN.")
        if not self.organization.has(account):
            raise Invalid(f"{quoted(account)} is no account here; add it first.")
        if not self.store.has(principal_type, principal):
            raise Invalid(f"{quoted(principal)} is no {principal_type} here; give its id.")
        return Assignment(account, permission_set, principal_type, principal)

    def add(self, assignment: Assignment, at: datetime) -> None:
        """Make it exist: the first of a permission set in an account makes the role there."""
        self.sets.ensure(assignment.account, assignment.permission_set, at)
        self.history.add(assignment, at)

    def discard(self, assignment: Assignment, at: datetime) -> None:
        """Make it not exist: the last of a permission set in an account takes the role along."""
        self.history.discard(assignment, at)
        place = assignment.account, assignment.permission_set
        if not any((other.account, other.permission_set) == place for other in self.history):
            self.sets.retire(*place, at)

    # ── By calls ─────────────────────────────────────────────────────────────────────────────

    def create(self, assignment: Assignment, at: datetime) -> str | None:
        """What a create does when it ends; or why it cannot."""
        if assignment.permission_set not in self.sets.all:
            return "Received a 404 status error: the permission set was deleted."
        reason = self._unreachable(assignment)
        if reason is None:
            self.add(assignment, at)
        return reason

    def delete(self, assignment: Assignment, at: datetime) -> str | None:
        """What a delete does when it ends; or why it cannot."""
        orphaned = not self.store.has(assignment.principal_type, assignment.principal)
        reason = self._unreachable(assignment)
        if reason is not None and not (orphaned and self._behaviour.orphaned == "succeeds"):
            return reason
        if assignment not in self.history and self._behaviour.missing != "succeeds":
            # https://github.com/hashicorp/terraform-provider-aws (internal/service/ssoadmin)
            return (
                "Received a 404 status error: EntitlementItem doesn't exist with the given "
                f"entitlement key EntitlementKey{{accessorId=AccessorId{{value="
                f"{assignment.principal}}}, resourceId=ResourceId{{value={assignment.account}}}}}"
            )
        self.discard(assignment, at)
        return None

    def _unreachable(self, assignment: Assignment) -> str | None:
        kind, principal = assignment.principal_type, assignment.principal
        reason = self.organization.unmanageable(assignment.account)
        if reason is None and not self.store.has(kind, principal):
            # https://github.com/hashicorp/terraform-provider-aws/issues/19341
            reason = (
                f"Received a 404 status error: the {kind} assignee {principal} "
                f"was not found in directory {self.store.id}"
            )
        return reason
