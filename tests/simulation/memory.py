"""The clouds in memory: one that acts at once, and one that does everything in its own time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import (
    SKEW,
    Area,
    Credentials,
    EntitlementId,
    Hold,
    Listing,
    PersonId,
    Request,
    RequestId,
    Sight,
    Slot,
)
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud, MemoryMechanism
from tests.simulation.dice import Dice
from tests.simulation.stage import PEOPLE, Access, Call, Does, Driver, Setting, Trouble

TIMEOUT = timedelta(seconds=10)
LAG = timedelta(seconds=3)
SETTLE = LAG + SKEW
"""Reads may be as old as that; and an instant that one driver has written is read by another whose
clock is not the same."""

FOREIGNER = "zed"
"""Somebody the directory does not know, to whom others give what is asked for here."""

ENTITLEMENT = """
[[entitlement]]
id = "{id}"
title = "{title}"
cloud = "aws"
mechanism = "{mechanism}"
privilege = "{privilege}"
environment = "{environment}"
owner = "leads"
target = {{ role = "{id}" }}
"""


def catalog(mechanism: str, *wanted: tuple[str, str, str]) -> str:
    """Write a part of the catalog: an id, an environment and a privilege each."""
    return "".join(
        ENTITLEMENT.format(
            id=id_, title=id_, mechanism=mechanism, environment=environment, privilege=privilege
        )
        for id_, environment, privilege in wanted
    )


def refusal(trouble: Trouble) -> Exception:
    """What a slot kind raises for each trouble."""
    match trouble:
        case Trouble.THROTTLED:
            return Throttled("The simulated cloud is throttled.")
        case Trouble.DOWN:
            return CloudRefused("The simulated cloud is down.")
        case Trouble.NO_ANSWER:
            return OutcomeUnknown("The simulated cloud does not answer.")


class Remembered(MemoryCloud):
    """A cloud in memory that remembers what was where when, so that a read can be stale."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.clock)
        self.past: list[tuple[datetime, frozenset[tuple[str, str]]]] = []
        self.now_has: frozenset[tuple[str, str]] = frozenset()
        self.taken: frozenset[tuple[str, str]] = frozenset()

    def had(self, when: datetime) -> frozenset[tuple[str, str]]:
        """Who had which role then."""
        for changed_at, before in self.past:
            if changed_at > when:
                return before
        return self.now_has

    def begin_with(self, place: tuple[str, str]) -> None:
        """Have a place filled that has been so for long: no read is as old as that."""
        self._put(place, present=True, at=self.clock())
        self.now_has = frozenset(self._assigned)

    def change(self, place: tuple[str, str], *, present: bool, by_hand: bool = False) -> None:
        """Fill a place or empty it."""
        if (place in self.now_has) == present:
            return
        self.past = [*self.past[-20:], (self.clock(), self.now_has)]
        self._put(place, present=present, at=self.clock())
        self.now_has = frozenset(self._assigned)
        self.taken = self.taken | {place} if by_hand and not present else self.taken - {place}


class MemoryStage:
    """What both clouds have in common. Names of roles are those of entitlements."""

    name: ClassVar[str] = ""
    held_by_cloud: ClassVar[bool] = False
    settle: ClassVar[timedelta] = SETTLE
    ends_within: ClassVar[timedelta] = timedelta(0)
    lingers: ClassVar[timedelta] = timedelta(0)
    roles: ClassVar[tuple[str, ...]] = ()
    lets_in: ClassVar[Mapping[EntitlementId, PersonId]] = {}
    outlives: ClassVar[timedelta | None] = None

    def __init__(self, setting: Setting) -> None:
        self.clock, self.chaos = setting.clock, setting.chaos
        self.cloud = Remembered(setting)
        self.shares = Hold.SHARED if setting.dice.chance(0.3) else Hold.EXCLUSIVE
        self.is_cleared = setting.compared and self.shares is Hold.EXCLUSIVE
        self._standing: frozenset[Access] = frozenset()
        self._foreign: set[tuple[str, str]] = set()
        self._sessions: dict[Access, datetime] = {}
        self._known: tuple[frozenset[tuple[str, str]], frozenset[Access]] = (
            frozenset(),
            frozenset(),
        )

    def join(self, driver: Driver) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        raise NotImplementedError

    def access(self) -> frozenset[Access]:
        """Who has which role."""
        has = self.cloud.now_has
        if self._known[0] is not has:
            made = frozenset(Access(PersonId(p), EntitlementId(r)) for p, r in has if p in PEOPLE)
            self._known = (has, made)
        return self._known[1]

    def outlived(self) -> frozenset[Access]:
        """Whose sessions go on."""
        if not self._sessions:
            return frozenset()
        now = self.clock()
        return frozenset(each for each, until in self._sessions.items() if now < until)

    def standing(self) -> frozenset[Access]:
        return self._standing

    def taken(self) -> frozenset[Access]:
        return frozenset(Access(PersonId(p), EntitlementId(r)) for p, r in self.cloud.taken)

    def complaints(self) -> tuple[str, ...]:
        lost = self._foreign - self.cloud.now_has if self._foreign else self._foreign
        return tuple(f"{who} lost {role}, which others gave" for who, role in sorted(lost))

    def by_hand(self, dice: Dice, *, before: bool) -> str | None:
        """Give somebody standing access; later, give to strangers, or take what we gave."""
        role = dice.pick(self.roles)
        if before:
            person = dice.pick(PEOPLE)
            if self.is_cleared or not dice.chance(0.5):
                return None
            self.cloud.begin_with((person, role))
            self._standing |= {Access(PersonId(person), EntitlementId(role))}
            return f"{person} has {role} from before"
        if dice.chance(0.5):
            if self.is_cleared:
                return None
            self.cloud.change((FOREIGNER, role), present=True, by_hand=True)
            self._foreign.add((FOREIGNER, role))
            return f"somebody gives {role} to {FOREIGNER}"
        ours = sorted(self.access() - self._standing)
        if not ours:
            return None
        one = dice.pick(ours)
        self.cloud.change((one.person, one.entitlement), present=False, by_hand=True)
        return f"somebody takes {one.entitlement} from {one.person} by hand"

    def used(self, person: PersonId, entitlement: EntitlementId) -> str | None:
        """Begin a session that outlives the access, where this cloud has such."""
        one = Access(person, entitlement)
        if self.outlives is None or one not in self.access():
            return None
        self._sessions[one] = self.clock() + self.outlives
        return f"{person} begins a session of {entitlement}"

    def received(self, request: Request, credentials: Credentials) -> None:
        """No credentials are handed out here."""

    def close(self) -> None:
        """It holds nothing."""


# ── The cloud that acts at once ──────────────────────────────────────────────────────────────


class QuickCloud(MemoryStage):
    """Assignments that are there, or gone, as soon as that was said."""

    name = KIND
    roles = ("quick-read", "quick-write", "quick-admin")
    catalog: ClassVar[str] = catalog(
        KIND,
        ("quick-read", "dev", "read"),
        ("quick-write", "prod", "write"),
        ("quick-admin", "prod", "admin"),
    )
    see = Call(KIND, "has", Does.READ, TIMEOUT)
    listed = Call(KIND, "list", Does.READ, TIMEOUT)
    put = Call(KIND, "assign", Does.GRANT, TIMEOUT)
    remove = Call(KIND, "unassign", Does.REMOVE, TIMEOUT)
    calls: ClassVar[tuple[Call, ...]] = (see, listed, put, remove)
    own_faults: ClassVar[tuple[str, ...]] = ("is stale",)

    def join(self, driver: Driver) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:  # noqa: ARG002 - it asks no clock
        return {KIND: MemoryMechanism()}, {KIND: QuickKind(self)}


class QuickKind(MemoryAssignments):
    """The real slot kind, whose every call passes through what goes wrong."""

    __slots__ = ("stage",)

    def __init__(self, stage: QuickCloud) -> None:
        super().__init__(stage.cloud, timeout=TIMEOUT, settle=SETTLE, shares=stage.shares)
        object.__setattr__(self, "stage", stage)
        self.stage: QuickCloud

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read a place, perhaps as it was a moment ago."""
        stage = self.stage
        has = stage.chaos.call(stage.see, lambda: was(stage), refusal)
        return Sight(at=now, present=place_of(slot) in has)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - it takes neither marks nor deadlines
        cloud, place = self.stage.cloud, place_of(slot)
        self.stage.chaos.call(self.stage.put, lambda: cloud.change(place, present=True), refusal)
        return None

    def remove(self, slot: Slot) -> str | None:
        cloud, place = self.stage.cloud, place_of(slot)
        self.stage.chaos.call(
            self.stage.remove, lambda: cloud.change(place, present=False), refusal
        )
        return None

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        listed = super().ours
        return self.stage.chaos.call(self.stage.listed, lambda: listed(area, after, now), refusal)


def was(stage: MemoryStage) -> frozenset[tuple[str, str]]:
    """Who has what, by a read that may lag behind."""
    age = stage.chaos.age(stage.name, LAG)
    return stage.cloud.had(stage.clock() - age) if age else stage.cloud.now_has


def place_of(slot: Slot) -> tuple[str, str]:
    """Which place a slot is."""
    return str(slot.where["person"]), str(slot.where["role"])
