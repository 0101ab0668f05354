"""Access now, reviewed after: at once, recorded loudly, and not again before it was looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.errors import Invalid, Refused, Tampered
from jitcloud.model import (
    BreakGlass,
    EntitlementId,
    GlassBroken,
    Request,
    Reviewed,
    ReviewMissed,
    State,
)
from tests.world import PEOPLE, POLICY, World, caller

GLASS = (
    POLICY
    + """
@id("glass")
@review("within 24h by leads")
@notify("leads")
permit (principal in Group::"developers", action == Action::"breakGlass",
        resource in Environment::"prod")
when { context.duration <= duration("1h") };
"""
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, policy_text=GLASS)


def broken(world: World, person: str = "ana", **more: object) -> Request:
    facts = {"incident": "INC-9", "break_glass": True, **more}
    return world.ask(person, "prod-write", **facts)  # type: ignore[arg-type] # a table of facts


def types(world: World, request: Request) -> list[str]:
    return [line.event.what.type for line in world.store.events(request.id)]


def test_the_glass_lets_in_at_once_and_is_recorded_as_what_it_is(world: World) -> None:
    request = broken(world)
    assert request.state is State.ACTIVE
    assert world.cloud.who_can("writer") == {"ana"}
    assert types(world, request) == ["asked", "glass-broken", "activating", "activated"]
    decision = request.decision
    assert isinstance(decision, BreakGlass)
    assert decision.skipped is not None
    assert decision.skipped.stages[0].needs[0].approvers[0].id == "leads"
    assert request.review_by == world.time() + timedelta(hours=24)
    world.verify_all()


def test_nobody_falls_into_it(world: World) -> None:
    assert world.ask(what="prod-write", incident="INC-9").state is State.PENDING


def test_whoever_may_go_in_anyway_breaks_nothing(world: World) -> None:
    request = world.ask("ana", "dev-read", incident="INC-9", break_glass=True)
    assert request.state is State.ACTIVE
    assert request.review_by is None
    assert "glass-broken" not in types(world, request)


def test_it_takes_an_incident_and_begins_now(world: World) -> None:
    with pytest.raises(Invalid, match="needs an incident"):
        broken(world, incident=None)
    with pytest.raises(Invalid, match="leave the start out"):
        broken(world, start=world.time() + timedelta(hours=1))


def test_no_rule_no_glass(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = broken(world)
    assert request.state is State.DENIED
    assert not world.cloud.who_can("writer")


def test_a_review_is_made_by_those_asked_and_never_by_oneself(world: World) -> None:
    request = broken(world, person="ben")
    with pytest.raises(Refused, match="cannot review your own"):
        world.broker.review(caller("ben"), request.id, world.time(), fine=True, note="I was good")
    with pytest.raises(Refused, match="not among the people asked"):
        world.broker.review(caller("ana"), request.id, world.time(), fine=True, note="looks good")
    assert world.broker.unreviewed(caller("caro")) == (world.now(request),)
    assert world.broker.unreviewed(caller("ben")) == ()
    done = world.broker.review(
        caller("caro"), request.id, world.time(), fine=True, note="it was on fire"
    )
    assert done.review_by is None
    assert [seen.by for seen in done.reviews] == ["caro"]
    assert done.state is State.ACTIVE, "a review ends nothing"
    assert world.broker.unreviewed() == ()
    with pytest.raises(Refused, match="waits for no review"):
        world.broker.review(caller("caro"), request.id, world.time(), fine=True, note="again")
    world.verify_all()


def test_what_has_ended_is_reviewed_all_the_same(world: World) -> None:
    request = broken(world, minutes=10)
    world.time.forward(minutes=10)
    world.sweep_until_quiet()
    assert world.now(request).state is State.ENDED
    done = world.broker.review(caller("ben"), request.id, world.time(), fine=False, note="no need")
    assert (done.state, done.review_by) == (State.ENDED, None)
    assert world.store.wake_at(request.id) is None
    world.verify_all()


def test_unreviewed_past_its_time_it_is_reported_and_the_next_one_is_refused(world: World) -> None:
    request = broken(world, minutes=10)
    assert broken(world, minutes=5).state is State.ACTIVE, "before that time it blocks nothing"
    world.time.forward(hours=23, minutes=59)
    world.sweep_until_quiet()
    assert not world.now(request).review_missed
    world.time.forward(minutes=1, seconds=30)
    world.sweep()
    missed = world.now(request)
    assert missed.review_missed
    assert types(world, request)[-1] == "review-missed"
    assert world.store.wake_at(request.id) is None, "it is told once"
    refused = broken(world)
    assert refused.state is State.DENIED
    assert "nobody has reviewed it in time" in refused.reason
    assert broken(world, person="caro").state is State.ACTIVE, "others are not held to account"
    for owed in world.broker.unreviewed(caller("ben")):
        if owed.person == "ana":
            world.broker.review(caller("ben"), owed.id, world.time(), fine=True, note="late")
    assert broken(world).state is State.ACTIVE


def test_a_review_missed_is_seen_while_the_access_lasts_too(world: World) -> None:
    world.policy_text = GLASS.replace("within 24h", "within 10m")
    world.put_together()
    request = broken(world, minutes=60)
    world.time.forward(minutes=10)
    world.sweep()
    assert world.now(request).review_missed
    assert world.now(request).state is State.ACTIVE
    world.time.forward(minutes=50)
    world.sweep_until_quiet()
    assert not world.cloud.who_can("writer")


def test_who_reviews_must_still_be_asked(world: World) -> None:
    request = broken(world)
    world.people_text = PEOPLE.replace(
        '[groups.leads]\nmembers = ["ben", "caro"]', '[groups.leads]\nmembers = ["caro"]'
    )
    world.put_together()
    with pytest.raises(Refused, match="not among the people asked"):
        world.broker.review(caller("ben"), request.id, world.time(), fine=True, note="fine")


def test_two_rules_are_two_reviews(tmp_path: Path) -> None:
    text = (
        GLASS
        + """
@id("glass-again")
@review("within 1h by developers")
permit (principal in Group::"developers", action == Action::"breakGlass", resource);
"""
    )
    world = World(tmp_path, policy_text=text)
    request = broken(world)
    assert request.review_by == world.time() + timedelta(hours=1)
    one = world.broker.review(caller("ben"), request.id, world.time(), fine=True, note="as a lead")
    assert one.review_by is not None
    with pytest.raises(Refused, match="already reviewed"):
        world.broker.review(caller("ben"), request.id, world.time(), fine=True, note="again")
    two = world.broker.review(caller("caro"), request.id, world.time(), fine=True, note="me too")
    assert two.review_by is None


def test_what_the_glass_let_in_is_extended_only_by_the_glass_or_a_yes(world: World) -> None:
    request = broken(world, minutes=30)
    assert world.extend(request, minutes=10).state is State.PENDING
    again = world.extend(request, minutes=10, break_glass=True)
    assert again.state is State.EXTENDED
    assert {owed.id for owed in world.broker.unreviewed()} == {request.id, again.id}
    world.time.forward(hours=25)
    world.sweep_until_quiet()
    assert world.now(again).review_missed
    done = world.broker.review(caller("ben"), again.id, world.time(), fine=True, note="late")
    assert (done.state, done.review_by) == (State.EXTENDED, None)
    world.verify_all()


def test_nothing_is_reviewed_while_it_ends_and_so_it_ends(world: World) -> None:
    request = broken(world, minutes=10)
    world.broker.give_back(caller("ana"), request.id, world.time())
    with pytest.raises(Refused, match="is ending just now; review it once that is done"):
        world.broker.review(caller("ben"), request.id, world.time(), fine=True, note="fine")
    reviewed = Reviewed(by=caller("ben").person, fine=True, note="fine", done=True)
    for what in (reviewed, ReviewMissed()):
        with pytest.raises(Tampered, match="cannot happen to a request that is ending"):
            world.ledger.record(world.now(request), (what,), now=world.time())
    world.sweep_until_quiet()
    assert world.now(request).state is State.ENDED
    world.broker.review(caller("ben"), request.id, world.time(), fine=True, note="fine")
    world.verify_all()


def test_a_glass_that_nobody_else_could_review_is_not_broken(world: World) -> None:
    world.people_text = PEOPLE.replace(
        '[groups.leads]\nmembers = ["ben", "caro"]', '[groups.leads]\nmembers = ["ben"]'
    )
    world.put_together()
    refused = broken(world, person="ben")
    assert refused.state is State.DENIED
    assert refused.reason.startswith("Too few people besides yourself could review this")
    assert broken(world).state is State.ACTIVE


# ── A glass that the policy of later sees otherwise ──────────────────────────────────────────


def test_what_waits_for_its_start_never_becomes_a_broken_glass(world: World) -> None:
    request = world.ask(start=world.time() + timedelta(minutes=5))
    world.policy_text = GLASS.removeprefix(POLICY).replace('"prod"', '"dev"')
    world.put_together()
    world.time.forward(minutes=5)
    world.sweep()
    assert world.now(request).state is State.DENIED
    assert world.now(request).review_by is None


def test_what_was_let_in_by_the_glass_is_reviewed_though_it_needs_none_by_now(
    world: World,
) -> None:
    request = world.broker.request(
        caller("ana"),
        EntitlementId("prod-write"),
        duration=timedelta(minutes=30),
        justification="testing",
        incident="INC-9",
        break_glass=True,
        now=world.time(),
    )
    world.policy_text = (
        POLICY + '@id("all") permit (principal, action == Action::"activate", resource);'
    )
    world.put_together()
    active = world.advance.wake(request.id)
    assert active.state is State.ACTIVE
    assert active.review_by is not None


def test_what_a_colleague_gave_can_be_extended_by_the_glass_and_is_reviewed(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=30))
    extension = world.extend(request, minutes=30, break_glass=True, incident="INC-9")
    assert extension.state is State.EXTENDED
    assert world.broker.unreviewed() == (extension,)
    world.verify_all()


# ── Whoever can write the record ─────────────────────────────────────────────────────────────


def test_a_glass_that_nobody_asked_to_break_is_not_believed(world: World) -> None:
    request = world.ask(what="prod-write")
    glass = broken(world, person="caro")
    assert isinstance(glass.decision, BreakGlass)
    assert glass.policy is not None
    assert request.lapses_at is not None
    what = GlassBroken(decision=glass.decision, policy=glass.policy, lapses_at=request.lapses_at)
    world.ledger.record(request, (what,), now=world.time())
    world.put_together()
    with pytest.raises(Tampered, match="nobody asked to break"):
        world.ledger.verified(request.id, world.time())


def test_a_review_nobody_signed_is_not_believed(world: World) -> None:
    request = broken(world)
    world.put_together()
    unsigned = replace(world.ledger, signer=None)
    what = Reviewed(by=caller("ben").person, fine=True, note="forged", done=True)
    unsigned.record(request, (what,), now=world.time())
    with pytest.raises(Tampered, match="not signed"):
        world.ledger.verified(request.id, world.time())


def test_a_missed_review_is_not_a_way_around(world: World) -> None:
    request = broken(world)
    world.ledger.record(request, (ReviewMissed(),), now=world.time())
    assert world.now(request).review_by is not None
