"""The slot kinds that ship, held to the contract. Those of AWS are in ``tests/aws``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from jitcloud.clock import utc_now
from jitcloud.errors import CloudRefused
from jitcloud.model import (
    Cloud,
    Entitlement,
    EntitlementId,
    GroupId,
    Place,
    Privilege,
    Slot,
)
from jitcloud.ports import SlotKind
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud, MemoryMechanism
from tests.contract.slot_kinds import AreaContract, NewPlace, StandingSlotKindContract, Truth
from tests.factories import a_person


class Closed(MemoryCloud):
    """A cloud that refuses its broker everything."""

    def has(self, person: str, role: str) -> bool:
        raise CloudRefused(f"{person} and {role} are none of yours.")

    def holders(self, role: str) -> list[str]:
        raise CloudRefused(f"{role} is none of yours.")

    def set(self, person: str, role: str, *, present: bool) -> None:
        raise CloudRefused(f"{person} and {role} are none of yours ({present}).")


class TestMemoryAssignments(StandingSlotKindContract, AreaContract):
    @pytest.fixture
    def cloud(self) -> MemoryCloud:
        return MemoryCloud(utc_now)

    @pytest.fixture
    def kind(self, cloud: MemoryCloud) -> SlotKind:
        return MemoryAssignments(cloud)

    @pytest.fixture
    def powerless(self) -> SlotKind:
        return MemoryAssignments(Closed(utc_now))

    @pytest.fixture
    def new_place(self) -> NewPlace:
        numbers = count(1)

        def place() -> Place:
            found = MemoryMechanism().places(_ENTITLEMENT, a_person(f"person-{next(numbers)}"))
            assert found.grant is not None
            return found.grant

        return place

    @pytest.fixture
    def is_let_in(self, cloud: MemoryCloud) -> Truth:
        return lambda slot: slot.where["person"] in cloud.who_can(str(slot.where["role"]))

    @pytest.fixture
    def by_hand(self, cloud: MemoryCloud) -> Callable[[Slot], None]:
        return lambda slot: cloud.assign_by_hand(str(slot.where["person"]), str(slot.where["role"]))


_ENTITLEMENT = Entitlement(
    id=EntitlementId("dev-read"),
    title="Read in development",
    cloud=Cloud.AWS,
    mechanism=KIND,
    target={"role": "reader"},
    privilege=Privilege.READ,
    environment="dev",
    owner=GroupId("leads"),
)
