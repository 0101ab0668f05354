"""An emulated Identity Center, its clock, and boto3's own clients for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, IdentityCenterServer
from jitcloud.emulators.surroundings import apart

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROD = "222233334444"
SERVICES = ("sso-admin", "identitystore", "organizations")


def clients(url: str | None = None) -> dict[str, Any]:
    """One for each service; each call is tried once."""
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)
    with apart():
        session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "any", region_name="us-east-1")
        return {
            name: session.client(name, endpoint_url=url, config=once)  # type: ignore[call-overload] # the service is named by a variable
            for name in SERVICES
        }


class SettableClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Aws:
    """A small organization: one account, one permission set, one user, one group."""

    server: IdentityCenterServer
    clients: dict[str, Any]
    clock: SettableClock = field(default_factory=SettableClock)
    behaviour: Behaviour = field(default_factory=Behaviour)

    def __post_init__(self) -> None:
        self.center = self.server.center = IdentityCenter(self.clock, self.behaviour)
        self.center.organization.add_account(PROD, "prod", tags={"stage": "prod"})
        self.admins = self.center.permission_sets.add("Admins", session=timedelta(hours=2))
        self.ada = self.center.store.add_user("ada")
        self.team = self.center.store.add_group("team")
        self.admin, self.store, self.organizations = (self.clients[name] for name in SERVICES)

    @property
    def instance(self) -> dict[str, str]:
        return {"InstanceArn": self.center.instance_arn}

    @property
    def directory(self) -> dict[str, str]:
        return {"IdentityStoreId": self.center.store.id}

    def target(self, **other: str) -> dict[str, str]:
        """What create and delete take."""
        return {
            **self.instance,
            "TargetId": PROD,
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": self.admins,
            "PrincipalType": "USER",
            "PrincipalId": self.ada,
            **other,
        }

    def create(self, **other: str) -> str:
        answer = self.admin.create_account_assignment(**self.target(**other))
        return str(answer["AccountAssignmentCreationStatus"]["RequestId"])

    def delete(self, **other: str) -> str:
        answer = self.admin.delete_account_assignment(**self.target(**other))
        return str(answer["AccountAssignmentDeletionStatus"]["RequestId"])

    def creation(self, request: str) -> dict[str, Any]:
        answer = self.admin.describe_account_assignment_creation_status(
            **self.instance, AccountAssignmentCreationRequestId=request
        )
        return dict(answer["AccountAssignmentCreationStatus"])

    def deletion(self, request: str) -> dict[str, Any]:
        answer = self.admin.describe_account_assignment_deletion_status(
            **self.instance, AccountAssignmentDeletionRequestId=request
        )
        return dict(answer["AccountAssignmentDeletionStatus"])

    def listed(self) -> set[str]:
        """Who has the permission set in the account, as the list says."""
        answer = self.admin.list_account_assignments(
            **self.instance, AccountId=PROD, PermissionSetArn=self.admins
        )
        return {one["PrincipalId"] for one in answer["AccountAssignments"]}

    def who(self) -> set[str]:
        """Who can, in truth."""
        return set(self.center.who_can(self.admins, PROD))


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])
