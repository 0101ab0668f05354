"""What spans several places (accounts) is asked for at once, and each is a request of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.asking import MOST_PARTS, Wish
from jitcloud.errors import Conflict, Invalid, Refused, Throttled
from jitcloud.model import (
    Entitlement,
    EntitlementId,
    Person,
    Place,
    Places,
    Plan,
    Request,
    RequestId,
    SlotKey,
    State,
)
from jitcloud.providers.memory import KIND, MemoryMechanism
from tests.world import World, caller

ID = RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG")


@dataclass(frozen=True)
class Wide(MemoryMechanism):
    """Each of its roles is one in every account there is."""

    accounts: list[str] = field(default_factory=lambda: ["111111111111", "222222222222"])
    closed: list[str] = field(default_factory=list)

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - of all, always
        if not self.accounts:
            raise Refused("There is no account in ou-1.")
        if self.accounts == ["?"]:
            raise Throttled("AWS cannot be asked.")
        return tuple(self.accounts)

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
        return (
            replace(made, problems=(f"Account {part} is closed.",)) if part in self.closed else made
        )

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        role = f"{entitlement.target['role']}@{part}"
        where = {"person": person.id, "role": role}
        return Places(
            grant=Place(key=SlotKey(f"{KIND}/{person.id}/{role}"), kind=KIND, where=where)
        )


@pytest.fixture
def wide() -> Wide:
    return Wide()


@pytest.fixture
def world(tmp_path: Path, wide: Wide) -> World:
    return World(tmp_path, mechanisms={KIND: wide})


def ask(
    world: World, *what: str, id_: RequestId | None = None, because: str = "testing"
) -> tuple[Request, ...]:
    wish = Wish(duration=timedelta(minutes=30), justification=because)
    names = [EntitlementId(name) for name in what or ("dev-read",)]
    made = world.broker.request_all(caller("ana"), names, wish, world.time(), id_)
    return tuple(world.advance.wake(request.id) for request in made)


def who(world: World, account: str) -> frozenset[str]:
    return world.cloud.who_can(f"reader@{account}")


def test_there_is_a_request_for_each(world: World) -> None:
    made = ask(world)
    assert [request.what for request in made] == [
        "dev-read in 111111111111",
        "dev-read in 222222222222",
    ]
    assert {request.ask.together for request in made} == {tuple(request.id for request in made)}
    assert {request.state for request in made} == {State.ACTIVE}
    assert who(world, "111111111111") == who(world, "222222222222") == {"ana"}


def test_each_ends_by_itself(world: World) -> None:
    one, other = ask(world)
    world.give_back(one)
    assert who(world, "111111111111") == frozenset()
    assert who(world, "222222222222") == {"ana"}
    world.time.forward(minutes=31)
    world.sweep()
    assert {world.now(request).state for request in (one, other)} == {State.ENDED}
    assert who(world, "222222222222") == frozenset()
    world.verify_all()


def test_it_is_decided_once_what_it_comes_to(world: World, wide: Wide) -> None:
    made = ask(world, "prod-write")
    assert {request.state for request in made} == {State.PENDING}
    wide.accounts.append("333333333333")
    for request in made:
        world.approve(request, "ben")
    assert world.cloud.who_can("writer@333333333333") == frozenset()
    assert world.cloud.who_can("writer@111111111111") == {"ana"}


def test_one_that_cannot_be_had_keeps_nobody_from_the_others(world: World, wide: Wide) -> None:
    wide.closed.append("111111111111")
    one, other = ask(world)
    assert one.state is State.DENIED
    assert "111111111111 is closed" in one.reason
    assert other.state is State.ACTIVE


def test_the_same_ask_again_is_answered_as_before_whatever_there_is_by_now(
    world: World, wide: Wide
) -> None:
    first = ask(world, id_=ID)
    wide.accounts[:] = ["333333333333"]
    assert [request.id for request in ask(world, id_=ID)] == [request.id for request in first]
    with pytest.raises(Conflict):
        ask(world, id_=ID, because="something else")
    with pytest.raises(Conflict):
        ask(world, "prod-write", id_=ID)
    with pytest.raises(Conflict):
        ask(world, "dev-read", "prod-write", id_=ID)
    with pytest.raises(Conflict, match="exists already"):
        ask(world, id_=first[1].id)


def test_several_that_span_several_are_asked_for_at_once(world: World) -> None:
    made = ask(world, "dev-read", "prod-write", id_=ID)
    assert len(made) == 4
    assert [request.id for request in ask(world, "dev-read", "prod-write", id_=ID)] == [
        request.id for request in made
    ]


def test_an_extension_is_for_its_own_part(world: World) -> None:
    one, other = ask(world)
    before = world.now(other).window
    longer = world.extend(one, minutes=10)
    assert longer.ask.part == "111111111111"
    assert world.now(other).window == before
    assert world.now(one).window != before
    world.verify_all()


def test_what_spans_nothing_cannot_be_asked_for(world: World, wide: Wide) -> None:
    wide.accounts.clear()
    with pytest.raises(Refused, match="no account in ou-1"):
        ask(world)
    assert world.store.ids(10) == ()


def test_what_nobody_can_count_just_now_is_not_half_asked_for(world: World, wide: Wide) -> None:
    wide.accounts[:] = ["?"]
    with pytest.raises(Throttled):
        ask(world)
    assert world.store.ids(10) == ()


def test_there_is_a_bound(world: World, wide: Wide) -> None:
    wide.accounts[:] = [f"{number:012}" for number in range(MOST_PARTS + 1)]
    with pytest.raises(Invalid, match="ask for less"):
        ask(world)
    wide.accounts.pop()
    assert len(ask(world)) == MOST_PARTS
