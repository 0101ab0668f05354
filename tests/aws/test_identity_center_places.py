"""Where a permission set that was given lives, and what the record keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jitcloud import slots
from jitcloud.adapters import clouds
from jitcloud.emulators.identity_center import Fault
from jitcloud.errors import CloudError, CloudRefused, Refused
from jitcloud.model import Denied, Place, Request, State
from jitcloud.providers.aws import deny_document
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_accounts import MOST_ACCOUNTS
from jitcloud.providers.aws.identity_center_people import LOOKED_UP
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.settings import AwsSettings, Settings
from tests.aws.center_world import ANA, DOCUMENT, PROD, Here, Reach, reaching, somebody
from tests.aws.iam_world import an_entitlement, catalog
from tests.world import World

DENY: dict[str, Any] = {"deny_document": DOCUMENT, "deny_role": "jitcloud-account"}
DOOR = "arn:aws:iam::111122223333:role/jitcloud-identity-center"


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as reach:
        yield reach


@pytest.fixture
def here(reach: Reach) -> Here:
    return Here(reach)


def granted(here: Here, **said: Any) -> Place:
    found = here.places(ANA, **said).grant
    assert found is not None
    return found


def ids(here: Here) -> tuple[str, str]:
    """Of the instance and the permission set."""
    return here.center.instance_arn.rpartition("/")[2], here.admins.rpartition("/")[2]


# ── The assignment ───────────────────────────────────────────────────────────────────────────


def test_a_place_names_all_that_its_end_needs(here: Here) -> None:
    instance, permission_set = ids(here)
    found = here.places(ANA)
    assert found.grant == Place(
        key=f"aws.identity-center/{instance}/{PROD}/{permission_set}/USER/{here.ana}",  # type: ignore[arg-type] # a key is text
        kind="aws.identity-center",
        where={
            "instance_arn": here.center.instance_arn,
            "region": "eu-central-1",
            "permission_set_arn": here.admins,
            "account": PROD,
            "exclusive": True,
            "principal_type": "USER",
            "principal_id": here.ana,
        },
    )
    assert found.denial is None
    assert found.outlives == here.session


def test_a_place_says_whether_others_give_access_there(here: Here) -> None:
    assert granted(here, exclusive=False).where["exclusive"] is False
    assert granted(here, exclusive=False).key == granted(here).key


def test_one_user_in_one_account_is_one_place_however_they_are_found(here: Here) -> None:
    eve = here.store.add_user("eve", email="eve@example.com", external_id="e-1")
    by_id = {"find_user_by": "external-id", "external_id_issuer": "scim"}
    found = [
        here.places(somebody("eve")),
        here.places(somebody("e", "eve@example.com"), find_user_by="email"),
        here.places(somebody("e-1"), **by_id),
        here.places(ANA, users={"ana": eve}),
    ]
    assert len({place.grant.key for place in found if place.grant is not None}) == 1
    assert all(place.grant is not None for place in found)


def test_a_group_gets_the_assignment_and_no_deny_document(here: Here) -> None:
    team = here.store.add_group("team")
    instance, permission_set = ids(here)
    found = here.places(somebody("nobody"), group_id=team)
    assert found.grant is not None
    assert found.grant.key == f"{KIND}/{instance}/{PROD}/{permission_set}/GROUP/{team}"
    assert found.grant.where["principal_type"] == "GROUP"
    assert found.grant.where["principal_id"] == team
    assert (found.denial, found.outlives) == (None, here.session)
    assert here.calls == {"DescribePermissionSet": 1}


def test_whoever_has_no_user_or_a_disabled_one_has_no_place(here: Here) -> None:
    with pytest.raises(Refused, match='Identity Center has no user named "ben"'):
        here.places(somebody("ben"))
    here.store.disable(here.ana)
    with pytest.raises(Refused, match="Your user in Identity Center is disabled"):
        here.places(ANA)


@pytest.mark.parametrize("operation", ["DescribePermissionSet", "GetUserId"])
@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.INTERNAL, Fault.HANG_UP])
def test_without_knowing_the_permission_set_or_the_user_there_is_no_place(
    here: Here, operation: str, fault: Fault
) -> None:
    here.center.faults.append(fault, on=operation)
    with pytest.raises(CloudError):
        here.places(ANA)
    assert here.places(ANA).outlives == here.session


def test_a_permission_set_that_was_deleted_gives_no_place(here: Here) -> None:
    del here.center.permission_sets.all[here.admins]
    with pytest.raises(CloudRefused, match="does not exist; create it, or correct the catalog"):
        here.places(ANA)


def test_where_it_may_not_be_told_whether_somebody_is_disabled_they_have_a_place(
    here: Here,
) -> None:
    here.center.faults.append(Fault.DENIED, on="DescribeUser")
    assert granted(here).where["principal_id"] == here.ana


# ── The deny document ────────────────────────────────────────────────────────────────────────


def test_the_denial_is_in_the_account_s_own_document(here: Here) -> None:
    found = here.places(ANA, **DENY).denial
    arn = f"arn:aws:iam::{PROD}:policy/{DOCUMENT}"
    assert found == Place(
        key=f"aws.deny-document/{arn}",  # type: ignore[arg-type] # a key is text
        kind="aws.deny-document",
        where={
            "policy_arn": arn,
            "account_role": f"arn:aws:iam::{PROD}:role/jitcloud-account",
        },
        detail=f"sso {here.ana} Admins",
    )


def test_it_is_the_document_that_handed_out_sessions_are_ended_by(here: Here) -> None:
    arn = f"arn:aws:iam::{PROD}:policy/{DOCUMENT}"
    session = an_entitlement(
        StsSession.name,
        role_arn=f"arn:aws:iam::{PROD}:role/admin",
        deny_document=arn,
        account_role=f"arn:aws:iam::{PROD}:role/jitcloud-account",
    )
    other = StsSession(here.reach.clients).places(session, ANA).denial
    ours = here.places(ANA, **DENY).denial
    assert ours is not None
    assert other is not None
    assert replace(other, detail="") == replace(ours, detail="")
    assert ours.kind == deny_document.KIND


def test_without_a_role_there_the_document_is_in_the_broker_s_own_account(here: Here) -> None:
    found = here.places(ANA, deny_document=DOCUMENT).denial
    assert found is not None
    assert "account_role" not in found.where


# ── Several accounts ─────────────────────────────────────────────────────────────────────────


def test_each_account_is_a_place_and_a_document_of_its_own(here: Here) -> None:
    unit = here.organization.add_unit("dev")
    for account in ("444444444444", "555555555555"):
        here.organization.add_account(account, "dev", parent=unit)
    said = {"accounts_in": unit, **DENY}
    found = [here.places(ANA, part=part, **said) for part in here.parts(**said)]
    assert [place.grant.where["account"] for place in found if place.grant is not None] == [
        "444444444444",
        "555555555555",
    ]
    assert [place.denial.where["policy_arn"] for place in found if place.denial is not None] == [
        f"arn:aws:iam::444444444444:policy/{DOCUMENT}",
        f"arn:aws:iam::555555555555:policy/{DOCUMENT}",
    ]


@pytest.mark.parametrize("part", ["", "prod", "44444444444", f"{PROD}/x"])
def test_what_is_no_account_is_none_of_several(here: Here, part: str) -> None:
    with pytest.raises(Refused, match="dev-read is several accounts; ask for it again, for each"):
        here.places(ANA, part=part, accounts_in=here.organization.root)


def test_an_account_that_is_not_meant_has_no_place(here: Here) -> None:
    unit = here.organization.add_unit("dev")
    for account, words in (
        (PROD, "is none of the accounts in ou-"),
        ("9" * 12, "is not in the org"),
    ):
        with pytest.raises(Refused, match=words):
            here.places(ANA, part=account, accounts_in=unit)
    here.organization.add_account(PROD, "prod", parent=unit)
    here.organization.set_state(PROD, "SUSPENDED")
    here.clock.forward(seconds=300)
    with pytest.raises(Refused, match="is suspended, so nothing can be given there"):
        here.places(ANA, part=PROD, accounts_in=unit)


def test_the_catalog_s_one_account_is_the_account_whatever_part_is_named(here: Here) -> None:
    assert granted(here, part="999999999999").where["account"] == PROD


# ── Areas ────────────────────────────────────────────────────────────────────────────────────


def test_an_area_is_a_permission_set_in_an_account(here: Here) -> None:
    (area,) = here.access.areas(here.entitlement(), here.clock())
    instance, permission_set = ids(here)
    assert area.key == f"aws.identity-center/{instance}/{PROD}/{permission_set}"
    assert area == AccountAssignment(here.reach.clients).area(slots.at(granted(here)))
    assert here.calls == {"DescribePermissionSet": 1, "GetUserId": 1, "DescribeUser": 1}


def test_an_area_is_reached_as_its_places_are(here: Here) -> None:
    entitlement = here.entitlement(account_role=DOOR, exclusive=False)
    (area,) = here.access.areas(entitlement, here.clock())
    assert (area.where["account_role"], area.where["exclusive"]) == (DOOR, False)
    assert here.calls == {}


def test_there_is_an_area_for_each_account_though_they_are_too_many_to_ask_for(here: Here) -> None:
    unit = here.organization.add_unit("many")
    assert here.access.areas(here.entitlement(accounts_in=unit), here.clock()) == ()
    for number in range(MOST_ACCOUNTS + 1):
        here.organization.add_account(f"{number:012d}", "many", parent=unit)
    areas = here.access.areas(here.entitlement(accounts_in=unit), here.clock())
    assert [area.where["account"] for area in areas] == [
        f"{number:012d}" for number in range(MOST_ACCOUNTS + 1)
    ]


def test_areas_that_cannot_be_told_are_not_taken_for_none(here: Here) -> None:
    here.center.faults.append(Fault.DENIED, on="ListAccountsForParent")
    for said in ({"accounts_in": here.organization.root}, {"accounts_in": "ou-abcd-00000000"}):
        with pytest.raises(CloudRefused):
            here.access.areas(here.entitlement(**said), here.clock())


# ── From an ask to its end ───────────────────────────────────────────────────────────────────


def a_broker(here: Here, folder: Path, **said: Any) -> World:
    """Whoever asks for dev-read has it at once; prod-write takes a colleague."""
    target = here.target(**said)
    kind = AccountAssignment(here.reach.clients)
    return World(
        folder,
        here.clock,
        mechanisms={KIND: here.access},
        kinds_={KIND: kind},
        catalog_text=catalog(KIND, dev_read=target, prod_write=target),
    )


def wait(world: World, state: State, *requests: Request) -> None:
    """Sweep every five seconds until all of them are in a state."""
    for _ in range(30):
        world.sweep()
        if all(world.now(request).state is state for request in requests):
            return
        world.time.forward(seconds=5)
    raise AssertionError([world.now(request) for request in requests])


def who(here: Here, account: str = PROD) -> set[str]:
    return set(here.center.who_can(here.admins, account))


@pytest.mark.parametrize(
    ("find_user_by", "calls"), [("email", 10), ("user-name", 11)], ids=["one name", "two names"]
)
def test_somebody_asks_gets_it_and_gives_it_back(
    here: Here, tmp_path: Path, find_user_by: str, calls: int
) -> None:
    """Whoever has several names is looked up by each, lest one of them is somebody else's."""
    world = a_broker(here, tmp_path, find_user_by=find_user_by)
    request = world.ask()
    wait(world, State.ACTIVE, request)
    assert who(here) == {here.ana}
    # The record knows whose it is, though they are called something else by now.
    here.store.users[here.ana].attributes = {"UserName": "ana.kim", "Emails": []}
    world.give_back(request)
    for _ in range(3):
        world.sweep()
        world.time.forward(seconds=15)
    assert who(here) == set()
    assert world.now(request).state is State.ENDING  # sessions may live on, for two hours
    world.time.forward(hours=2, minutes=1)
    world.sweep()
    assert world.now(request).state is State.ENDED
    assert sum(here.calls.values()) == calls
    world.verify_all()


@pytest.mark.parametrize("what", ["disabled", "deleted"])
def test_whoever_is_gone_between_approval_and_activation_is_not_let_in(
    here: Here, tmp_path: Path, what: str
) -> None:
    world = a_broker(here, tmp_path)
    request = world.ask(what="prod-write")
    assert request.state is State.PENDING
    if what == "disabled":
        here.store.disable(here.ana)
    else:
        here.store.delete_user(here.ana)
    here.clock.forward(seconds=LOOKED_UP.total_seconds())
    request = world.approve(request)
    assert request.state is State.DENIED
    assert isinstance(request.decision, Denied)
    (because,) = request.decision.because
    assert because.startswith(
        "Your user in Identity Center is disabled"
        if what == "disabled"
        else 'Identity Center has no user named "ana" or "ana@example.com"'
    )
    assert who(here) == set()


def test_several_accounts_are_requests_of_their_own(here: Here, tmp_path: Path) -> None:
    unit = here.organization.add_unit("dev")
    accounts = ("444444444444", "555555555555")
    for account in accounts:
        here.organization.add_account(account, "dev", parent=unit)
    world = a_broker(here, tmp_path, accounts_in=unit)
    first = world.ask()
    requests: list[Request] = [world.now(name) for name in first.ask.together]
    assert [request.ask.part for request in requests] == list(accounts)
    wait(world, State.ACTIVE, *requests)
    for account in accounts:
        assert who(here, account) == {here.ana}
    world.give_back(requests[0])
    world.time.forward(seconds=10)
    assert [who(here, account) for account in accounts] == [set(), {here.ana}]


# ── What the configuration says ──────────────────────────────────────────────────────────────


def test_the_configuration_reaches_identity_center_and_an_emulator_of_it(here: Here) -> None:
    url = here.reach.server.url
    settings = Settings(aws=AwsSettings(identity_center_url=url))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        mechanisms, kinds = clouds(settings, here.clock)
        found = mechanisms[KIND].places(here.entitlement(), ANA).grant
        assert found is not None
        assert not kinds[KIND].see(slots.at(found), here.clock()).present


def test_no_address_of_aws_itself_is_taken() -> None:
    with pytest.raises(ValueError, match="identity_center_url is for an emulator on this machine"):
        AwsSettings(identity_center_url="https://sso.eu-central-1.amazonaws.com")
