"""Whole lifetimes, told by who can do what."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jitcloud.errors import Invalid, NotFound, Refused
from jitcloud.model import Cause, Evidence, State
from tests.world import World, caller

DORA = """
[[person]]
id = "dora"
name = "Dora"

[groups.developers]"""


def test_what_policy_lets_in_at_once_works_until_the_deadline_and_no_longer(world: World) -> None:
    request = world.ask(minutes=30)
    assert request.state is State.ACTIVE
    assert world.cloud.who_can("reader") == {"ana"}

    world.time.forward(minutes=29, seconds=59)
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}

    world.time.forward(seconds=1)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()
    ended = world.now(request)
    assert (ended.state, ended.cause) == (State.ENDED, Cause.DEADLINE)
    assert ended.evidence is Evidence.SEEN_ABSENT
    world.verify_all()


def test_what_needs_a_colleague_waits_for_one(world: World) -> None:
    request = world.ask(what="prod-write")
    assert request.state is State.PENDING
    assert world.cloud.who_can("writer") == frozenset()

    assert world.approve(request).state is State.ACTIVE
    assert world.cloud.who_can("writer") == {"ana"}


def test_giving_back_ends_access_at_once(world: World) -> None:
    request = world.give_back(world.ask())
    assert (request.state, request.cause) == (State.ENDED, Cause.GIVEN_BACK)
    assert world.cloud.who_can("reader") == frozenset()


def test_giving_back_twice_has_the_effect_of_once(world: World) -> None:
    request = world.ask()
    first = world.give_back(request)
    assert world.give_back(request) == first


def test_nobody_approves_their_own_request(world: World) -> None:
    request = world.ask(person="ben", what="prod-write")
    with pytest.raises(Refused, match="your own request"):
        world.approve(request, "ben")
    assert world.cloud.who_can("writer") == frozenset()


def test_whoever_is_not_asked_cannot_approve(world: World) -> None:
    request = world.ask(person="ben", what="prod-write")
    with pytest.raises(Refused, match="not among the people asked"):
        world.approve(request, "ana")


def test_a_second_yes_by_the_same_person_counts_for_nothing(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.approve(request, "ben")
    with pytest.raises(Refused, match="already approved"):
        world.approve(request, "ben")
    assert world.now(request).state is State.PENDING
    assert world.approve(request, "caro").state is State.ACTIVE


def test_one_no_is_enough(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.approve(request, "ben")
    denied = world.broker.deny(caller("caro"), request.id, world.time(), "not today")
    assert (denied.state, denied.reason) == (State.DENIED, "not today")


def test_a_quorum_that_cannot_be_met_is_refused_when_asked(world: World) -> None:
    request = world.ask(person="ben", what="prod-admin")  # ben and caro lead, and ben asks
    assert request.state is State.DENIED
    assert "Too few people" in request.reason


def test_votes_come_too_late_after_a_lapse(world: World) -> None:
    request = world.ask(what="prod-write")
    world.time.forward(hours=24)
    with pytest.raises(Refused, match="not decided in time"):
        world.approve(request)
    world.sweep()
    assert world.now(request).state is State.LAPSED
    with pytest.raises(Refused, match="no longer waits"):
        world.approve(request)


def test_votes_come_too_late_after_a_withdrawal(world: World) -> None:
    request = world.ask(what="prod-write")
    world.broker.withdraw(caller("ana"), request.id, world.time())
    with pytest.raises(Refused, match="no longer waits for votes: it is withdrawn"):
        world.approve(request)


def test_leaving_the_group_before_the_last_yes_counts(world: World) -> None:
    request = world.ask(what="prod-write")
    world.people_text = world.people_text.replace('["ana", "ben", "caro"]', '["ben", "caro"]')
    world.put_together()
    assert world.approve(request).state is State.DENIED
    assert world.cloud.who_can("writer") == frozenset()
    happened = [line.event.what.type for line in world.store.events(request.id)]
    assert "approved" not in happened, "the vote itself was judged by the groups of now"


def test_each_stage_is_asked_in_its_turn(world: World) -> None:
    world.policy_text = world.policy_text.replace("2 of leads", "1 of developers then 1 of leads")
    world.put_together()
    request = world.ask(what="prod-admin")
    world.approve(request, "caro")
    with pytest.raises(Refused, match="already approved"):
        world.approve(request, "caro")
    assert world.approve(request, "ben").state is State.ACTIVE


def test_a_later_stage_cannot_be_said_yes_to_before_its_turn(world: World) -> None:
    world.people_text = world.people_text.replace("[groups.developers]", DORA).replace(
        'members = ["ben", "caro"]', 'members = ["caro"]'
    )
    world.people_text += '[groups.security]\nmembers = ["dora"]\n'
    world.policy_text = world.policy_text.replace("2 of leads", "1 of leads then 1 of security")
    world.put_together()
    request = world.ask(what="prod-admin")
    with pytest.raises(Refused, match="not among the people asked"):
        world.approve(request, "dora")
    world.approve(request, "caro")
    assert world.approve(request, "dora").state is State.ACTIVE


def test_a_voter_who_left_before_the_last_yes_no_longer_counts(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.approve(request, "ben")
    world.people_text = world.people_text.replace('id = "ben"', 'id = "ben"\ndisabled = true')
    world.put_together()
    assert world.approve(request, "caro").state is State.PENDING


def test_a_voter_who_is_back_counts_again_with_the_next_yes(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.approve(request, "ben")
    people = world.people_text
    world.people_text = people.replace('id = "ben"', 'id = "ben"\ndisabled = true')
    world.people_text = world.people_text.replace("[groups.developers]", DORA)
    world.put_together()
    world.approve(request, "caro")
    world.people_text = people.replace("[groups.developers]", DORA).replace(
        'members = ["ben", "caro"]', 'members = ["ben", "caro", "dora"]'
    )
    world.put_together()
    assert world.now(request).state is State.PENDING
    assert world.approve(request, "dora").state is State.ACTIVE


def test_a_catalog_entry_that_changed_is_not_what_was_approved(world: World) -> None:
    request = world.ask(what="prod-write")
    world.catalog_text = world.catalog_text.replace('role = "writer"', 'role = "owner"')
    world.put_together()
    denied = world.approve(request)
    assert denied.state is State.DENIED
    assert "has changed" in denied.reason
    assert world.cloud.who_can("owner") == frozenset()


def test_a_scheduled_start_waits_and_is_judged_again(world: World) -> None:
    start = world.time() + timedelta(hours=2)
    request = world.ask(start=start)
    assert request.state is State.SCHEDULED
    assert world.cloud.who_can("reader") == frozenset()

    world.time.forward(hours=2, seconds=7)
    world.sweep()
    active = world.now(request)
    assert active.state is State.ACTIVE
    assert active.window is not None
    assert active.window.start == start
    assert active.window.deadline == start + timedelta(minutes=30)


def test_a_scheduled_start_that_policy_no_longer_allows_is_denied(world: World) -> None:
    request = world.ask(start=world.time() + timedelta(hours=2))
    world.policy_text = world.policy_text.replace("8h", "10m")
    world.put_together()
    world.time.forward(hours=2)
    world.sweep()
    assert world.now(request).state is State.DENIED
    assert world.cloud.who_can("reader") == frozenset()


def test_a_scheduled_start_for_which_policy_wants_more_approval_by_now_is_denied(
    world: World,
) -> None:
    request = world.ask(what="prod-write", start=world.time() + timedelta(hours=2))
    assert world.approve(request).state is State.SCHEDULED
    world.policy_text = world.policy_text.replace("1 of resource.owner", "2 of resource.owner")
    world.put_together()
    world.time.forward(hours=2)
    world.sweep()
    denied = world.now(request)
    assert denied.state is State.DENIED
    assert "more approval by now" in denied.reason
    assert world.cloud.who_can("writer") == frozenset()


def test_a_scheduled_start_whose_window_has_passed_lapses(world: World) -> None:
    request = world.ask(start=world.time() + timedelta(hours=2))
    world.time.forward(hours=3)
    world.sweep()
    assert world.now(request).state is State.LAPSED
    assert world.cloud.calls == []


def test_revoking_ends_anothers_access_and_says_who_did(world: World) -> None:
    request = world.ask()
    world.broker.revoke(caller("caro"), request.id, world.time(), "wrong account")
    world.advance.wake(request.id)
    assert world.cloud.who_can("reader") == frozenset()
    actors = {e.event.what.type: e.event.actor.id for e in world.store.events(request.id)}
    assert actors["ending"] == "caro"


def test_ending_asks_neither_policy_nor_catalog_nor_signature(world: World) -> None:
    request = world.ask(what="dev-read")
    world.policy_text = world.policy_text.replace('Environment::"dev"', 'Environment::"prod"')
    world.catalog_text = world.catalog_text.replace('"dev-read"', '"renamed"').replace(
        'environment = "dev"', 'environment = "prod"'
    )
    world.put_together()
    world.ledger = world.ledger.__class__(world.store, None, _TrustsNothing())
    assert world.give_back(request).state is State.ENDED
    assert world.cloud.who_can("reader") == frozenset()


class _TrustsNothing:
    def verify(self, message: bytes, signature: object) -> None:
        raise AssertionError(message, signature)


@pytest.mark.parametrize("person", ["ben", "caro"])
def test_only_the_holder_gives_back_or_withdraws(world: World, person: str) -> None:
    active = world.ask()
    pending = world.ask(what="prod-write")
    with pytest.raises(NotFound, match="only the person who asked"):
        world.give_back(active, person)
    with pytest.raises(NotFound, match="only the person who asked"):
        world.broker.withdraw(caller(person), pending.id, world.time())
    assert world.cloud.who_can("reader") == {"ana"}


def test_asking_twice_with_one_id_asks_once(world: World) -> None:
    request = world.ask()
    again = world.broker.request(
        caller("ana"),
        request.entitlement.id,
        duration=request.ask.duration,
        justification=request.ask.justification,
        now=world.time(),
        id_=request.id,
    )
    assert again == world.now(request)
    assert len(world.store.by_person(request.person, 10).requests) == 1


@pytest.mark.parametrize("minutes", [0, -5, 0.001])
def test_a_duration_that_is_none_is_refused(world: World, minutes: float) -> None:
    with pytest.raises(Invalid, match="duration"):
        world.ask(minutes=minutes)
    assert world.store.ids(10) == ()


def test_more_than_policy_allows_is_denied_and_recorded(world: World) -> None:
    request = world.ask(minutes=9 * 60)
    assert request.state is State.DENIED
    assert world.cloud.calls == []
    assert [e.event.what.type for e in world.store.events(request.id)] == ["asked", "decided"]


def test_somebody_disabled_meanwhile_is_not_let_in(world: World) -> None:
    request = world.ask(what="prod-write")
    world.people_text = world.people_text.replace('id = "ana"', 'id = "ana"\ndisabled = true')
    world.put_together()
    assert world.approve(request).state is State.DENIED
