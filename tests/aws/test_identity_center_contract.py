"""Account assignments, held to the contract of slot kinds; and what else they promise as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from jitcloud.emulators.identity_center import Behaviour
from jitcloud.model import Hold, Place, Slot
from jitcloud.ports import SlotKind
from jitcloud.providers.aws import identity_center_places as places
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_places import KIND
from tests.aws.fake_aws import GOOD, ROLE, FakeAws, says
from tests.aws.identity_center_world import (
    PROD,
    REGION,
    Aws,
    Here,
    an_area,
    clients_of,
    emulated,
)
from tests.contract.slot_kinds import NOW, NewPlace, StandingSlotKindContract, Truth

DENIED = says(400, json.dumps({"__type": "AccessDeniedException", "Message": "as told"}))


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with emulated() as running:
        yield running


@pytest.fixture
def here(aws: Aws, tmp_path: Path) -> Here:
    """Where all is done at once: the contract looks right after each call."""
    return Here(aws, tmp_path, Behaviour(takes=timedelta(0)))


class TestAccountAssignment(StandingSlotKindContract):
    @pytest.fixture
    def kind(self, here: Here) -> SlotKind:
        return here.kind

    @pytest.fixture
    def powerless(self, here: Here, fake: FakeAws) -> SlotKind:
        fake.answers = [DENIED] * 10
        return AccountAssignment(clients_of(fake.url, here.time))

    @pytest.fixture
    def new_place(self, here: Here) -> NewPlace:
        numbers = count(1)

        def place() -> Place:
            user = here.center.store.add_user(f"user-{next(numbers)}")
            return places.place(an_area(here.center, here.admins), "USER", user)

        return place

    @pytest.fixture
    def is_let_in(self, here: Here) -> Truth:
        return lambda slot: slot.where["principal_id"] in here.center.who_can(here.admins, PROD)

    @pytest.fixture
    def by_hand(self, here: Here) -> Callable[[Slot], None]:
        def assign(slot: Slot) -> None:
            here.center.assign_by_hand(str(slot.where["principal_id"]), here.admins, PROD)

        return assign


# ── Places and areas ─────────────────────────────────────────────────────────────────────────


def test_a_place_is_named_by_where_it_is_and_who_gets_it_however_that_is_spelled(
    here: Here,
) -> None:
    user = here.users["ana"]
    area = an_area(here.center, here.admins)
    instance, permission_set = (
        arn.rpartition("/")[2] for arn in (here.center.instance_arn, here.admins)
    )
    place = places.place(area, "USER", user)
    assert area.key == f"{KIND}/{instance}/{PROD}/{permission_set}"
    assert place.key == f"{area.key}/USER/{user}"
    assert places.place(area, "USER", user.upper()).key == place.key
    assert places.place(area, "GROUP", user).key != place.key
    assert place.where == {
        "instance_arn": here.center.instance_arn,
        "region": REGION,
        "permission_set_arn": here.admins,
        "account": PROD,
        "exclusive": True,
        "principal_type": "USER",
        "principal_id": user,
    }


def test_an_assignment_is_seen_however_aws_spells_its_ids(here: Here, fake: FakeAws) -> None:
    told = {
        "AccountId": PROD,
        "PermissionSetArn": here.admins,
        "PrincipalType": "USER",
        "PrincipalId": here.users["ana"].upper(),
    }
    kind = AccountAssignment(clients_of(fake.url, here.time))
    others = [
        {**told, "AccountId": "444455556666"},
        {**told, "PermissionSetArn": here.others},
        {**told, "PrincipalType": "GROUP"},
        {**told, "PrincipalId": here.users["ben"]},
    ]
    for listed, present in (([*others, told], True), (others, False), ([], False)):
        fake.answers = [says(200, json.dumps({"AccountAssignments": listed}))]
        assert kind.see(here.slot(), NOW).present is present


def test_who_is_in_an_area_is_ours_unless_the_catalog_says_that_others_give_it_too(
    here: Here,
) -> None:
    slot = here.slot()
    assert here.kind.hold(slot) is Hold.EXCLUSIVE
    shared = places.area(
        instance_arn=here.center.instance_arn,
        region=REGION,
        permission_set_arn=here.admins,
        account=PROD,
        exclusive=False,
        account_role="arn:aws:iam::111122223333:role/identity-center",
    )
    place = places.place(shared, "USER", here.users["ana"])
    slot = Slot(key=place.key, kind=place.kind, where=place.where)
    assert here.kind.hold(slot) is Hold.SHARED
    assert here.kind.area(slot) == shared


def test_an_area_is_listed_page_by_page_with_all_that_it_takes_to_end_each(here: Here) -> None:
    for person in here.people:
        here.assign(person)
    here.center.assign_by_hand(here.team, here.admins, PROD, "GROUP")
    here.center.assign_by_hand(here.users["ana"], here.others, PROD)
    here.behaviour.page_size, here.behaviour.empty_pages = 2, 1
    area = here.kind.area(here.slot())
    sizes: list[int] = []
    found: set[str] = set()
    after = None
    while after is not None or not sizes:
        # Each page is asked for by a process of its own.
        listing = AccountAssignment(here.aws.clients).ours(area, after, NOW)
        for place in listing.found:
            slot = Slot(key=place.key, kind=place.kind, where=place.where)
            assert here.kind.see(slot, NOW).present
            assert here.kind.area(slot) == area
            found.add(place.key)
        sizes.append(len(listing.found))
        after = listing.after
    assert sizes == [0, 2, 2]
    team = places.place(area, "GROUP", here.team).key
    assert found == {team, *(here.place(person).key for person in here.people)}


def test_an_instance_is_reached_through_a_role_in_an_account_that_administers_it(
    here: Here, aws: Aws, fake: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    area = an_area(here.center, here.admins)
    area = replace(area, where={**area.where, "account_role": ROLE})
    place = places.place(area, "USER", here.users["ana"])
    slot = Slot(key=place.key, kind=place.kind, where=place.where)
    fake.answers = [says(200, GOOD)]
    kind = AccountAssignment(
        Clients(clock=here.time, endpoint_url=fake.url, identity_center_url=aws.server.url)
    )
    assert not kind.see(slot, NOW).present
    kind.put(slot, (), NOW)
    assert kind.see(slot, NOW).present
    assert [asked["RoleArn"] for asked in fake.asked] == [ROLE]


# ── Other clients of the same way ────────────────────────────────────────────────────────────


def test_directory_and_organization_are_reached_where_identity_center_is(here: Here) -> None:
    clients = here.aws.clients
    store = clients.identity_store(REGION)
    answer = store.describe_user(IdentityStoreId=here.center.store.id, UserId=here.users["ana"])
    assert answer["UserName"] == "ana"
    assert store is clients.identity_store(REGION)
    found = clients.organizations("aws").describe_organization()["Organization"]
    assert found["Id"] == here.center.organization.id
    assert clients.organizations("aws-cn").meta.region_name == "cn-north-1"
    assert clients.sso_admin("eu-central-1").meta.region_name == "eu-central-1"
    assert clients.watch.difference is not None
    assert abs(clients.watch.difference) < timedelta(seconds=2)
