"""Accounts that are set up well, an Identity Center, and the doctor who is to find what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitcloud.doctor import Examined, Finding, Grade, ordered
from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, IdentityCenterServer
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import (
    Cloud,
    Credentials,
    Entitlement,
    EntitlementId,
    GroupId,
    Privilege,
)
from jitcloud.ports import Mechanisms, SlotKinds
from jitcloud.providers.aws import rights_of_catalog
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.doctor import AwsDoctor, Check
from jitcloud.providers.aws.doctor_examination import Examination
from jitcloud.providers.aws.doctor_looks import Looks
from jitcloud.providers.aws.iam_group import GroupMembership, IamGroup
from jitcloud.providers.aws.iam_policy import IamPolicy, InlinePolicy
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.rights import BROKER
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.stores.memory import MemoryStore
from tests.aws import iam_world
from tests.aws.conftest import Aws, named, now, policy, unique

HOME, AWAY = "111122223333", "222233334444"
CORP = "example-corp"
NOBODY = Credentials(access_key_id="", secret_access_key="", session_token="", expires_at=now())
SIMULATING = {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}
LOOKING_UP = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}


def an_entitlement(id_: str, mechanism: str, /, **target: object) -> Entitlement:
    return Entitlement(
        id=EntitlementId(id_),
        title=id_,
        cloud=Cloud.AWS,
        mechanism=mechanism,
        target=target,
        privilege=Privilege.READ,
        environment="dev",
        owner=GroupId("leads"),
    )


def changed(one: Entitlement, id_: str | None = None, /, **target: object) -> Entitlement:
    """The same with other keys, and perhaps by another name; None takes a key out."""
    keys = {**one.target, **target}
    kept = {key: value for key, value in keys.items() if value is not None}
    return an_entitlement(id_ or one.id, one.mechanism, **kept)


def in_reach(clients: Clients) -> tuple[Mechanisms, SlotKinds]:
    """All that grants at AWS."""
    mechanisms = (
        StsSession(clients),
        IamGroup(clients),
        IamPolicy(clients),
        IdentityCenterAccess(clients, pause=no_pause),
    )
    kinds = (
        DenyDocument(clients),
        GroupMembership(clients),
        InlinePolicy(clients),
        AccountAssignment(clients),
    )
    return {one.name: one for one in mechanisms}, {one.name: one for one in kinds}


def no_pause(_: float) -> None:
    pass


def graded(findings: Sequence[Finding], grade: Grade) -> list[Finding]:
    return [finding for finding in findings if finding.grade is grade]


@contextmanager
def environment(credentials: Credentials) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as said:
        said.delenv("AWS_PROFILE", raising=False)
        said.delenv("AWS_SESSION_TOKEN", raising=False)
        said.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        said.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        if credentials.session_token:
            said.setenv("AWS_SESSION_TOKEN", credentials.session_token)
        yield


@contextmanager
def consulting(ministack: Ministack) -> Iterator[Clinic]:
    with IdentityCenterServer(IdentityCenter(now)) as server:
        yield Clinic(ministack, server)


@dataclass
class Clinic:
    """Two accounts: the broker has a role at home, and works in both.

    ``good`` is one entitlement of each mechanism, set up as it should be. Each test takes one
    part of it apart, or makes another.
    """

    ministack: Ministack
    server: IdentityCenterServer
    behaviour: Behaviour = field(default_factory=lambda: Behaviour(rate=None))

    def __post_init__(self) -> None:
        self.home, self.away = (Aws(self.ministack, one, NOBODY) for one in (HOME, AWAY))
        self.anybody = self.home.user()
        self.broker = self.home.role(SIMULATING, LOOKING_UP)
        self.way_in = self.role(self.away, self.trusting("sts:AssumeRole", external_id=CORP))
        self.deny_document = self.away.deny_document()
        self.sign_up()
        self.good = (self.session(), self.group(), self.policy(), self.assignment())
        self.allow(*self.good)
        self.credentials = self.home.role_session(self.broker, self.anybody)
        self.clients = self.reach(self.credentials)

    # ── What there is ────────────────────────────────────────────────────────────────────────

    def sign_up(self) -> None:
        """Have an Identity Center, with the same account."""
        self.center = self.server.center = IdentityCenter(now, self.behaviour)
        self.center.organization.add_account(AWAY, "away")
        bound = {"CustomerManagedPolicyReference": {"Name": named(self.deny_document), "Path": "/"}}
        self.admins = self.center.permission_sets.add("Admins", boundary=bound)
        self.ana = self.center.store.add_user("ana")

    def trusting(
        self, *actions: str, external_id: str | None = None, marked: bool = False
    ) -> dict[str, object]:
        """A statement of a trust policy that lets the broker in."""
        condition: dict[str, dict[str, str]] = {}
        if external_id is not None:
            condition["StringEquals"] = {"sts:ExternalId": external_id}
        if marked:
            condition["StringLike"] = {"aws:RequestTag/jitcloud-request": "?*"}
        said = {"Condition": condition} if condition else {}
        return {
            "Effect": "Allow",
            "Principal": {"AWS": self.broker},
            "Action": list(actions),
            **said,
        }

    def role(self, aws: Aws, *trust: object, boundary: str | None = None) -> str:
        name = unique("role")
        made = aws.iam().create_role(RoleName=name, AssumeRolePolicyDocument=policy(*trust))
        if boundary is not None:
            aws.iam().put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
        return made["Role"]["Arn"]

    def document(self, text: str) -> str:
        """Make a policy that is to be a deny document; return its ARN, which stands for ARN."""
        arn = f"arn:aws:iam::{AWAY}:policy/{(name := unique('document'))}"
        self.away.iam().create_policy(PolicyName=name, PolicyDocument=text.replace("ARN", arn))
        return arn

    def target_role(self, boundary: str | None, external_id: str | None = CORP) -> str:
        return self.role(
            self.away,
            self.trusting("sts:AssumeRole", external_id=external_id, marked=True),
            self.trusting("sts:TagSession", "sts:SetSourceIdentity"),
            boundary=boundary,
        )

    # ── What can be asked for ────────────────────────────────────────────────────────────────

    def session(self, **other: object) -> Entitlement:
        said: dict[str, object] = {
            "external_id": CORP,
            "account_role": self.way_in,
            "deny_document": self.deny_document,
        }
        if "role_arn" not in other:
            said["role_arn"] = self.target_role(self.deny_document)
        return changed(an_entitlement("read", "aws.sts-session", **said), **other)

    def group(self, **other: object) -> Entitlement:
        said = {"group_arn": iam_world.group(self.home), "users": {"ana": self.member()}}
        return changed(an_entitlement("join", "aws.iam-group", **said), **other)

    def member(self) -> str:
        return iam_world.member(self.home).arn

    def policy(self, **other: object) -> Entitlement:
        bound = self.home.managed_policy(iam_world.ANYTHING)
        said = {
            "role_arn": self.role(self.home, self.trusting("sts:AssumeRole"), boundary=bound),
            "permissions_boundary": bound,
            "policy": iam_world.rights(iam_world.reading("bucket")),
        }
        return changed(an_entitlement("deploy", "aws.iam-policy", **said), **other)

    def assignment(self, **other: object) -> Entitlement:
        said = {
            "instance_arn": self.center.instance_arn,
            "identity_store_id": self.center.store.id,
            "region": "us-east-1",
            "permission_set_arn": self.admins,
            "account": AWAY,
            "deny_document": named(self.deny_document),
            "deny_role": named(self.way_in),
        }
        return changed(an_entitlement("admin", "aws.identity-center", **said), **other)

    # ── Who the broker is ────────────────────────────────────────────────────────────────────

    def allow(self, *entitlements: Entitlement) -> None:
        """Give the broker the rights that are printed for these, and no others."""
        printed = rights_of_catalog.policies(entitlements, to_end=False)
        for whose, documents in printed.items():
            aws, role = (self.home, self.broker) if whose == BROKER else (self.away, whose)
            for number, document in enumerate(documents):
                aws.iam().put_role_policy(
                    RoleName=named(role),
                    PolicyName=f"rights-{number}",
                    PolicyDocument=json.dumps(document),
                )
        self.away.iam().put_role_policy(
            RoleName=named(self.way_in), PolicyName="simulates", PolicyDocument=policy(SIMULATING)
        )

    def reach(self, credentials: Credentials, **other: Any) -> Clients:
        """Reach AWS as whoever has these credentials."""
        said: dict[str, Any] = {
            "clock": now,
            "endpoint_url": self.ministack.endpoint_url,
            "external_id": CORP,
            "identity_center_url": self.server.url,
            **other,
        }
        with environment(credentials):
            clients = Clients(**said)
            clients.sts("aws")  # it has found its credentials now, and keeps them
            return clients

    # ── Looking ──────────────────────────────────────────────────────────────────────────────

    def found(self, check: Check, *entitlements: Entitlement, **other: Any) -> list[Finding]:
        """What one check finds, as whoever ``clients`` are."""
        clients = other.pop("clients", self.clients)
        mechanisms, kinds = in_reach(clients)
        said: Mapping[str, Any] = {
            "store": MemoryStore(),
            "external_id": CORP,
            "keeps_journal": False,
            **other,
        }
        examination = Examination(
            Looks(clients, no_pause),
            entitlements=entitlements,
            mechanisms=mechanisms,
            kinds=kinds,
            now=now(),
            **said,
        )
        return list(ordered(check(examination)))

    def examined(self, *entitlements: Entitlement, **other: Any) -> Examined:
        """What the whole doctor finds."""
        clients = other.pop("clients", self.clients)
        mechanisms, kinds = in_reach(clients)
        said = {"store": MemoryStore(), "external_id": CORP, "pause": no_pause, **other}
        doctor = AwsDoctor(clients=clients, mechanisms=mechanisms, kinds=kinds, **said)
        return doctor.examine(entitlements)
