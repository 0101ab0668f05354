"""Asking again with the same id: the first answer for the same facts, and a no for any other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.asking import Wish
from jitcloud.errors import Conflict
from jitcloud.model import EntitlementId, Request, RequestId, State
from tests.core.test_break_glass import GLASS
from tests.world import START, World, caller

NAME = RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG")
FACTS: dict[str, object] = {"id_": NAME, "ticket": "OPS-1", "incident": "INC-9"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, policy_text=GLASS)


@pytest.mark.parametrize(
    "other",
    [
        {"what": "prod-admin"},
        {"minutes": 31},
        {"justification": "something else"},
        {"start": START + timedelta(hours=3)},
        {"ticket": "OPS-2"},
        {"ticket": None},
        {"incident": "INC-10"},
        {"break_glass": True},
        {"person": "ben"},
    ],
)
def test_one_fact_that_differs_is_another_ask(world: World, other: dict[str, object]) -> None:
    facts = {**FACTS, "what": "prod-write", "start": None}
    first = world.ask(**facts)  # type: ignore[arg-type] # a table of facts
    assert world.ask(**facts).id == first.id  # type: ignore[arg-type] # the same
    with pytest.raises(Conflict, match="asks for something else"):
        world.ask(**{**facts, **other})  # type: ignore[arg-type] # the same
    assert world.store.ids(10) == (NAME,)


def test_nobody_gets_the_answer_to_somebody_elses_ask_for_several(world: World) -> None:
    world.ask(id_=NAME)
    things = (EntitlementId("dev-read"), EntitlementId("prod-write"))
    wish = Wish(duration=timedelta(minutes=30), justification="testing")
    for person in ("ana", "ben"):
        with pytest.raises(Conflict, match="asks for something else"):
            world.broker.request_all(caller(person), things, wish, world.time(), NAME)
    assert world.store.ids(10) == (NAME,)


def test_what_has_begun_meanwhile_is_answered_again(world: World) -> None:
    start = world.time() + timedelta(seconds=30)
    first = world.ask(id_=NAME, start=start)
    assert first.state is State.SCHEDULED
    world.time.forward(minutes=1)
    again = world.ask(id_=NAME, start=start)
    assert (again.id, again.state) == (NAME, State.ACTIVE)


def test_an_extension_is_answered_again_though_its_grant_is_over(world: World) -> None:
    request = world.ask()

    def extend(why: str = "not done yet") -> Request:
        wish = Wish(duration=timedelta(minutes=5), justification=why)
        return world.broker.extend(caller("ana"), request.id, wish, world.time(), NAME)

    extend()
    assert world.advance.wake(NAME).state is State.EXTENDED
    world.give_back(request)
    assert extend().state is State.EXTENDED
    with pytest.raises(Conflict, match="asks for something else"):
        extend("something else")


def test_the_id_of_another_request_extends_nothing(world: World) -> None:
    waits = world.ask(what="prod-write")
    wish = Wish(duration=timedelta(minutes=5), justification="testing")
    with pytest.raises(Conflict, match="asks for something else"):
        world.broker.extend(caller("ana"), waits.id, wish, world.time(), waits.id)
