"""Which user of an identity store a person is; over HTTP, and on moto where moto can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from jitcloud.emulators.identity_center import Fault
from jitcloud.errors import CloudRefused, OutcomeUnknown, Refused, Throttled
from jitcloud.model import Person
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center_people import LOOKED_UP, MOST_HANDLES, People
from jitcloud.providers.aws.identity_center_target import Target
from tests.aws.center_world import ANA, NOON, Here, Reach, reaching, somebody, striking

STRANGER = "1234567890-00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as reach:
        yield reach


@pytest.fixture
def here(reach: Reach) -> Here:
    return Here(reach)


# Any: whatever a table may say.
def user(here: Here, person: Person, people: People | None = None, **said: Any) -> str:
    target = Target.model_validate(here.target(**said))
    return (people or People(here.reach.clients)).user(target, person, here.clock()).id


# ── The same on moto ─────────────────────────────────────────────────────────────────────────


@dataclass
class Store:
    """An identity store with Ana in it, who is called ana and has an address."""

    people: People
    target: Callable[..., Target]
    add: Callable[[str], str]
    delete: Callable[[str], None]
    ana: str

    def user(self, person: Person, **said: object) -> str:
        return self.people.user(self.target(**said), person, NOON).id


@pytest.fixture(params=["emulator", "moto"])
def store(request: pytest.FixtureRequest, reach: Reach) -> Iterator[Store]:
    if request.param == "emulator":
        here = Here(reach)
        yield Store(
            People(reach.clients),
            lambda **said: Target.model_validate(here.target(**said)),
            lambda name: here.store.add_user(name, email=f"{name}@example.com"),
            here.store.delete_user,
            here.ana,
        )
        return
    with mock_aws():
        clients = Clients(clock=lambda: NOON)
        api = clients.identity_store("eu-central-1")
        [instance] = clients.sso_admin("eu-central-1").list_instances()["Instances"]
        directory = {"IdentityStoreId": instance["IdentityStoreId"]}

        def add(name: str) -> str:
            made = api.create_user(
                **directory,
                UserName=name,
                DisplayName=name,
                Name={"GivenName": name, "FamilyName": name},
                Emails=[{"Value": f"{name}@example.com", "Primary": True}],
            )
            return str(made["UserId"])

        def target(**said: Any) -> Target:
            # Moto's ids are not as AWS's patterns say, so they would not get through the checks.
            return Target.model_construct(
                region="eu-central-1", identity_store_id=instance["IdentityStoreId"], **said
            )

        yield Store(
            People(clients),
            target,
            add,
            lambda user: api.delete_user(**directory, UserId=user),
            add("ana"),
        )


@pytest.mark.parametrize(
    ("person", "by"),
    [
        pytest.param(somebody("ana"), "user-name", id="by the id as user name"),
        pytest.param(somebody("00u1", "ana"), "user-name", id="by an alias as user name"),
        pytest.param(somebody("ana", "a@example.com"), "user-name", id="by one of two names"),
        pytest.param(somebody("00u1", "ana@example.com"), "email", id="by e-mail"),
        pytest.param(somebody("ana@example.com"), "email", id="by an id that is an e-mail"),
    ],
)
def test_somebody_is_found(store: Store, person: Person, by: str) -> None:
    assert store.user(person, find_user_by=by) == store.ana


def test_nobody_is_found_by_what_others_are_called(store: Store) -> None:
    for person, by, said in (
        (
            somebody("ben"),
            "user-name",
            'no user named "ben"; have yours made there, or ask whoever',
        ),
        (somebody("ana@example.com"), "user-name", 'no user named "ana@example.com"; have'),
        (somebody("ana", "ben@example.com"), "email", 'no user with the e-mail "ben@example.com"'),
        (somebody("ana"), "email", "by your e-mail, and the directory has none of yours"),
        (somebody("b", "b@x", "c@x"), "user-name", 'named "b" or "b@x" or "c@x"; have yours made'),
    ):
        with pytest.raises(Refused, match=said):
            store.user(person, find_user_by=by)


def test_whoever_could_be_two_users_is_neither(store: Store) -> None:
    store.add("ana.lima")
    with pytest.raises(Refused, match=r'has more than one user .* \("ana" and "ana.lima"\)'):
        store.user(somebody("ana", "ana.lima"))


def test_two_names_of_one_user_are_one_user(store: Store) -> None:
    both = somebody("ana@example.com", "Ana@example.com", "ana@example.com")
    assert store.user(both, find_user_by="email") == store.ana


def test_whom_the_catalog_names_wins_over_who_is_found(store: Store) -> None:
    ben = store.add("ben")
    assert store.user(somebody("ana"), users={"ana": ben}) == ben
    with pytest.raises(Refused, match='no user named "caro"'):
        store.user(somebody("caro"), users={"ana": ben})


def test_whom_the_catalog_names_must_be_there(store: Store) -> None:
    store.delete(store.ana)
    with pytest.raises(Refused, match="that the catalog names as yours does not exist; ask"):
        store.user(somebody("ana"), users={"ana": store.ana})


# ── Who is who changes ───────────────────────────────────────────────────────────────────────


def test_an_external_id_is_that_of_its_issuer(here: Here) -> None:
    eve = here.store.add_user("eve", external_id="00u-eve")
    by: dict[str, Any] = {"find_user_by": "external-id", "external_id_issuer": "scim"}
    assert user(here, somebody("00u-eve"), **by) == eve
    with pytest.raises(Refused, match='no user with the external id "ana"'):
        user(here, somebody("ana", "eve", "00u-eve"), **by)
    with pytest.raises(Refused, match="no user with the external id"):
        user(here, somebody("00u-eve"), find_user_by="external-id", external_id_issuer="okta")


def test_an_address_handed_to_a_successor_leads_to_the_successor_alone(here: Here) -> None:
    people, by = People(here.reach.clients), {"find_user_by": "email"}
    old, new = somebody("p-1", "oncall@example.com"), somebody("p-2", "oncall@example.com")
    first = here.store.add_user("first", email="oncall@example.com")
    assert user(here, old, people, **by) == first
    # The address goes on, in both directories; whoever had it has another one.
    here.store.users[first].attributes = {
        "UserName": "first",
        "Emails": [{"Value": "f@example.com"}],
    }
    second = here.store.add_user("second", email="oncall@example.com")
    here.clock.forward(seconds=LOOKED_UP.total_seconds())
    assert user(here, new, people, **by) == second
    assert user(here, somebody("p-1", "f@example.com"), people, **by) == first


def test_whoever_has_the_address_of_somebody_named_by_id_is_not_them(here: Here) -> None:
    # Who left still has a user with the address, and is named in the catalog, by their own id.
    by: dict[str, Any] = {"find_user_by": "external-id", "external_id_issuer": "idp"}
    named: dict[str, Any] = {**by, "users": {"p-1": here.ana}}
    with pytest.raises(Refused, match='external id "p-2"'):
        user(here, somebody("p-2", "ana@example.com"), **named)
    assert user(here, somebody("p-1"), **named) == here.ana


def test_a_grant_stays_that_of_the_user_whatever_they_are_called_since(here: Here) -> None:
    granted = here.places(somebody("p-1", "ana@example.com"), find_user_by="email").grant
    assert granted is not None
    assert granted.where["principal_id"] == here.ana
    here.store.users[here.ana].attributes = {"UserName": "ana.kim", "Emails": []}
    successor = here.store.add_user("ana", email="ana@example.com")
    here.clock.forward(seconds=LOOKED_UP.total_seconds())
    later = here.places(somebody("p-2", "ana@example.com"), find_user_by="email").grant
    assert later is not None
    assert later.where["principal_id"] == successor
    assert later.key != granted.key


def test_somebody_disabled_or_deleted_is_noticed_within_seconds(here: Here) -> None:
    people = People(here.reach.clients)
    assert user(here, ANA, people) == here.ana
    here.store.disable(here.ana)
    assert user(here, ANA, people) == here.ana  # they were looked up just now
    here.clock.forward(seconds=LOOKED_UP.total_seconds())
    with pytest.raises(Refused, match="Your user in Identity Center is disabled; have it enabled"):
        user(here, ANA, people)
    with pytest.raises(Refused, match="is disabled"):
        user(here, ANA, people, users={"ana": here.ana})
    here.store.enable(here.ana)
    here.clock.forward(seconds=LOOKED_UP.total_seconds())
    assert user(here, ANA, people) == here.ana
    here.store.delete_user(here.ana)
    here.clock.forward(seconds=LOOKED_UP.total_seconds())
    with pytest.raises(Refused, match='no user named "ana"'):
        user(here, ANA, people)


# ── What it costs, and what goes wrong ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("person", "said", "calls"),
    [
        pytest.param(ANA, {}, {"GetUserId": 1, "DescribeUser": 1}, id="by name"),
        pytest.param(
            somebody("ana", "a@example.com"),
            {},
            {"GetUserId": 2, "DescribeUser": 1},
            id="two names",
        ),
        pytest.param(
            somebody("p", "ana@example.com"),
            {"find_user_by": "email"},
            {"GetUserId": 1, "DescribeUser": 1},
            id="by e-mail",
        ),
    ],
)
def test_one_person_is_looked_up_once_for_many_accounts(
    here: Here, person: Person, said: dict[str, str], calls: dict[str, int]
) -> None:
    people = People(here.reach.clients)
    for _ in range(200):
        assert user(here, person, people, **said) == here.ana
    assert here.calls == calls


def test_whom_the_catalog_names_costs_one_call(here: Here) -> None:
    assert user(here, ANA, users={"ana": here.ana}) == here.ana
    assert here.calls == {"DescribeUser": 1}


def test_nobody_is_remembered_as_well(here: Here) -> None:
    people = People(here.reach.clients)
    for _ in range(200):
        with pytest.raises(Refused):
            user(here, somebody("ben"), people)
    assert here.calls == {"GetUserId": 1}


def test_somebody_with_too_many_names_is_told_so_without_a_call(here: Here) -> None:
    many = somebody("ana", *(f"{number}@example.com" for number in range(MOST_HANDLES)))
    with pytest.raises(Refused, match=f"more than {MOST_HANDLES} names and addresses of yours"):
        user(here, many)
    assert here.calls == {}
    assert user(here, many, users={"ana": here.ana}) == here.ana


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        pytest.param(Fault.THROTTLED, Throttled, id="throttled"),
        pytest.param(Fault.INTERNAL, OutcomeUnknown, id="failed"),
        pytest.param(Fault.HANG_UP, OutcomeUnknown, id="hung up"),
        pytest.param(Fault.DENIED, CloudRefused, id="denied"),
    ],
)
def test_no_answer_is_not_nobody_and_not_remembered(
    here: Here, fault: Fault, raised: type[Exception]
) -> None:
    people = People(here.reach.clients)
    here.center.faults.append(fault, on="GetUserId")
    with pytest.raises(raised):
        user(here, ANA, people)
    assert user(here, ANA, people) == here.ana


def test_denied_half_way_through_the_names_is_nobody_s_user(here: Here) -> None:
    """One name is found, and whether another is somebody else's cannot be told."""
    half = striking(here, "GetUserId", 2, Fault.DENIED)
    with half, pytest.raises(CloudRefused, match="Check that the broker, or the account_role it"):
        user(here, somebody("ana", "ana.lima"))
    assert here.calls == {"GetUserId": 2, "DescribeUser": 1}


def test_whether_somebody_is_disabled_may_be_hidden_from_the_broker(here: Here) -> None:
    here.center.faults.append(Fault.DENIED, on="DescribeUser")
    found = People(here.reach.clients).user(Target.model_validate(here.target()), ANA, here.clock())
    assert found.id == here.ana
    assert "AWS refused identitystore:DescribeUser" in found.unseen


def test_an_identity_store_that_is_not_there_is_told_as_such(here: Here) -> None:
    with pytest.raises(Refused, match="There is no identity store d-0000000000 in eu-cent"):
        user(here, ANA, identity_store_id="d-0000000000")
    with pytest.raises(Refused, match="There is no identity store"):
        user(here, ANA, identity_store_id="d-0000000000", users={"ana": STRANGER})


def test_a_group_is_looked_at_once(here: Here) -> None:
    people, team = People(here.reach.clients), here.store.add_group("team")
    target = Target.model_validate(here.target(group_id=team))
    for _ in range(3):
        assert people.group(target, here.clock()).name == "team"
    assert here.calls == {"DescribeGroup": 1}
    gone = Target.model_validate(here.target(group_id=STRANGER))
    assert not people.group(gone, here.clock()).exists


def test_whoever_is_found_and_is_named_as_somebody_elses_is_not_them(store: Store) -> None:
    """Ana's user happens to be called as Ben is, which is why the catalog names it."""
    with pytest.raises(Refused, match="named in the catalog as somebody else's"):
        store.user(somebody("ana"), users={"kim": store.ana})
    assert store.user(somebody("kim"), users={"kim": store.ana}) == store.ana


def test_a_name_of_another_kind_does_not_hide_that_two_users_match(here: Here) -> None:
    here.store.add_user("kim", email="kim@corp.example")
    here.store.add_user("kim@corp.example", email="other@corp.example")
    with pytest.raises(Refused, match="more than one user"):
        user(here, somebody("kim", "kim@corp.example"))
