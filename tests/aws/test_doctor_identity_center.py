"""Instances, permission sets and accounts that are not as the catalog says; and many at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from jitcloud.doctor import Finding, Grade
from jitcloud.emulators.identity_center import Fault
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import State
from jitcloud.ports import Change
from jitcloud.providers.aws import doctor_accounts, doctor_identity_center, doctor_load
from jitcloud.stores.memory import MemoryStore
from tests import factories
from tests.aws.conftest import named
from tests.aws.doctor_world import AWAY, HOME, Clinic, changed, consulting

OTHER = "333344445555"


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _anew(clinic: Clinic) -> None:
    """Undo what a test did to the organization: ids are the same each time."""
    clinic.behaviour.delegated = False
    clinic.sign_up()


# ── Instances ────────────────────────────────────────────────────────────────────────────────


def of_instance(clinic: Clinic, **other: object) -> list[Finding]:
    return clinic.found(doctor_identity_center.instances, changed(clinic.good[3], **other))


def test_an_instance_that_is_there_is_fine(clinic: Clinic) -> None:
    assert of_instance(clinic) == []


def test_an_instance_that_is_not_in_that_region_is_a_failure(clinic: Clinic) -> None:
    other = "arn:aws:sso:::instance/ssoins-0000000000000000"
    sets = "arn:aws:sso:::permissionSet/ssoins-0000000000000000/ps-0000000000000000"
    (finding,) = of_instance(clinic, instance_arn=other, permission_set_arn=sets)
    assert finding.grade is Grade.FAILURE
    assert finding.what.startswith("There is no such instance in us-east-1")


def test_an_identity_store_of_another_instance_is_a_failure(clinic: Clinic) -> None:
    (finding,) = of_instance(clinic, identity_store_id="d-0000000000")
    assert finding.grade is Grade.FAILURE
    assert clinic.center.store.id in finding.what


# ── Permission sets ──────────────────────────────────────────────────────────────────────────


def of_set(clinic: Clinic, **other: object) -> list[Finding]:
    return clinic.found(doctor_identity_center.permission_sets, changed(clinic.good[3], **other))


def test_a_permission_set_that_is_bounded_and_provisioned_is_fine(clinic: Clinic) -> None:
    clinic.center.assign_by_hand(clinic.ana, clinic.admins, AWAY)
    assert of_set(clinic) == []


def test_a_permission_set_that_is_gone_is_a_failure(clinic: Clinic) -> None:
    gone = clinic.admins.rpartition("/")[0] + "/ps-0000000000000000"
    (finding,) = of_set(clinic, permission_set_arn=gone)
    assert finding.grade is Grade.FAILURE
    assert "does not exist" in finding.what


def test_a_permission_set_with_another_boundary_is_harm(clinic: Clinic) -> None:
    (finding,) = of_set(clinic, deny_document="another")
    assert finding.grade is Grade.HARM
    assert "work on for up to 1h" in finding.costs


def test_that_the_catalog_names_no_document_is_told_with_its_worst_case(clinic: Clinic) -> None:
    (finding,) = of_set(clinic, deny_document=None, deny_role=None)
    assert finding.grade is Grade.NOTICE
    assert "work on for up to 1h" in finding.costs


def changed_since(clinic: Clinic) -> None:
    clinic.center.permission_sets.add("Readers")
    clinic.center.permission_sets.provision(AWAY, clinic.admins, clinic.center.now())
    found = clinic.center.permission_sets.find(clinic.admins)
    found.boundary, is_now = None, found.boundary
    clinic.center.permission_sets.provision(AWAY, clinic.admins, clinic.center.now())
    found.boundary = is_now


def test_a_permission_set_that_was_changed_since_it_was_provisioned_is_harm(
    clinic: Clinic,
) -> None:
    changed_since(clinic)
    (finding,) = of_set(clinic)
    assert finding.grade is Grade.HARM
    assert finding.what == f"It was changed since it was provisioned in {AWAY}."
    # Without a document nothing hangs on its boundary; and other accounts are not asked about.
    grades = [one.grade for one in of_set(clinic, deny_document=None, deny_role=None)]
    assert grades == [Grade.NOTICE, Grade.NOTICE]
    assert of_set(clinic, account=HOME) == []


def test_that_it_may_not_ask_where_is_told(clinic: Clinic) -> None:
    clinic.center.faults.append(Fault.DENIED, on="ListAccountsForProvisionedPermissionSet")
    (finding,) = of_set(clinic)
    assert finding.grade is Grade.NOTICE
    assert "sso:ListAccountsForProvisionedPermissionSet" in finding.remedy


def test_a_permission_set_that_many_need_is_read_once(clinic: Clinic) -> None:
    before = clinic.clients.watch.calls
    wanted = [changed(clinic.good[3], f"admin-{n}", account=f"{n:012d}") for n in range(20)]
    assert clinic.found(doctor_identity_center.permission_sets, *wanted) == []
    assert clinic.clients.watch.calls - before == 3


# ── Accounts ─────────────────────────────────────────────────────────────────────────────────


def of_account(clinic: Clinic, **other: object) -> list[Finding]:
    return clinic.found(doctor_accounts.accounts, changed(clinic.good[3], **other))


def test_an_account_that_takes_assignments_is_fine(clinic: Clinic) -> None:
    assert of_account(clinic) == []


def test_a_suspended_account_is_a_failure(clinic: Clinic) -> None:
    clinic.center.organization.set_state(AWAY, "SUSPENDED")
    (finding,) = of_account(clinic)
    assert (finding.grade, finding.about) == (Grade.FAILURE, f"account {AWAY} (admin)")
    assert "suspended" in finding.what


def test_an_account_outside_of_the_organization_is_a_failure(clinic: Clinic) -> None:
    (finding,) = of_account(clinic, account=OTHER, deny_document=None, deny_role=None)
    assert "not in the organization" in finding.what


def test_the_management_account_is_a_failure_for_a_delegated_administrator(
    clinic: Clinic,
) -> None:
    alone = {"deny_document": None, "deny_role": None, "account": HOME}
    assert of_account(clinic, **alone) == []
    # The broker reaches Identity Center from an account that is not the management account.
    (finding,) = of_account(clinic, account_role=clinic.way_in, **alone)
    assert finding.grade is Grade.FAILURE
    assert "management account" in finding.what


def test_that_accounts_may_not_be_looked_at_is_told(clinic: Clinic) -> None:
    clinic.center.faults.append(Fault.DENIED, on="DescribeAccount")
    (finding,) = of_account(clinic)
    assert finding.grade is Grade.NOTICE
    assert "organizations:DescribeAccount" in finding.remedy


def test_a_document_that_is_not_in_an_account_is_harm(clinic: Clinic) -> None:
    clinic.away.iam().put_role_policy(
        RoleName=named(clinic.way_in),
        PolicyName="more",
        PolicyDocument='{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action":'
        ' "iam:*", "Resource": "*"}}',
    )
    (finding,) = of_account(clinic, deny_document="none")
    assert (finding.grade, finding.what) == (Grade.HARM, "It does not exist.")


def test_a_role_in_an_account_that_does_not_let_the_broker_in_is_harm(clinic: Clinic) -> None:
    (finding,) = of_account(clinic, deny_role="nobody")
    assert finding.grade is Grade.HARM
    assert finding.about == f"role arn:aws:iam::{AWAY}:role/nobody"
    assert finding.what.startswith("The broker does not get in by it.")


def test_a_document_elsewhere_without_a_way_in_is_harm(clinic: Clinic) -> None:
    (finding,) = of_account(clinic, deny_role=None)
    assert finding.grade is Grade.HARM
    assert "names no deny_role" in finding.what


def test_more_accounts_than_can_be_asked_for_are_a_failure(clinic: Clinic) -> None:
    unit = clinic.center.organization.add_unit("many")
    for number in range(201):
        clinic.center.organization.add_account(f"4{number:011d}", "one", parent=unit)
    spanned = {"account": None, "accounts_in": unit, "deny_document": None, "deny_role": None}
    (finding,) = of_account(clinic, **spanned)
    assert (finding.grade, finding.about) == (Grade.FAILURE, "entitlement admin")
    assert "are 201, and 200 can be asked for at once" in finding.what


def test_in_a_bounded_number_of_accounts_documents_are_looked_at(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_accounts, "MOST_LOOKED_AT", 1)
    both = [clinic.good[3], changed(clinic.good[3], "more", account=HOME)]
    findings = clinic.found(doctor_accounts.accounts, *both)
    assert [one.what for one in findings] == [
        "Of 2 accounts the first 1 were looked at.",
        "Of 2 deny documents the first 1 were looked at.",
    ]


# ── Many at once ─────────────────────────────────────────────────────────────────────────────


def of_load(clinic: Clinic, store: MemoryStore) -> list[Finding]:
    return clinic.found(doctor_load.ends, clinic.good[3], store=store)


def grants(clinic: Clinic, count: int) -> MemoryStore:
    """A record with so many active grants."""
    store = MemoryStore()
    for number in range(count):
        (move,) = factories.asked(number).moves
        ask = replace(move.request.ask, entitlement=clinic.good[3])
        asked = replace(move.request, ask=ask)
        store.commit(Change(moves=(replace(move, request=asked),)))
        store.commit(factories.then(asked, state=State.ACTIVE))
    return store


def test_how_long_many_grants_take_to_end_is_told(clinic: Clinic) -> None:
    (finding,) = of_load(clinic, grants(clinic, 600))
    assert finding.grade is Grade.NOTICE
    assert finding.what == "It has 600 live grants."
    assert "would end 1m30s late by the rate" in finding.costs
    assert "about 5m late" in finding.costs


def test_a_few_are_not_worth_a_word(clinic: Clinic) -> None:
    assert of_load(clinic, grants(clinic, 10)) == []
    assert of_load(clinic, MemoryStore()) == []
