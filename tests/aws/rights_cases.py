"""What a broker can be asked to grant in an emulated AWS, with just the rights that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jitcloud.model import Credentials, Entitlement, Evidence, Request, State
from jitcloud.providers.aws import (
    deny_document,
    deny_text,
    iam_group,
    iam_policy,
    outlook,
    rights_of_catalog,
)
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.iam_group import GroupMembership, IamGroup
from jitcloud.providers.aws.iam_policy import IamPolicy, InlinePolicy
from jitcloud.providers.aws.rights import BROKER
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.stores.memory import MemoryStore
from tests.aws import iam_world
from tests.aws.conftest import Aws, clients_of, named, policy
from tests.aws.iam_world import NOTHING, catalog, may, reading, this_second
from tests.aws.rights_world import Allowed, flat, statements
from tests.world import World, caller

EXTERNAL_ID = "example-corp"
BOUNDARY = "arn:aws:iam::{}:policy/jitcloud-boundary"

Rights = Mapping[str, set[Allowed]]
"""Whose -> what."""


@dataclass
class Case:
    """Something that can be granted, in the broker's account or in another."""

    home: Aws
    """Where the broker is."""
    aws: Aws
    """Where it is granted."""
    mechanism: str
    target: Mapping[str, object]
    bucket: str
    """What Ana can read while she has it."""
    key: Credentials | None = field(default=None, repr=False)
    """With which she does; None where it is what she is handed."""
    clean: Callable[[], object] = lambda: None
    """Take away what a lifetime that failed has left there."""
    own: Credentials = field(init=False, repr=False)
    clients: Clients = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.own = self.home.user(NOTHING)
        self.start_anew()

    def start_anew(self) -> None:
        """Forget what was fetched with rights of before."""
        self.clients = clients_of(self.home, self.own, EXTERNAL_ID)

    @property
    def entitlement(self) -> Entitlement:
        return iam_world.an_entitlement(self.mechanism, **self.target)

    def rights(self, *, to_end: bool = False) -> Rights:
        printed = rights_of_catalog.policies([self.entitlement], to_end=to_end)
        return {whose: flat(documents) for whose, documents in printed.items()}

    def broker(self, rights: Rights) -> Clients:
        """The broker, which has these rights from now on and no others, in either account."""
        for role in rights.keys() - {BROKER}:
            theirs = policy(NOTHING, *statements(rights[role]))
            self.aws.iam().put_role_policy(
                RoleName=named(role), PolicyName="all", PolicyDocument=theirs
            )
        may(self.home, self.own, NOTHING, *statements(rights.get(BROKER, ())))
        return self.clients

    def world(self, clients: Clients, folder: Path, other: World | None = None) -> World:
        """The core with this broker; over the record of another one, if one is given."""
        return World(
            folder,
            time=this_second() if other is None else other.time,
            store=MemoryStore() if other is None else other.store,
            catalog_text=catalog(self.mechanism, dev_read=self.target, prod_write=self.target),
            mechanisms={
                StsSession.name: StsSession(clients),
                iam_group.KIND: IamGroup(clients),
                iam_policy.KIND: IamPolicy(clients),
            },
            kinds_={
                deny_document.KIND: DenyDocument(clients),
                iam_group.KIND: GroupMembership(clients),
                iam_policy.KIND: InlinePolicy(clients),
            },
        )

    def uses(self, world: World, request: Request) -> Credentials:
        """With what Ana uses what she has been granted."""
        return self.key or world.broker.issue(caller("ana"), request.id, world.time)

    def granted(self, world: World) -> tuple[Request, Credentials]:
        """Ask and be let in, as it is when nothing is missing."""
        request = world.ask()
        assert request.state is State.ACTIVE
        assert request.plan is not None
        assert "look" not in " ".join((request.plan.early_end, *request.plan.notes))
        assert self.key or request.plan.early_end == outlook.ENDS_EARLY
        key = self.uses(world, request)
        assert self.aws.can_read(key, self.bucket)
        return request, key

    def ended(self, world: World, request: Request, key: Credentials) -> None:
        """Give back, as it is when nothing is missing."""
        world.give_back(request)
        world.time.forward(seconds=60)
        world.sweep()
        assert not self.aws.can_read(key, self.bucket)
        assert world.now(request).evidence in {Evidence.SEEN_ABSENT, Evidence.SEEN_DENIED}


# ── What can be granted ──────────────────────────────────────────────────────────────────────


def a_session(home: Aws, aws: Aws, through: Mapping[str, object]) -> Case:
    document, bucket, iam = aws.deny_document(), aws.bucket(), aws.iam()

    def fill() -> None:
        # Of as many versions as there may be, one has to be deleted for another.
        there = len(iam.list_policy_versions(PolicyArn=document)["Versions"])
        for _ in range(there, deny_document.MOST_VERSIONS):
            text = deny_text.base_document(document)
            iam.create_policy_version(PolicyArn=document, PolicyDocument=text, SetAsDefault=True)

    fill()
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{home.account}:root"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    }
    role = aws.role(reading(bucket), boundary=document, trust=trust)
    target = {"role_arn": role, "deny_document": document, **through}
    return Case(home, aws, StsSession.name, target, bucket, clean=fill)


def a_membership(home: Aws, aws: Aws, through: Mapping[str, object]) -> Case:
    ana, bucket = iam_world.member(aws), aws.bucket()
    group = iam_world.group(aws, bucket)
    target = {"group_arn": group, "users": {"ana": ana.arn}, **through}

    def clean() -> None:
        with suppress(aws.iam().exceptions.NoSuchEntityException):
            aws.iam().remove_user_from_group(GroupName=named(group), UserName=ana.name)

    return Case(home, aws, iam_group.KIND, target, bucket, ana.key, clean)


def a_policy(home: Aws, aws: Aws, through: Mapping[str, object]) -> Case:
    bucket, role = aws.bucket(), aws.role(NOTHING)
    key = aws.role_session(role, by=aws.user())
    return _writing(home, aws, bucket, key, role_arn=role, **through)


def a_policy_of_a_user(home: Aws, aws: Aws, through: Mapping[str, object]) -> Case:
    ana = iam_world.member(aws)
    return _writing(home, aws, aws.bucket(), ana.key, users={"ana": ana.arn}, **through)


def _writing(home: Aws, aws: Aws, bucket: str, key: Credentials, **target: object) -> Case:
    iam = aws.iam()

    def clean() -> None:
        match target:
            case {"role_arn": str(arn)}:
                for name in iam.list_role_policies(RoleName=named(arn))["PolicyNames"]:
                    if name.startswith("jit-"):
                        iam.delete_role_policy(RoleName=named(arn), PolicyName=name)
            case {"users": {"ana": str(arn)}}:
                for name in iam.list_user_policies(UserName=named(arn))["PolicyNames"]:
                    if name.startswith("jit-"):
                        iam.delete_user_policy(UserName=named(arn), PolicyName=name)

    table = {
        "policy": iam_world.rights(reading(bucket)),
        "permissions_boundary": BOUNDARY.format(aws.account),
        **target,
    }
    return Case(home, aws, iam_policy.KIND, table, bucket, key, clean)


KINDS = (a_session, a_membership, a_policy, a_policy_of_a_user)
