"""Which accounts an entitlement spans; over HTTP, and on moto where moto can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from jitcloud.emulators.identity_center import Behaviour, Fault
from jitcloud.errors import CloudError, CloudRefused, OutcomeUnknown, Refused, Throttled
from jitcloud.providers.aws import organization_pages
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center_accounts import (
    DEEPEST,
    MOST_ACCOUNTS,
    MOST_LISTED,
    MOST_UNITS,
    Accounts,
)
from jitcloud.providers.aws.identity_center_target import Tag, Target
from tests.aws.center_world import (
    MANAGEMENT,
    NOON,
    PROD,
    Here,
    Reach,
    before,
    reaching,
    striking,
)

PAYMENTS = {"key": "team", "value": "payments"}
NOWHERE = "ou-abcd-00000000"


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as reach:
        yield reach


@pytest.fixture
def here(reach: Reach) -> Here:
    return Here(reach)


def accounts_in(here: Here, unit: str | None, count: int, *, first: int = 1, **said: Any) -> None:
    for number in range(first, first + count):
        here.organization.add_account(f"{number:012d}", f"a{number}", parent=unit, **said)


# ── The same on moto ─────────────────────────────────────────────────────────────────────────


@dataclass
class Organization:
    """Two units, one in the other, with two accounts in the first and one in the second."""

    clients: Clients
    outer: str
    inner: str
    inside: tuple[str, str]
    below: str
    elsewhere: str
    tag: Callable[[str], None]

    def span(self, **said: Any) -> tuple[str, ...]:
        # Moto's ids of instances are not as AWS's patterns say.
        target = Target.model_construct(
            instance_arn="arn:aws:sso:::instance/ssoins-1234567890abcdef", **said
        )
        return Accounts(self.clients, lambda _: None).span(target, NOON).accounts

    def is_there(self, account: str) -> bool:
        target = Target.model_construct(
            instance_arn="arn:aws:sso:::instance/ssoins-1234567890abcdef"
        )
        accounts = Accounts(self.clients, lambda _: None)
        return accounts.account(target, account, NOON) is not None


@pytest.fixture(params=["emulator", "moto"])
def organization(request: pytest.FixtureRequest, reach: Reach) -> Iterator[Organization]:
    if request.param == "emulator":
        made = Here(reach).organization
        outer = made.add_unit("outer")
        inner = made.add_unit("inner", parent=outer)
        for account, unit in (("1" * 12, outer), ("2" * 12, outer), ("3" * 12, inner)):
            made.add_account(account, "some", parent=unit)
        yield Organization(
            reach.clients,
            outer,
            inner,
            ("1" * 12, "2" * 12),
            "3" * 12,
            PROD,
            lambda account: made.tag(account, {"team": "payments", "stage": "prod"}),
        )
        return
    with mock_aws():
        yield _on_moto()


def _on_moto() -> Organization:
    clients = Clients(clock=lambda: NOON)
    api = clients.organizations("aws")
    api.create_organization(FeatureSet="ALL")
    root = api.list_roots()["Roots"][0]["Id"]

    def a_unit(parent: str) -> str:
        made = api.create_organizational_unit(ParentId=parent, Name="some")
        return str(made["OrganizationalUnit"]["Id"])

    def an_account(name: str, parent: str) -> str:
        made = api.create_account(AccountName=name, Email=f"{name}@example.com")
        id_ = str(made["CreateAccountStatus"]["AccountId"])
        if parent != root:
            api.move_account(AccountId=id_, SourceParentId=root, DestinationParentId=parent)
        return id_

    def tag(account: str) -> None:
        tags = [{"Key": "team", "Value": "payments"}, {"Key": "stage", "Value": "prod"}]
        api.tag_resource(ResourceId=account, Tags=tags)

    outer = a_unit(root)
    inner = a_unit(outer)
    inside = an_account("one", outer), an_account("two", outer)
    below, elsewhere = an_account("three", inner), an_account("four", root)
    return Organization(clients, outer, inner, inside, below, elsewhere, tag)


def test_a_unit_is_the_accounts_in_it(organization: Organization) -> None:
    assert organization.span(accounts_in=organization.outer) == tuple(sorted(organization.inside))
    assert organization.span(accounts_in=organization.inner) == (organization.below,)


def test_nested_units_are_those_below_as_well(organization: Organization) -> None:
    every = tuple(sorted((*organization.inside, organization.below)))
    assert organization.span(accounts_in=organization.outer, nested=True) == every


def test_a_tag_is_the_accounts_that_have_it(organization: Organization) -> None:
    organization.tag(organization.elsewhere)
    organization.tag(organization.below)
    found = organization.span(accounts_tagged=Tag(key="team", value="payments"))
    assert found == tuple(sorted((organization.elsewhere, organization.below)))
    for key, value in (("team", "Payments"), ("Team", "payments"), ("team", "")):
        assert organization.span(accounts_tagged=Tag(key=key, value=value)) == ()


def test_a_unit_that_is_not_there_is_told_as_such(organization: Organization) -> None:
    with pytest.raises(Refused, match=f"There is no organizational unit {NOWHERE} in the org"):
        organization.span(accounts_in=NOWHERE)


def test_an_account_is_in_the_organization_or_not(organization: Organization) -> None:
    assert organization.is_there(organization.below)
    assert not organization.is_there("9" * 12)


# ── Who is left out ──────────────────────────────────────────────────────────────────────────


def test_one_account_is_one_thing(here: Here) -> None:
    assert here.parts() == ()
    assert here.calls == {}


def test_what_is_not_in_use_is_left_out_and_so_is_the_management_account(here: Here) -> None:
    accounts_in(here, None, 4, tags={"team": "payments"})
    here.organization.tag(MANAGEMENT, {"team": "payments"})
    for number, state in ((2, "SUSPENDED"), (3, "PENDING_CLOSURE")):
        here.organization.set_state(f"{number:012d}", state)  # type: ignore[arg-type] # a literal
    left = ("000000000001", "000000000004")
    assert here.parts(accounts_tagged=PAYMENTS) == left
    assert here.parts(accounts_in=here.organization.root) == (*left, PROD)


def test_where_there_is_no_account_nothing_can_be_asked_for(here: Here) -> None:
    unit = here.organization.add_unit("empty")
    for _ in range(2):
        with pytest.raises(Refused, match=f"no accounts in {unit} that are in use; ask whoever"):
            here.parts(accounts_in=unit)
        accounts_in(here, unit, 1)
        here.organization.set_state("000000000001", "SUSPENDED")
    with pytest.raises(Refused, match='no accounts tagged "team" = "payments" that are in use'):
        here.parts(accounts_tagged=PAYMENTS)


def test_a_change_of_the_organization_counts_with_the_next_ask(here: Here) -> None:
    unit = here.organization.add_unit("dev")
    accounts_in(here, unit, 2)
    assert len(here.parts(accounts_in=unit)) == 2
    here.organization.add_account("000000000003", "new", parent=unit)
    here.organization.add_account("000000000001", "moved")
    assert here.parts(accounts_in=unit) == ("000000000002", "000000000003")


# ── Bounds ───────────────────────────────────────────────────────────────────────────────────


def test_as_many_accounts_as_may_be_asked_for_at_once_and_one_more(here: Here) -> None:
    unit = here.organization.add_unit("many")
    accounts_in(here, unit, MOST_ACCOUNTS)
    here.organization.add_account("999999999999", "suspended", parent=unit)
    here.organization.set_state("999999999999", "SUSPENDED")
    assert len(here.parts(accounts_in=unit)) == MOST_ACCOUNTS
    here.organization.add_account("999999999998", "more", parent=unit)
    with pytest.raises(Refused, match=f"in {unit} are more than 200, the most that can be asked"):
        here.parts(accounts_in=unit)


def test_a_unit_of_200_accounts_is_read_in_ten_calls(here: Here) -> None:
    unit = here.organization.add_unit("many")
    accounts_in(here, unit, MOST_ACCOUNTS)
    assert len(here.parts(accounts_in=unit)) == MOST_ACCOUNTS
    assert here.calls == {"ListAccountsForParent": 10}


def test_units_are_read_as_deep_as_there_can_be_any_and_no_deeper(here: Here) -> None:
    deepest = here.organization.root
    for number in range(1, DEEPEST + 1):
        deepest = here.organization.add_unit(f"level {number}", parent=deepest)
        accounts_in(here, deepest, 1, first=number)
    root = {"accounts_in": here.organization.root, "nested": True}
    assert len(here.parts(**root)) == DEEPEST + 1
    assert here.calls["ListOrganizationalUnitsForParent"] == DEEPEST + 1
    here.organization.add_unit("deeper", parent=deepest)
    with pytest.raises(CloudRefused, match="more than 5 levels of organizational units"):
        here.parts(**root)


def test_too_many_units_are_told_as_such(here: Here) -> None:
    unit = here.organization.add_unit("outer")
    accounts_in(here, unit, 1)
    for number in range(MOST_UNITS - 1):
        here.organization.add_unit(f"unit {number}", parent=unit)
    assert here.parts(accounts_in=unit, nested=True) == ("000000000001",)
    here.organization.add_unit("one more", parent=unit)
    with pytest.raises(Refused, match=f"more than {MOST_UNITS} organizational units in {unit}"):
        here.parts(accounts_in=unit, nested=True)


def test_too_many_accounts_to_read_the_tags_of_are_told_before_any_is_read(here: Here) -> None:
    accounts_in(here, None, MOST_LISTED - 1)  # with the management account and prod one too many
    with pytest.raises(Refused, match=f"more than {MOST_LISTED} accounts, and AWS tells the tags"):
        here.parts(accounts_tagged=PAYMENTS)
    assert "ListTagsForResource" not in here.calls


def test_empty_pages_with_a_token_are_followed(reach: Reach) -> None:
    here = Here(reach, Behaviour(empty_pages=3, page_size=2))
    outer = here.organization.add_unit("outer")
    inner = here.organization.add_unit("inner", parent=outer)
    accounts_in(here, outer, 3, tags={"team": "payments", "a": "1", "b": "2"})
    accounts_in(here, inner, 2, first=4, tags={"team": "payments"})
    every = tuple(f"{number:012d}" for number in range(1, 6))
    assert here.parts(accounts_in=outer, nested=True) == every
    assert here.parts(accounts_tagged=PAYMENTS) == every


def test_pages_without_end_are_not_followed_without_end(reach: Reach) -> None:
    here = Here(reach, Behaviour(empty_pages=10_000))
    unit = here.organization.add_unit("dev")
    accounts_in(here, unit, 1)
    with pytest.raises(CloudRefused, match="in more than 100 parts, which is too much to read"):
        here.parts(accounts_in=unit)
    assert here.calls == {"ListAccountsForParent": organization_pages.MOST_PAGES}


# ── What goes wrong on the way ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        pytest.param(Fault.DENIED, CloudRefused, id="denied"),
        pytest.param(Fault.INTERNAL, OutcomeUnknown, id="failed"),
        pytest.param(Fault.HANG_UP, OutcomeUnknown, id="hung up"),
    ],
)
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        pytest.param("ListAccountsForParent", 2, id="half-way through the accounts of a unit"),
        pytest.param("ListAccountsForParent", 4, id="at a unit below"),
        pytest.param("ListOrganizationalUnitsForParent", 2, id="half-way through the units"),
        pytest.param("ListAccounts", 2, id="half-way through all accounts"),
        pytest.param("ListTagsForResource", 3, id="half-way through their tags"),
    ],
)
def test_a_list_in_part_is_no_list(
    here: Here, operation: str, call: int, fault: Fault, raised: type[Exception]
) -> None:
    outer = here.organization.add_unit("outer")
    here.organization.add_unit("empty", parent=outer)
    inner = here.organization.add_unit("inner", parent=outer)
    accounts_in(here, outer, 45, tags={"team": "payments"})
    accounts_in(here, inner, 1, first=90)
    said: dict[str, Any] = {"accounts_in": outer, "nested": True}
    if operation in {"ListAccounts", "ListTagsForResource"}:
        said = {"accounts_tagged": PAYMENTS}
    with striking(here, operation, call, fault), pytest.raises(raised):
        here.parts(**said)
    assert len(here.parts(**said)) == (46 if "nested" in said else 45)


def test_what_may_not_be_read_is_told_with_what_to_check(here: Here) -> None:
    here.center.faults.append(Fault.DENIED, on="ListAccountsForParent")
    with pytest.raises(CloudRefused, match=r"AWS refused organizations:ListAccountsForPar.* may "):
        here.parts(accounts_in=here.organization.root)


def test_a_unit_that_goes_meanwhile_has_nothing_in_it(here: Here) -> None:
    outer = here.organization.add_unit("outer")
    inner = here.organization.add_unit("inner", parent=outer)
    accounts_in(here, outer, 1)
    units = here.organization._units  # noqa: SLF001 - it has no other way to lose one
    with before(here, "ListAccountsForParent", lambda call: call == 2 and units.pop(inner)):
        assert here.parts(accounts_in=outer, nested=True) == ("000000000001",)
    assert here.calls["ListAccountsForParent"] == 2


def test_what_is_too_much_for_a_moment_is_waited_for(here: Here) -> None:
    accounts_in(here, None, 30, tags={"team": "payments"})
    for operation in ("ListAccounts", "ListTagsForResource", "ListTagsForResource"):
        here.center.faults.append(Fault.THROTTLED, on=operation)
    assert len(here.parts(accounts_tagged=PAYMENTS)) == 30
    assert here.waits == [organization_pages.PAUSE] * 3


def test_what_stays_too_much_is_given_up_in_time(here: Here) -> None:
    for _ in range(100):
        here.center.faults.append(Fault.THROTTLED, on="ListAccountsForParent")
    with pytest.raises(Throttled, match="too slowly just now; ask again shortly"):
        here.parts(accounts_in=here.organization.root)
    assert sum(here.waits) <= organization_pages.WITHIN.total_seconds()


def test_a_clock_that_stands_still_ends_the_waiting_all_the_same(reach: Reach) -> None:
    here = Here(reach)
    waits: list[float] = []
    accounts = Accounts(reach.clients, waits.append)
    for _ in range(100):
        here.center.faults.append(Fault.THROTTLED, on="ListAccountsForParent")
    target = Target.model_validate(here.target(accounts_in=here.organization.root))
    with pytest.raises(Throttled, match="AWS limits the rate of organizations:ListAccountsForP"):
        accounts.span(target, NOON)
    assert sum(waits) == organization_pages.WITHIN.total_seconds()


def test_tags_are_remembered_and_reading_them_goes_on_where_it_stopped(here: Here) -> None:
    accounts_in(here, None, 200, tags={"team": "payments"})
    for number in range(101, 201):
        here.organization.tag(f"{number:012d}", {"team": "search"})
    here.organization.set_state("000000000001", "SUSPENDED")
    said = {"accounts_tagged": {"key": "team", "value": "search"}}
    # Each takes a tenth of a second, as AWS lets them; and all of them longer than anybody waits.
    with before(here, "ListTagsForResource", lambda _: here.clock.forward(seconds=0.1)):
        with pytest.raises(Throttled, match="of 202 are read; ask again in some seconds, it goes"):
            here.parts(**said)
        assert len(here.parts(**said)) == 100
    assert here.calls == {"ListAccounts": 2 * 11, "ListTagsForResource": 202}
    here.clock.forward(seconds=200)
    assert len(here.parts(**said)) == 100
    assert here.calls["ListTagsForResource"] == 202


def test_a_tag_that_was_changed_counts_within_five_minutes(here: Here) -> None:
    accounts_in(here, None, 2, tags={"team": "payments"})
    assert len(here.parts(accounts_tagged=PAYMENTS)) == 2
    here.organization.tag("000000000002", {"team": "search"})
    here.clock.forward(seconds=300)
    assert here.parts(accounts_tagged=PAYMENTS) == ("000000000001",)


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.DENIED])
def test_tags_that_are_not_told_are_no_tags(here: Here, fault: Fault) -> None:
    accounts_in(here, None, 1)
    for _ in range(100):
        here.center.faults.append(fault, on="ListTagsForResource")
    with pytest.raises(CloudError):
        here.parts(accounts_tagged=PAYMENTS)
