"""A small organisation with a cloud in memory: the real core, put together for tests.

Ana, Ben and Caro are developers; Ben and Caro also lead, so either may approve what Ana asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud.advance import Advance
from jitcloud.asking import Wish
from jitcloud.audit import chain
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.broker import Broker
from jitcloud.catalog import Catalog
from jitcloud.converge import Converger
from jitcloud.directories.static import StaticDirectory
from jitcloud.facts import Look, Surroundings
from jitcloud.judge import LONGEST, Judge
from jitcloud.ledger import Ledger
from jitcloud.model import (
    BROKER,
    Caller,
    EntitlementId,
    Happening,
    PersonId,
    Request,
    RequestId,
    Slot,
    State,
    Token,
)
from jitcloud.policy import Policy
from jitcloud.ports import Change, Control, Journal, Mechanisms, SlotKinds, Store
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud, MemoryMechanism
from jitcloud.stores.memory import MemoryStore
from jitcloud.sweep import Swept, sweep

PEOPLE = """
[[person]]
id = "ana"
name = "Ana"
emails = ["ana@example.com"]

[[person]]
id = "ben"
name = "Ben"
emails = ["ben@example.com"]

[[person]]
id = "caro"
name = "Caro"
emails = ["caro@example.com"]

[groups.developers]
members = ["ana", "ben", "caro"]

[groups.leads]
members = ["ben", "caro"]
"""

CATALOG = """
[[entitlement]]
id = "dev-read"
title = "Read in development"
cloud = "aws"
mechanism = "memory.assignment"
privilege = "read"
environment = "dev"
owner = "leads"
target = { role = "reader" }

[[entitlement]]
id = "prod-write"
title = "Write in production"
cloud = "aws"
mechanism = "memory.assignment"
privilege = "write"
environment = "prod"
owner = "leads"
target = { role = "writer" }

[[entitlement]]
id = "prod-admin"
title = "Administer production"
cloud = "aws"
mechanism = "memory.assignment"
privilege = "admin"
environment = "prod"
owner = "leads"
target = { role = "admin" }
"""

POLICY = """
@id("dev-self-serve")
permit (principal in Group::"developers", action == Action::"activate",
        resource in Environment::"dev")
when { context.duration <= duration("8h") };

@id("prod-write")
@approval("1 of resource.owner")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { resource.privilege == Privilege::"write" && context.duration <= duration("4h") };

@id("prod-admin")
@approval("2 of leads")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { resource.privilege == Privilege::"admin" && context.duration <= duration("1h") };
"""

START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def caller(person: str, signed_in_at: datetime | None = None) -> Caller:
    return Caller(
        person=PersonId(person),
        token=Token(kind="test", id=f"token-of-{person}"),
        signed_in_at=signed_in_at,
    )


@dataclass
class World:
    """The core over a store and a cloud, both of which may be shared by several worlds."""

    folder: Path
    time: Time = field(default_factory=Time)
    store: Store = field(default_factory=MemoryStore)
    signer: Ed25519Signer = field(
        default_factory=lambda: Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    )
    policy_text: str = POLICY
    catalog_text: str = CATALOG
    people_text: str = PEOPLE
    cloud_: MemoryCloud | None = None
    mechanisms: Mechanisms = field(default_factory=lambda: {KIND: MemoryMechanism()})
    kinds_: SlotKinds | None = None
    journal: Journal | None = None
    look: Look = field(default_factory=Surroundings)
    longest: timedelta = LONGEST

    def __post_init__(self) -> None:
        self.cloud = self.cloud_ or MemoryCloud(self.time)
        self.kinds = self.kinds_ or {KIND: MemoryAssignments(self.cloud)}
        self.put_together()

    def put_together(self) -> None:
        """Read the files again and build the core anew, as a restarted process would."""
        (self.folder / "people.toml").write_text(self.people_text)
        (self.folder / "catalog.toml").write_text(self.catalog_text)
        self.directory = StaticDirectory(self.folder / "people.toml")
        catalog = Catalog.load(self.folder / "catalog.toml", self.mechanisms)
        policy = Policy.from_texts(
            {"test.cedar": self.policy_text}, catalog=catalog, directory=self.directory
        )
        self.ledger = Ledger(self.store, self.signer, self.signer.verifier())
        judge = Judge(
            policy,
            catalog,
            self.directory,
            self.mechanisms,
            look=self.look,
            ledger=self.ledger,
            longest=self.longest,
        )
        self.broker = Broker(self.ledger, judge)
        self.converger = Converger(
            self.store, self.kinds, self.time, self.journal, self.ledger.doubts
        )
        self.advance = Advance(self.ledger, judge, self.converger)

    # ── What people do ───────────────────────────────────────────────────────────────────────

    def ask(
        self, person: str = "ana", what: str = "dev-read", minutes: float = 30, **more: object
    ) -> Request:
        facts = {"justification": "testing", "duration": timedelta(minutes=minutes), **more}
        request = self.broker.request(
            caller(person),
            EntitlementId(what),
            now=self.time(),
            **facts,  # type: ignore[arg-type] # a table of facts, for brevity in tests
        )
        return self.advance.wake(request.id)

    def approve(self, request: Request, person: str = "ben") -> Request:
        self.broker.approve(caller(person), request.id, self.time())
        return self.advance.wake(request.id)

    def extend(
        self, request: Request, minutes: float = 30, person: str = "ana", **more: object
    ) -> Request:
        wish = Wish(
            duration=timedelta(minutes=minutes),
            justification="not done yet",
            **more,  # type: ignore[arg-type] # as in ask
        )
        asked = self.broker.extend(caller(person), request.id, wish, self.time())
        return self.advance.wake(asked.id)

    def give_back(self, request: Request, person: str = "ana") -> Request:
        self.broker.give_back(caller(person), request.id, self.time())
        return self.advance.wake(request.id)

    def sweep(self) -> Swept:
        return sweep(self.advance)

    def sweep_until_quiet(self, step: float = 10, rounds: int = 200) -> None:
        """Let time pass and sweep, until nothing is left to do."""
        self.sweep_until_quiet_but(step=step, rounds=rounds)

    def sweep_until_quiet_but(self, *others: Request, step: float = 10, rounds: int = 200) -> None:
        """Let time pass and sweep, until nothing is left to do for any but these."""
        left_alone = {request.id for request in others}
        for _ in range(rounds):
            self.sweep()
            if all(request.id in left_alone for request in self.unfinished()):
                return
            self.time.forward(seconds=step)
        raise AssertionError(self.unfinished())

    def forge(self, *what: Happening) -> None:
        """Write to the deployment's own trail as whoever can write the record, and has no key."""
        now = self.time()
        controls, events = chain.seal_controls(
            self.store.controls(), what, actor=BROKER, now=now, signer=None
        )
        self.store.commit(Change(control=Control(controls=controls, events=events)))
        self.put_together()

    # ── What is true ─────────────────────────────────────────────────────────────────────────

    def now(self, request: Request | RequestId) -> Request:
        name = request if isinstance(request, str) else request.id
        found = self.store.request(name)
        assert found is not None
        return found

    def unfinished(self) -> list[Request]:
        return [
            request
            for state in State
            if not state.is_finished
            for request in self.store.by_state(state, 1000).requests
        ]

    def slot(self, request: Request) -> Slot:
        place = self.now(request).places.grant
        assert place is not None
        slot = self.store.slot(place.key)
        assert slot is not None
        return slot

    def verify_all(self) -> None:
        for name in self.store.ids(1000):
            chain.verify(self.now(name), self.store.events(name), self.signer.verifier())
