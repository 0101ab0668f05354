"""A cloud in memory, and the mechanism that grants in it: for learning, tests and simulation.

``MemoryCloud`` is a cloud of one kind of assignment, (person, role), which takes no marks and
no deadlines: the hardest kind to end. Its clock is handed in, its faults are queued, and
``who_can`` is the truth.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NoReturn

from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import (
    Area,
    Entitlement,
    Guarantee,
    Hold,
    Listing,
    Person,
    Place,
    Places,
    Plan,
    RequestId,
    Sight,
    Slot,
    SlotKey,
)
from jitcloud.ports import Clock

KIND = "memory.assignment"

PAGE = 100
"""How many people one page of a list names."""


class Fault(StrEnum):
    """What goes wrong with the next call."""

    REFUSED = "refused"
    THROTTLED = "throttled"
    LOST = "lost"
    """The call never arrives, and no answer does."""
    UNANSWERED = "unanswered"
    """The call has its effect, but no answer arrives."""
    LATE = "late"
    """No answer arrives, and the call has its effect ``late_by`` afterwards."""


@dataclass
class MemoryCloud:
    """Who has which role. Thread-safe."""

    clock: Clock
    late_by: timedelta = timedelta(seconds=5)
    faults: deque[Fault | None] = field(default_factory=deque)
    """One for each of the next calls that change something; None lets a call pass."""
    calls: list[str] = field(default_factory=list)
    """What was called, for counting."""
    _assigned: set[tuple[str, str]] = field(default_factory=set)
    _landing: list[tuple[datetime, bool, tuple[str, str]]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def who_can(self, role: str) -> frozenset[str]:
        """Who has the role right now: the truth that a test asserts."""
        with self._lock:
            self._land()
            return frozenset(person for person, had in self._assigned if had == role)

    def holders(self, role: str) -> list[str]:
        """List who has a role, in order: a call, as ``has`` is."""
        with self._lock:
            self._land()
            self.calls.append("holders")
            return sorted(person for person, had in self._assigned if had == role)

    def assign_by_hand(self, person: str, role: str) -> None:
        """Give standing access, as an administrator would."""
        with self._lock:
            self._assigned.add((person, role))

    def unassign_by_hand(self, person: str, role: str) -> None:
        """Take access away behind the broker's back."""
        with self._lock:
            self._assigned.discard((person, role))

    def has(self, person: str, role: str) -> bool:
        """Read one assignment."""
        with self._lock:
            self._land()
            self.calls.append("has")
            return (person, role) in self._assigned

    def set(self, person: str, role: str, *, present: bool) -> None:
        """Create or delete one assignment; both are idempotent."""
        with self._lock:
            self._land()
            self.calls.append("assign" if present else "unassign")
            fault = self.faults.popleft() if self.faults else None
            if fault in {None, Fault.UNANSWERED}:
                self._put((person, role), present=present, at=self.clock())
            if fault is Fault.LATE:
                self._landing.append((self.clock() + self.late_by, present, (person, role)))
        if fault is not None:
            _fail(fault)

    def _put(self, what: tuple[str, str], *, present: bool, at: datetime) -> None:  # noqa: ARG002 - for whoever keeps a history
        (self._assigned.add if present else self._assigned.discard)(what)

    def _land(self) -> None:
        now = self.clock()
        for at, present, what in sorted(self._landing):
            if at <= now:
                self._put(what, present=present, at=at)
        self._landing = [late for late in self._landing if late[0] > now]


def _fail(fault: Fault) -> NoReturn:
    match fault:
        case Fault.REFUSED:
            raise CloudRefused("The memory cloud refuses, as it was told to.")
        case Fault.THROTTLED:
            raise Throttled("The memory cloud is throttled, as it was told to be.")
        case Fault.LOST | Fault.UNANSWERED | Fault.LATE:
            raise OutcomeUnknown("The memory cloud does not answer, as it was told not to.")


@dataclass(frozen=True, slots=True)
class MemoryAssignments:
    """The slot kind: one slot for each (person, role)."""

    cloud: MemoryCloud
    timeout: timedelta = timedelta(seconds=10)
    settle: timedelta = timedelta(0)
    name: str = KIND
    grants: bool = True
    takes_standing: bool = True
    patience: timedelta = timedelta(minutes=2)
    shares: Hold = Hold.EXCLUSIVE

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whether the person has the role."""
        return Sight(at=now, present=self.cloud.has(*_where(slot)))

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - this cloud takes neither marks nor deadlines
        """Give the person the role."""
        self.cloud.set(*_where(slot), present=True)
        return None

    def remove(self, slot: Slot) -> str | None:
        """Take the role from the person."""
        self.cloud.set(*_where(slot), present=False)
        return None

    def hold(self, slot: Slot) -> Hold:  # noqa: ARG002 - it is the same for all
        """Say how its places are known to be ours."""
        return self.shares

    def area(self, slot: Slot) -> Area:
        """Everybody who has this role."""
        return _area(_where(slot)[1])

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:  # noqa: ARG002 - it lags behind nothing
        """Read who has a role, ``PAGE`` people at a time."""
        role = str(area.where["role"])
        people = [person for person in self.cloud.holders(role) if after is None or person > after]
        found = tuple(_place(person, role) for person in people[:PAGE])
        return Listing(found=found, after=people[PAGE - 1] if len(people) > PAGE else None)


@dataclass(frozen=True, slots=True)
class MemoryMechanism:
    """Grants a role of the memory cloud. The target table names it: ``role = "admin"``."""

    name: str = KIND
    guarantee: Guarantee = Guarantee.BROKER
    outlives: timedelta | None = None
    """How long what people make of a role works on once they have lost it; None: not at all."""

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with a catalog entry."""
        role = entitlement.target.get("role")
        if set(entitlement.target) == {"role"} and isinstance(role, str) and role:
            return ()
        return ("the target table must hold exactly one key, role, which names a role",)

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - a role is one thing
        """Name none: a role is one thing."""
        return ()

    def plan(
        self,
        entitlement: Entitlement,  # noqa: ARG002 - it depends on none of them
        duration: timedelta,  # noqa: ARG002 - the same
        now: datetime,  # noqa: ARG002 - the same
        *,
        part: str = "",  # noqa: ARG002 - the same
        person: Person | None = None,  # noqa: ARG002 - the same
    ) -> Plan:
        """Say what granting would mean: the broker alone ends it."""
        return Plan(
            guarantee=self.guarantee, early_end="Giving back takes effect as soon as it is seen."
        )

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - a role is one thing
        """Name the slot of this person and role."""
        place = _place(person.id, str(entitlement.target["role"]))
        return Places(grant=place, outlives=self.outlives)

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - the catalog says it
        """Everybody who has the role."""
        return (_area(str(entitlement.target["role"])),)


def _place(person: str, role: str) -> Place:
    return Place(
        key=SlotKey(f"{KIND}/{person}/{role}"), kind=KIND, where={"person": person, "role": role}
    )


def _area(role: str) -> Area:
    return Area(key=f"{KIND}/{role}", kind=KIND, where={"role": role})


def _where(slot: Slot) -> tuple[str, str]:
    return str(slot.where["person"]), str(slot.where["role"])
