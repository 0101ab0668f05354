"""What granting would mean, asked of one that reads clouds by one that may not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from jitcloud.errors import CloudError, CloudRefused, Invalid, Refused, Unavailable
from jitcloud.looking import Asked, Looking
from jitcloud.model import Denied, Entitlement, Guarantee, Person, Plan, State
from jitcloud.ports import Mechanism
from jitcloud.providers.memory import KIND, MemoryMechanism
from tests.factories import NOW, a_person, an_entitlement
from tests.world import Time, World

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Sees(MemoryMechanism):
    """A mechanism whose cloud says what a test wants."""

    says: Plan | Exception = field(
        default_factory=lambda: Plan(
            guarantee=Guarantee.BROKER,
            early_end="It ends at once.",
            residual=("Running shells.",),
            notes=("Nice.",),
            problems=(),
        )
    )
    in_all: tuple[str, ...] = ()
    asked: list[tuple[timedelta, str, Person | None]] = field(default_factory=list)

    def plan(
        self,
        entitlement: Entitlement,  # noqa: ARG002 - the port
        duration: timedelta,
        now: datetime,  # noqa: ARG002 - the port
        *,
        part: str = "",
        person: Person | None = None,
    ) -> Plan:
        self.asked.append((duration, part, person))
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def spans(self, entitlement: Entitlement) -> bool:
        return entitlement.labels == ("several",)

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - the port
        if isinstance(self.says, Exception):
            raise self.says
        return self.in_all


def through(mechanism: Sees) -> Asked:
    """As it is in a fleet: what is asked and answered goes over a wire as JSON."""
    looking = Looking(mechanisms={KIND: mechanism}, clock=Time())

    def ask(asked: Mapping[str, object]) -> Mapping[str, object]:
        answered = looking.answer(json.loads(json.dumps(asked)))
        return cast("Mapping[str, object]", json.loads(json.dumps(answered)))

    return Asked(mechanism, ask)


THING = replace(an_entitlement(), mechanism=KIND)
SEVERAL = replace(THING, labels=("several",))


def test_a_plan_comes_back_as_it_was_made() -> None:
    seen = Sees()
    plan = through(seen).plan(THING, HOUR, NOW, part="111122223333", person=a_person())
    assert plan == seen.says
    assert seen.asked == [(HOUR, "111122223333", a_person())]


def test_the_parts_come_back_in_their_order() -> None:
    assert through(Sees(in_all=("b", "a"))).parts(SEVERAL, NOW) == ("b", "a")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(Refused("Nobody is let in."), Refused), (CloudRefused("AWS says no."), CloudError)],
)
def test_a_refusal_comes_back_as_one(raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=str(raised)):
        through(Sees(says=raised)).plan(THING, HOUR, NOW)
    with pytest.raises(expected, match=str(raised)):
        through(Sees(says=raised)).parts(SEVERAL, NOW)


def test_what_is_one_place_is_so_without_asking() -> None:
    assert through(Sees(says=CloudRefused("AWS says no."))).parts(THING, NOW) == ()
    assert Asked(MemoryMechanism(), through(Sees()).ask).parts(SEVERAL, NOW) == ()


def test_what_was_seen_half_a_minute_ago_is_looked_at_again_and_not_before() -> None:
    seen = Sees()
    asked = through(seen)
    for seconds in (0, 29.9, 30, 30, 59):
        asked.plan(THING, HOUR, NOW + timedelta(seconds=seconds))
    assert len(seen.asked) == 2
    asked.plan(THING, 2 * HOUR, NOW + timedelta(seconds=59))
    assert len(seen.asked) == 3


def test_a_refusal_is_not_remembered() -> None:
    seen = Sees(says=CloudRefused("AWS says no."))
    asked = through(seen)
    for _ in range(2):
        with pytest.raises(CloudError):
            asked.plan(THING, HOUR, NOW)
    assert len(seen.asked) == 2


def test_nothing_is_granted_by_one_that_only_asks() -> None:
    asked = through(Sees())
    with pytest.raises(CloudRefused, match="grants nothing here"):
        asked.places(THING, a_person())
    with pytest.raises(CloudRefused, match="not listed here"):
        asked.areas(THING, NOW)


def test_what_it_is_and_checks_is_known_without_asking() -> None:
    def nobody(_: Mapping[str, object]) -> Mapping[str, object]:
        raise AssertionError

    asked = Asked(Sees(), nobody)
    assert (asked.name, asked.guarantee) == (MemoryMechanism().name, MemoryMechanism().guarantee)
    assert asked.check(THING) == MemoryMechanism().check(THING)


@pytest.mark.parametrize(
    "answer",
    [{}, {"plan": 1}, {"parts": "all"}, {"more": 1}, {"plan": {"guarantee": "hope"}}],
)
def test_an_answer_that_is_none_is_an_error_of_the_cloud(answer: dict[str, object]) -> None:
    with pytest.raises(CloudError):
        Asked(Sees(), lambda _: answer).plan(THING, HOUR, NOW)


@pytest.mark.parametrize(
    "question",
    [{}, {"verb": "put"}, {"verb": "plan"}, {"verb": "plan", "entitlement": {}, "extra": 1}],
)
def test_a_question_that_is_none_is_refused(question: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        Looking(mechanisms={}, clock=Time()).answer(question)


def test_an_unknown_mechanism_is_said() -> None:
    looking = Looking(mechanisms={}, clock=Time())
    with pytest.raises(CloudError, match="nothing here reads"):
        Asked(Sees(), looking.answer).plan(THING, HOUR, NOW)


def test_a_judge_that_cannot_look_says_so_and_goes_on(world: World) -> None:
    def silent(_: Mapping[str, object]) -> Mapping[str, object]:
        raise Unavailable("The function look did not answer in time.")

    mechanism = cast("Mechanism", Asked(MemoryMechanism(), silent))
    judge = replace(world.broker.judge, mechanisms={KIND: mechanism})
    world.broker = replace(world.broker, judge=judge)
    request = world.ask("ana", "dev-read")
    assert request.state is State.ACTIVE  # advance looks for itself
    plan = judge.plan(request.ask, world.time())
    assert plan is not None
    assert "not answered" in plan.residual[0]


def test_what_would_fail_is_refused_when_it_is_asked(world: World) -> None:
    seen = Sees(says=Plan(guarantee=Guarantee.CLOUD, early_end="", problems=("No such role.",)))
    judge = replace(world.broker.judge, mechanisms={KIND: cast("Mechanism", through(seen))})
    world.broker = replace(world.broker, judge=judge)
    request = world.ask("ana", "dev-read")
    assert isinstance(request.decision, Denied)
    assert request.decision.because == ("No such role.",)
