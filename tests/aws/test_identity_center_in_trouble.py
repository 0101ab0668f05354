"""What may go wrong with Identity Center while somebody is let in or taken out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.emulators.identity_center import Behaviour, Fault, IdentityCenter
from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import Evidence, Operation, Progress, Slot, State
from jitcloud.providers.aws.clients import CALL
from jitcloud.providers.aws.identity_center import MOST_PAGES, AccountAssignment
from jitcloud.providers.aws.identity_center_calls import ASK_ANEW
from tests.aws.fake_aws import Answer, FakeAws, closes, says
from tests.aws.identity_center_world import (
    DELETE,
    OF_PLACE,
    OF_PRINCIPAL,
    PROD,
    REGION,
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
    with pytest.raises(CloudRefused, match=r"knows no such .* account 999988887777 .*catalog"):
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
    other = IdentityCenter(here.time, seed="other")
    slot = _at(here, instance_arn=other.instance_arn, region="eu-central-1")
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
    here.behaviour.empty_pages, here.behaviour.rate = MOST_PAGES, None
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
    for name in range(2):
        group = here.center.store.add_group(f"group-{name}")
        here.center.store.add_member(group, here.users["ana"])
        here.center.assign_by_hand(group, here.admins, PROD, "GROUP")
    request = here.let_in()

    def deny(params: dict[str, object], **_: object) -> None:
        if "NextToken" in params:
            here.faults.append(Fault.DENIED, on=OF_PRINCIPAL)

    events = here.aws.clients.sso_admin(REGION).meta.events
    named = f"provide-client-params.sso-admin.{OF_PRINCIPAL}"
    events.register(named, deny)
    try:
        here.world.give_back(request)
        here.pass_time(hours=1)
    finally:
        events.unregister(named, deny)
    assert here.state(request) is State.ENDING
    assert "AWS refused sso:ListAccountAssignmentsForPrincipal" in here.trouble(request)
    ended = here.ended(request, slots.LAST_RETRY + timedelta(minutes=1))
    assert ended.evidence is Evidence.SEEN_ABSENT


def test_a_broker_that_may_not_look_any_more_says_so_and_not_that_access_is_gone(
    here: Here,
) -> None:
    request = here.let_in()
    for _ in range(2000):
        here.faults.append(Fault.DENIED, on=OF_PRINCIPAL)
        here.faults.append(Fault.DENIED, on=OF_PLACE)
    here.world.give_back(request)
    here.pass_time(hours=1)
    assert here.state(request) is State.ENDING
    assert "is in the management account or in that of the delegated" in here.trouble(request)
    assert here.calls[DELETE] < 40, "what AWS has deleted is not deleted every few seconds"
    here.faults.clear()
    ended = here.ended(request, slots.LAST_RETRY + timedelta(minutes=1))
    assert ended.evidence is Evidence.SEEN_ABSENT


def test_a_delegated_administrator_asks_who_has_it_and_is_not_denied_each_time(
    aws: Aws, tmp_path: Path
) -> None:
    here = Here(aws, tmp_path, Behaviour(delegated=True, page_size=1))
    here.assign("caro")
    request = here.let_in()
    assert here.calls[OF_PRINCIPAL] == 1
    assert here.calls[OF_PLACE] == 1
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert here.calls[OF_PRINCIPAL] == 1
    assert here.who() == {"caro"}
    here.time.forward(seconds=ASK_ANEW.total_seconds())
    here.behaviour.delegated = False
    here.gone(here.let_in("ben"))
    assert here.calls[OF_PRINCIPAL] == 1 + 2


def test_lists_that_are_behind_are_not_believed_before_they_have_had_their_time(
    here: Here,
) -> None:
    here.behaviour.lag = SETTLE - timedelta(seconds=1)
    request = here.let_in()
    assert here.who() == {"ana"}
    here.world.give_back(request)
    here.pass_time(seconds=6)
    assert here.who() == set()
    assert here.ended(request).evidence is Evidence.SEEN_ABSENT
    assert here.calls[DELETE] == 1


def test_a_list_that_is_behind_for_longer_has_it_deleted_again_and_ends_when_it_shows(
    here: Here,
) -> None:
    request = here.let_in()
    here.behaviour.lag = timedelta(minutes=3)
    here.time.forward(minutes=10)
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert here.calls[DELETE] > 1


@pytest.mark.parametrize("already", ["accepted", "conflict"])
def test_whoever_has_got_it_by_hand_while_the_list_is_behind_is_let_in_all_the_same(
    here: Here, already: str
) -> None:
    here.behaviour.already = already  # type: ignore[assignment] # one of those it takes
    here.behaviour.lag = timedelta(seconds=30)
    here.assign()
    request = here.let_in()
    assert here.who() == {"ana"}
    assert here.state(request) is State.ACTIVE


# ── Conflicts ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", ["put", "remove"])
def test_a_conflict_has_had_no_effect_and_may_be_tried_again(here: Here, verb: str) -> None:
    here.faults.append(Fault.CONFLICT)
    slot = here.slot()
    with pytest.raises(Throttled, match="has not reached all of Identity Center yet"):
        here.kind.put(slot, (), NOW) if verb == "put" else here.kind.remove(slot)


@pytest.mark.parametrize("within", ["role", "account"])
def test_where_one_change_at_a_time_is_let_in_all_get_theirs_and_lose_it(
    here: Here, within: str
) -> None:
    here.behaviour.conflicts_within = within  # type: ignore[assignment] # one of those it takes
    requests = [here.world.ask(person) for person in here.people]
    assert "has not reached all of Identity Center yet" in here.trouble(requests[-1])
    here.until(lambda: here.who() == set(here.people), timedelta(minutes=5))
    here.until(lambda: all(here.state(r) is State.ACTIVE for r in requests), timedelta(minutes=1))
    for request in requests:
        here.world.give_back(request, request.person)
    here.until(lambda: here.who() == set(), timedelta(minutes=5))
    here.until(lambda: all(here.state(r) is State.ENDED for r in requests), timedelta(minutes=5))


def test_a_newcomer_during_a_removal_waits_for_it_and_gets_in(here: Here) -> None:
    first = here.let_in()
    here.world.give_back(first)
    second = here.world.ask()
    here.until(lambda: here.state(second) is State.ACTIVE, timedelta(minutes=5))
    assert here.who() == {"ana"}
    assert here.gone(second).evidence is Evidence.SEEN_ABSENT
    assert here.state(first) is State.ENDED


# ── Nothing goes for a long time ─────────────────────────────────────────────────────────────


def test_rate_limited_for_ten_minutes_all_end_within_a_minute_of_its_end(
    aws: Aws, tmp_path: Path
) -> None:
    people = [*"abcdefghijklmnopqrst"]
    here = Here(aws, tmp_path, Behaviour(rate=None, outstanding=None), people=people)
    requests = [here.let_in(person, minutes=30) for person in people]
    here.time.now = max(request.window.deadline for request in requests if request.window)
    here.behaviour.rate, here.behaviour.outstanding = 1e-9, 10
    here.sweep()
    tried = sum(here.calls.values())
    here.pass_time(minutes=10)
    assert here.who() == set(people)
    assert all(here.state(request) is State.ENDING for request in requests)
    # Neither is AWS asked by each of them again and again.
    assert sum(here.calls.values()) - tried < 3 * len(people)
    here.behaviour.rate = 20
    took = here.until(lambda: here.who() == set(), timedelta(minutes=5))
    assert took < timedelta(minutes=1) + len(people) * timedelta(seconds=1)
    here.until(lambda: all(here.state(r) is State.ENDED for r in requests), timedelta(minutes=1))


@pytest.mark.parametrize("fault", [Fault.INTERNAL, Fault.DENIED, Fault.FAILS, Fault.CONFLICT])
def test_with_deletes_failing_for_two_hours_access_ends_within_one_retry_of_recovery(
    here: Here, fault: Fault
) -> None:
    request = here.let_in(minutes=10)
    for _ in range(1000):
        here.faults.append(fault, on=DELETE)
    here.pass_time(hours=2, minutes=10)
    assert (here.state(request), here.who()) == (State.ENDING, {"ana"})
    assert here.trouble(request)
    assert here.calls[DELETE] > 20
    here.faults.clear()
    took = here.until(lambda: here.who() == set(), timedelta(hours=1))
    assert took <= slots.LAST_RETRY + here.behaviour.takes + timedelta(seconds=1)
    assert here.ended(request).evidence is Evidence.SEEN_ABSENT


# ── What no emulator gets wrong ──────────────────────────────────────────────────────────────


def _json(status: int, **told: object) -> Answer:
    return says(status, json.dumps(told))


_CODES = [
    pytest.param(_json(400, __type="ThrottlingException"), Throttled, id="throttled"),
    pytest.param(_json(400, __type="ValidationException"), CloudRefused, id="invalid"),
    pytest.param(_json(500, __type="InternalServerException"), OutcomeUnknown, id="failed"),
    pytest.param(_json(400, __type="ServiceQuotaExceededException"), CloudRefused, id="quota"),
    pytest.param(closes, OutcomeUnknown, id="closed"),
]


@pytest.mark.parametrize(("answer", "raised"), _CODES)
def test_no_answer_but_a_list_says_what_is_there(
    here: Here, fake: FakeAws, answer: Answer, raised: type[Exception]
) -> None:
    kind, slot = AccountAssignment(clients_of(fake.url, here.time)), here.slot()
    operation = Operation(verb="put", begun_at=here.time(), id="0" * 36)
    for call in (
        lambda: kind.see(slot, NOW),
        lambda: kind.put(slot, (), NOW),
        lambda: kind.remove(slot),
        lambda: kind.follow(slot, operation, NOW),
        lambda: kind.ours(kind.area(slot), None, NOW),
    ):
        fake.answers = [answer]
        with pytest.raises(raised):
            call()
        assert fake.answers == []


@pytest.mark.parametrize(
    ("status", "verb", "told"),
    [
        ({"Status": "SUCCEEDED", "RequestId": "x"}, "put", None),
        ({"Status": "SUCCEEDED", "RequestId": "x"}, "remove", None),
        ({"Status": "IN_PROGRESS", "RequestId": "x"}, "put", "x"),
        ({"Status": "BEING_THOUGHT_ABOUT", "RequestId": "x"}, "remove", "x"),
        ({}, "put", ""),
        ({"Status": "FAILED", "FailureReason": "EntitlementItem doesn't exist"}, "remove", None),
    ],
)
def test_what_is_done_at_once_is_not_followed_and_all_else_is(
    here: Here, fake: FakeAws, status: dict[str, str], verb: str, told: str | None
) -> None:
    kind, slot = AccountAssignment(clients_of(fake.url, here.time)), here.slot()
    name = "Creation" if verb == "put" else "Deletion"
    fake.answers = [_json(200, **{f"AccountAssignment{name}Status": status})]
    assert (kind.put(slot, (), NOW) if verb == "put" else kind.remove(slot)) == told


def test_what_fails_at_once_is_refused_with_the_reason(here: Here, fake: FakeAws) -> None:
    kind = AccountAssignment(clients_of(fake.url, here.time))
    failed = {"Status": "FAILED", "FailureReason": "no"}
    fake.answers = [_json(200, AccountAssignmentCreationStatus=failed)]
    with pytest.raises(CloudRefused, match="could not let the principal in: no"):
        kind.put(here.slot(), (), NOW)


def test_what_may_not_show_yet_is_not_taken_for_unknown(here: Here) -> None:
    shows = 2 * here.kind.timeout + here.kind.settle
    for id_ in ("", "0f9e8d7c-6b5a-4f3e-8d2c-1b0a9f8e7d6c"):
        operation = Operation(verb="put", begun_at=here.time(), id=id_)
        here.time.forward(seconds=shows.total_seconds() - 1)
        assert here.kind.follow(here.slot(), operation, here.time()).progress is Progress.RUNNING
        here.time.forward(seconds=1)
        assert here.kind.follow(here.slot(), operation, here.time()).progress is Progress.UNKNOWN
