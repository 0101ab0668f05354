"""Who is in a place without a grant, and whether ours could be told from theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from jitcloud import slots
from jitcloud.doctor import Finding, Grade
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Entitlement, Holder, Person, PersonId, RequestId, Sight, Slot
from jitcloud.ports import Change
from jitcloud.providers.aws import doctor_places
from jitcloud.providers.aws.iam_group import GroupMembership
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.stores.memory import MemoryStore
from tests.aws.conftest import HOUR, named, now
from tests.aws.doctor_world import AWAY, Clinic, changed, consulting, in_reach

ANA = Person(id=PersonId("ana"), name="Ana")


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        yield opened


def found(clinic: Clinic, *entitlements: Entitlement, **other: object) -> list[Finding]:
    return clinic.found(doctor_places.places, *entitlements, **other)


def joined(clinic: Clinic) -> tuple[Entitlement, Slot]:
    """Put Ana's user into a group; return what gives that, and the place as the record has it."""
    entitlement = clinic.group()
    group, users = str(entitlement.target["group_arn"]), entitlement.target["users"]
    assert isinstance(users, dict)
    clinic.home.iam().add_user_to_group(GroupName=named(group), UserName=named(users["ana"]))
    clinic.allow(*clinic.good, entitlement)
    mechanisms, _ = in_reach(clinic.clients)
    place = mechanisms[entitlement.mechanism].places(entitlement, ANA).grant
    assert place is not None
    return entitlement, slots.at(place)


def recorded(slot: Slot, *, until: float = 1, standing: bool = False) -> MemoryStore:
    """A record in which somebody holds the place until then, in hours."""
    store = MemoryStore()
    holder = Holder(request=RequestId("01J" + "0" * 23), until=now() + until * HOUR)
    seen = Sight(at=now(), present=True)
    held = replace(slot, version=1, holders=(holder,), standing=standing, seen=seen)
    store.commit(Change(slots=(replace(held, wake_at=now() + HOUR),)))
    return store


# ── Who is there ─────────────────────────────────────────────────────────────────────────────


def test_where_nobody_is_nothing_is_found(clinic: Clinic) -> None:
    assert found(clinic, *clinic.good) == []


def test_somebody_in_a_group_without_a_grant_is_harm(clinic: Clinic) -> None:
    entitlement, _ = joined(clinic)
    (finding,) = found(clinic, entitlement)
    assert finding.grade is Grade.HARM
    assert finding.what == "1 are there without a grant that the record knows."
    assert finding.about.endswith("(join)")


def test_somebody_with_a_grant_is_not_counted(clinic: Clinic) -> None:
    entitlement, slot = joined(clinic)
    assert found(clinic, entitlement, store=recorded(slot)) == []


def test_standing_access_in_an_exclusive_place_is_harm_though_it_is_held(clinic: Clinic) -> None:
    entitlement, slot = joined(clinic)
    (finding,) = found(clinic, entitlement, store=recorded(slot, standing=True))
    assert finding.grade is Grade.HARM


def test_somebody_with_a_permission_set_without_a_grant_is_harm(clinic: Clinic) -> None:
    clinic.center.assign_by_hand(clinic.ana, clinic.admins, AWAY)
    try:
        (finding,) = found(clinic, clinic.good[3])
    finally:
        clinic.center.unassign_by_hand(clinic.ana, clinic.admins, AWAY)
    assert finding.grade is Grade.HARM
    assert finding.about.startswith("place aws.identity-center/ssoins-")


def test_a_bounded_number_of_pages_is_read(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_places, "MOST_PAGES", 1)
    ben = clinic.center.store.add_user("ben")
    for user in (clinic.ana, ben):
        clinic.center.assign_by_hand(user, clinic.admins, AWAY)
    clinic.behaviour.page_size = 1
    try:
        (finding,) = found(clinic, clinic.good[3])
    finally:
        clinic.behaviour.page_size = 100
        for user in (clinic.ana, ben):
            clinic.center.unassign_by_hand(user, clinic.admins, AWAY)
    assert finding.what == "1 are there at least without a grant that the record knows."


def test_that_more_pages_were_not_read_is_told(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_places, "MOST_PAGES", 1)
    clinic.center.assign_by_hand(clinic.ana, clinic.admins, AWAY)
    clinic.behaviour.empty_pages = 1
    try:
        (finding,) = found(clinic, clinic.good[3])
    finally:
        clinic.behaviour.empty_pages = 0
        clinic.center.unassign_by_hand(clinic.ana, clinic.admins, AWAY)
    assert finding.grade is Grade.NOTICE
    assert "pages were read, and there are more" in finding.what


def test_a_bounded_number_of_places_is_listed(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_places, "MOST_AREAS", 1)
    (finding,) = found(clinic, clinic.good[1], clinic.good[3])
    assert finding.what == "Of 2 places the first 1 were looked at."


# ── Whose it is ──────────────────────────────────────────────────────────────────────────────


def test_a_shared_place_needs_a_journal(clinic: Clinic) -> None:
    entitlement, _ = joined(clinic)
    shared = changed(entitlement, exclusive=False)
    (finding,) = found(clinic, shared)
    assert finding.grade is Grade.FAILURE
    assert "no journal is kept" in finding.what
    # Who else is there is nobody's business here.
    assert found(clinic, shared, keeps_journal=True) == []


def test_two_entitlements_that_disagree_whose_a_place_is_are_harm(clinic: Clinic) -> None:
    group, _ = joined(clinic)
    center = clinic.good[3]
    for one in (group, center):
        (finding,) = found(clinic, one, changed(one, "other", exclusive=False))
        assert finding.grade is Grade.HARM
        assert finding.what == (
            f"{one.id} leaves it to jitcloud alone (exclusive), and other does not."
        )
    assert found(clinic, center, changed(center, "other")) == []


def test_an_entitlement_whose_accounts_cannot_be_told_hides_no_other(clinic: Clinic) -> None:
    entitlement, _ = joined(clinic)
    unknown = changed(clinic.good[3], account=None, accounts_in="ou-zzzz-zzzzzzzz")
    harm, failure = found(clinic, unknown, entitlement)
    assert harm.what.startswith("1 are there without a grant")
    assert (failure.grade, failure.about) == (Grade.FAILURE, "entitlement admin")


def test_the_kinds_that_are_listed_are_those_that_take_no_mark(clinic: Clinic) -> None:
    _, kinds = in_reach(clinic.clients)
    assert isinstance(kinds["aws.iam-group"], GroupMembership)
    assert isinstance(kinds["aws.identity-center"], AccountAssignment)
