"""What every slot kind that grants must do. To try one of yours, derive from a class here.

``StandingSlotKindContract`` is for places that somebody else may have filled before us, and
``AreaContract``, beside either, for those that a cloud lists.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from jitcloud import slots
from jitcloud.codec import decode_slot, encode_slot
from jitcloud.errors import CloudRefused
from jitcloud.model import Holder, Place, RequestId, Sight, Slot, SlotKey
from jitcloud.ports import SlotKind

NewPlace = Callable[[], Place]
"""Names a place that nothing was ever put in, another one each time."""

Truth = Callable[[Slot], bool]
"""Whether somebody really has now what the place gives, tried in the cloud."""

ONE, OTHER = RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG"), RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFH")
NOW = datetime.now(UTC).replace(microsecond=0)
SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)


def held(place: Place, *holders: tuple[RequestId, datetime]) -> Slot:
    """The slot of a place, held by these until then."""
    slot = slots.at(place)
    for request, until in holders:
        slot = slots.join(slot, Holder(request=request, until=until, detail=place.detail), NOW)
    return slot


def put(kind: SlotKind, slot: Slot) -> None:
    wish = slots.wish(slot, NOW)
    assert wish.until is not None
    kind.put(slot, wish.holders, wish.until)


def agrees(kind: SlotKind, slot: Slot) -> bool:
    """Whether the cloud shows what the slot wishes, as the core judges it."""
    return slots.fits(slot, kind.see(slot, NOW), slots.wish(slot, NOW))


class SlotKindContract(ABC):
    @pytest.fixture
    @abstractmethod
    def kind(self) -> SlotKind: ...

    @pytest.fixture
    @abstractmethod
    def new_place(self) -> NewPlace: ...

    @pytest.fixture
    @abstractmethod
    def is_let_in(self) -> Truth: ...

    @pytest.fixture
    @abstractmethod
    def powerless(self) -> SlotKind:
        """The same kind, for a broker that the cloud refuses everything."""

    # ── What it says of itself ───────────────────────────────────────────────────────────────

    def test_it_is_the_kind_that_its_places_name(self, kind: SlotKind, new_place: NewPlace) -> None:
        assert new_place().kind == kind.name
        assert kind.grants
        assert kind.timeout > timedelta(0)
        assert kind.settle >= timedelta(0)

    def test_two_places_have_two_keys(self, new_place: NewPlace) -> None:
        assert new_place().key != new_place().key

    # ── There, and gone ──────────────────────────────────────────────────────────────────────

    def test_where_nothing_was_put_nothing_is_seen(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = slots.at(new_place())
        assert kind.see(slot, NOW) == Sight(at=NOW, present=False)
        assert not is_let_in(slot)

    def test_what_was_put_is_seen_and_lets_in(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        assert not agrees(kind, slot)
        put(kind, slot)
        sight = kind.see(slot, NOW)
        assert (sight.at, sight.present) == (NOW, True)
        assert sight.holders in {None, frozenset({ONE})}
        assert sight.until in {None, SOON}
        assert agrees(kind, slot)
        assert is_let_in(slot)

    def test_what_is_removed_is_gone(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        put(kind, slot)
        over = slots.leave(slot, ONE, NOW)
        assert not agrees(kind, over)
        kind.remove(over)
        assert not kind.see(over, NOW).present
        assert agrees(kind, over)
        assert not is_let_in(over)

    def test_it_can_be_put_again_after_it_was_removed(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        put(kind, slot)
        empty = slots.leave(slot, ONE, NOW)
        kind.remove(empty)
        again = slots.join(empty, Holder(request=OTHER, until=SOON), NOW)
        put(kind, again)
        assert agrees(kind, again)
        assert is_let_in(again)

    # ── Twice, and in parallel ───────────────────────────────────────────────────────────────

    def test_putting_and_removing_twice_is_as_once(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        kind.remove(slot)
        put(kind, slot)
        put(kind, slot)
        assert agrees(kind, slot)
        over = slots.leave(slot, ONE, NOW)
        kind.remove(over)
        kind.remove(over)
        assert agrees(kind, over)
        assert not is_let_in(over)

    def test_places_do_not_reach_into_one_another(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        one, other = (held(new_place(), (ONE, SOON)) for _ in range(2))
        put(kind, one)
        assert not kind.see(other, NOW).present
        kind.remove(slots.leave(other, ONE, NOW))
        assert agrees(kind, one)
        assert is_let_in(one)

    def test_several_threads_may_drive_their_own_places(
        self, kind: SlotKind, new_place: NewPlace
    ) -> None:
        driven = [held(new_place(), (ONE, SOON)) for _ in range(4)]

        def drive(slot: Slot) -> bool:
            put(kind, slot)
            seen = agrees(kind, slot)
            kind.remove(slots.leave(slot, ONE, NOW))
            return seen and not kind.see(slot, NOW).present

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(drive, driven))

    # ── Several holders, and later deadlines ─────────────────────────────────────────────────

    def test_a_deadline_that_moves_is_what_is_seen_then(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        place = new_place()
        for until in (SOON, LATER, SOON):
            slot = held(place, (ONE, until))
            put(kind, slot)
            assert kind.see(slot, NOW).until in {None, until}
            assert agrees(kind, slot)
            assert is_let_in(slot)

    def test_when_one_of_two_leaves_the_other_stays_in(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        both = held(new_place(), (ONE, SOON), (OTHER, LATER))
        put(kind, both)
        assert agrees(kind, both)
        for left in (slots.leave(both, ONE, NOW), slots.leave(both, OTHER, NOW)):
            if not agrees(kind, left):
                put(kind, left)
            assert agrees(kind, left)
            assert is_let_in(left)

    # ── Only from the record ─────────────────────────────────────────────────────────────────

    def test_what_the_record_keeps_of_a_slot_is_enough_to_end_it(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        put(kind, slot)
        stored = decode_slot(encode_slot(slots.leave(slot, ONE, NOW)))
        kind.remove(stored)
        assert not kind.see(stored, NOW).present
        assert not is_let_in(slot)

    # ── What the cloud refuses ───────────────────────────────────────────────────────────────

    def test_a_refusal_is_an_error_and_never_an_absence(
        self, kind: SlotKind, powerless: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        with pytest.raises(CloudRefused):
            put(powerless, slot)
        assert not is_let_in(slot)
        put(kind, slot)
        with pytest.raises(CloudRefused):
            powerless.see(slot, NOW)
        with pytest.raises(CloudRefused):
            powerless.remove(slots.leave(slot, ONE, NOW))
        assert is_let_in(slot)


class StandingSlotKindContract(SlotKindContract):
    @pytest.fixture
    @abstractmethod
    def by_hand(self) -> Callable[[Slot], None]:
        """Fill a place as an administrator would."""

    def test_what_was_there_before_us_is_seen_as_what_we_put(
        self,
        kind: SlotKind,
        new_place: NewPlace,
        by_hand: Callable[[Slot], None],
        is_let_in: Truth,
    ) -> None:
        assert kind.takes_standing
        slot = held(new_place(), (ONE, SOON))
        by_hand(slot)
        assert kind.see(slot, NOW).present
        put(kind, slot)
        assert agrees(kind, slot)
        assert is_let_in(slot)


class AreaContract:
    """What a reconcile relies on. Derive from this beside one of the above."""

    def test_what_was_put_is_listed_in_its_area_until_it_is_removed(
        self, kind: SlotKind, new_place: NewPlace
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        assert slot.key not in listed(kind, slot)
        put(kind, slot)
        assert slot.key in listed(kind, slot)
        kind.remove(slots.leave(slot, ONE, NOW))
        assert slot.key not in listed(kind, slot)

    def test_what_is_listed_is_the_place_that_was_filled(
        self, kind: SlotKind, new_place: NewPlace
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        put(kind, slot)
        found = slots.at(listed(kind, slot)[slot.key])
        assert kind.area(found) == kind.area(slot)
        assert kind.hold(found) is kind.hold(slot)
        assert kind.see(found, NOW) == kind.see(slot, NOW)

    def test_what_a_list_says_of_a_place_is_enough_to_end_it(
        self, kind: SlotKind, new_place: NewPlace, is_let_in: Truth
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        put(kind, slot)
        found = slots.at(listed(kind, slot)[slot.key])
        kind.remove(decode_slot(encode_slot(found)))
        assert not kind.see(slot, NOW).present
        assert not is_let_in(slot)

    def test_each_place_is_listed_in_its_own_area_alone(
        self, kind: SlotKind, new_place: NewPlace
    ) -> None:
        one, other = (held(new_place(), (ONE, SOON)) for _ in range(2))
        put(kind, one)
        put(kind, other)
        assert one.key in listed(kind, one)
        same = kind.area(one) == kind.area(other)
        assert (other.key in listed(kind, one)) == same

    def test_a_refusal_to_list_is_an_error_and_never_an_empty_list(
        self, kind: SlotKind, powerless: SlotKind, new_place: NewPlace
    ) -> None:
        slot = held(new_place(), (ONE, SOON))
        put(kind, slot)
        with pytest.raises(CloudRefused):
            listed(powerless, slot)


def listed(kind: SlotKind, slot: Slot) -> dict[SlotKey, Place]:
    """All that is listed where this place would be."""
    area = kind.area(slot)
    assert area is not None
    assert area.kind == kind.name
    found: dict[SlotKey, Place] = {}
    after: str | None = None
    for _ in range(100):
        page = kind.ours(area, after, NOW)
        found |= {place.key: place for place in page.found}
        after = page.after
        if after is None:
            return found
    raise AssertionError(area)
