"""Who gets credentials, and when nobody does, with a mechanism of sessions in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import ending, lifecycle
from jitcloud.errors import NotFound, Refused
from jitcloud.model import (
    SKEW,
    Area,
    Credentials,
    Entitlement,
    Evidence,
    Guarantee,
    Person,
    Place,
    Places,
    Plan,
    Request,
    SlotKey,
    State,
    Window,
)
from jitcloud.providers.memory import KIND
from tests.world import World, caller


@dataclass
class MemorySessions:
    """Sessions that the cloud itself ends at the deadline, and that nothing ends earlier."""

    name: str = KIND
    guarantee: Guarantee = Guarantee.CLOUD
    timeout: timedelta = timedelta(seconds=10)
    lives: timedelta = timedelta(minutes=15)
    minted: list[Request] = field(default_factory=list)

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:  # noqa: ARG002 - takes any
        return ()

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - one
        return ()

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - none
        return ()

    def plan(
        self,
        entitlement: Entitlement,  # noqa: ARG002 - the same for all
        duration: timedelta,  # noqa: ARG002 - the same
        now: datetime,  # noqa: ARG002 - the same
        *,
        part: str = "",  # noqa: ARG002 - the same
        person: Person | None = None,  # noqa: ARG002 - the same
    ) -> Plan:
        return Plan(guarantee=self.guarantee, early_end="Nothing ends these early.")

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - none
        return Places()

    def lifetime(self, request: Request, window: Window, now: datetime) -> timedelta:  # noqa: ARG002 - as told
        return self.lives

    def issue(
        self, request: Request, window: Window, lifetime: timedelta, now: datetime
    ) -> Credentials:
        self.minted.append(request)
        return Credentials(
            access_key_id="AKIA",
            secret_access_key="secret",  # noqa: S106 - made up
            session_token="token",  # noqa: S106 - made up
            expires_at=min(now + lifetime, window.deadline),
        )


@pytest.fixture
def sessions() -> MemorySessions:
    return MemorySessions()


@pytest.fixture
def world(tmp_path: Path, sessions: MemorySessions) -> World:
    return World(tmp_path, mechanisms={KIND: sessions})


def issue(world: World, request: Request, person: str = "ana") -> Credentials:
    return world.broker.issue(caller(person), request.id, world.time)


def test_each_set_is_recorded_before_it_is_minted_and_clamped_to_the_deadline(
    world: World, sessions: MemorySessions
) -> None:
    request = world.ask(minutes=10)
    made = issue(world, request)
    assert world.now(request).window is not None
    assert made.expires_at == world.now(request).window.deadline  # type: ignore[union-attr] # seen above
    issue(world, request)
    assert [seen.issued for seen in sessions.minted] == [1, 2]


def test_nobody_else_gets_them(world: World, sessions: MemorySessions) -> None:
    request = world.ask()
    with pytest.raises(NotFound, match="only the person who asked"):
        issue(world, request, "ben")
    assert sessions.minted == []


def test_there_are_none_before_approval(world: World) -> None:
    with pytest.raises(Refused, match="still waits for approval"):
        issue(world, world.ask(what="prod-write"))


def test_there_are_none_before_the_start(world: World) -> None:
    request = world.ask(start=world.time() + timedelta(hours=1))
    with pytest.raises(Refused, match="not active yet"):
        issue(world, request)


def test_there_are_none_after_the_deadline_though_nobody_has_swept(
    world: World, sessions: MemorySessions
) -> None:
    request = world.ask(minutes=10)
    world.time.forward(minutes=10)
    with pytest.raises(Refused, match="reached its deadline"):
        issue(world, request)
    assert sessions.minted == []


def test_there_are_none_so_near_the_deadline_that_they_might_come_after_it(world: World) -> None:
    request = world.ask(minutes=10)
    world.time.forward(minutes=9, seconds=51)
    with pytest.raises(Refused, match="ends in 9 s, too soon"):
        issue(world, request)


def test_there_are_none_after_the_end(world: World) -> None:
    request = world.give_back(world.ask())
    with pytest.raises(Refused, match="gives no access: it is ended"):
        issue(world, request)


def test_what_was_never_issued_needs_no_ending(world: World) -> None:
    request = world.give_back(world.ask())
    assert request.evidence is Evidence.NOTHING_ISSUED


def test_what_cannot_be_ended_early_is_not_said_to_be_ended_early(world: World) -> None:
    request = world.ask(minutes=10)
    issue(world, request)
    world.time.forward(minutes=1)
    assert world.give_back(request).state is State.ENDING
    world.time.forward(minutes=9)
    world.sweep()
    assert world.now(request).state is State.ENDING, "the clocks may still differ"
    world.time.forward(seconds=5)
    world.sweep()
    assert world.now(request).evidence is Evidence.CLOUD_DEADLINE


def test_the_set_that_lives_longest_counts_not_the_last(
    world: World, sessions: MemorySessions
) -> None:
    request = world.ask(minutes=30)
    issue(world, request)
    first = world.now(request).credentials_dead_by
    sessions.lives = timedelta(minutes=1)
    issue(world, request)
    assert world.now(request).credentials_dead_by == first


def test_what_a_clock_may_be_off_by_counts_before_the_end_is_believed(world: World) -> None:
    request = world.ask(minutes=10)
    issue(world, request)
    at = lifecycle.deadline(world.now(request))
    assert not ending.sessions_are_dead(world.now(request), at + SKEW - timedelta(seconds=1))
    assert ending.sessions_are_dead(world.now(request), at + SKEW)


def test_a_person_disabled_meanwhile_gets_none(world: World) -> None:
    request = world.ask()
    world.people_text = world.people_text.replace('id = "ana"', 'id = "ana"\ndisabled = true')
    world.put_together()
    with pytest.raises(Refused, match="disabled"):
        issue(world, request)


def test_a_mechanism_without_sessions_says_how_its_access_is_used(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(Refused, match="your own sign-in has the access"):
        issue(world, world.ask())


def test_credentials_never_show_in_a_repr(world: World) -> None:
    shown = repr(issue(world, world.ask()))
    assert "secret" not in shown
    assert "token" not in shown
    assert "AKIA" not in shown


def test_a_deadline_that_the_cloud_holds_is_not_told_to_it_again(tmp_path: Path) -> None:
    """Only an early end needs a denial: at the deadline the session's own policy has denied."""

    class Deniable(MemorySessions):
        def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - one for all
            return Places(denial=Place(key=SlotKey("denials"), kind="none-here", where={}))

    world = World(tmp_path, mechanisms={KIND: Deniable()})
    request = world.ask(minutes=10)
    issue(world, request)
    world.time.forward(minutes=10)
    world.sweep()
    world.time.forward(seconds=5)
    world.sweep()
    assert world.now(request).evidence is Evidence.CLOUD_DEADLINE
    assert world.store.slot(SlotKey("denials")) is None
