"""Brakes: stop what would be activated, end what is. Neither ever stops an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import braking
from jitcloud.controls import EVERYTHING
from jitcloud.errors import Misconfigured, Refused, Tampered
from jitcloud.model import (
    SKEW,
    Entitlement,
    EntitlementId,
    Person,
    Places,
    Plan,
    Reach,
    Resumed,
    Scope,
    State,
)
from jitcloud.providers.memory import KIND, MemoryMechanism
from tests.core.test_break_glass import GLASS
from tests.world import POLICY, World, caller

RIGHTS = (
    POLICY
    + """
@id("may-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);
@id("may-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""
)
ANA = Scope(reach=Reach.PERSON, id="ana")
DEV = Scope(reach=Reach.ENTITLEMENT, id="dev-read")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, policy_text=RIGHTS)


def test_both_need_a_right_of_their_own(world: World) -> None:
    for act in (world.broker.stop, world.broker.resume, world.broker.end_all):
        with pytest.raises(Refused, match=r"permit"):
            act(caller("ana"), EVERYTHING, world.time(), "because I can")
    assert world.store.control_events()[1:] == (), "only the policy was taken up"


@pytest.mark.parametrize("scope", [EVERYTHING, ANA, DEV, Scope(reach=Reach.CLOUD, id="aws")])
def test_what_is_stopped_is_refused_and_what_is_active_goes_on_and_ends(
    world: World, scope: Scope
) -> None:
    active = world.ask(minutes=30)
    world.broker.stop(caller("ben"), scope, world.time(), "leaked key")
    refused = world.ask()
    assert refused.state is State.DENIED
    assert "Activations are stopped" in refused.reason
    assert "leaked key (Ben)" in refused.reason
    assert world.extend(active).state is State.DENIED
    assert world.now(active).state is State.ACTIVE
    world.time.forward(minutes=30)
    world.sweep_until_quiet()
    assert not world.cloud.who_can("reader")
    world.broker.resume(caller("caro"), scope, world.time(), "rotated")
    assert world.ask().state is State.ACTIVE
    types = [line.event.what.type for line in world.store.control_events()]
    assert types == ["adopted", "stopped", "resumed"]


@pytest.mark.parametrize(
    "scope", [Scope(reach=Reach.PERSON, id="ben"), Scope(reach=Reach.CLOUD, id="gcp")]
)
def test_what_lies_outside_of_a_brake_goes_on(world: World, scope: Scope) -> None:
    world.broker.stop(caller("ben"), scope, world.time(), "leaked key")
    assert world.ask().state is State.ACTIVE


def test_what_was_approved_waits_and_is_not_lost(world: World) -> None:
    request = world.ask(what="prod-write")
    world.broker.stop(caller("caro"), EVERYTHING, world.time(), "leaked key")
    assert world.approve(request).state is State.SCHEDULED
    world.time.forward(minutes=10)
    world.sweep()
    assert world.now(request).state is State.SCHEDULED
    world.broker.resume(caller("caro"), EVERYTHING, world.time(), "rotated")
    world.time.forward(minutes=1)
    world.sweep()
    assert world.now(request).state is State.ACTIVE


def test_an_approved_extension_waits_too(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=30))
    extension = world.extend(request)
    world.broker.stop(caller("caro"), EVERYTHING, world.time(), "leaked key")
    assert world.approve(extension).state is State.SCHEDULED
    world.time.forward(minutes=30)
    world.sweep_until_quiet()
    assert not world.cloud.who_can("writer")


def test_ending_everything_ends_what_is_active_and_takes_back_what_waits(world: World) -> None:
    active, pending = world.ask(), world.ask(what="prod-write")
    scheduled = world.ask(start=world.time() + timedelta(hours=2))
    others = world.ask("ben", "dev-read")
    ended, troubles = world.broker.end_all(caller("caro"), ANA, world.time(), "laptop stolen")
    assert (ended, troubles) == (3, ())
    assert world.now(active).state is State.ENDING
    assert world.now(active).reason == "laptop stolen"
    assert world.now(pending).state is world.now(scheduled).state is State.WITHDRAWN
    world.sweep()
    world.time.forward(minutes=1)
    world.sweep()
    assert world.cloud.who_can("reader") == {"ben"}
    assert world.now(others).state is State.ACTIVE
    assert world.ask().state is State.ACTIVE, "an end is no stop"
    world.sweep()
    types = [line.event.what.type for line in world.store.control_events()]
    assert types == ["adopted", "end-all", "all-ending"]
    world.verify_all()


def test_whoever_braked_and_died_is_finished_by_the_next_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = world.ask()
    with monkeypatch.context() as died:
        died.setattr(braking, "finish", lambda *_: (0, ()))
        world.broker.end_all(caller("caro"), EVERYTHING, world.time(), "laptop stolen")
    assert world.now(active).state is State.ACTIVE
    world.time.forward(seconds=10)
    later = world.ask("ben")
    world.sweep()
    world.time.forward(minutes=1)
    world.sweep_until_quiet_but(later)
    assert world.cloud.who_can("reader") == {"ben"}, "what was asked for later is not meant"


def test_what_cannot_be_looked_for_now_is_told_and_ended_by_the_next_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = world.ask()

    def deny(*_: object) -> None:
        raise Misconfigured("The table cannot be searched.")

    with monkeypatch.context() as denied:
        denied.setattr(world.store, "by_state", deny)
        found = world.broker.end_all(caller("caro"), EVERYTHING, world.time(), "laptop stolen")
    assert found == (0, (("brakes", "The table cannot be searched."),))
    assert world.now(active).state is State.ACTIVE
    world.sweep()
    assert not world.cloud.who_can("reader")


def test_a_directory_that_is_broken_keeps_nothing_alive(world: World) -> None:
    active = world.ask()
    (world.folder / "people.toml").write_text("[[person")
    world.broker.end_all(caller("ana"), EVERYTHING, world.time(), "all is broken")
    assert world.now(active).state is State.ENDING


def test_a_forged_resume_is_not_believed_and_nothing_is_granted_on_it(world: World) -> None:

    world.broker.stop(caller("ben"), EVERYTHING, world.time(), "leaked key")
    world.forge(Resumed(scope=EVERYTHING, reason="trust me"))
    with pytest.raises(Tampered, match="not signed"):
        world.ask()


def test_ends_go_on_though_the_deployments_own_trail_is_spoilt(world: World) -> None:

    active = world.ask(minutes=10)
    world.broker.stop(caller("ben"), EVERYTHING, world.time(), "leaked key")
    world.forge(Resumed(scope=EVERYTHING, reason="trust me"))
    world.time.forward(minutes=10)
    world.sweep_until_quiet()
    assert world.now(active).state is State.ENDED


def test_what_is_stopped_cannot_be_had_by_breaking_the_glass(tmp_path: Path) -> None:
    world = World(tmp_path, policy_text=RIGHTS + GLASS.removeprefix(POLICY))
    world.broker.stop(caller("ben"), EVERYTHING, world.time(), "leaked key")
    refused = world.ask(what="prod-write", incident="INC-9", break_glass=True)
    assert refused.state is State.DENIED
    assert "Activations are stopped" in refused.reason


# ── While somebody is at the brake ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Slow(MemoryMechanism):
    """A cloud that takes long to be asked: much can happen before it has answered."""

    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,
        now: datetime,
        *,
        part: str = "",
        person: Person | None = None,
    ) -> Plan:
        made = MemoryMechanism.plan(self, entitlement, duration, now, part=part, person=person)
        while self.meanwhile:
            self.meanwhile.pop()()
        return made


@dataclass(frozen=True)
class SlowSessions(Slow):
    """Hands out sessions: nothing is done at the cloud before they are asked for."""

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - none
        return Places()


@pytest.mark.parametrize(
    ("slow", "extension"),
    [
        pytest.param(Slow(), False, id="place"),
        pytest.param(SlowSessions(), False, id="session"),
        pytest.param(Slow(), True, id="extension"),
    ],
)
def test_a_stop_holds_what_was_being_let_in_when_it_was_put_on(
    tmp_path: Path, slow: Slow, *, extension: bool
) -> None:
    world = World(tmp_path, policy_text=RIGHTS, mechanisms={KIND: slow})
    request = world.ask(what="prod-write", minutes=60)
    if extension:
        request = world.extend(world.approve(request), minutes=60)
    world.broker.approve(caller("ben"), request.id, world.time())
    slow.meanwhile.append(
        lambda: world.broker.stop(caller("caro"), EVERYTHING, world.time(), "leaked key")
    )
    assert world.advance.wake(request.id).state is State.SCHEDULED
    world.sweep()
    assert world.now(request).state is State.SCHEDULED
    world.broker.resume(caller("caro"), EVERYTHING, world.time(), "rotated")
    world.time.forward(minutes=1)
    world.sweep()
    assert world.now(request).state is (State.EXTENDED if extension else State.ACTIVE)


def test_what_was_asked_for_before_an_end_and_recorded_after_it_ends_too(tmp_path: Path) -> None:
    slow = Slow()
    world = World(tmp_path, policy_text=RIGHTS, mechanisms={KIND: slow})
    world.ask("caro")

    def end_all() -> None:
        world.time.forward(seconds=5)
        world.broker.end_all(caller("ben"), EVERYTHING, world.time(), "laptop stolen")
        world.sweep()

    slow.meanwhile.append(end_all)
    request = world.ask()
    assert request.state is State.ACTIVE
    world.sweep()
    assert world.now(request).state is not State.ACTIVE
    world.time.forward(minutes=1)
    world.sweep_until_quiet()
    assert not world.cloud.who_can("reader")
    types = [line.event.what.type for line in world.store.control_events()]
    assert types == ["adopted", "end-all", "all-ending"]


@pytest.mark.parametrize("ahead", [SKEW, SKEW + timedelta(seconds=1)])
def test_a_clock_that_is_a_little_ahead_gets_nobody_past_an_end(
    world: World, ahead: timedelta
) -> None:
    world.ask("caro")  # so that the policy is known here, at this time
    request = world.broker.request(
        caller("ana"),
        EntitlementId("dev-read"),
        duration=timedelta(hours=1),
        justification="testing",
        now=world.time() + ahead,
    )
    world.broker.end_all(caller("ben"), EVERYTHING, world.time(), "laptop stolen")
    state = world.now(request).state
    assert state is (State.WITHDRAWN if ahead <= SKEW else State.SCHEDULED)


# ── Where something else is wrong ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong", ["replaced", "forged"])
def test_the_right_to_end_is_asked_for_though_nothing_can_be_judged(
    world: World, wrong: str
) -> None:
    active = world.ask()
    if wrong == "forged":
        world.forge(Resumed(scope=EVERYTHING, reason="trust me"))
    broker = world.broker
    if wrong == "replaced":
        world.policy_text += "// newer"
        world.put_together()
        world.ask("ben")
    with pytest.raises(Refused, match="permit"):
        broker.end_all(caller("ana"), EVERYTHING, world.time(), "now I may")
    assert world.now(active).state is State.ACTIVE
    broker.end_all(caller("ben"), EVERYTHING, world.time(), "laptop stolen")
    assert world.now(active).state is State.ENDING


def test_where_nothing_signs_one_stops_and_ends_and_resumes_nothing(world: World) -> None:
    active = world.ask()
    broker = replace(world.broker, ledger=replace(world.ledger, signer=None))
    broker.stop(caller("ben"), EVERYTHING, world.time(), "leaked key")
    broker.end_all(caller("ben"), EVERYTHING, world.time(), "leaked key")
    assert world.now(active).state is State.ENDING
    with pytest.raises(Misconfigured, match="Nothing signs here"):
        broker.resume(caller("ben"), EVERYTHING, world.time(), "rotated")
    world.put_together()
    known = world.broker.brakes()
    assert known is not None
    assert [brake.scope for brake in known.stops] == [EVERYTHING]
    world.broker.resume(caller("ben"), EVERYTHING, world.time(), "rotated")
    assert world.ask().state is State.ACTIVE
