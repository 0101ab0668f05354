"""Inline policies of IAM roles and users, held to the contract of slot kinds."""

from __future__ import annotations

from abc import abstractmethod

import pytest

from jitcloud.model import Credentials, Place
from jitcloud.ports import SlotKind
from jitcloud.providers.aws import timed_policy
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_policy import KIND, IamPolicy, InlinePolicy
from tests.aws.conftest import Aws, clients_of
from tests.aws.iam_world import NOTHING, an_entitlement, member, reading, rights
from tests.contract.slot_kinds import AreaContract, NewPlace, SlotKindContract, Truth
from tests.factories import a_person

Whose = tuple[dict[str, object], Credentials]
"""The keys of a target that say who gets the rights, and who then acts with them."""


@pytest.fixture(scope="module")
def a_role(aws: Aws) -> Whose:
    role = aws.role(NOTHING)
    return {"role_arn": role}, aws.role_session(role)


@pytest.fixture(scope="module")
def a_user(aws: Aws) -> Whose:
    ana = member(aws)
    return {"users": {"ana": ana.arn}}, ana.key


@pytest.fixture(scope="module")
def blind(aws: Aws) -> Clients:
    return clients_of(aws, aws.user(NOTHING))


class InlinePolicyContract(SlotKindContract, AreaContract):
    @pytest.fixture
    @abstractmethod
    def whose(self) -> Whose: ...

    @pytest.fixture
    def kind(self, clients: Clients) -> SlotKind:
        return InlinePolicy(clients)

    @pytest.fixture
    def powerless(self, blind: Clients) -> SlotKind:
        return InlinePolicy(blind)

    @pytest.fixture
    def buckets(self) -> dict[str, str]:
        """What each policy lets somebody read."""
        return {}

    @pytest.fixture
    def new_place(
        self, aws: Aws, clients: Clients, whose: Whose, buckets: dict[str, str]
    ) -> NewPlace:
        def place() -> Place:
            statements = [reading(bucket := aws.bucket())]
            buckets[timed_policy.policy_name(statements)] = bucket
            entitlement = an_entitlement(KIND, policy=rights(*statements), **whose[0])
            found = IamPolicy(clients).places(entitlement, a_person("ana")).grant
            assert found is not None
            return found

        return place

    @pytest.fixture
    def is_let_in(self, aws: Aws, whose: Whose, buckets: dict[str, str]) -> Truth:
        return lambda slot: aws.can_read(whose[1], buckets[slot.key.rpartition("/")[2]])


class TestPolicyOfARole(InlinePolicyContract):
    @pytest.fixture
    def whose(self, a_role: Whose) -> Whose:
        return a_role


class TestPolicyOfAUser(InlinePolicyContract):
    @pytest.fixture
    def whose(self, a_user: Whose) -> Whose:
        return a_user
