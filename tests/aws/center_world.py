"""An emulated Identity Center behind HTTP, with an organization and people, for the mechanism."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from botocore.model import OperationModel

from jitcloud.emulators.identity_center import (
    Behaviour,
    Fault,
    IdentityCenter,
    IdentityCenterServer,
)
from jitcloud.model import Entitlement, Person, PersonId, Places, Plan
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.identity_center_places import KIND
from tests.aws.conftest import HOUR
from tests.aws.iam_world import an_entitlement
from tests.world import Time

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROD = "222233334444"
MANAGEMENT = "111122223333"
DOCUMENT = "jitcloud-deny-document"


@dataclass(frozen=True)
class Reach:
    """A server, and clients that have found their credentials: for all tests of a file."""

    server: IdentityCenterServer
    clock: Time
    clients: Clients


@contextmanager
def reaching(endpoint_url: str = "http://127.0.0.1:9") -> Iterator[Reach]:
    """Listen, and reach nothing else but what answers at ``endpoint_url``, for STS."""
    clock = Time(NOON)
    with IdentityCenterServer(IdentityCenter(clock)) as server:
        with pytest.MonkeyPatch.context() as environment:
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
                environment.delenv(name, raising=False)
            environment.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            clients = Clients(
                clock=clock, endpoint_url=endpoint_url, identity_center_url=server.url
            )
            clients.sts("aws")
            for service in (clients.sso_admin, clients.identity_store):
                service("eu-central-1")
            clients.organizations("aws")
        yield Reach(server, clock, clients)


@dataclass
class Here:
    """A small organization of one account, a permission set, and Ana."""

    reach: Reach
    behaviour: Behaviour = field(default_factory=Behaviour)
    session: timedelta = timedelta(hours=2)
    seed: str = "here"

    def __post_init__(self) -> None:
        self.clock = self.reach.clock
        self.clock.now = NOON
        self.center = self.reach.server.center = IdentityCenter(
            self.clock, self.behaviour, region="eu-central-1", seed=self.seed
        )
        self.organization, self.store = self.center.organization, self.center.store
        self.organization.add_account(PROD, "prod")
        self.boundary(DOCUMENT)
        self.ana = self.store.add_user("ana", email="ana@example.com")
        self.waits: list[float] = []
        self.access = self.another()

    def another(self) -> IdentityCenterAccess:
        """A broker that remembers nothing yet."""
        return IdentityCenterAccess(self.reach.clients, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.forward(seconds=seconds)

    def boundary(self, name: str | None, path: str = "/") -> None:
        """Make the permission set anew, with that policy as its boundary."""
        named = {"CustomerManagedPolicyReference": {"Name": name, "Path": path}}
        self.admins = self.center.permission_sets.add(
            "Admins", session=self.session, boundary=None if name is None else named
        )

    # Any: whatever a table may say.
    def target(self, **said: Any) -> dict[str, object]:
        whole = {
            "instance_arn": self.center.instance_arn,
            "identity_store_id": self.store.id,
            "region": "eu-central-1",
            "permission_set_arn": self.admins,
            **({} if {"accounts_in", "accounts_tagged"} & said.keys() else {"account": PROD}),
            **said,
        }
        return {key: value for key, value in whole.items() if value is not None}

    def entitlement(self, **said: Any) -> Entitlement:
        return an_entitlement(KIND, **self.target(**said))

    def plan(self, person: Person | None = None, part: str = "", **said: Any) -> Plan:
        entitlement = self.entitlement(**said)
        return self.access.plan(entitlement, HOUR, self.clock(), part=part, person=person)

    def places(self, person: Person, part: str = "", **said: Any) -> Places:
        return self.access.places(self.entitlement(**said), person, part=part)

    def parts(self, **said: Any) -> tuple[str, ...]:
        return self.access.parts(self.entitlement(**said), self.clock())

    @property
    def calls(self) -> dict[str, int]:
        return dict(self.center.calls)


def somebody(name: str, *emails: str) -> Person:
    return Person(id=PersonId(name), name=name.capitalize(), emails=emails)


ANA = somebody("ana")


@contextmanager
def before(here: Here, operation: str, act: Callable[[int], object]) -> Iterator[None]:
    """Do something before each call of an operation is sent: it is told which one it is."""
    clients = here.reach.clients
    number = count(1)

    def sent(model: OperationModel, **_: object) -> None:
        if model.name == operation:
            act(next(number))

    services = (
        clients.sso_admin("eu-central-1"),
        clients.identity_store("eu-central-1"),
        clients.organizations("aws"),
    )
    for service in services:
        service.meta.events.register("before-call", sent)
    try:
        yield
    finally:
        for service in services:
            service.meta.events.unregister("before-call", sent)


def striking(here: Here, operation: str, call: int, fault: Fault) -> AbstractContextManager[None]:
    """Let a fault strike that one of the calls of an operation: the second, the third …"""

    def strike(number: int) -> None:
        if number == call:
            here.center.faults.append(fault, on=operation)

    return before(here, operation, strike)
