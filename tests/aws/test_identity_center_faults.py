"""What may go wrong with Identity Center while somebody is let in or taken out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.emulators.identity_center import Behaviour, Fault
from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import Evidence, Operation, Progress, Slot, State
from jitcloud.providers.aws.clients import CALL
from jitcloud.providers.aws.identity_center import MOST_PAGES, AccountAssignment
from jitcloud.providers.aws.identity_center_calls import ASK_ANEW
from tests.aws.fake_aws import Answer, FakeAws, closes, says
from tests.aws.identity_center_world import (
    CREATE,
    DELETE,
    DELETION,
    OF_PLACE,
    OF_PRINCIPAL,
    PROD,
    SETTLE,
    Aws,
    Here,
    clients_of,
    emulated,
)
from tests.contract.slot_kinds import NOW


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with emulated() as running:
        yield running


@pytest.fixture
def here(aws: Aws, tmp_path: Path) -> Here:
    return Here(aws, tmp_path)


# ── Accounts, permission sets and people that are not as they were ───────────────────────────


def test_nobody_is_let_into_a_suspended_account(here: Here) -> None:
    here.center.organization.set_state(PROD, "SUSPENDED")
    request = here.world.ask()
    here.pass_time(seconds=6)
    assert "Check whether the account is suspended" in here.trouble(request)
    ended = here.ended(request, timedelta(minutes=30))
    assert (ended.state, here.who()) == (State.FAILED, set())
    assert "suspended" in ended.reason


def test_in_an_account_that_was_suspended_meanwhile_it_ends_when_that_is_over(here: Here) -> None:
    request = here.let_in()
    here.center.organization.set_state(PROD, "SUSPENDED")
    here.world.give_back(request)
    here.pass_time(hours=5)
    assert (here.state(request), here.who()) == (State.ENDING, {"ana"})
    assert "Check whether the account is suspended" in here.trouble(request)
    here.center.organization.set_state(PROD, "ACTIVE")
    ended = here.ended(request, slots.LAST_RETRY + timedelta(minutes=1))
    assert (ended.evidence, here.who()) == (Evidence.SEEN_ABSENT, set())


def test_nobody_is_let_into_an_account_outside_of_the_organization(here: Here) -> None:
    elsewhere = "999988887777"
    slot = _at(here, account=elsewhere)
    assert not here.kind.see(slot, NOW).present
    with pytest.raises(CloudRefused, match="knows no such .* account 999988887777 .*catalog"):
        here.kind.put(slot, (), NOW)
    assert here.kind.remove(slot) is None


def test_a_permission_set_that_was_deleted_is_told_at_once(here: Here) -> None:
    del here.center.permission_sets.all[here.admins]
    request = here.world.ask()
    assert "Could not find PermissionSet" in here.trouble(request)
    ended = here.ended(request, timedelta(minutes=30))
    assert (ended.state, here.who()) == (State.FAILED, set())


def test_a_permission_set_that_was_deleted_with_all_its_assignments_leaves_nothing(
    here: Here,
) -> None:
    request = here.let_in()
    here.unassign()  # AWS deletes none that anybody has
    del here.center.permission_sets.all[here.admins]
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT


def test_a_user_who_was_deleted_before_being_let_in_is_not(here: Here) -> None:
    here.center.store.delete_user(here.users["ana"])
    request = here.world.ask()
    here.pass_time(seconds=6)
    assert "has been deleted; ask again" in here.trouble(request)
    ended = here.ended(request, timedelta(minutes=30))
    assert (ended.state, here.center.holders()) == (State.FAILED, frozenset())


def test_the_assignment_of_a_user_who_was_deleted_meanwhile_is_not_taken_for_gone(
    here: Here,
) -> None:
    request = here.let_in()
    here.center.store.delete_user(here.users["ana"])
    here.world.give_back(request)
    here.pass_time(hours=2)
    assert here.who() == set()
    assert here.center.holders() != frozenset()
    assert here.state(request) is State.ENDING
    assert "take it away in the console" in here.trouble(request)
    here.unassign()
    ended = here.ended(request, slots.LAST_RETRY + timedelta(minutes=1))
    assert ended.evidence is Evidence.SEEN_ABSENT


def test_the_assignment_of_a_user_who_was_deleted_is_deleted_where_aws_can(here: Here) -> None:
    here.behaviour.orphaned = "succeeds"
    request = here.let_in()
    here.center.store.delete_user(here.users["ana"])
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert here.center.holders() == frozenset()


def test_a_user_who_was_disabled_meanwhile_loses_it_like_anybody(here: Here) -> None:
    request = here.let_in()
    here.center.store.disable(here.users["ana"])
    assert here.who() == {"ana"}
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert here.who() == set()


def test_an_instance_in_another_region_is_not_found_and_nothing_is_taken_for_gone(
    here: Here,
) -> None:
    request = here.let_in()
    instance = here.center.instance_arn.replace("ssoins-", "ssoins-f")[: len(here.admins) - 21]
    instance = f"{here.center.instance_arn[:-1]}{'0' if here.center.instance_arn[-1] != '0' else '1'}"
    slot = _at(here, instance_arn=instance, region="eu-central-1")
    for call in (
        lambda: here.kind.see(slot, NOW),
        lambda: here.kind.put(slot, (), NOW),
        lambda: here.kind.ours(here.kind.area(slot), None, NOW),
    ):
        with pytest.raises(CloudRefused, match="Identity Center in eu-central-1 knows no such"):
            call()
    assert here.kind.remove(slot) is None
    assert here.who() == {"ana"}
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT


def _at(here: Here, **other: str) -> Slot:
    slot = here.slot()
    return replace(slot, where={**slot.where, **other})


# ── Lists in parts, and lists that are denied ────────────────────────────────────────────────


def test_a_list_is_read_to_its_end_through_empty_parts(here: Here) -> None:
    here.behaviour.empty_pages, here.behaviour.page_size = 3, 1
    for name in range(4):
        group = here.center.store.add_group(f"group-{name}")
        here.center.store.add_member(group, here.users["ana"])
        here.center.assign_by_hand(group, here.admins, PROD, "GROUP")
    slot = here.slot()
    assert not here.kind.see(slot, NOW).present
    assert here.calls[OF_PRINCIPAL] == 3 + 4
    here.assign()
    assert here.kind.see(slot, NOW).present
    assert here.gone(here.let_in("ben")).evidence is Evidence.SEEN_ABSENT


def test_a_part_of_a_list_is_no_absence(here: Here) -> None:
    here.behaviour.empty_pages = MOST_PAGES
    here.assign()
    with pytest.raises(Throttled, match="in too many parts"):
        here.kind.see(here.slot(), NOW)
    here.behaviour.empty_pages = MOST_PAGES - 1
    assert here.kind.see(here.slot(), NOW).present


def test_a_list_that_takes_too_long_is_no_absence(here: Here) -> None:
    here.behaviour.empty_pages = 1
    here.assign()
    kind = AccountAssignment(here.aws.clients, timeout=CALL - timedelta(microseconds=1))
    with pytest.raises(Throttled, match="too slowly"):
        kind.see(here.slot(), NOW)


def test_a_list_that_is_denied_half_way_is_no_absence(here: Here) -> None:
    here.behaviour.empty_pages = 1
    request = here.let_in()
    here.world.give_back(request)
    here.pass_time(seconds=5)
    denied: list[str] = []
    for _ in range(3):
        # The first part is told, and the second is denied.
        here.faults.append(Fault.DENIED, on=DELETE)
        here.faults.clear()
        denied.append(_denied_at_the_second(here))
    assert all("AWS refused sso:ListAccountAssignmentsForPrincipal" in said for said in denied)
    assert here.ended(request).evidence is Evidence.SEEN_ABSENT
