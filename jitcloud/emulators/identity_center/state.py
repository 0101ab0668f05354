"""An organization's IAM Identity Center: what is there, what can be done to it, what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from jitcloud.emulators.identity_center.agenda import Agenda
from jitcloud.emulators.identity_center.assignment_calls import AssignmentCalls
from jitcloud.emulators.identity_center.assignments import Assignments
from jitcloud.emulators.identity_center.behaviour import Behaviour
from jitcloud.emulators.identity_center.call import Answer, after
from jitcloud.emulators.identity_center.client import Client
from jitcloud.emulators.identity_center.deny import leaves_anything
from jitcloud.emulators.identity_center.dispatch import Dispatch
from jitcloud.emulators.identity_center.identity_store import IdentityStore
from jitcloud.emulators.identity_center.identity_store_calls import IdentityStoreCalls
from jitcloud.emulators.identity_center.instance import Instance
from jitcloud.emulators.identity_center.membership_calls import MembershipCalls
from jitcloud.emulators.identity_center.names import Ids
from jitcloud.emulators.identity_center.nouns import Assignment, PrincipalType, Session
from jitcloud.emulators.identity_center.organization import Organization
from jitcloud.emulators.identity_center.permission_set_calls import PermissionSetCalls
from jitcloud.emulators.identity_center.permission_sets import PermissionSets
from jitcloud.emulators.identity_center.workflows import Workflows
from jitcloud.errors import Invalid, Refused
from jitcloud.ports import Clock
from jitcloud.text import quoted


class IdentityCenter:
    """An organization, its directory, its permission sets, and who has which of them where.

    Nothing happens by itself: the clock alone says what has happened. ``client("sso-admin")``
    calls it in this process; ``IdentityCenterServer`` answers boto3 for it. Its parts make what
    is needed: ``organization.add_account``, ``store.add_user``, ``permission_sets.add``.

    What it does not have: IAM in the accounts (a customer managed policy that is named as a
    boundary is not looked for), applications, external identity providers, tags on sessions.
    """

    def __init__(
        self,
        clock: Clock,
        behaviour: Behaviour | None = None,
        *,
        region: str = "us-east-1",
        management_account: str = "111122223333",
        seed: str = "jitcloud",
    ) -> None:
        """Make one with a management account and nothing else. Of one seed, ids are the same."""
        self._agenda = agenda = Agenda(clock)
        self.behaviour = behaviour = behaviour or Behaviour()
        ids = Ids(seed)
        instance = f"ssoins-{ids.digits(16)}"
        self.instance_arn = f"arn:aws:sso:::instance/{instance}"
        self.organization = Organization(agenda, behaviour, ids, management_account)
        self.store = IdentityStore(agenda, ids)
        self.permission_sets = PermissionSets(agenda, ids, instance, region)
        self._workflows = Workflows(agenda, behaviour, ids)
        self._assignments = Assignments(
            self.organization, self.store, self.permission_sets, behaviour
        )
        self._dispatch = Dispatch(agenda, behaviour)
        self._answer(
            Instance(
                id=instance,
                store=self.store.id,
                owner=management_account,
                region=region,
                made_at=self.now(),
                behaviour=behaviour,
            )
        )
        self.faults = self._dispatch.faults
        self.calls = self._dispatch.calls
        """How often each operation was called, whatever came of it."""

    # ── Who can do what ──────────────────────────────────────────────────────────────────────

    def holders(self) -> frozenset[Assignment]:
        """All assignments that exist now."""
        with self._agenda.moment():
            return self._assignments.history.now

    def who_can(self, permission_set: str, account: str) -> frozenset[str]:
        """The ids of the users who have a permission set (its ARN) there, themselves or by a group.

        Disabled ones too: "If a user has an active AWS access portal session and you disable the
        user, they can continue to assume new roles until you remove their access."
        https://docs.aws.amazon.com/singlesignon/latest/userguide/revoke-user-permissions.html
        """
        place = account, permission_set
        with self._agenda.moment():
            return frozenset(
                user
                for one in self._assignments.history
                if (one.account, one.permission_set) == place
                for user in self.store.people(one.principal_type, one.principal)
            )

    def sign_in(
        self, user: str, permission_set: str, account: str, *, through_portal: bool = False
    ) -> Session:
        """Give a role session to a user who has the permission set there now.

        Raises ``Refused`` for anybody else, and for a disabled user unless ``through_portal``: by
        a portal session from before.
        """
        with self._agenda.moment() as now:
            found = self.store.users.get(user)
            role = self.permission_sets.role(account, permission_set)
            if found is None or role is None or user not in self.who_can(permission_set, account):
                raise Refused(f"{quoted(user)} does not have this permission set; assign it first.")
            if not found.enabled and not through_portal:
                raise Refused(f"{quoted(user)} is disabled; enable the user first.")
            lives = self.permission_sets.find(permission_set).session
            return Session(
                user=user, user_name=found.name, role=role, issued_at=now, expires_at=now + lives
            )

    def works(self, session: Session, deny_document: Mapping[str, object] | None = None) -> bool:
        """Whether a role session can still do anything: it has not expired, nor is it denied all.

        ``deny_document`` is the policy that bounds the role, ``session.role.boundary_arn``, as it
        is now. Neither the end of the assignment nor that of its role ends a session here: of
        sessions whose role is deleted AWS says nothing, and this is the worse case. Raises
        ``Invalid`` for a document with elements, operators or keys that are not evaluated.
        """
        with self._agenda.moment() as now:
            if now >= session.expires_at:
                return False
        context: dict[str, str | datetime] = {
            "aws:currenttime": now,
            "aws:principalaccount": session.role.account,
            "aws:principalarn": session.role.arn,
            "aws:tokenissuetime": session.issued_at.replace(microsecond=0),
            "aws:userid": f"{session.role.id}:{session.user_name}",
            "identitystore:userid": session.user,
        }
        return deny_document is None or leaves_anything(deny_document, context)

    # ── By hand ──────────────────────────────────────────────────────────────────────────────

    def assign_by_hand(
        self,
        principal: str,
        permission_set: str,
        account: str,
        principal_type: PrincipalType = "USER",
    ) -> Assignment:
        """Assign at once, as somebody in the console does. Raises ``Invalid``."""
        with self._agenda.moment() as now:
            wanted = self._assignments.named(principal, permission_set, account, principal_type)
            self._assignments.add(wanted, now)
            return wanted

    def unassign_by_hand(
        self,
        principal: str,
        permission_set: str,
        account: str,
        principal_type: PrincipalType = "USER",
    ) -> None:
        """Take an assignment away at once, if it exists."""
        with self._agenda.moment() as now:
            unwanted = Assignment(account, permission_set, principal_type, principal)
            self._assignments.discard(unwanted, now)

    def release(self) -> int:
        """Finish now what ``Fault.NEVER_FINISHES`` holds up; return how many that were."""
        with self._agenda.moment() as now:
            return self._workflows.release(now)

    # ── By calls ─────────────────────────────────────────────────────────────────────────────

    def client(self, service: str, *, check: bool = True) -> Client:
        """Make a client for ``sso-admin``, ``identitystore`` or ``organizations``.

        Without ``check`` it is several times as fast, and takes requests that AWS would not.
        """
        operations = self.operations(service)
        if not operations:
            raise Invalid(f"{quoted(service)} is not emulated here; name one of its services.")
        return Client(service, operations, partial(self.call, service, check=check))

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, check: bool = True
    ) -> Answer:
        """Answer a call. Raises what boto3 raises: ``ClientError``, or that the connection ended.

        With ``check`` request and answer are held to AWS's own description of them. Raises
        ``Invalid`` for an operation that is not emulated.
        """
        return self._dispatch.call(service, operation, params, check=check)

    def operations(self, service: str) -> Sequence[str]:
        """The operations of a service that are emulated."""
        return self._dispatch.operations(service)

    def now(self) -> datetime:
        """The emulated time."""
        with self._agenda.moment() as now:
            return now

    def _answer(self, instance: Instance) -> None:
        behaviour, add = self.behaviour, self._dispatch.add
        add("organizations", self.organization.handlers)
        add("sso-admin", instance.handlers)
        for admin in (
            AssignmentCalls(self._assignments, self._workflows, behaviour),
            PermissionSetCalls(self.permission_sets, self.organization, self._workflows, behaviour),
        ):
            add("sso-admin", after(instance.check, "InstanceArn", admin.handlers))
        for people in (
            IdentityStoreCalls(self.store, behaviour),
            MembershipCalls(self.store, behaviour),
        ):
            add("identitystore", after(self.store.check, "IdentityStoreId", people.handlers))
