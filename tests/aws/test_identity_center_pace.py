"""When places of Identity Center may be driven, so that all of them share what AWS allows."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest

from jitcloud.emulators.identity_center.throttle import Bucket
from jitcloud.model import SKEW, Claim, Holder, Operation, RequestId, Sight, Slot, SlotKey
from jitcloud.providers.aws import identity_center_budget as budget
from jitcloud.providers.aws import identity_center_pace
from jitcloud.providers.aws.identity_center_budget import Calls, Lines
from jitcloud.providers.aws.identity_center_errands import Errand, Rank, errand
from jitcloud.providers.aws.identity_center_pace import GHOST, Pace
from tests.aws.identity_center_storm import LIMIT, RATE, storm
from tests.aws.identity_center_world import SETTLE
from tests.world import START

LOOK = Errand(rank=Rank.LOOKS, calls=1)
END = Errand(rank=Rank.ENDS, calls=1, begins=True)
GRANT = Errand(rank=Rank.GRANTS, calls=2, begins=True)
SECOND = timedelta(seconds=1)


def key(number: int) -> SlotKey:
    return SlotKey(f"aws.identity-center/{number}")


def in_turn(
    pace: Pace, now: datetime, *errands: Errand, go: Callable[[Errand, datetime], None]
) -> list[tuple[datetime, Errand]]:
    """Drive places, each when it is told to come; return who went when."""
    went: list[tuple[datetime, Errand]] = []
    waiting = [(now, number) for number in range(len(errands))]
    while waiting:
        now, number = heapq.heappop(waiting)
        turn = pace.turn(key(number), errands[number], now)
        assert turn >= now
        if turn > now:
            heapq.heappush(waiting, (turn, number))
            continue
        for _ in range(errands[number].calls):
            pace.call(now)
        go(errands[number], now)
        went.append((now, errands[number]))
    return went


def begin(pace: Pace, number: int, now: datetime = START) -> None:
    """Let a place be driven, and AWS begin something for it."""
    assert pace.turn(key(number), END, now) == now
    pace.call(now)
    pace.began(str(number), now)


def busy() -> Pace:
    """A pace with as much under way as AWS takes on, and known not to last for long."""
    pace = Pace()
    begin(pace, -1)
    pace.ended("-1", START, START + SECOND, known=True)
    for number in range(10):
        begin(pace, number)
    return pace


# ── Calls ────────────────────────────────────────────────────────────────────────────────────


def test_a_second_s_worth_may_go_at_once_and_the_rest_as_the_bucket_fills() -> None:
    bucket, pace = Bucket(), Pace()

    def take(_: Errand, now: datetime) -> None:
        assert bucket.take(now, RATE), "AWS would have throttled this"

    went = in_turn(pace, START, *[LOOK] * 500, go=take)
    assert sum(now == START for now, _ in went) == RATE - 1
    assert went[-1][0] - START <= SECOND * (500 / RATE)


def test_what_is_called_without_a_turn_counts_too() -> None:
    pace = Pace()
    for _ in range(RATE):
        pace.call(START)
    assert pace.turn(key(0), LOOK, START) > START


def test_what_a_turn_was_given_for_and_is_not_done_is_not_lost() -> None:
    pace = Pace()
    for number in range(10 * RATE):
        assert pace.turn(key(number), replace(END, calls=5), START) == START


def test_threads_that_have_a_turn_at_the_same_time_share_the_budget() -> None:
    pace, together = Pace(), Barrier(30)

    def turn(number: int) -> datetime:
        together.wait(10)
        told = pace.turn(key(number), LOOK if number % 2 else END, START)
        together.wait(10)
        return told

    with ThreadPoolExecutor(30) as threads:
        told = list(threads.map(turn, range(30)))
    assert sum(turn == START for turn in told) == RATE - 1
    assert sum(turn == START for turn in told[::2]) <= 10
    # Those threads are gone, and it counts as if they had died with what they had.
    later = START + budget.PROMISED
    assert pace.turn(key(99), replace(END, calls=RATE - 1), later) == later


def test_when_aws_throttles_nobody_calls_for_a_moment_and_longer_if_it_goes_on() -> None:
    pace, now = Pace(), START
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        assert pace.turn(key(0), LOOK, now) == now
        pace.throttled(now, begins=False)
        assert pace.turn(key(1), LOOK, now) >= now + SECOND * pause
        now += SECOND * pause
    pace.answered()
    pace.throttled(now, begins=False)
    assert pace.turn(key(0), LOOK, now + SECOND) == now + SECOND


def test_a_clock_that_is_set_back_keeps_nobody_out_for_long() -> None:
    pace = Pace()
    for _ in range(10 * RATE):
        pace.call(START)
    for number in range(50):
        pace.turn(key(number), GRANT, START)
    pace.throttled(START, begins=False)
    earlier = START - timedelta(hours=3)
    now, turns = earlier, 0
    while (turn := pace.turn(key(50), END, now)) > now:
        now, turns = turn, turns + 1
    assert now < earlier + timedelta(minutes=2)
    assert turns < 5


# ── Whose turn comes first ───────────────────────────────────────────────────────────────────


def test_removals_have_their_turn_before_grants_that_have_waited_for_longer() -> None:
    pace, numbers = Pace(), count()

    def go(_: Errand, now: datetime) -> None:
        pace.began(str(next(numbers)), now)

    grants, ends = [GRANT] * 60, [END] * 60
    went = in_turn(pace, START, *grants, *ends, go=go)
    last_end = max(now for now, each in went if each is END)
    early = [now for now, each in went if each is GRANT and now < last_end]
    assert early == [START] * len(early), "before anybody was to be taken out"
    assert len(early) <= 10


def test_nobody_waits_for_a_removal_that_does_not_come_back() -> None:
    pace = busy()
    assert pace.turn(key(10), END, START) > START
    now = START + timedelta(minutes=1)
    assert pace.turn(key(11), GRANT, now) > now
    now = START + GHOST + timedelta(seconds=5)
    assert pace.turn(key(11), GRANT, now) == now


def test_asking_after_what_keeps_others_waiting_goes_before_them() -> None:
    pace, asks = busy(), replace(LOOK, after="0")
    for _ in range(RATE):
        pace.call(START)
    at = pace.turn(key(10), LOOK, START)
    for number in range(11, 40):
        pace.turn(key(number), LOOK, START)
    assert pace.turn(key(0), asks, START) <= at
    assert pace.turn(key(1), replace(LOOK, after="not under way"), START) > at


def test_whoever_was_throttled_keeps_its_place_in_the_queue() -> None:
    pace, now = busy(), START + SECOND
    assert pace.turn(key(10), END, now) == now, "they seem to be over"
    pace.throttled(now, begins=True, place=key(10))
    others = [pace.turn(key(number), END, now) for number in range(11, 60)]
    assert now < pace.turn(key(10), END, now) <= min(others)


def test_grants_wait_while_a_removal_that_aws_throttled_has_not_come_back() -> None:
    pace = Pace()
    pace.turn(key(0), END, START)
    pace.throttled(START, begins=True, place=key(0))
    now = START + SECOND
    assert pace.turn(key(1), GRANT, now) > now
    assert pace.turn(key(0), END, now) == now
    pace.began("0", now)
    assert pace.turn(key(1), GRANT, now) == now


def test_a_call_that_was_nobody_s_turn_puts_nobody_back_into_the_queue() -> None:
    pace = Pace()
    begin(pace, 0)
    pace.throttled(START, begins=False)
    now = START + SECOND
    assert pace.turn(key(1), GRANT, now) == now


# ── Bounds ───────────────────────────────────────────────────────────────────────────────────


def test_however_many_wait_not_all_are_remembered_but_no_removal_is_forgotten_for_a_grant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity_center_pace, "MOST_WAITING", 200)
    pace = busy()
    for number in range(10, 700):
        assert pace.turn(key(number), GRANT, START) > START
    removal = key(10_000)
    assert pace.turn(removal, END, START) > START
    assert len(pace._bookings) == 200  # noqa: SLF001 - what is not to grow shows nowhere else
    assert removal in pace._bookings  # noqa: SLF001 - the same
    for number in range(budget.MOST_KNOWN + 500):
        pace.began(str(number), START)
    assert len(pace._lines._known) == budget.MOST_KNOWN  # noqa: SLF001 - the same
    later = START + timedelta(days=1)
    pace.turn(removal, LOOK, later)
    assert not pace._bookings  # noqa: SLF001 - the same
    assert not pace._taken.keys() - {max(pace._taken)}  # noqa: SLF001 - the same
    assert not pace._lines._known  # noqa: SLF001 - the same


def test_nobody_is_put_off_for_longer_than_a_horizon_while_aws_takes_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    horizon = 20 * SECOND
    monkeypatch.setattr(identity_center_pace, "HORIZON", horizon)
    pace = busy()
    turns = [pace.turn(key(number), END, START) for number in range(10, 400)]
    assert max(turns) == START + horizon
    pace.throttled(START, begins=False)
    assert pace.turn(key(399), END, START) == START + SECOND + horizon


# ── How long operations take ─────────────────────────────────────────────────────────────────


def test_it_is_learnt_how_long_operations_take_from_what_aws_takes_on_and_says() -> None:
    lines, now = Lines(10), START
    for number in range(10):
        lines.promise(now)
        lines.begin(str(number), now)
    assert lines.free(now) == 0
    for seconds in (1.0, 1.5, 2.25, 3.375):
        now = START + SECOND * seconds
        assert lines.free(now) == 10, "it is guessed too low"
        lines.promise(now)
        assert lines.refuse()
        assert lines.free(now) == 0
    now = START + 5 * SECOND
    for number in range(10):
        lines.end(str(number), START, now, known=True)
    lines.begin("x", now)
    assert lines.counts("x", now + 4.9 * SECOND)
    assert not lines.counts("x", now + 5.1 * SECOND)


def test_one_that_is_stuck_keeps_its_line_and_slows_nobody_else_down() -> None:
    lines, now = Lines(2), START
    lines.begin("x", now)
    lines.end("x", now, now + SECOND, known=True)
    lines.begin("stuck", now)
    for minute in range(1, 30):
        now = START + timedelta(minutes=minute)
        lines.runs("stuck", START, now)
        lines.forget(now)
        assert lines.free(now + timedelta(seconds=20)) == 1
        assert lines.free(now + timedelta(seconds=40)) == 2, "somebody may find out"
        lines.begin("other", now)
        assert lines.free(now + SECOND) == 1
    assert lines.free(now + budget.FORGET + timedelta(minutes=2)) == 2


def test_it_is_tried_now_and_then_whether_operations_take_less_by_now() -> None:
    lines, now = Lines(10), START
    for number in range(10):
        lines.begin(str(number), now)
    for _ in range(6):
        lines.promise(now)
        lines.refuse()
    takes = lines.free_at(0, now) - now
    assert takes > 10 * SECOND
    assert lines.wants_try(100)
    assert not lines.wants_try(10), "not where few wait"

    for number in range(10):
        lines.begin(str(number), now)
    sooner = lines.free_at(0, now, tries=True) - now
    assert sooner < takes
    later = now + sooner
    assert (lines.free(later), lines.free(later, tries=True)) == (0, 10)
    lines.promise(later, tries=True)
    assert not lines.wants_try(100), "one at a time"
    lines.begin("taken on", later)
    assert lines.free(later) == 9, "so the others are over"

    for number in range(10):
        lines.begin(str(number), later)
    takes = lines.free_at(0, later) - later
    assert takes == sooner
    while lines.wants_try(100):
        lines.promise(later, tries=True)
        assert lines.refuse()
    assert lines.free_at(0, later) - later == takes, "a try in vain changes nothing else"
    lines.forget(later + budget.DOUBT)
    lines.forget(later + 2 * budget.DOUBT)
    assert lines.wants_try(100), "they may take less by now"


def test_the_bucket_says_when_there_is_enough_in_it() -> None:
    calls = Calls(RATE)
    for _ in range(RATE - 1):
        calls.take(START)
    assert calls.left(START) == 0
    at = calls.left_at(3, START)
    assert at == START + 3 * SECOND / RATE
    assert (calls.left(at - timedelta(microseconds=1)), calls.left(at)) == (2, 3)


# ── What driving a place is likely to take ───────────────────────────────────────────────────

HELD = (Holder(request=RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG"), until=START + timedelta(hours=1)),)
SEEN = Sight(at=START, present=True)
NEW = Slot(key=key(0), kind="aws.identity-center", where={})


@pytest.mark.parametrize(
    ("slot", "removes", "wanted"),
    [
        (NEW, False, GRANT),
        (replace(NEW, holders=HELD, seen=SEEN), False, LOOK),
        (replace(NEW, holders=HELD, seen=SEEN, landed_by=START + SECOND), False, GRANT),
        (replace(NEW, seen=SEEN), True, END),
        (replace(NEW, seen=SEEN, landed_by=START), True, END),
        (replace(NEW, seen=SEEN, attempts=1), True, replace(END, calls=2)),
        (
            replace(NEW, seen=SEEN, attempts=1, landed_by=START + SECOND),
            True,
            replace(END, calls=2),
        ),
        (replace(NEW, seen=SEEN, landed_by=START + SECOND), True, LOOK),
        (replace(NEW, seen=replace(SEEN, present=False)), True, LOOK),
        (replace(NEW, seen=SEEN, standing=True), True, LOOK),
        (NEW, True, LOOK),
        (
            replace(NEW, operation=Operation(verb="put", begun_at=START, id="x")),
            False,
            replace(LOOK, after="x"),
        ),
        (
            replace(NEW, claim=Claim(by="x", until=START)),
            True,
            Errand(rank=Rank.ENDS, calls=2),
        ),
    ],
)
def test_the_record_says_what_it_is_likely_to_take(
    slot: Slot,
    removes: bool,  # noqa: FBT001 - a column of the table
    wanted: Errand,
) -> None:
    assert errand(slot, removes=removes) == wanted


# ── The end of a shift ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("takes", [1, 5])
def test_when_many_end_at_once_removals_go_first_and_nothing_stands_idle(
    tmp_path: Path, takes: float
) -> None:
    went = storm(tmp_path, ends=100, waiting=20, takes=timedelta(seconds=takes))
    assert went.removals_went_first
    assert len(went.overstays) == 100
    # What it takes to learn how long anything takes, and to be sure, weighs more among few.
    assert went.over_after <= went.floor * LIMIT + SETTLE + SKEW + timedelta(seconds=takes)
    assert went.throttled <= 10
    assert sum(went.pace.put_off.values()) <= 5 * (100 + 20)
    assert max(went.pace.put_off.values()) <= 12


@pytest.mark.long
@pytest.mark.parametrize("takes", [1, 5])
def test_six_hundred_that_end_at_once_take_little_longer_than_the_limits_allow(
    tmp_path: Path, takes: float
) -> None:
    went = storm(tmp_path, ends=600, waiting=50, takes=timedelta(seconds=takes))
    assert went.removals_went_first
    assert went.ratio <= LIMIT
    assert max(went.overstays) <= went.floor * LIMIT
    assert went.throttled <= 20
    assert sum(went.pace.put_off.values()) <= 4 * 650
