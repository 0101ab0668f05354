from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.asking import Wish
from jitcloud.model import EntitlementId, Request, RequestId, RuleId, State
from jitcloud.policy.advice import LADDER
from jitcloud.policy.usage import (
    FEWEST,
    TOLERANCE,
    Fate,
    Session,
    Usage,
    session,
    usages,
)
from jitcloud.ports import Mechanisms
from jitcloud.providers.memory import KIND, Fault, MemoryMechanism
from tests.cli_world import LIFETIME, MemorySessions
from tests.example import minutes
from tests.world import CATALOG, World, caller


@pytest.fixture
def sessions(tmp_path: Path) -> World:
    """The same organisation, in which reading in development hands out credentials."""
    mechanisms: Mechanisms = {KIND: MemoryMechanism(), MemorySessions.name: MemorySessions()}
    catalog = CATALOG.replace(KIND, MemorySessions.name, 1).replace(
        'target = { role = "reader" }\n', ""
    )
    return World(tmp_path, mechanisms=mechanisms, catalog_text=catalog)


def made_of(world: World, request: Request) -> Session | None:
    trail = world.store.events(request.id)
    return session(world.now(request), [line.event for line in trail])


def used(world: World, request: Request) -> tuple[Fate, timedelta]:
    found = made_of(world, request)
    assert found is not None
    return found.fate, found.used


def issue(world: World, request: Request) -> None:
    world.broker.issue(caller("ana"), request.id, world.time)


# ── One grant ────────────────────────────────────────────────────────────────────────────────


def test_what_was_given_back_was_used_until_then(world: World) -> None:
    request = world.ask(minutes=60)
    world.time.forward(minutes=20)
    world.give_back(request)
    assert made_of(world, request) == Session(
        request=request.id,
        entitlement=EntitlementId("dev-read"),
        rules=(RuleId("dev-self-serve"),),
        asked=minutes(60),
        window=minutes(60),
        fate=Fate.USED,
        used=minutes(20),
    )


def test_what_ended_late_was_used_until_its_deadline(world: World) -> None:
    request = world.ask(minutes=60)
    world.time.forward(hours=5)
    world.sweep_until_quiet()
    assert used(world, request) == (Fate.USED, minutes(60))


def test_credentials_were_used_until_the_last_set_had_expired(sessions: World) -> None:
    request = sessions.ask(minutes=240)
    for _ in range(2):
        sessions.time.forward(minutes=30)
        issue(sessions, request)
    sessions.time.forward(hours=5)
    sessions.sweep_until_quiet()
    last = minutes(60) + LIFETIME + MemorySessions.timeout
    assert used(sessions, request) == (Fate.USED, last)


def test_credentials_were_not_used_after_their_grant_had_ended(sessions: World) -> None:
    request = sessions.ask(minutes=60)
    issue(sessions, request)
    sessions.time.forward(minutes=5)
    sessions.give_back(request)
    assert used(sessions, request) == (Fate.USED, minutes(5))


def test_whoever_fetched_no_credentials_never_used_it(sessions: World) -> None:
    request = sessions.ask(minutes=60)
    sessions.time.forward(hours=2)
    sessions.sweep_until_quiet()
    assert used(sessions, request) == (Fate.NEVER_USED, minutes(0))


def test_nobody_knows_how_long_what_is_not_over_will_be_used(sessions: World) -> None:
    request = sessions.ask(minutes=60)
    issue(sessions, request)
    sessions.time.forward(minutes=30)
    assert used(sessions, request) == (Fate.RUNNING, minutes(0))


def test_what_never_gave_access_is_no_session(world: World) -> None:
    refused = world.ask(minutes=60 * 24)
    waiting = world.ask(what="prod-write")
    assert (world.now(refused).state, world.now(waiting).state) == (State.DENIED, State.PENDING)
    assert made_of(world, refused) is None
    assert made_of(world, waiting) is None


def test_what_its_cloud_broke_is_no_session(world: World) -> None:
    world.cloud.faults.extend([Fault.REFUSED] * 100)
    request = world.ask(minutes=480)
    world.sweep_until_quiet()
    assert world.now(request).state is State.FAILED
    assert made_of(world, request) is None


def test_an_extension_is_part_of_what_it_extends(world: World) -> None:
    request = world.ask(minutes=60)
    wish = Wish(duration=minutes(30), justification="not done yet")
    extension = world.broker.extend(caller("ana"), request.id, wish, world.time())
    world.advance.wake(extension.id)
    world.time.forward(minutes=80)
    world.give_back(request)
    found = made_of(world, request)
    assert found is not None
    assert (found.asked, found.window, found.used) == (minutes(60), minutes(90), minutes(80))
    assert made_of(world, extension) is None


def test_what_began_late_is_measured_from_the_start_that_was_asked(world: World) -> None:
    start = world.time() + minutes(60)
    request = world.ask(minutes=60, start=start)
    world.time.forward(minutes=70)
    world.sweep()
    world.time.forward(minutes=10)
    world.give_back(request)
    assert used(world, request) == (Fate.USED, minutes(20))


def test_the_rules_are_those_of_the_last_yes(world: World) -> None:
    request = world.ask(what="prod-write")
    world.policy_text = world.policy_text.replace('@id("prod-write")', '@id("prod-write-2")')
    world.put_together()
    world.approve(request)
    found = made_of(world, request)
    assert found is not None
    assert found.rules == ("prod-write-2",)


# ── Many grants ──────────────────────────────────────────────────────────────────────────────


def a_session(
    number: int,
    spent: float | None,
    *,
    what: str = "dev-read",
    rules: tuple[str, ...] = ("dev",),
    window: float = 240,
) -> Session:
    return Session(
        request=RequestId(f"{what}-{number}"),
        entitlement=EntitlementId(what),
        rules=tuple(map(RuleId, rules)),
        asked=minutes(window),
        window=minutes(window),
        fate=Fate.NEVER_USED if spent is None else Fate.USED,
        used=minutes(spent or 0),
    )


def some(spent: Iterable[float | None]) -> list[Session]:
    return [a_session(number, each) for number, each in enumerate(spent)]


def the_usage(spent: Iterable[float | None], cut: float = 0.05) -> Usage:
    (found,) = usages(some(spent), cut)
    return found


def test_the_shortest_window_that_cuts_few_enough_is_proposed() -> None:
    found = the_usage([*[50] * 55, 100, 200])
    assert [(step.window, step.cut) for step in found.steps] == [
        (minutes(15), 57),
        (minutes(30), 57),
        (minutes(60), 2),
        (minutes(120), 1),
    ]
    assert found.proposed is not None
    assert found.proposed.window == minutes(60)
    assert found.proposed.share == pytest.approx(2 / 57)
    assert (found.longest, found.sessions) == (minutes(240), 57)
    assert (found.median, found.most) == (minutes(50), minutes(50))


def test_how_many_may_be_cut_can_be_said() -> None:
    spent = [*[50] * 57, 100, 100, 100]
    for cut, window in ((0.05, 60), (0.04, 120), (0.0, 120), (1.0, 15)):
        proposed = the_usage(spent, cut).proposed
        assert proposed is not None
        assert proposed.window == minutes(window)


def test_few_sessions_propose_nothing() -> None:
    assert the_usage([10] * (FEWEST - 1)).proposed is None
    assert the_usage([10] * FEWEST).proposed is not None


def test_sessions_that_were_never_used_propose_nothing_and_dilute_nothing() -> None:
    found = the_usage([*[None] * 90, *[100] * 5, *[10] * 5])
    assert found.sessions == 10
    assert found.fates[Fate.NEVER_USED] == 90
    assert {step.window: step.share for step in found.steps}[minutes(60)] == 0.5
    assert found.median == minutes(55)
    unused = the_usage([None] * 20)
    assert (unused.steps, unused.proposed, unused.median, unused.most) == ((), None, None, None)


def test_one_session_is_its_own_median() -> None:
    found = the_usage([7])
    assert (found.median, found.most) == (minutes(7), minutes(7))


def test_the_end_of_a_last_set_of_credentials_is_not_called_cut() -> None:
    step = minutes(60)
    just, more = (step + TOLERANCE, step + TOLERANCE + timedelta(seconds=1))
    found = the_usage([just / minutes(1), more / minutes(1)])
    assert {each.window: each.cut for each in found.steps}[step] == 1


def test_a_rule_is_told_of_where_it_says_more_than_its_entitlement() -> None:
    both = [
        a_session(1, 10, what="a", rules=("shared", "only-a")),
        a_session(2, 10, what="a", rules=("only-a",)),
        a_session(1, 10, what="b", rules=("shared",)),
    ]
    found = [(each.of, each.id, each.sessions) for each in usages(both)]
    assert found == [("entitlement", "a", 2), ("entitlement", "b", 1), ("rule", "shared", 2)]


def test_how_long_was_asked_for_is_counted() -> None:
    asked = [a_session(1, 1), a_session(2, 1, window=30), a_session(3, None, window=30)]
    (found,) = usages(asked)
    assert found.asked == ((minutes(30), 2), (minutes(240), 1))


@given(st.lists(st.none() | st.floats(0, 240), min_size=1, max_size=40), st.floats(0, 1))
def test_a_shorter_window_never_cuts_fewer_and_none_shorter_would_do(
    spent: list[float | None], cut: float
) -> None:
    found = the_usage(spent, cut)
    counts = [step.cut for step in found.steps]
    assert counts == sorted(counts, reverse=True)
    assert all(step.window in LADDER and step.window < found.longest for step in found.steps)
    few = [step for step in found.steps if step.share <= cut]
    expected = few[0] if few and found.sessions >= FEWEST else None
    assert found.proposed == expected
