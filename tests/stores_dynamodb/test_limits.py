"""What DynamoDB does not take, and how a record of any length stays below that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jitcloud.errors import Refused
from jitcloud.model import PersonId, RequestId, SlotKey, State
from jitcloud.ports import Change
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.factories import (
    ALICE,
    NOW,
    a_slot,
    a_vote,
    asked,
    controlled,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
    together,
)
from tests.stores_dynamodb.between import Between


@pytest.mark.parametrize(("channels", "fit"), [((), 50), (("notices",), 33), (("a", "b"), 25)])
def test_more_requests_than_fit_are_refused_with_how_many_do(
    store: DynamoStore, proxy: Between, channels: tuple[str, ...], fit: int
) -> None:
    def change(count: int) -> Change:
        asks = [asked(number) for number in range(count)]
        return replace(together(*asks), channels=channels)

    with pytest.raises(Refused, match=f"at most {fit} accounts at a time. Nothing was written"):
        store.commit(change(fit + 1))
    assert proxy.counted() == {}
    store.commit(change(fit))
    assert len(store.ids(1000)) == fit


def test_what_else_a_commit_writes_is_counted_too(store: DynamoStore) -> None:
    asks = [asked(number) for number in range(48)]
    resting = replace(together(*asks), slots=(a_slot(1), a_slot(2)), control_seq=0)
    with pytest.raises(Refused, match="at most 47 such at once") as caught:
        store.commit(replace(resting, unmoved=((slot_key(3), 0), (slot_key(4), 0))))
    assert "about 48 requests" in str(caught.value)
    store.commit(resting)


def test_more_slots_than_fit_are_refused(store: DynamoStore) -> None:
    with pytest.raises(Refused, match="101 items, and DynamoDB takes at most 100"):
        store.commit(Change(slots=tuple(a_slot(number) for number in range(101))))
    assert store.all_slots(1) == ()
    store.commit(Change(slots=tuple(a_slot(number) for number in range(100))))


def test_an_item_that_is_too_large_is_refused(store: DynamoStore) -> None:
    store.commit(asked(1))
    with pytest.raises(Refused, match=r"an item of 4.. KB, and DynamoDB takes at most 400 KB"):
        store.commit(then(the_request(asked(1)), a_vote("ü" * 205_000)))
    store.commit(then(the_request(asked(1)), a_vote("ü" * 200_000)))


def test_a_commit_that_is_too_large_is_refused(store: DynamoStore) -> None:
    asks = [asked(number, justification="x" * 190_000) for number in range(12)]
    with pytest.raises(Refused, match="at most 4096 KB at once: ask for fewer accounts"):
        store.commit(together(*asks))
    assert store.ids(10) == ()


def test_a_slot_whose_name_is_too_long_is_refused(store: DynamoStore) -> None:
    with pytest.raises(Refused, match=r"a name of \d+ bytes"):
        store.commit(Change(slots=(replace(a_slot(1), key=SlotKey("s" * 1025)),)))
    longest = replace(a_slot(1), key=SlotKey("s" * 1024))
    store.commit(Change(slots=(longest,)))
    assert store.all_slots(10) == (longest,)
    longer = SlotKey("s" * 3000)
    assert store.slot(longer) is None
    assert store.slots([longer, longest.key]) == (longest,)


def test_nobody_and_nothing_are_nowhere(store: DynamoStore) -> None:
    store.commit(asked(1))
    for person in ("", "p" * 3000):
        assert store.by_person(PersonId(person), 5).requests == ()
        assert store.unreviewed(5, PersonId(person)) == ()
    assert store.ids(5, RequestId("")) == (request_id(1),)
    assert store.by_person(ALICE, 5, RequestId("")).requests == (the_request(asked(1)),)


def test_a_trail_of_many_megabytes_is_read_whole(store: DynamoStore, proxy: Between) -> None:
    change = asked(1)
    lines = [*the_events(change)]
    store.commit(change)
    for number in range(8):
        change = then(the_request(change), a_vote(f"{number}" * 300_000))
        lines += the_events(change)
        store.commit(change)
    proxy.forget()
    assert store.events(request_id(1)) == tuple(lines)
    assert proxy.counted()["Query"] >= 3


def test_a_snapshot_does_not_grow_with_its_trail(store: DynamoStore, proxy: Between) -> None:
    sizes = []
    change = asked(1)
    for _ in range(30):
        proxy.forget()
        store.commit(change)
        (call,) = proxy.calls
        sizes.append(len(call.body))
        change = then(the_request(change))
    assert max(sizes[1:]) - min(sizes[1:]) < 50


# ── No item that everything waits for ────────────────────────────────────────────────────────


def test_commits_that_rest_on_the_controls_check_different_copies(
    store: DynamoStore, proxy: Between
) -> None:
    store.commit(Change(control=controlled()))
    proxy.forget()
    for number in range(40):
        store.commit(replace(asked(number), control_seq=controlled().controls.seq))
    checked = [
        item["ConditionCheck"]["Key"]["pk"]["S"]
        for call in proxy.calls
        for item in call.asked["TransactItems"]
        if "ConditionCheck" in item
    ]
    assert len(checked) == 40
    assert len(set(checked)) == keys.FENCES


def test_indexes_spread_what_is_alike(store: DynamoStore, proxy: Between) -> None:
    for number in range(32):
        change = asked(number, wake_at=NOW)
        change = replace(change, channels=("notices",), slots=(a_slot(number, wake_at=NOW),))
        store.commit(change)
    written = [
        value["S"]
        for call in proxy.calls
        for item in call.asked["TransactItems"]
        for name, value in _written(item).items()
        if name in {"due", "in_state", "listing"}
    ]
    for what in ("aws", "azure", keys.MARKS, State.PENDING, "request", "slot"):
        assert {name for name in written if name.startswith(f"{what}#")} == set(keys.shards(what))


def _written(item: dict[str, dict[str, dict[str, dict[str, str]]]]) -> dict[str, dict[str, str]]:
    put = item.get("Put", {}).get("Item", {})
    values = item.get("Update", {}).get("ExpressionAttributeValues", {})
    return put | {name.removeprefix(":"): value for name, value in values.items()}
