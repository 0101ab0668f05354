"""Whole lifetimes on one seed: people, several drivers, and everything that can go wrong.

Time is simulated, and nothing else is: the broker, the lifecycle, the slots, the policy and a
store are the real ones, over a cloud in memory. After every step the promises are checked
against who can do what in the cloud, not against what the broker believes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ulid import ULID

from jitcloud import lifecycle
from jitcloud.asking import Wish
from jitcloud.controls import EVERYTHING
from jitcloud.errors import CloudRefused, Conflict, JitError, OutcomeUnknown, Throttled, Unavailable
from jitcloud.model import (
    Area,
    BreakGlass,
    Followed,
    Hold,
    Listing,
    Operation,
    Progress,
    Reach,
    Request,
    RequestId,
    Scope,
    Sight,
    Slot,
    State,
)
from jitcloud.ports import Change, Mechanisms, Store
from jitcloud.providers.memory import (
    KIND,
    Fault,
    MemoryAssignments,
    MemoryCloud,
    MemoryMechanism,
)
from jitcloud.stores.memory import MemoryStore
from tests.faults import Killed
from tests.world import POLICY, Time, World, caller

SETTLE = timedelta(seconds=3)
OUTLIVES = timedelta(minutes=10)
PEOPLE = ("ana", "ben", "caro")
RULES = (
    POLICY.replace(
        '@approval("2 of leads")', '@approval("2 of leads")\n@escalate("after 5m to developers")'
    )
    + """
@id("glass")
@review("within 1h by leads")
permit (principal in Group::"developers", action == Action::"breakGlass",
        resource in Environment::"prod")
when { context.duration <= duration("30m") };
@id("may-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);
@id("may-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""
)
SCOPES = (
    EVERYTHING,
    Scope(reach=Reach.PERSON, id="ana"),
    Scope(reach=Reach.ENTITLEMENT, id="prod-write"),
)
ROLES = {"dev-read": "reader", "prod-write": "writer", "prod-admin": "admin"}


class Cloud(MemoryCloud):
    """Remembers what was where when, so that a read can be stale."""

    def __init__(self, clock: Time) -> None:
        super().__init__(clock, late_by=timedelta(seconds=8))
        self.past: list[tuple[datetime, frozenset[tuple[str, str]]]] = []

    def _put(self, what: tuple[str, str], *, present: bool, at: datetime) -> None:
        self.past.append((at, frozenset(self._assigned)))
        super()._put(what, present=present, at=at)

    def plan(self, at: datetime, what: tuple[str, str], *, present: bool) -> None:
        self._landing.append((at, present, what))

    def had(self, person: str, role: str, when: datetime) -> bool:
        self._land()
        for changed_at, before in self.past:
            if changed_at > when:
                return (person, role) in before
        return (person, role) in self._assigned


@dataclass
class Chaos:
    """Decides what goes wrong next, and counts what did."""

    dice: random.Random
    on: bool = True
    down_until: datetime | None = None
    """The cloud refuses everything until then."""
    struck: Counter[str] = field(default_factory=Counter)

    def strikes(self, what: str, chance: float) -> bool:
        if self.on and self.dice.random() < chance:
            self.struck[what] += 1
            return True
        return False


class FlakyStore:
    """A store whose process may die before or after a commit, or which cannot be reached."""

    def __init__(self, store: Store, chaos: Chaos) -> None:
        self._store, self._chaos = store, chaos

    def commit(self, change: Change) -> None:
        if self._chaos.strikes("killed before a commit", 0.01):
            raise Killed
        if self._chaos.strikes("store unavailable", 0.01):
            raise Unavailable("The simulated store is locked.")
        self._store.commit(change)
        if self._chaos.strikes("killed after a commit", 0.01):
            raise Killed

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class FlakyAssignments:
    """The slot kind with faults at every call, and reads that lag within the settle time."""

    name = KIND
    timeout = timedelta(seconds=10)
    settle = SETTLE
    grants = True
    takes_standing = True
    patience = timedelta(minutes=2)

    def __init__(self, cloud: Cloud, chaos: Chaos) -> None:
        self._cloud, self._chaos = cloud, chaos
        self._true = MemoryAssignments(cloud)

    def see(self, slot: Slot, now: datetime) -> Sight:
        if self._chaos.strikes("killed before a read", 0.01):
            raise Killed
        if self._chaos.strikes("read throttled", 0.02):
            raise Throttled("Simulated.")
        if self._chaos.strikes("read unanswered", 0.02):
            raise OutcomeUnknown("Simulated.")
        if self._chaos.strikes("stale read", 0.2):
            back = SETTLE * self._chaos.dice.random()
            person, role = str(slot.where["person"]), str(slot.where["role"])
            return Sight(at=now, present=self._cloud.had(person, role, now - back))
        return self._true.see(slot, now)

    def hold(self, slot: Slot) -> Hold:
        return self._true.hold(slot)

    def area(self, slot: Slot) -> Area | None:
        return self._true.area(slot)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        return self._true.ours(area, after, now)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:
        self._before("put")
        self._true.put(slot, wish, until)
        self._after("put")
        return None

    def remove(self, slot: Slot) -> str | None:
        self._before("remove")
        self._true.remove(slot)
        self._after("remove")
        return None

    def _before(self, call: str) -> None:
        down_until = self._chaos.down_until
        if self._chaos.on and down_until is not None and self._cloud.clock() < down_until:
            self._chaos.struck[f"{call} refused by a cloud that is down"] += 1
            raise CloudRefused("The simulated cloud is down.")
        if self._chaos.strikes(f"killed before {call}", 0.02):
            raise Killed
        fault = self._chaos.dice.choice(list(Fault))
        hit = self._chaos.strikes(f"{call} {fault}", 0.15)
        self._cloud.faults.append(fault if hit else None)

    def _after(self, call: str) -> None:
        if self._chaos.strikes(f"killed after {call}", 0.02):
            raise Killed


@dataclass(frozen=True, slots=True)
class Begun:
    """What a slow cloud was told to do."""

    place: tuple[str, str]
    grants: bool
    ends_at: datetime
    fails: bool


class SlowAssignments(FlakyAssignments):
    """The same cloud where it does everything in its own time, as Identity Center does."""

    def __init__(self, cloud: Cloud, chaos: Chaos) -> None:
        super().__init__(cloud, chaos)
        self._begun: dict[str, Begun] = {}

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - it takes neither marks nor deadlines
        return self._begin(slot, "put", grants=True)

    def remove(self, slot: Slot) -> str | None:
        return self._begin(slot, "remove", grants=False)

    def follow(self, slot: Slot, operation: Operation, now: datetime) -> Followed:
        if self._chaos.strikes("status throttled", 0.05):
            raise Throttled("Simulated.")
        if not operation.id:
            return self._found(slot, now)
        begun = self._begun[operation.id]
        if begun.ends_at > now:
            return Followed(progress=Progress.RUNNING)
        if self._chaos.strikes("status forgotten", 0.05):
            return Followed(progress=Progress.UNKNOWN)
        if begun.fails:
            return Followed(progress=Progress.FAILED, reason="Simulated.")
        return Followed(progress=Progress.DONE)

    def _found(self, slot: Slot, now: datetime) -> Followed:
        for id_, begun in self._begun.items():
            if begun.place == _place(slot) and begun.grants and begun.ends_at > now:
                self._chaos.struck["found again"] += 1
                return Followed(progress=Progress.RUNNING, id=id_)
        return Followed(progress=Progress.UNKNOWN)

    def _begin(self, slot: Slot, call: str, *, grants: bool) -> str:
        self._before(call)
        if self._cloud.faults.pop() is not None:
            raise Throttled("Simulated.")
        now, place = self._cloud.clock(), _place(slot)
        if any(begun.place == place and begun.ends_at > now for begun in self._begun.values()):
            self._chaos.struck["told while it is at it"] += 1
            raise Throttled("It is still at it.")
        takes = self._chaos.dice.choice([1, 5, 20, 60])
        if self._chaos.strikes(f"{call} takes for ever", 0.05):
            takes = 900
        fails = self._chaos.strikes(f"{call} fails", 0.1)
        id_ = f"operation-{len(self._begun)}"
        ends_at = now + timedelta(seconds=takes)
        self._begun[id_] = Begun(place, grants, ends_at, fails)
        if not fails:
            self._cloud.plan(ends_at, place, present=grants)
        if self._chaos.strikes(f"{call} begun, and no answer", 0.1):
            raise OutcomeUnknown("Simulated.")
        self._after(call)
        return id_


def _place(slot: Slot) -> tuple[str, str]:
    return str(slot.where["person"]), str(slot.where["role"])


class Simulation:
    """One seed's worth of lifetimes."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.chaos = Chaos(self.dice)
        self.time = Time()
        self.cloud = Cloud(self.time)
        self.store = MemoryStore()
        self.story: list[str] = []
        self.standing = {
            (person, role)
            for person in PEOPLE
            for role in ROLES.values()
            if self.dice.random() < 0.1
        }
        for person, role in self.standing:
            self.cloud.assign_by_hand(person, role)
        self.edits = 0
        self.slow = self.dice.random() < 0.5
        """Whether the cloud takes its time, and what people make of their access outlives it."""
        self.mechanisms: Mechanisms = {
            KIND: MemoryMechanism(outlives=OUTLIVES if self.slow else None)
        }
        self.last_had: dict[tuple[str, str], datetime] = {}
        self.truth = World(
            folder,
            time=self.time,
            store=self.store,
            cloud_=self.cloud,
            policy_text=RULES,
            mechanisms=self.mechanisms,
        )
        kinds = {KIND: (SlowAssignments if self.slow else FlakyAssignments)(self.cloud, self.chaos)}
        flaky = FlakyStore(self.store, self.chaos)
        self.drivers = [
            World(
                folder,
                time=self.time,
                store=flaky,  # type: ignore[arg-type] # it has the store's methods by delegation
                kinds_=kinds,
                cloud_=self.cloud,
                policy_text=RULES,
                mechanisms=self.mechanisms,
            )
            for _ in range(3)
        ]

    def run(self, steps: int = 60) -> None:
        for _ in range(steps):
            self._step()
            self._check()
        self.chaos.on = False
        self.cloud.faults.clear()
        for _ in range(300):
            self.time.forward(seconds=self.dice.choice([1, 30, 600, 1800]))
            self.drivers[0].sweep()
            self._check()
        assert self._unfinished() == [], self.tell()
        for person in PEOPLE:
            for role in ROLES.values():
                stands = (person, role) in self.standing
                assert self._can(person, role) == stands, self.tell(f"{person} {role}")
        self.truth.verify_all()
        self.happened = {
            line.event.what.type
            for trail in (
                self.store.control_events(),
                *(self.store.events(request.id) for request in self._all()),
            )
            for line in trail
        }
        assert self.store.due(self.time(), 10) == (), self.tell()

    def tell(self, what: str = "") -> str:
        return "\n".join([*self.story, what])

    # ── What happens ─────────────────────────────────────────────────────────────────────────

    def _step(self) -> None:
        driver = self.dice.choice(self.drivers)
        person = self.dice.choice(PEOPLE)
        acts = (
            (3, "asks", self._ask),
            (3, "votes", self._vote),
            (2, "gives back", self._give_back),
            (1, "revokes", self._revoke),
            (1, "withdraws", self._withdraw),
            (2, "extends", self._extend),
            (1, "breaks the glass", self._break_glass),
            (1, "reviews", self._review),
            (1, "brakes", self._brake),
            (0.5, "takes the cloud down", self._go_down),
            (0.3, "edits the policy", self._edit),
            (6, "sweeps", self._sweep),
            (4, "waits", self._wait),
        )
        _, name, act = self.dice.choices(acts, [weight for weight, _, _ in acts])[0]
        said = "done"
        try:
            act(driver, person)
        except Killed:
            said = "and is killed"
        except (JitError, Conflict) as exc:
            said = f"but {type(exc).__name__}: {exc}"
        self.story.append(f"{self.time():%H:%M:%S} {person} {name}, {said}")

    def _ask(self, driver: World, person: str) -> None:
        what = self.dice.choice(list(ROLES))
        start = (
            self.time() + timedelta(minutes=self.dice.randint(1, 20))
            if self.dice.random() < 0.2
            else None
        )
        minutes = self.dice.choice([0.5, 2, 10, 30])
        driver.ask(person, what, minutes=minutes, start=start, id_=self._name())

    def _vote(self, driver: World, person: str) -> None:
        request = self._any(State.PENDING)
        if request is not None and self.dice.random() < 0.9:
            driver.approve(request, person)
        elif request is not None:
            driver.broker.deny(caller(person), request.id, self.time(), "no")

    def _give_back(self, driver: World, person: str) -> None:  # noqa: ARG002 - the holder does
        request = self._any(State.ACTIVE, State.ACTIVATING)
        if request is not None:
            driver.give_back(request, request.person)

    def _revoke(self, driver: World, person: str) -> None:
        request = self._any(State.ACTIVE, State.ACTIVATING, State.SCHEDULED)
        if request is not None:
            driver.broker.revoke(caller(person), request.id, self.time(), "enough")
            if self.dice.random() < 0.5:
                driver.advance.wake(request.id)

    def _withdraw(self, driver: World, person: str) -> None:
        request = self._any(State.PENDING, State.SCHEDULED)
        if request is not None:
            driver.broker.withdraw(caller(person), request.id, self.time())

    def _extend(self, driver: World, person: str) -> None:  # noqa: ARG002 - the holder does
        request = self._any(State.ACTIVE)
        if request is not None:
            glass = self.dice.random() < 0.1
            minutes = self.dice.choice([0.5, 5, 20])
            incident = "INC-1" if glass else None
            wish = Wish(
                duration=timedelta(minutes=minutes),
                justification="not done yet",
                incident=incident,
                break_glass=glass,
            )
            name, now = self._name(), self.time()
            driver.broker.extend(caller(request.person), request.id, wish, now, name)
            driver.advance.wake(name)

    def _break_glass(self, driver: World, person: str) -> None:
        what = self.dice.choice(["prod-write", "prod-admin"])
        minutes = self.dice.choice([0.5, 2, 10])
        facts = {"incident": "INC-1", "break_glass": True, "id_": self._name()}
        driver.ask(person, what, minutes=minutes, **facts)

    def _review(self, driver: World, person: str) -> None:
        owed = driver.broker.unreviewed(caller(person))
        if owed:
            name = self.dice.choice(owed).id
            driver.broker.review(caller(person), name, self.time(), fine=True, note="seen")

    def _brake(self, driver: World, person: str) -> None:
        act = self.dice.choice(
            [driver.broker.stop, driver.broker.resume, driver.broker.resume, driver.broker.end_all]
        )
        act(caller(person), self.dice.choice(SCOPES), self.time(), "just in case")

    def _go_down(self, driver: World, person: str) -> None:  # noqa: ARG002 - somebody at the cloud
        self.chaos.down_until = self.time() + timedelta(minutes=self.dice.choice([1, 5, 15]))

    def _edit(self, driver: World, person: str) -> None:  # noqa: ARG002 - who, is not on record
        self.edits += 1
        driver.policy_text = f"{RULES}// edit {self.edits}\n"
        driver.put_together()

    def _sweep(self, driver: World, person: str) -> None:  # noqa: ARG002 - a machine does
        driver.sweep()

    def _wait(self, driver: World, person: str) -> None:  # noqa: ARG002 - all do
        self.time.forward(seconds=self.dice.choice([0.5, 2, 5, 15, 60, 600]))

    def _name(self) -> RequestId:
        """Name a request by the dice, so that a seed gives the same world again."""
        begin = int(self.time().timestamp() * 1000).to_bytes(6, "big")
        return RequestId(str(ULID.from_bytes(begin + self.dice.randbytes(10))))

    # ── What must be true ────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        record = self._all()
        for person in PEOPLE:
            for name, role in ROLES.items():
                mine = [r for r in record if r.person == person and r.entitlement.id == name]
                self._check_one(person, name, role, mine)

    def _check_one(self, person: str, name: str, role: str, mine: list[Request]) -> None:
        if (person, role) in self.standing:
            # P7: what stood before us stands for ever.
            assert self._can(person, role), self.tell(f"{person} lost standing {role}")
            return
        # P7: whom the record calls active, is in; nobody here takes anything by hand.
        active = [r.id for r in mine if r.state is State.ACTIVE and not self._is_over(r)]
        assert not active or self._can(person, role), self.tell(f"{active} lost {role}")
        if self._can(person, role):
            self.last_had[person, role] = self.time()
        elif not self._may_still_use(person, role):
            return
        # P1, P2, P4: whoever can has a request whose end is recorded, and not said to be over.
        at_work = [r for r in mine if r.state in {State.ACTIVATING, State.ACTIVE, State.ENDING}]
        assert at_work, self.tell(f"{person} has {role} and no unfinished request for it")
        assert all(r.window is not None for r in at_work), self.tell()
        if name != "dev-read":
            # P5: and somebody else said yes.
            for r in at_work:
                for each in (r, *self._extensions(r)):
                    self._check_said_yes(each, person)

    def _is_over(self, request: Request) -> bool:
        return lifecycle.is_over(request, self.time())

    def _may_still_use(self, person: str, role: str) -> bool:
        """Whether something may live that was made of access which is gone."""
        had = self.last_had.get((person, role))
        return self.slow and had is not None and self.time() < had + OUTLIVES

    def _check_said_yes(self, request: Request, person: str) -> None:
        if isinstance(request.decision, BreakGlass):
            assert request.ask.break_glass, self.tell()
            owed = request.review_by is not None or bool(request.reviews)
            assert owed, self.tell(f"{request.id} is never reviewed")
        else:
            assert request.votes, self.tell(f"{request.id} has access without a vote")
        assert all(vote.by != person for vote in request.votes), self.tell()

    def _extensions(self, request: Request) -> list[Request]:
        found = (self.store.request(name) for name in request.prolonged_by)
        return [extension for extension in found if extension is not None]

    def _can(self, person: str, role: str) -> bool:
        return person in self.cloud.who_can(role)

    def _all(self) -> list[Request]:
        found = (self.store.request(name) for name in self.store.ids(1000))
        return [request for request in found if request is not None]

    def _unfinished(self) -> list[Request]:
        return [request for request in self._all() if not request.state.is_finished]

    def _any(self, *states: State) -> Request | None:
        found = [request for request in self._all() if request.state in states]
        return self.dice.choice(found) if found else None
