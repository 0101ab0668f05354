"""A cloud that does what it is told in its own time is followed to the end, and never guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.model import Cause, Evidence, State
from jitcloud.ports import Change
from tests.slow_world import OUTLIVES, Here, a_world, an_active_one


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return a_world(tmp_path)


# ── In ───────────────────────────────────────────────────────────────────────────────────────


def test_nobody_is_said_to_be_in_before_the_cloud_says_so(here: Here) -> None:
    request = here.ask()
    here.on(seconds=30)
    assert here.state(request) is State.ACTIVATING
    assert not here.can()
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(request) is State.ACTIVE
    assert here.can()


def test_what_is_under_way_is_asked_after_ever_more_seldom_and_never_told_again(
    here: Here,
) -> None:
    here.ask()
    here.on(minutes=1)
    assert here.kind.told.count("put") == 1
    assert 3 <= here.kind.told.count("follow") <= 8


def test_a_create_that_fails_is_told_again_and_the_request_fails_in_the_end(here: Here) -> None:
    request = here.ask()
    for _ in range(20):
        if here.slot(request).operation is not None:
            here.kind.finish(fails="The account is suspended.")
        here.on(seconds=15)
        if here.state(request) is State.ACTIVATING:
            assert "suspended" in here.slot(request).trouble
    here.on(minutes=2)
    failed = here.world.now(request)
    assert failed.state is State.FAILED
    assert "suspended" in failed.reason
    assert here.kind.told.count("put") > 2
    assert not here.can()


def test_a_create_whose_answer_never_came_is_found_and_followed(here: Here) -> None:
    here.kind.loses.append("put")
    request = here.ask()
    here.on(minutes=1)
    assert here.kind.told.count("put") == 1, "it was found, and not begun once more"
    here.kind.finish()
    here.on(minutes=2)
    assert here.state(request) is State.ACTIVE
    assert here.can()


def test_what_was_forgotten_is_told_by_what_is_there(here: Here) -> None:
    request = here.ask()
    here.kind.finish(forgets=True)
    here.on(seconds=10)
    assert here.state(request) is State.ACTIVE
    assert here.kind.told.count("put") == 1


# ── Out ──────────────────────────────────────────────────────────────────────────────────────


def test_ended_means_that_a_list_which_can_no_longer_be_stale_does_not_have_it(
    here: Here,
) -> None:
    request = an_active_one(here)
    here.world.give_back(request)
    here.on(seconds=20)
    assert here.state(request) is State.ENDING
    assert here.can()
    here.kind.finish()
    here.on(seconds=60)
    ended = here.world.now(request)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_ABSENT)
    assert not here.can()


def test_nothing_is_read_between_the_removal_and_the_time_it_settles(here: Here) -> None:
    """A list that still shows it would have it removed once more, or let a newcomer in on it."""
    request = an_active_one(here)
    here.world.give_back(request)
    here.kind.finish()
    here.kind.told.clear()
    here.world.time.forward(seconds=5)
    here.world.sweep()
    assert here.kind.told == ["follow"]
    here.world.time.forward(seconds=8)
    here.world.sweep()
    assert here.kind.told == ["follow", "see"]
    assert here.state(request) is State.ENDED


def test_what_is_ours_and_was_seen_is_removed_without_another_look(here: Here) -> None:
    request = an_active_one(here)
    here.kind.told.clear()
    here.world.give_back(request)
    assert here.kind.told == ["remove"]


def test_a_revoke_waits_for_the_create_that_is_under_way_and_undoes_it(here: Here) -> None:
    request = here.ask()
    here.world.give_back(request)
    here.on(seconds=30)
    assert here.kind.told.count("remove") == 0
    here.kind.finish()
    here.on(minutes=1)
    assert here.kind.told.count("remove") == 1
    here.kind.finish()
    here.on(minutes=2)
    assert here.state(request) is State.ENDED
    assert not here.can()


def test_nothing_is_proven_while_a_create_may_still_land(here: Here) -> None:
    """One that never ends: access is removed, and yet the end is not believed before it ends."""
    request = here.ask()
    here.world.give_back(request)
    here.on(minutes=30)
    assert here.kind.told.count("put") == 1
    assert here.state(request) is State.ENDING
    here.kind.finish()
    assert here.can()
    here.on(minutes=10)
    assert "remove" in here.kind.told
    here.kind.finish()
    here.on(minutes=10)
    assert here.state(request) is State.ENDED
    assert not here.can()


def test_a_create_that_never_ends_does_not_keep_the_cloud_from_being_told_to_remove(
    here: Here,
) -> None:
    request = here.ask()
    here.world.cloud.assign_by_hand("ana", "reader")  # it landed, and its status is stuck
    here.on(minutes=1)
    here.world.give_back(request)
    here.on(minutes=20)
    assert "remove" in here.kind.told
    removal = next(task for task in here.kind.tasks if task.verb == "remove")
    here.world.cloud.set(*removal.place, present=False)
    here.on(minutes=20)
    assert not here.can()
    assert here.state(request) is State.ENDING, "for the create may land again"
    assert here.kind.told.count("follow") < 60, "and is asked after once a minute at the most"
    here.kind.finish()
    here.world.cloud.unassign_by_hand("ana", "reader")
    here.on(minutes=30)
    assert here.state(request) is State.ENDED


def test_a_removal_that_never_ends_is_told_again(here: Here) -> None:
    request = an_active_one(here)
    here.world.give_back(request)
    here.kind.tasks[-1].place = ("nobody", "nothing")  # it got lost in the cloud
    here.on(minutes=12)
    assert here.kind.told.count("remove") == 2
    here.kind.tasks[-1].progress = here.kind.tasks[0].progress
    here.world.cloud.set("ana", "reader", present=False)
    here.on(minutes=5)
    assert here.state(request) is State.ENDED


def test_a_removal_that_fails_is_told_again_for_ever(here: Here) -> None:
    request = an_active_one(here)
    here.world.give_back(request)
    for _ in range(40):
        if here.slot(request).operation is not None:
            here.kind.finish(fails="An unexpected internal service exception was encountered")
        here.on(minutes=3)
    assert here.state(request) is State.ENDING
    assert here.slot(request).attempts > 3
    assert "internal service exception" in here.slot(request).trouble
    here.on(minutes=5)
    here.kind.finish()
    here.on(minutes=2)
    assert here.state(request) is State.ENDED
    assert not here.can()


# ── A newcomer ───────────────────────────────────────────────────────────────────────────────


def test_who_joins_during_a_removal_waits_for_it_and_then_gets_in(here: Here) -> None:
    first = an_active_one(here)
    here.world.give_back(first)
    second = here.ask()
    here.on(seconds=30)
    assert here.state(second) is State.ACTIVATING
    assert here.kind.told.count("put") == 1
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(second) is State.ACTIVE
    assert here.can()
    assert here.state(first) is State.ENDED
    here.world.give_back(second)
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(second) is State.ENDED
    assert not here.can()


def test_nobody_is_in_on_what_a_list_still_shows_though_it_was_removed(here: Here) -> None:
    first = an_active_one(here)
    here.world.give_back(first)
    here.kind.finish()
    here.world.time.forward(seconds=5)
    here.world.sweep()
    assert not here.can()
    here.kind.stale.extend([True, True])
    second = here.ask()
    assert here.state(second) is State.ACTIVATING
    assert here.kind.told[-1] == "put", "it is told anew, whatever the list shows"
    here.kind.finish()
    here.on(seconds=30)
    assert here.state(second) is State.ACTIVE
    assert here.can()


# ── Standing access ──────────────────────────────────────────────────────────────────────────


def test_what_somebody_gave_after_ours_had_gone_stays(here: Here) -> None:
    first = an_active_one(here)
    here.world.give_back(first)
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(first) is State.ENDED
    here.world.cloud.assign_by_hand("ana", "reader")
    second = here.ask()
    assert here.state(second) is State.ACTIVE
    here.world.give_back(second)
    here.on(minutes=1)
    ended = here.world.now(second)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.OTHERS_HOLD)
    assert here.can()


def test_what_was_never_proven_empty_is_not_taken_for_standing(here: Here) -> None:
    """Somebody joins before the removal is proven: what is seen then may be what we had put."""
    first = an_active_one(here)
    here.world.give_back(first)
    here.kind.finish()
    here.on(seconds=5)
    here.world.cloud.assign_by_hand("ana", "reader")  # as a late call of ours would
    second = here.ask()
    here.kind.finish()
    here.on(seconds=30)
    assert here.slot(second).standing is False
    here.world.give_back(second)
    here.on(seconds=5)
    here.kind.finish()
    here.on(minutes=1)
    assert not here.can()


def test_standing_access_is_neither_put_nor_removed(here: Here) -> None:
    here.world.cloud.assign_by_hand("ana", "reader")
    request = here.ask(minutes=1)
    assert here.state(request) is State.ACTIVE
    here.on(minutes=5)
    assert here.state(request) is State.ENDED
    assert here.kind.told.count("put") + here.kind.told.count("remove") == 0
    assert here.can()


# ── What outlives the place ──────────────────────────────────────────────────────────────────


def test_what_was_made_of_it_is_told_and_waited_for(tmp_path: Path) -> None:
    here = a_world(tmp_path, OUTLIVES)
    request = an_active_one(here)
    here.world.give_back(request)
    here.kind.finish()
    here.on(minutes=5)
    left = here.world.now(request)
    assert left.state is State.ENDING
    assert left.removed_at is not None
    assert left.credentials_dead_by == left.removed_at + OUTLIVES
    here.kind.told.clear()
    here.on(minutes=50)
    assert here.state(request) is State.ENDING
    assert here.kind.told == [], "nothing is left to ask a cloud about"
    here.on(minutes=10)
    ended = here.world.now(request)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_ABSENT)
    here.world.verify_all()


def test_what_was_never_let_in_leaves_nothing(tmp_path: Path) -> None:
    here = a_world(tmp_path, OUTLIVES)
    request = here.ask()
    here.kind.finish(fails="The account is suspended.")
    here.world.give_back(request)
    here.on(minutes=1)
    ended = here.world.now(request)
    assert (ended.state, ended.cause) == (State.ENDED, Cause.GIVEN_BACK)
    assert ended.removed_at is None


def test_who_goes_on_having_it_may_use_what_they_made(tmp_path: Path) -> None:
    here = a_world(tmp_path, OUTLIVES)
    first = an_active_one(here, minutes=60)
    second = here.ask(minutes=120)
    here.on(seconds=5)
    assert here.state(second) is State.ACTIVE
    here.world.give_back(first)
    assert here.world.now(first).evidence is Evidence.OTHERS_HOLD
    assert here.can()
    here.world.give_back(second)
    here.kind.finish()
    here.on(minutes=5)
    assert here.state(second) is State.ENDING
    assert here.world.now(second).removed_at is not None


# ── Killed ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outlives", [None, OUTLIVES], ids=["nothing lives on", "sessions do"])
def test_a_driver_that_died_with_its_call_under_way_leaves_it_to_be_found(
    tmp_path: Path, outlives: timedelta | None
) -> None:
    here = a_world(tmp_path, outlives)
    request = here.ask()
    task = here.kind.tasks.pop()
    slot = here.slot(request)
    # As if it had died right after the call: what it was told is nowhere on record.
    died = slots.claim(slot, "somebody", here.world.time() + timedelta(seconds=15))
    died = replace(died, operation=None, filled_at=None, version=slot.version + 1)
    here.world.store.commit(Change(slots=(died,)))
    here.kind.tasks.append(task)
    here.world.give_back(request)
    here.on(seconds=60)
    assert here.state(request) is State.ENDING, "for what it began may still land"
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=3 if outlives is None else 90)
    assert here.state(request) is State.ENDED
    assert not here.can()
    assert (here.world.now(request).removed_at is None) == (outlives is None)
