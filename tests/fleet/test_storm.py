"""Functions killed, all at once or at any of their calls, and the network cut: all end right."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from jitcloud import config
from jitcloud.audit.public_keys import TrustedKeys
from jitcloud.audit.verify import verify_all
from jitcloud.clock import utc_now
from jitcloud.emulators.fleet import Fleet
from jitcloud.emulators.surroundings import apart
from jitcloud.observing import logs
from tests.fleet.crashes import functions
from tests.fleet.test_deployed import has_ended, is_in, is_out, let_in, stopped
from tests.fleet.wire import Wire
from tests.fleet.wired import EVERYBODY, GROUPS, Life, Wired
from tests.fleet.workers import kill

OUTAGE = timedelta(minutes=1)
BOUND = timedelta(minutes=4)
"""How late an end may be besides: two looks ahead, a claim that somebody left behind, and what
this machine takes to start everything anew."""

HANDS = 4


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with apart(), Wire() as wire, Wired(tmp_path_factory.mktemp("storm"), wire) as fleet:
        yield fleet


@pytest.mark.long
def test_killed_half_way_whoever_is_in_is_put_out(fleet: Fleet) -> None:
    names = {person: let_in(fleet, person) for person in ("ana", "caro")}
    assert kill(fleet) >= 3
    for person in names:
        is_in(fleet, person)
    fleet.call("ana", "POST", f"/v1/requests/{names['ana']}/give-back", {})
    assert kill(fleet) >= 3
    fleet.call("caro", "POST", f"/v1/requests/{names['caro']}/give-back", {})
    for person, name in names.items():
        is_out(fleet, person, 120)
        has_ended(fleet, name, person, 120)  # a wake-up that died with its function costs a minute


@pytest.mark.long
def test_killed_before_any_of_its_calls_the_rest_is_done_by_wake_ups(wired: Wired) -> None:
    lives = [Life(wired, person, group) for group in GROUPS for person in EVERYBODY]
    spare = iter(lives)
    with (
        stopped(wired, "sqs"),
        stopped(wired, "dynamodb"),
        functions(wired) as made,
        logs.written(io.StringIO()),
    ):
        steps: Sequence[Callable[[Life], object]] = (
            made.ask,
            made.wakes,  # which lets in
            made.give_back,
            made.wakes,  # which puts out
        )
        whole = next(spare)
        counts = [made.run(partial(step, whole)) for step in steps]
        assert min(counts) > 2, counts
        begun = [whole]
        for number, count in enumerate(counts):
            for at in range(1, count + 1):
                life = next(spare)
                begun.append(life)
                for step in steps[:number]:
                    made.run(partial(step, life))
                made.run(partial(steps[number], life), dies_at=at)
        store, _ = config.open_record(wired.folder)
        left = list(begun)

        def finished() -> bool:
            """What people and the schedule do: ask again, give back, and wake whatever is due."""
            made.wake_all(store.due)
            for life in [life for life in left if life.name or made.ask(life)]:
                state = made.state(life)
                if state == "ended":
                    left.remove(life)
                elif state == "active":
                    made.give_back(life)
            return not left

        _until(finished, "all have ended")
        assert not any(life.look() for life in begun)
    _holds(wired)


@pytest.mark.long
def test_a_hundred_lifetimes_outlive_a_storm(wired: Wired) -> None:
    lives = [
        Life(wired, person, group, ended_by=("deadline", "give-back", "deadline", "revoke")[n % 4])
        for n, (group, person) in enumerate((g, p) for g in GROUPS for p in EVERYBODY)
    ]
    assert len(lives) == 100
    half = len(lives) // 2
    watching = threading.Event()
    watcher = threading.Thread(target=_watch, args=(lives, watching), daemon=True)
    watcher.start()
    with ThreadPoolExecutor(HANDS) as hands:
        # The last of them come long before the first of them end.
        _all(hands, lives[:half], lambda life: life.ask(60 + 2 * (lives.index(life) % 20)))
        _all(hands, [life for life in lives[:half:3] if life.ended_by != "deadline"], Life.end)
        kill(wired)
        with wired.wire.cut():
            until = time.monotonic() + OUTAGE.total_seconds()
            while time.monotonic() < until:
                time.sleep(1)
        _all(hands, lives[half:], lambda life: life.ask(20 + lives.index(life) % 20))
        early = [life for life in lives if life.ended_by != "deadline" and life.told_at is None]
        _all(hands, early, Life.end)
    _until(lambda: not any(life.seen[-1][2] for life in lives if life.seen), "all are out")
    _until(lambda: all(map(Life.is_over, lives)), "all ends are under way")
    states = _until_finished(lives)
    watching.set()
    watcher.join(60)
    assert set(states) <= {"ended", "failed"}, states
    assert states.count("ended") >= 90
    for life in lives:
        _was_in_time(wired, life)
    _holds(wired)


def _holds(wired: Wired) -> None:
    """The trail proves all of it."""
    with wired.as_root():
        key, _ = config.public_key(wired.folder, utc_now)
        store, _ = config.open_record(wired.folder)
        report = verify_all(store, TrustedKeys((key,)), utc_now())
    assert not report.findings, report.findings[0]


def _all(hands: ThreadPoolExecutor, lives: Sequence[Life], do: Callable[[Life], bool]) -> None:
    """Do something for each, again and again where it is not answered."""
    until = time.monotonic() + 300
    left = list(lives)
    while left:
        assert time.monotonic() < until, f"{len(left)} are not answered"
        done = list(hands.map(do, left))
        left = [life for life, was in zip(left, done, strict=True) if not was]
        if left:
            time.sleep(2)


def _watch(lives: Sequence[Life], over: threading.Event) -> None:
    while not over.is_set():
        for life in lives:
            if not over.wait(0.01):
                life.look()


def _until(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + (OUTAGE + BOUND).total_seconds()
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(2)


def _until_finished(lives: Sequence[Life]) -> list[str]:
    states: list[str] = []

    def finished() -> bool:
        states[:] = map(Life.state, lives)
        return set(states) <= {"ended", "failed"}

    _until(finished, "all have ended")
    return states


def _was_in_time(wired: Wired, life: Life) -> None:
    window = wired.call(life.person, "GET", f"/v1/requests/{life.name}")["window"]
    if window is None:
        assert not any(was_in for _, _, was_in in life.seen), "in without a window"
        return
    deadline = datetime.fromisoformat(window["deadline"])
    end = min(deadline, life.told_at or deadline)
    inside = [began for began, _, was_in in life.seen if was_in]
    if not inside:
        return
    out = [ended for began, ended, was_in in life.seen if not was_in and began > inside[0]]
    assert min(out) >= end, f"{life.name}: put out early"
    end = min(deadline, life.answered_at or deadline)
    assert max(inside) <= end + OUTAGE + BOUND, f"{life.name}: put out late"
    assert datetime.now(UTC) >= end
