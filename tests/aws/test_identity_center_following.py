"""Creates and deletes that Identity Center does in its own time, followed across wake-ups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.emulators.identity_center import Behaviour, Fault
from jitcloud.errors import Throttled
from jitcloud.model import SKEW, Evidence, Operation, Progress, Request, State
from jitcloud.providers.aws.identity_center import MOST_UNDER_WAY
from jitcloud.providers.aws.identity_center_status import why
from tests.aws.identity_center_world import (
    CREATE,
    CREATION,
    CREATIONS,
    DELETE,
    DELETION,
    DEV,
    OF_PRINCIPAL,
    PROD,
    SETTLE,
    TAKES,
    Aws,
    Here,
    emulated,
)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with emulated() as running:
        yield running


@pytest.fixture
def here(aws: Aws, tmp_path: Path) -> Here:
    return Here(aws, tmp_path)


# ── In, and out ──────────────────────────────────────────────────────────────────────────────


def test_somebody_is_let_in_once_identity_center_says_it_is_done(here: Here) -> None:
    request = here.world.ask()
    assert (here.state(request), here.who()) == (State.ACTIVATING, set())
    operation = here.world.slot(request).operation
    assert operation is not None
    assert operation.id
    here.pass_time(seconds=4)
    assert (here.state(request), here.who()) == (State.ACTIVATING, set())
    here.pass_time(seconds=1)
    assert (here.state(request), here.who()) == (State.ACTIVE, {"ana"})


def test_gone_is_said_only_when_a_list_shows_it_and_lists_have_had_their_time(here: Here) -> None:
    request = here.let_in()
    here.world.give_back(request)
    assert (here.state(request), here.who()) == (State.ENDING, {"ana"})
    here.pass_time(seconds=5)
    assert (here.state(request), here.who()) == (State.ENDING, set())
    here.pass_time(seconds=(SETTLE + SKEW).total_seconds() - 1)
    assert here.state(request) is State.ENDING
    here.pass_time(seconds=1)
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT
    here.world.verify_all()


def test_at_the_deadline_it_ends_by_wake_ups_alone(here: Here) -> None:
    request = here.let_in(minutes=10)
    here.pass_time(minutes=11)
    assert here.who() == set()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT
    assert here.next_due() is None


def test_a_restarted_broker_follows_what_an_earlier_one_has_begun(here: Here) -> None:
    request = here.world.ask()
    here.start()
    here.pass_time(seconds=5)
    assert here.state(request) is State.ACTIVE
    here.world.give_back(request)
    here.start()
    assert here.ended(request).evidence is Evidence.SEEN_ABSENT
    assert (here.calls[CREATE], here.calls[DELETE]) == (1, 1)


def test_a_group_gets_it_and_a_user_who_is_in_it_is_no_place_of_its_own(
    aws: Aws, tmp_path: Path
) -> None:
    here = Here(aws, tmp_path, group=True)
    for user in here.users.values():
        here.center.store.add_member(here.team, user)
    request = here.let_in()
    assert here.who() == set(here.people)
    # The list of what a user has tells what the user's groups have, too.
    assert not here.kind.see(here.slot(), here.time()).present
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert here.who() == set()


def test_a_user_who_has_it_by_a_group_already_is_let_in_and_the_group_keeps_it(here: Here) -> None:
    here.center.store.add_member(here.team, here.users["ana"])
    here.center.assign_by_hand(here.team, here.admins, PROD, "GROUP")
    request = here.let_in()
    assert here.calls[CREATE] == 1
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert here.who() == {"ana"}


# ── What it costs ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("others", [0, 500, 50_000])
def test_a_whole_life_is_six_calls_among_however_many_others(here: Here, others: int) -> None:
    users = [here.center.store.add_user(f"other-{number}") for number in range(min(others, 500))]
    accounts = [f"{number:012d}" for number in range(max(1, others // 500 - 1))]
    for account in accounts:
        here.center.organization.add_account(account, account)
    for user in users:
        for account in (*accounts, PROD)[: max(1, others // 500)]:
            here.center.assign_by_hand(user, here.admins, account)
    assert len(here.center.holders()) == others
    here.gone(here.let_in())
    assert dict(here.calls) == {
        OF_PRINCIPAL: 2,
        CREATE: 1,
        CREATION: 1,
        DELETE: 1,
        DELETION: 1,
    }


# ── Answers that never came ──────────────────────────────────────────────────────────────────


def test_a_create_whose_answer_was_lost_is_found_and_followed(here: Here) -> None:
    here.faults.append(Fault.HANG_UP_DONE, on=CREATE)
    request = here.world.ask()
    assert "may have done it" in here.trouble(request)
    here.pass_time(seconds=1)
    operation = here.world.slot(request).operation
    assert operation is not None
    assert operation.id
    here.until(lambda: here.state(request) is State.ACTIVE, timedelta(minutes=1))
    assert here.who() == {"ana"}
    assert (here.calls[CREATE], here.calls[CREATIONS]) == (1, 1)


def test_among_what_is_under_way_only_what_is_about_this_place_is_ours(here: Here) -> None:
    sso = here.aws.clients.sso_admin("us-east-1")
    target = {
        "InstanceArn": here.center.instance_arn,
        "TargetId": PROD,
        "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": here.admins,
        "PrincipalType": "USER",
        "PrincipalId": here.users["ana"],
    }
    sso.create_account_assignment(**target)
    here.time.forward(seconds=1)
    here.behaviour.takes = 60 * TAKES
    for other in (
        {"TargetId": DEV},
        {"PermissionSetArn": here.others},
        {"PrincipalId": here.users["ben"]},
        {"PrincipalType": "GROUP", "PrincipalId": here.team},
    ):
        sso.create_account_assignment(**(target | other))
    begun_at = here.time() + SKEW + timedelta(seconds=1, microseconds=1)
    here.time.forward(minutes=1)
    operation = Operation(verb="put", begun_at=begun_at)
    assert here.kind.follow(here.slot(), operation, here.time()).progress is Progress.UNKNOWN

    here.time.now = begun_at
    mine = sso.create_account_assignment(**target)["AccountAssignmentCreationStatus"]["RequestId"]
    followed = here.kind.follow(here.slot(), operation, here.time())
    assert (followed.progress, followed.id) == (Progress.RUNNING, mine)


def test_with_too_much_under_way_nothing_is_taken_for_not_begun(aws: Aws, tmp_path: Path) -> None:
    here = Here(aws, tmp_path, Behaviour(rate=None, outstanding=None))
    sso = here.aws.clients.sso_admin("us-east-1")
    for number in range(MOST_UNDER_WAY + 1):
        sso.create_account_assignment(
            InstanceArn=here.center.instance_arn,
            TargetId=PROD,
            TargetType="AWS_ACCOUNT",
            PermissionSetArn=here.admins,
            PrincipalType="USER",
            PrincipalId=here.center.store.add_user(f"other-{number}"),
        )
    operation = Operation(verb="put", begun_at=here.time())
    with pytest.raises(Throttled, match="too much under way"):
        here.kind.follow(here.slot(), operation, here.time())


@pytest.mark.parametrize(
    "fault", [Fault.HANG_UP, Fault.HANG_UP_DONE, Fault.LATE, Fault.INTERNAL, Fault.THROTTLED]
)
@pytest.mark.parametrize("takes", [1, 5, 40])
def test_a_create_that_fails_in_any_way_leaves_nothing_after_the_end(
    here: Here, fault: Fault, takes: float
) -> None:
    here.behaviour.takes = timedelta(seconds=takes)
    here.faults.append(fault, on=CREATE, after=timedelta(seconds=9))
    request = here.world.ask()
    here.world.give_back(request)
    _ended_is_never_said_while_access_can_come_back(here, request)


@pytest.mark.parametrize(
    "fault", [Fault.HANG_UP, Fault.HANG_UP_DONE, Fault.LATE, Fault.INTERNAL, Fault.THROTTLED]
)
@pytest.mark.parametrize("on", [DELETE, DELETION, OF_PRINCIPAL])
def test_a_removal_that_fails_in_any_way_is_tried_until_access_is_gone(
    here: Here, fault: Fault, on: str
) -> None:
    request = here.let_in()
    for _ in range(4):
        here.faults.append(fault, on=on, after=timedelta(seconds=9))
    here.world.give_back(request)
    _ended_is_never_said_while_access_can_come_back(here, request)
    assert here.faults.struck[fault] > 0


def _ended_is_never_said_while_access_can_come_back(here: Here, request: Request) -> None:
    said = False
    for _ in range(400):
        here.pass_time(seconds=1)
        finished = here.state(request).is_finished
        said = said or finished
        assert not (said and here.who()), here.state(request)
    assert said
    assert here.next_due() is None
    here.world.verify_all()


# ── Operations that take long, are forgotten, or fail ────────────────────────────────────────


def test_a_delete_that_never_finishes_is_told_again_and_ends_once_it_can(here: Here) -> None:
    request = here.let_in()
    here.faults.append(Fault.NEVER_FINISHES, on=DELETE)
    here.world.give_back(request)
    here.pass_time(minutes=9)
    assert here.calls[DELETE] == 1
    here.pass_time(minutes=20)
    assert here.calls[DELETE] > 1
    assert (here.state(request), here.who()) == (State.ENDING, {"ana"})
    assert "has not reached all of Identity Center" in here.trouble(request)
    here.center.release()
    assert here.ended(request).evidence is Evidence.SEEN_ABSENT
    assert here.who() == set()


def test_a_create_that_never_finishes_is_not_taken_for_gone_before_it_does(here: Here) -> None:
    here.faults.append(Fault.NEVER_FINISHES, on=CREATE)
    request = here.world.ask()
    here.pass_time(minutes=60)
    assert here.state(request) is State.ENDING, "a grant that does not show fails"
    here.center.release()
    assert here.who() == {"ana"}
    ended = here.ended(request)
    assert (ended.state, here.who()) == (State.FAILED, set())


def test_a_status_that_is_not_known_for_a_moment_changes_nothing(here: Here) -> None:
    here.behaviour.takes = timedelta(minutes=1)
    for _ in range(3):
        here.faults.append(Fault.FORGOTTEN, on=CREATION)
    request = here.let_in()
    assert (here.faults.struck[Fault.FORGOTTEN], here.calls[CREATE]) == (3, 1)
    for _ in range(3):
        here.faults.append(Fault.FORGOTTEN, on=DELETION)
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT
    assert (here.faults.struck[Fault.FORGOTTEN], here.calls[DELETE]) == (6, 1)


def test_what_is_listed_as_under_way_is_waited_for_though_aws_says_that_there_is_none(
    here: Here,
) -> None:
    here.behaviour.takes = timedelta(minutes=5)
    here.faults.append(Fault.HANG_UP_DONE, on=CREATE)
    request = here.world.ask()
    for _ in range(20):
        here.faults.append(Fault.FORGOTTEN, on=CREATION)
    here.world.give_back(request)
    here.pass_time(minutes=3)
    assert here.faults.struck[Fault.FORGOTTEN] > 3
    assert here.state(request) is State.ENDING
    here.pass_time(minutes=30)
    assert (here.state(request), here.who()) == (State.ENDED, set())


def test_a_status_that_was_forgotten_while_nobody_asked_leaves_the_list_to_decide(
    here: Here,
) -> None:
    here.behaviour.remembers = timedelta(hours=1)
    request = here.world.ask(minutes=60 * 8)
    here.time.forward(hours=2)
    here.sweep()
    assert (here.state(request), here.who()) == (State.ACTIVE, {"ana"})
    here.world.give_back(request)
    here.time.forward(hours=2)
    here.pass_time(minutes=1)
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT
    assert (here.calls[CREATE], here.calls[DELETE]) == (1, 1)


def test_a_create_that_fails_says_why_and_the_request_fails_with_it(here: Here) -> None:
    reason = "The quota of roles is reached."
    for _ in range(40):
        here.faults.append(Fault.FAILS, on=CREATE, reason=reason)
    request = here.world.ask()
    here.pass_time(seconds=6)
    said = f"Identity Center could not let the principal in: {reason}"
    assert here.trouble(request) == said
    ended = here.ended(request, timedelta(minutes=30))
    assert (ended.state, ended.reason, here.who()) == (State.FAILED, said, set())
    assert here.time() - request.updated_at >= here.kind.patience


def test_a_create_that_fails_once_is_tried_again(here: Here) -> None:
    here.faults.append(Fault.FAILS, on=CREATE)
    request = here.let_in()
    assert (here.calls[CREATE], here.who()) == (2, {"ana"})
    assert here.gone(request).evidence is Evidence.SEEN_ABSENT


def test_a_delete_that_fails_is_tried_again(here: Here) -> None:
    request = here.let_in()
    here.faults.append(Fault.FAILS, on=DELETE, reason="not now")
    here.world.give_back(request)
    here.pass_time(seconds=5)
    assert "could not take the assignment away: not now." in here.trouble(request)
    assert here.who() == {"ana"}
    assert here.ended(request).evidence is Evidence.SEEN_ABSENT


@pytest.mark.parametrize("missing", ["fails", "not found", "succeeds"])
def test_what_somebody_else_has_taken_away_is_gone_whatever_aws_answers(
    here: Here, missing: str
) -> None:
    here.behaviour.missing = missing  # type: ignore[assignment] # one of those it takes
    request = here.let_in()
    here.unassign()
    ended = here.gone(request)
    assert ended.evidence is Evidence.SEEN_ABSENT
    assert here.calls[DELETE] == 1
    assert here.trouble(request) == ""


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "Identity Center could not take the assignment away: it does not say why."),
        ("a\x1b[2Jb", "Identity Center could not take the assignment away: a\\x1b[2Jb."),
    ],
)
def test_whatever_aws_gives_as_a_reason_is_told_so_that_it_can_be_shown(
    reason: str, told: str
) -> None:
    assert why("remove", reason) == told
    assert len(why("remove", "x" * 5000)) < 500


def test_a_lost_create_is_found_though_our_clock_is_ahead_of_awss(here: Here) -> None:
    here.faults.append(Fault.HANG_UP_DONE, on=CREATE)
    request = here.world.ask()
    ahead = Operation(verb="put", begun_at=here.time() + timedelta(minutes=2))
    followed = here.kind.follow(here.world.slot(request), ahead, here.time())
    assert followed.progress is Progress.RUNNING
    assert followed.id


def test_a_lost_delete_does_not_take_what_is_given_anew(here: Here) -> None:
    request = here.let_in()
    here.center.behaviour.takes = timedelta(minutes=2)
    here.faults.append(Fault.HANG_UP_DONE, on=DELETE)
    here.world.give_back(request)
    here.pass_time(seconds=5)
    again = here.world.ask()
    here.until(lambda: here.state(again) is State.ACTIVE, timedelta(minutes=10))
    here.pass_time(minutes=10)
    assert (here.state(again), here.who()) == (State.ACTIVE, {"ana"})


def test_who_may_not_ask_after_a_create_still_has_it_deleted(here: Here) -> None:
    for _ in range(300):
        here.faults.append(Fault.DENIED, on=CREATION)
    here.world.ask(minutes=20)
    here.pass_time(minutes=60)
    assert here.calls[DELETE] > 0
    assert here.who() == set()


def test_ten_creates_that_never_finish_keep_nobody_in(aws: Aws, tmp_path: Path) -> None:
    people = ("ana", "ben", "cleo", *(f"p{number:02}" for number in range(10)))
    here = Here(aws, tmp_path, people=people)
    here.center.behaviour.outstanding = None  # AWS would take on more, and nobody knows
    victim = here.let_in("ana", minutes=60)
    for person in people[3:]:
        here.faults.append(Fault.NEVER_FINISHES, on=CREATE)
        here.world.ask(person, minutes=60)
        here.pass_time(seconds=3)
    here.pass_time(minutes=2)
    here.world.give_back(victim)
    here.pass_time(minutes=10)
    assert "ana" not in here.who()
    here.faults.clear()
    here.center.release()


def test_a_list_that_takes_long_to_read_leaves_time_to_delete(here: Here) -> None:
    request = here.let_in("ana", minutes=60)
    here.center.behaviour.empty_pages = 2
    events = here.aws.clients.sso_admin("us-east-1").meta.events
    slow = lambda **_: here.time.forward(seconds=1.7)  # noqa: E731 - to be taken off again
    events.register("after-call", slow)
    try:
        here.faults.append(Fault.CONFLICT, on=DELETE)
        here.world.give_back(request)
        here.pass_time(minutes=20)
    finally:
        events.unregister("after-call", slow)
    assert here.who() == set()
