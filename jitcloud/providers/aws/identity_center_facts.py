"""What Identity Center says about permission sets, remembered for five minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.providers.aws.clients import Clients, SdkClient, translated
from jitcloud.providers.aws.facts import REMEMBERED
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_target import Target
from jitcloud.providers.aws.remembered import Remembered
from jitcloud.providers.aws.sso_roles import is_permission_set
from jitcloud.text import quoted

LONGEST_SESSION = timedelta(hours=12)
"""What a permission set may allow at most, and so what is assumed where it cannot be read.

https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosessionduration.html
"""

MOST_PAGES = 10
"""How many parts of the list of instances are read: an account sees one or two instances."""

_DURATION = TypeAdapter(timedelta)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What Identity Center says about a permission set."""

    name: str = ""
    session: timedelta = LONGEST_SESSION
    """How long a role session of it lives."""
    missing: str = ""
    """Which of it there is not: the permission set, or the instance."""
    unseen: str = ""
    """Why it could not be read; the other facts are then what is safe to assume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryFacts:
    """What bounds a permission set."""

    policy: str | None = None
    """A managed policy of each account, by its path and name; None where there is none."""
    unseen: str = ""
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class SetsFacts:
    """Asks Identity Center. Safe for several threads.

    Every question raises ``Throttled`` or ``OutcomeUnknown`` when AWS does not answer. That it
    refuses to is not remembered: whoever has just been allowed to ask need not wait.
    """

    clients: Clients
    pace: Pace
    """Counts these calls, too: AWS limits all calls of this API together."""
    _sets: Remembered[tuple[object, ...], SetFacts] = field(
        default_factory=lambda: Remembered(REMEMBERED)
    )
    _boundaries: Remembered[tuple[object, ...], BoundaryFacts] = field(
        default_factory=lambda: Remembered(REMEMBERED)
    )

    def permission_set(self, target: Target, now: datetime) -> SetFacts:
        """Its name, and how long its sessions live."""
        try:
            return self._sets.ask(_key(target), now, lambda: self._set(target))
        except CloudRefused as exc:
            return SetFacts(unseen=str(exc))

    def boundary(self, target: Target, now: datetime) -> BoundaryFacts:
        """Its permissions boundary."""
        try:
            return self._boundaries.ask(_key(target), now, lambda: self._boundary(target))
        except CloudRefused as exc:
            return BoundaryFacts(unseen=str(exc))

    # ── Calls ────────────────────────────────────────────────────────────────────────────────

    def _set(self, target: Target) -> SetFacts:
        admin = self._admin(target)
        with self._call(f"sso:DescribePermissionSet on {target.permission_set_arn}"):
            try:
                answer = admin.describe_permission_set(**_asked(target))
            except admin.exceptions.ResourceNotFoundException:
                answer = None
        if answer is None:
            return SetFacts(missing=self._missing(target))
        told = answer["PermissionSet"]
        name = str(told.get("Name", ""))
        if not is_permission_set(name):
            raise CloudRefused(f"AWS names a permission set {quoted(name)}, which none can be.")
        return SetFacts(name=name, session=_session(told))

    def _boundary(self, target: Target) -> BoundaryFacts:
        admin = self._admin(target)
        doing = f"sso:GetPermissionsBoundaryForPermissionSet on {target.permission_set_arn}"
        with self._call(doing):
            try:
                answer = admin.get_permissions_boundary_for_permission_set(**_asked(target))
            except admin.exceptions.ResourceNotFoundException:
                return BoundaryFacts()
        named = answer.get("PermissionsBoundary", {}).get("CustomerManagedPolicyReference")
        if named is None:  # it is AWS's own, which nobody can write
            return BoundaryFacts()
        return BoundaryFacts(policy=f"{named.get('Path', '/')}{named['Name']}")

    def _missing(self, target: Target) -> str:
        """Tell a permission set that was deleted from an instance that is not where we look.

        AWS answers both the same.
        """
        try:
            is_here = target.instance_arn in self._instances(target)
        except CloudRefused:
            is_here = True
        if is_here:
            return (
                f"The permission set {target.permission_set_arn} does not exist; "
                "create it, or correct the catalog."
            )
        return (
            f"There is no Identity Center instance {target.instance.instance} in {target.region}; "
            "correct instance_arn or region in the catalog."
        )

    def _instances(self, target: Target) -> frozenset[str]:
        found: set[str] = set()
        more: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            with self._call(f"sso:ListInstances in {target.region}"):
                page = self._admin(target).list_instances(**more)
            found |= {instance["InstanceArn"] for instance in page["Instances"]}
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        return frozenset(found)

    def _admin(self, target: Target) -> SdkClient:
        return self.clients.sso_admin(target.region, target.account_role)

    @contextmanager
    def _call(self, doing: str) -> Iterator[None]:
        clock = self.clients.clock
        self.pace.call(clock())
        try:
            with translated(doing, denied=_DENIED):
                yield
        except Throttled:
            self.pace.throttled(clock(), begins=False)
            raise
        except CloudRefused:
            self.pace.answered()
            raise
        self.pace.answered()


_DENIED = (
    " Check that the broker, or the account_role it goes through, may read permission sets, which "
    "AWS allows in the management account and in a delegated administrator's alone."
)


def _key(target: Target) -> tuple[object, ...]:
    return target.permission_set_arn, target.region, target.account_role


def _asked(target: Target) -> Mapping[str, str]:
    return {
        "InstanceArn": target.instance_arn,
        "PermissionSetArn": target.permission_set_arn,
    }


def _session(told: Mapping[str, Any]) -> timedelta:
    """How long a session lives, which AWS tells in the form of ISO 8601: ``PT8H``."""
    try:
        session = _DURATION.validate_python(told.get("SessionDuration"))
    except ValidationError:
        return LONGEST_SESSION
    return session if timedelta(0) < session <= LONGEST_SESSION else LONGEST_SESSION
