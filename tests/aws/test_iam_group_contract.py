"""Memberships of IAM groups, held to the contract of slot kinds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jitcloud.model import Place, Slot
from jitcloud.ports import SlotKind
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_group import KIND, GroupMembership, IamGroup
from tests.aws.conftest import Aws, clients_of, named
from tests.aws.iam_world import NOTHING, Member, an_entitlement, group, member
from tests.contract.slot_kinds import AreaContract, NewPlace, StandingSlotKindContract, Truth
from tests.factories import a_person


@pytest.fixture(scope="module")
def ana(aws: Aws) -> Member:
    return member(aws)


@pytest.fixture(scope="module")
def blind(aws: Aws) -> Clients:
    return clients_of(aws, aws.user(NOTHING))


class TestGroupMembership(StandingSlotKindContract, AreaContract):
    @pytest.fixture
    def kind(self, clients: Clients) -> SlotKind:
        return GroupMembership(clients)

    @pytest.fixture
    def powerless(self, blind: Clients) -> SlotKind:
        return GroupMembership(blind)

    @pytest.fixture
    def buckets(self) -> dict[str, str]:
        """What the members of each group may read."""
        return {}

    @pytest.fixture
    def new_place(
        self, aws: Aws, clients: Clients, ana: Member, buckets: dict[str, str]
    ) -> NewPlace:
        def place() -> Place:
            bucket = aws.bucket()
            arn = group(aws, bucket)
            buckets[arn] = bucket
            entitlement = an_entitlement(KIND, group_arn=arn, users={"ana": ana.arn})
            found = IamGroup(clients).places(entitlement, a_person("ana")).grant
            assert found is not None
            return found

        return place

    @pytest.fixture
    def is_let_in(self, aws: Aws, ana: Member, buckets: dict[str, str]) -> Truth:
        return lambda slot: aws.can_read(ana.key, buckets[str(slot.where["group_arn"])])

    @pytest.fixture
    def by_hand(self, aws: Aws, ana: Member) -> Callable[[Slot], None]:
        def add(slot: Slot) -> None:
            name = named(str(slot.where["group_arn"]))
            aws.iam().add_user_to_group(GroupName=name, UserName=ana.name)

        return add
