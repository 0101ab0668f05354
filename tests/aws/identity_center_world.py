"""The real core over an emulated Identity Center, reached by boto3 over HTTP, in emulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from jitcloud.emulators.identity_center import (
    Assignment,
    Behaviour,
    IdentityCenter,
    IdentityCenterServer,
)
from jitcloud.emulators.identity_center.call import Answer
from jitcloud.emulators.identity_center.client import Client
from jitcloud.model import (
    Area,
    Entitlement,
    Guarantee,
    Person,
    Place,
    Places,
    Plan,
    Request,
    RequestId,
    Slot,
    State,
)
from jitcloud.ports import Store
from jitcloud.providers.aws import identity_center_places as places
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.stores.memory import MemoryStore
from tests.aws.iam_world import PEOPLE, catalog
from tests.world import Time, World

PROD, DEV = "222233334444", "333344445555"
REGION = "us-east-1"
TAKES = timedelta(seconds=5)
SETTLE = timedelta(seconds=10)

_FAR = datetime(9999, 1, 1, tzinfo=UTC)

CREATE, DELETE = "CreateAccountAssignment", "DeleteAccountAssignment"
CREATION = "DescribeAccountAssignmentCreationStatus"
DELETION = "DescribeAccountAssignmentDeletionStatus"
CREATIONS = "ListAccountAssignmentCreationStatus"
OF_PRINCIPAL, OF_PLACE = "ListAccountAssignmentsForPrincipal", "ListAccountAssignments"


@dataclass
class Moving:
    """The clock of whichever world is tried just now."""

    time: Time = field(default_factory=Time)

    def __call__(self) -> datetime:
        return self.time()


@dataclass(frozen=True)
class Aws:
    """A server, whose Identity Center is another one in each test, and a way to it."""

    server: IdentityCenterServer
    clock: Moving
    clients: Clients

    def begin(self, behaviour: Behaviour | None = None, time: Time | None = None) -> IdentityCenter:
        """Make one with two accounts; the clock is that of ``time`` from now on."""
        self.clock.time = time or Time()
        center = self.server.center = _center(behaviour, self.clock.time)
        return center


@contextmanager
def emulated() -> Iterator[Aws]:
    clock = Moving()
    with IdentityCenterServer(IdentityCenter(clock)) as server:
        yield Aws(server, clock, clients_of(server.url, clock))


@dataclass(frozen=True)
class Heard:
    """A call, and what came of it."""

    at: datetime
    operation: str
    error: str
    """The code that was answered; empty where it was done."""


class _InProcess(Clients):
    def __init__(self, center: IdentityCenter, nearby: Nearby) -> None:
        super().__init__(clock=center.now)
        self._center, self._nearby = center, nearby
        self._client = Client("sso-admin", center.operations("sso-admin"), self._call)

    def sso_admin(self, region: str, through: str | None = None) -> Client:  # noqa: ARG002 - there is one
        return self._client

    def _call(self, operation: str, params: Mapping[str, object]) -> Answer:
        self._nearby.before(operation)
        error = ""
        try:
            return self._center.call("sso-admin", operation, params, check=False)
        except ClientError as exc:
            error = str(exc.response["Error"]["Code"])
            raise
        finally:
            self._nearby.heard.append(Heard(self._center.now(), operation, error))


@dataclass
class Nearby:
    """The same without HTTP and boto3: for thousands of calls."""

    before: Callable[[str], object] = str
    """Told of each call before it is made."""
    heard: list[Heard] = field(default_factory=list)
    clients: Clients = field(init=False)

    def begin(self, behaviour: Behaviour | None = None, time: Time | None = None) -> IdentityCenter:
        center = _center(behaviour, time or Time())
        self.clients = _InProcess(center, self)
        return center


def _center(behaviour: Behaviour | None, time: Time) -> IdentityCenter:
    center = IdentityCenter(time, behaviour)
    for account in (PROD, DEV):
        center.organization.add_account(account, account)
    return center


def clients_of(url: str, clock: Callable[[], datetime]) -> Clients:
    """Reach what answers there, with credentials that nobody looks at."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "any")
        clients = Clients(clock=clock, identity_center_url=url)
        clients.sso_admin(REGION)  # it has found its credentials now, and keeps them
        return clients


def an_area(center: IdentityCenter, permission_set: str, account: str = PROD) -> Area:
    return places.area(
        instance_arn=center.instance_arn,
        region=REGION,
        permission_set_arn=permission_set,
        account=account,
    )


@dataclass(frozen=True)
class Direct:
    """A mechanism whose target names a place as it is, but for who gets it."""

    center: IdentityCenter
    users: Mapping[str, str]
    name: str = KIND
    guarantee: Guarantee = Guarantee.BROKER

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:  # noqa: ARG002 - tests write it rightly
        return ()

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - it is one place
        return ()

    def plan(
        self,
        entitlement: Entitlement,  # noqa: ARG002 - it is the same for all
        duration: timedelta,  # noqa: ARG002 - the same
        now: datetime,  # noqa: ARG002 - the same
        *,
        part: str = "",  # noqa: ARG002 - the same
        person: Person | None = None,  # noqa: ARG002 - the same
    ) -> Plan:
        return Plan(guarantee=self.guarantee, early_end="It is taken away.")

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - it is one place
        (area,), group = self.areas(entitlement, _FAR), entitlement.target.get("group")
        if group is not None:
            return Places(grant=places.place(area, "GROUP", str(group)))
        return Places(grant=places.place(area, "USER", self.users[person.id]))

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - they never change
        target = entitlement.target
        return (an_area(self.center, str(target["set"]), str(target["account"])),)


@dataclass
class Here:
    """A broker that gives a permission set in ``PROD`` (and another one in ``DEV``) to people.

    ``dev-read`` and ``prod-write`` are two ways to one place; ``prod-admin`` is another one.
    """

    aws: Aws | Nearby
    folder: Path
    behaviour: Behaviour = field(default_factory=Behaviour)
    people: Sequence[str] = PEOPLE
    group: bool = False
    """Whether a group gets it, with everybody in it."""
    time: Time = field(default_factory=Time)
    store: Store = field(default_factory=MemoryStore)
    by: Callable[[Store], Store] = lambda store: store
    """By what the first broker reaches the store."""
    pace: Callable[[], Pace] = Pace

    def __post_init__(self) -> None:
        self.center = self.aws.begin(self.behaviour, self.time)
        self.admins = self.center.permission_sets.add("Admins")
        self.others = self.center.permission_sets.add("Others")
        self.users = {person: self.center.store.add_user(person) for person in self.people}
        self.team = self.center.store.add_group("team")
        self.calls = self.center.calls
        self.faults = self.center.faults
        self.start(self.by(self.store))

    def start(self, store: Store | None = None) -> World:
        """Put the broker together, as a process that starts does: it knows what is on record."""
        target = {"set": self.admins, "account": PROD}
        target |= {"group": self.team} if self.group else {}
        self.kind = AccountAssignment(self.aws.clients, settle=SETTLE, pace=self.pace())
        self.world = World(
            self.folder,
            time=self.time,
            store=store or self.store,
            catalog_text=catalog(
                KIND,
                dev_read=target,
                prod_write=target,
                prod_admin={"set": self.others, "account": DEV},
            ),
            people_text=_people(self.people),
            mechanisms={KIND: Direct(self.center, self.users)},
            kinds_={KIND: self.kind},
        )
        return self.world

    # ── What is true ─────────────────────────────────────────────────────────────────────────

    def who(self) -> set[str]:
        """Who can, in truth."""
        can = self.center.who_can(self.admins, PROD)
        return {person for person, user in self.users.items() if user in can}

    def state(self, request: Request) -> State:
        return self.world.now(request).state

    def trouble(self, request: Request) -> str:
        return self.world.slot(request).trouble

    def slot(self, person: str = "ana") -> Slot:
        """A slot of the place that nobody has ever driven."""
        place = self.place(person)
        return Slot(key=place.key, kind=place.kind, where=place.where)

    def place(self, person: str = "ana") -> Place:
        return places.place(an_area(self.center, self.admins), "USER", self.users[person])

    # ── What happens ─────────────────────────────────────────────────────────────────────────

    def assign(self, person: str = "ana") -> Assignment:
        """Assign by hand what is granted."""
        return self.center.assign_by_hand(self.users[person], self.admins, PROD)

    def unassign(self, person: str = "ana") -> None:
        self.center.unassign_by_hand(self.users[person], self.admins, PROD)

    def pass_time(self, **by: float) -> None:
        """Let time pass, and sweep at each instant at which something is due."""
        until = self.time() + timedelta(**by)
        while (due := self.next_due()) is not None and due <= until:
            self.on()
        self.time.now = until

    def until(self, holds: Callable[[], bool], within: timedelta) -> timedelta:
        """Go from one due instant to the next until it holds; return how long that took."""
        began = self.time()
        while not holds():
            self.on()
            assert self.time() <= began + within, self.world.unfinished()
        return self.time() - began

    def on(self) -> None:
        """Go to the next instant at which something is due, and sweep."""
        due = self.next_due()
        assert due is not None, "nothing more will happen"
        self.time.now = max(self.time(), due)
        self.sweep()

    def sweep(self) -> None:
        """Do all that is due at this instant."""
        for _ in range(100):
            self.world.sweep()
            due = self.next_due()
            if due is None or due > self.time():
                return
        raise AssertionError("something stays due for ever")

    def next_due(self) -> datetime | None:
        due = self.store.due(_FAR, 1)
        return due[0].wake_at if due else None

    def let_in(self, person: str = "ana", what: str = "dev-read", minutes: float = 30) -> Request:
        """Have somebody asked, approved and let in."""
        request = self.world.ask(person, what, minutes)
        if self.state(request) is State.PENDING:
            self.world.approve(request)
        self.until(lambda: self.state(request) is State.ACTIVE, timedelta(minutes=5))
        return self.world.now(request)

    def gone(self, request: Request) -> Request:
        """Give back, and go on until it is known to be gone."""
        self.world.give_back(request, request.person)
        return self.ended(request)

    def ended(self, request: Request, within: timedelta = timedelta(minutes=10)) -> Request:
        """Go on until a request is finished; never may that be said while anybody can."""
        name: RequestId = request.id
        self.until(lambda: self.world.now(name).state.is_finished, within)
        self.world.verify_all()
        return self.world.now(name)


def _people(people: Sequence[str]) -> str:
    each = (
        f'[[person]]\nid = "{person}"\nname = "{person}"\nemails = ["{person}@example.com"]\n'
        for person in people
    )
    named = ", ".join(f'"{person}"' for person in people)
    leads = ", ".join(f'"{person}"' for person in people[1:3])
    return (
        "\n".join(each)
        + f"""
[groups.developers]
members = [{named}]

[groups.leads]
members = [{leads}]
"""
    )
