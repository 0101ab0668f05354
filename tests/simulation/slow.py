"""The cloud in memory that does everything in its own time, as Identity Center does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from jitcloud.errors import Throttled
from jitcloud.model import (
    Area,
    Entitlement,
    Followed,
    Listing,
    Operation,
    Person,
    Place,
    Places,
    Progress,
    RequestId,
    Sight,
    Slot,
    SlotKey,
)
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.memory import KIND as QUICK
from jitcloud.providers.memory import MemoryAssignments, MemoryMechanism
from tests.simulation.memory import SETTLE, TIMEOUT, MemoryStage, catalog, place_of, refusal, was
from tests.simulation.stage import Call, Does, Driver, Setting

KIND = "memory.slow"
OUTLIVES = timedelta(minutes=10)
LONGEST_LOST = 2 * TIMEOUT + SETTLE
USUALLY = (1, 5, 20, 60)
FOR_EVER = 900
"""How many seconds an operation takes."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the cloud was told to do."""

    place: tuple[str, str]
    grants: bool
    ends_at: datetime
    fails: bool


class SlowCloud(MemoryStage):
    """Assignments that come and go some time after that was said; sessions of them go on."""

    name = KIND
    roles = ("slow-read", "slow-admin")
    catalog: ClassVar[str] = catalog(
        KIND, ("slow-read", "dev", "read"), ("slow-admin", "prod", "admin")
    )
    outlives = OUTLIVES
    ends_within = timedelta(minutes=5)
    lingers = timedelta(seconds=FOR_EVER + 300)
    see = Call(KIND, "has", Does.READ, TIMEOUT)
    listed = Call(KIND, "list", Does.READ, TIMEOUT)
    put = Call(KIND, "assign", Does.GRANT, TIMEOUT)
    remove = Call(KIND, "unassign", Does.REMOVE, TIMEOUT)
    status = Call(KIND, "status", Does.READ, TIMEOUT)
    calls: ClassVar[tuple[Call, ...]] = (see, listed, put, remove, status)
    own_faults: ClassVar[tuple[str, ...]] = (
        "is stale",
        "operation fails",
        "operation takes for ever",
        "status is forgotten",
        "found again",
        "told while it is at it",
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.begun: dict[str, Begun] = {}

    def join(self, driver: Driver) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:  # noqa: ARG002 - it asks no clock
        return {KIND: SlowMechanism(name=KIND, outlives=OUTLIVES)}, {KIND: SlowKind(self)}

    def begin(self, place: tuple[str, str], *, grants: bool) -> str:
        """Take something up. Raises ``Throttled`` while it is at that place still."""
        now = self.clock()
        if any(each.place == place and each.ends_at > now for each in self.begun.values()):
            self.chaos.strikes(self.name, "told while it is at it", 1)
            raise Throttled("It is still at it.")
        takes = self.chaos.dice.pick(USUALLY)
        if self.chaos.strikes(self.name, "operation takes for ever", 0.03):
            takes = FOR_EVER
        fails = self.chaos.strikes(self.name, "operation fails", 0.06)
        id_ = f"operation-{len(self.begun)}"
        ends_at = now + timedelta(seconds=takes)
        self.begun[id_] = Begun(place, grants, ends_at, fails)
        if not fails:
            self.chaos.at(ends_at, lambda: self.cloud.change(place, present=grants))
        return id_

    def progress(self, slot: Slot, operation: Operation) -> Followed:
        """Say how far an operation is."""
        now, place = self.clock(), place_of(slot)
        if not operation.id:
            grants = operation.verb == "put"
            for id_, each in self.begun.items():
                if each.place == place and each.grants == grants and each.ends_at > now:
                    self.chaos.strikes(self.name, "found again", 1)
                    return Followed(progress=Progress.RUNNING, id=id_)
            return Followed(progress=Progress.UNKNOWN)
        begun = self.begun[operation.id]
        if begun.ends_at > now:
            return Followed(progress=Progress.RUNNING)
        if self.chaos.strikes(self.name, "status is forgotten", 0.05):
            return Followed(progress=Progress.UNKNOWN)
        if begun.fails:
            return Followed(progress=Progress.FAILED, reason="Simulated.")
        return Followed(progress=Progress.DONE)


class SlowMechanism(MemoryMechanism):
    """The real mechanism, for places of another kind."""

    __slots__ = ()

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        places = super().places(entitlement, person, part=part)
        assert places.grant is not None
        return replace(places, grant=slow(places.grant))

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:
        listed = super().areas(entitlement, now)
        return tuple(replace(area, key=area.key.replace(QUICK, KIND), kind=KIND) for area in listed)


def slow(place: Place) -> Place:
    """The same place, of the slow cloud."""
    return replace(place, key=SlotKey(place.key.replace(QUICK, KIND)), kind=KIND)


class SlowKind(MemoryAssignments):
    """The real slot kind where the cloud follows in its own time."""

    __slots__ = ("stage",)

    def __init__(self, stage: SlowCloud) -> None:
        super().__init__(
            stage.cloud, timeout=TIMEOUT, settle=SETTLE, name=KIND, shares=stage.shares
        )
        object.__setattr__(self, "stage", stage)
        self.stage: SlowCloud

    def see(self, slot: Slot, now: datetime) -> Sight:
        stage = self.stage
        has = stage.chaos.call(stage.see, lambda: was(stage), refusal)
        return Sight(at=now, present=place_of(slot) in has)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - it takes neither marks nor deadlines
        stage, place = self.stage, place_of(slot)
        return stage.chaos.call(stage.put, lambda: stage.begin(place, grants=True), refusal)

    def remove(self, slot: Slot) -> str | None:
        stage, place = self.stage, place_of(slot)
        return stage.chaos.call(stage.remove, lambda: stage.begin(place, grants=False), refusal)

    def follow(self, slot: Slot, operation: Operation, now: datetime) -> Followed:
        """Ask how far an operation has come. Of a lost call nothing may have begun yet."""
        stage = self.stage
        found = stage.chaos.call(stage.status, lambda: stage.progress(slot, operation), refusal)
        if found.progress is Progress.UNKNOWN and now - operation.begun_at < LONGEST_LOST:
            return Followed(progress=Progress.RUNNING, id=operation.id)
        return found

    def area(self, slot: Slot) -> Area:
        area = super().area(slot)
        return replace(area, key=area.key.replace(QUICK, KIND), kind=KIND)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        stage, listed = self.stage, super().ours
        found = stage.chaos.call(stage.listed, lambda: listed(area, after, now), refusal)
        return replace(found, found=tuple(slow(place) for place in found.found))
