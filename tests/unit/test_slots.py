"""What a place should hold, and what is known of it: to the instant, without a store or a cloud."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from jitcloud import slots
from jitcloud.model import (
    SKEW,
    Claim,
    Holder,
    Operation,
    Place,
    RequestId,
    Sight,
    Slot,
    SlotKey,
)

NOW = datetime(2026, 12, 1, 9, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SETTLE = timedelta(seconds=10)
ONE, TWO, THREE = RequestId("one"), RequestId("two"), RequestId("three")
EMPTY = Slot(key=SlotKey("k"), kind="kind", where={"role": "reader"})


def held(request: RequestId, minutes: float = 30, **more: object) -> Holder:
    return Holder(request=request, until=NOW + timedelta(minutes=minutes), **more)  # type: ignore[arg-type] # fields


def seen(*, present: bool, at: datetime = NOW, **more: object) -> Sight:
    return Sight(at=at, present=present, **more)  # type: ignore[arg-type] # its other fields


# ── Who holds it ─────────────────────────────────────────────────────────────────────────────


def test_who_joins_is_added_in_an_order_that_does_not_depend_on_who_was_first() -> None:
    made = set()
    for order in permutations([held(ONE), held(TWO), held(THREE)]):
        slot = EMPTY
        for holder in order:
            slot = slots.join(slot, holder, NOW)
        made.add(slot.holders)
        assert slot.epoch == 1
    assert made == {tuple(sorted([held(ONE), held(TWO), held(THREE)], key=lambda h: h.request))}


def test_a_place_that_was_left_is_joined_in_a_new_epoch() -> None:
    slot = slots.join(slots.leave(slots.join(EMPTY, held(ONE), NOW), ONE, NOW), held(ONE), NOW)
    assert slot.epoch == 2


@pytest.mark.parametrize("minutes", [10, 30, 50])
def test_joining_again_keeps_the_later_deadline_and_what_is_new(minutes: float) -> None:
    slot = slots.join(EMPTY, held(ONE, 30), NOW)
    again = slots.join(slot, held(ONE, minutes, detail="x"), NOW)
    assert again.holders == (held(ONE, max(30, minutes), detail="x"),)


def test_who_joins_or_leaves_begins_to_count_tries_anew_and_is_due_at_once() -> None:
    tired = replace(slots.join(EMPTY, held(ONE), NOW), attempts=7, wake_at=None)
    for slot in (slots.join(tired, held(TWO), NOW), slots.leave(tired, ONE, NOW)):
        assert (slot.attempts, slot.wake_at) == (0, NOW)


def test_while_somebody_drives_a_place_it_is_due_when_their_right_is_over() -> None:
    claimed = slots.claim(EMPTY, "driver", NOW + 15 * SECOND)
    assert slots.join(claimed, held(ONE), NOW).wake_at == NOW + 15 * SECOND
    assert slots.join(claimed, held(ONE), NOW + 20 * SECOND).wake_at == NOW + 20 * SECOND


def test_who_leaves_takes_nobody_along_and_is_remembered() -> None:
    slot = slots.join(slots.join(EMPTY, held(ONE), NOW), held(TWO), NOW)
    left = slots.leave(slot, ONE, NOW)
    assert (left.holders, left.last) == ((held(TWO),), ONE)


@pytest.mark.parametrize(
    ("filled_at", "standing", "is_used"),
    [(NOW, False, True), (NOW, True, False), (NOW, None, False), (None, False, False)],
)
def test_a_newcomer_can_use_what_is_filled_still_and_ours(
    filled_at: datetime | None,
    standing: bool | None,  # noqa: FBT001 - a case
    is_used: bool,  # noqa: FBT001 - the same
) -> None:
    later = NOW + SECOND
    slot = replace(EMPTY, filled_at=filled_at, standing=standing, usable_at=None)
    assert slots.join(slot, held(ONE), later).usable_at == (later if is_used else None)


def test_at_its_deadline_nobody_wishes_for_it_and_the_latest_of_the_others_counts() -> None:
    slot = EMPTY
    for holder in (held(ONE, 10), held(TWO, 30), held(THREE, 20)):
        slot = slots.join(slot, holder, NOW)
    wish = slots.wish(slot, NOW + timedelta(minutes=10))
    assert (set(wish.holders), wish.until) == ({TWO, THREE}, NOW + timedelta(minutes=30))
    assert wish
    over = slots.wish(slot, NOW + timedelta(minutes=30))
    assert (over.holders, over.until, bool(over)) == ((), None, False)


def test_it_changes_by_itself_with_the_first_end_still_to_come() -> None:
    slot = slots.join(slots.join(EMPTY, held(ONE, 10), NOW), held(TWO, 30), NOW)
    assert slots.next_change(slot, NOW) == NOW + timedelta(minutes=10)
    assert slots.next_change(slot, NOW + timedelta(minutes=10)) == NOW + timedelta(minutes=30)
    assert slots.next_change(slot, NOW + timedelta(minutes=30)) is None
    assert slots.without_the_past(slot, NOW + timedelta(minutes=10)).holders == (held(TWO, 30),)


def test_a_place_is_made_and_reached_as_a_grant_says() -> None:
    place = Place(key=SlotKey("k"), kind="kind", where={"role": "reader"})
    assert slots.at(place) == EMPTY
    moved = slots.reached(slots.at(place), replace(place, where={"role": "other"}))
    assert moved == replace(EMPTY, where={"role": "other"})


# ── What denies ──────────────────────────────────────────────────────────────────────────────


def test_a_denial_lasts_as_long_as_is_said_and_spares_what_began_afterwards() -> None:
    slot = slots.join(slots.join(EMPTY, held(ONE), NOW), held(TWO), NOW)
    until = NOW + timedelta(hours=2)
    known = slots.deny_until(replace(slot, wake_at=None), ONE, until, NOW, NOW)
    # Nine past seven is rounded up to ten past: instants are shared.
    cutoff = NOW.replace(minute=10)
    assert set(known.holders) == {Holder(request=ONE, until=until, before=cutoff), held(TWO)}
    assert known.wake_at == NOW


@pytest.mark.parametrize(("minute", "cutoff"), [(0, 0), (1, 10), (9, 10), (10, 10), (11, 20)])
def test_a_cutoff_is_never_earlier_and_at_most_ten_minutes_later(minute: int, cutoff: int) -> None:
    slot = slots.join(EMPTY, held(ONE), NOW)
    gone_at = NOW.replace(minute=minute)
    (holder,) = slots.deny_until(slot, ONE, NOW, gone_at, NOW).holders
    assert holder.before == NOW.replace(minute=cutoff)


def test_a_cutoff_that_is_known_stays_and_one_that_is_not_is_not_made_up() -> None:
    early = NOW - timedelta(hours=1)
    slot = slots.join(EMPTY, held(ONE, before=early), NOW)
    (holder,) = slots.deny_until(slot, ONE, NOW, NOW, NOW).holders
    assert holder.before == early
    (other,) = slots.deny_until(slots.join(EMPTY, held(ONE), NOW), ONE, NOW, None, NOW).holders
    assert other.before is None


def test_who_gets_the_same_anew_is_denied_only_what_was_before() -> None:
    slot = replace(
        EMPTY,
        holders=(
            held(ONE, detail="user"),
            held(TWO, detail="other"),
            held(THREE, detail="user", before=NOW - SECOND),
        ),
        wake_at=None,
    )
    anew = slots.begin_anew(slot, "user", NOW)
    assert [holder.before for holder in anew.holders] == [NOW, None, NOW - SECOND]
    assert anew.wake_at == NOW
    later = replace(slot, holders=(held(ONE, detail="user", before=NOW + SECOND),))
    assert slots.begin_anew(later, "user", NOW).holders[0].before == NOW
    assert slots.begin_anew(slot, "nobody", NOW) is slot
    assert slots.begin_anew(anew, "user", NOW) is anew


# ── What is there ────────────────────────────────────────────────────────────────────────────


def test_standing_access_fits_while_it_is_there_whatever_anybody_wishes() -> None:
    slot = replace(EMPTY, standing=True)
    for wish in (slots.wish(slot, NOW), slots.wish(slots.join(slot, held(ONE), NOW), NOW)):
        assert slots.fits(slot, seen(present=True), wish)
        assert not slots.fits(slot, seen(present=False), wish)


def test_what_is_there_fits_if_it_is_all_that_is_wished_and_until_then() -> None:
    slot = slots.join(EMPTY, held(ONE), NOW)
    wish, nothing = slots.wish(slot, NOW), slots.wish(EMPTY, NOW)
    assert slots.fits(slot, seen(present=True), wish)
    assert not slots.fits(slot, seen(present=False), wish)
    assert slots.fits(slot, seen(present=False), nothing)
    assert not slots.fits(slot, seen(present=True), nothing)
    assert slots.fits(slot, seen(present=True, until=wish.until), wish)
    assert not slots.fits(slot, seen(present=True, until=NOW), wish)


def test_where_holders_are_named_they_are_all_there_but_those_who_are_so_in_vain() -> None:
    slot = slots.join(slots.join(EMPTY, held(ONE), NOW), held(TWO), NOW)
    wish = slots.wish(slot, NOW)
    assert slots.fits(slot, seen(present=True, holders=frozenset({ONE, TWO})), wish)
    assert not slots.fits(slot, seen(present=True, holders=frozenset({ONE})), wish)
    assert not slots.fits(slot, seen(present=True, holders=frozenset({ONE, TWO, THREE})), wish)
    in_vain = seen(present=True, holders=frozenset({ONE}), in_vain=frozenset({TWO}))
    assert slots.fits(slot, in_vain, wish)


@pytest.mark.parametrize(
    ("known", "present", "after"),
    [
        (None, True, True),
        (None, False, False),
        (True, True, True),
        (True, False, False),
        (False, True, False),
        (False, False, False),
    ],
)
def test_only_the_first_read_can_say_that_access_is_standing(
    known: bool | None,  # noqa: FBT001 - a case
    present: bool,  # noqa: FBT001 - the same
    after: bool,  # noqa: FBT001 - the same
) -> None:
    slot = replace(EMPTY, standing=known)
    assert slots.with_standing(slot, seen(present=present)).standing is after


@pytest.mark.parametrize(
    ("late", "is_proof"), [(-SECOND, False), (timedelta(0), True), (SECOND, True)]
)
def test_an_absence_counts_once_the_last_call_has_landed_and_settled(
    late: timedelta,
    is_proof: bool,  # noqa: FBT001 - a case
) -> None:
    at = NOW + SETTLE + SKEW + late
    slot = replace(EMPTY, landed_by=NOW, seen=seen(present=False, at=at))
    assert slots.is_settled(slot, SETTLE) is is_proof
    assert slots.is_gone(slot, SETTLE) is is_proof
    denied = replace(slot, seen=seen(present=True, at=at, holders=frozenset({ONE})))
    assert slots.is_denied(denied, ONE, SETTLE) is is_proof
    assert not slots.is_denied(denied, TWO, SETTLE)
    assert not slots.is_gone(denied, SETTLE)


def test_a_deadline_in_the_cloud_is_shown_once_no_read_can_be_of_the_past() -> None:
    at, settled = NOW + SETTLE, NOW + SETTLE + SKEW
    told = replace(EMPTY, landed_by=NOW)
    for until in (NOW, NOW + 30 * SECOND):
        assert not slots.is_shown(
            replace(told, seen=seen(present=True, at=at, until=until)), SETTLE
        )
        assert slots.is_shown(
            replace(told, seen=seen(present=True, at=settled, until=until)), SETTLE
        )
    assert not slots.is_shown(replace(told, seen=seen(present=False, at=at)), SETTLE)
    assert slots.is_shown(replace(told, seen=seen(present=False, at=settled)), SETTLE)
    assert slots.is_shown(replace(told, seen=seen(present=True, at=at)), SETTLE), "it holds none"
    assert not slots.is_shown(told, SETTLE)


def test_nothing_is_proven_without_a_read_or_while_a_create_runs() -> None:
    there = replace(EMPTY, seen=seen(present=False))
    put, remove = Operation(verb="put", begun_at=NOW), Operation(verb="remove", begun_at=NOW)
    assert slots.is_gone(there, SETTLE)
    assert slots.is_gone(replace(there, operation=remove), SETTLE)
    assert not slots.is_gone(replace(there, operation=put), SETTLE)
    assert not slots.is_settled(EMPTY, SETTLE)
    for nothing in (EMPTY, replace(EMPTY, seen=seen(present=True))):
        assert not slots.is_gone(nothing, SETTLE)
        assert not slots.is_denied(nothing, ONE, SETTLE)


# ── Who drives it ────────────────────────────────────────────────────────────────────────────


def test_a_claim_is_over_at_its_end_and_a_call_may_land_until_the_latest_of_them() -> None:
    until = NOW + 15 * SECOND
    claimed = slots.claim(EMPTY, "driver", until)
    assert (claimed.claim, claimed.wake_at) == (Claim(by="driver", until=until), until)
    assert claimed.landed_by == until
    assert slots.is_claimed(claimed, until - SECOND)
    assert not slots.is_claimed(claimed, until)
    assert not slots.is_claimed(EMPTY, NOW)
    assert slots.claim(claimed, "next", NOW).landed_by == until
    assert slots.later(None, NOW) == NOW


def test_what_goes_wrong_gives_the_right_back_and_is_tried_ever_more_seldom() -> None:
    waits = []
    slot = slots.claim(EMPTY, "driver", NOW)
    for number in range(100):
        slot = slots.put_off(slot, "no", NOW)
        assert (slot.claim, slot.trouble, slot.attempts) == (None, "no", number + 1)
        assert slot.wake_at is not None
        full = slots.backoff(number)
        assert full * 3 / 4 <= slot.wake_at - NOW <= full
        waits.append(full)
    assert waits[:5] == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND, 16 * SECOND]
    assert waits[5] == 32 * SECOND
    assert set(waits[6:66]) == {timedelta(minutes=1)}
    assert set(waits[66:]) == {timedelta(minutes=5)}
    assert timedelta(minutes=45) < sum(waits[:66], timedelta(0)) * 3 / 4


def test_what_was_refused_together_is_not_tried_again_together() -> None:
    waits = {
        slots.put_off(replace(EMPTY, key=SlotKey(str(n)), attempts=8), "no", NOW).wake_at
        for n in range(50)
    }
    assert len(waits) > 25
    one = replace(EMPTY, attempts=8)
    assert slots.put_off(one, "no", NOW).wake_at == slots.put_off(one, "no", NOW).wake_at


@pytest.mark.parametrize(
    ("age", "wait"), [(0, 5), (6, 5), (20, 10), (100, 50), (120, 60), (3600, 60)]
)
def test_an_operation_is_asked_after_ever_more_seldom(age: int, wait: int) -> None:
    operation = Operation(verb="put", begun_at=NOW - age * SECOND)
    slot = slots.claim(replace(EMPTY, operation=operation), "driver", NOW)
    waiting = slots.under_way(slot, NOW)
    assert (waiting.claim, waiting.wake_at) == (None, NOW + wait * SECOND)


def test_what_begins_just_now_is_asked_after_in_five_seconds() -> None:
    assert slots.under_way(EMPTY, NOW).wake_at == NOW + 5 * SECOND


def test_after_ten_minutes_an_operation_is_no_longer_waited_for() -> None:
    operation = Operation(verb="remove", begun_at=NOW)
    assert not slots.is_stuck(operation, NOW + timedelta(minutes=10) - SECOND)
    assert slots.is_stuck(operation, NOW + timedelta(minutes=10))


def test_a_place_rests_while_nothing_is_to_be_done_before_somebodys_time_is_over() -> None:
    slot = replace(slots.join(EMPTY, held(ONE, 10), NOW), wake_at=NOW + timedelta(minutes=10))
    assert slots.is_at_rest(slot, NOW)
    assert slots.is_at_rest(replace(slot, wake_at=None), NOW)
    assert not slots.is_at_rest(replace(slot, wake_at=NOW), NOW)
    assert not slots.is_at_rest(slots.claim(slot, "driver", NOW + timedelta(minutes=10)), NOW)
    operation = Operation(verb="put", begun_at=NOW)
    assert not slots.is_at_rest(replace(slot, operation=operation), NOW)
