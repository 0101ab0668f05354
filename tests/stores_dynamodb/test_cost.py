"""What each call costs, how that does not grow with the table, and that the page says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from jitcloud.emulators.ministack import Ministack
from jitcloud.model import State
from jitcloud.ports import Change
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.contract.stores.opened import LATER
from tests.docs.pages import table
from tests.dynamodb_tables import a_table, client_of
from tests.factories import (
    ALICE,
    BOB,
    NOW,
    a_mark,
    a_slot,
    asked,
    controlled,
    put_off,
    request_id,
    slot_key,
    the_request,
    then,
    together,
)
from tests.stores_dynamodb.measured import Cost, Meter

PAGE = "docs/dynamodb.md"
OTHERS = 150
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def meter(ministack: Ministack) -> Meter:
    return Meter(ministack)


@pytest.fixture(scope="module")
def filled(ministack: Ministack, meter: Meter) -> DynamoStore:
    """Ten requests that are due among many that are not, each with a mark."""
    client = client_of(ministack.endpoint_url, ministack.account)
    store = DynamoStore(a_table(client), client=lambda: meter.client)
    for begin in range(1000, 1000 + OTHERS, 50):
        numbers = range(begin, begin + 50)
        store.commit(together(*(asked(n, person=BOB, wake_at=TOMORROW) for n in numbers)))
        store.commit(Change(slots=tuple(a_slot(n, wake_at=TOMORROW) for n in numbers)))
    for number in range(10):
        store.commit(replace(asked(number, wake_at=NOW), channels=("notices",)))
    return store


def test_what_is_due_is_found_without_a_look_at_anything_else(
    filled: DynamoStore, meter: Meter
) -> None:
    with meter.measuring() as cost:
        assert len(filled.due(NOW, 1000)) == 10
    assert (cost.calls, cost.rows, cost.reads) == ({"Query": 8}, 10, 4.0)
    with meter.measuring() as cost:
        assert len(filled.due_marks(NOW, 1000)) == 10
    assert (cost.calls, cost.rows, cost.reads) == ({"Query": 2}, 10, 1.0)


def test_a_limit_stops_the_search(filled: DynamoStore, meter: Meter) -> None:
    with meter.measuring() as cost:
        assert len(filled.due(TOMORROW, 3)) == 3
    assert cost.rows <= 3 * 8
    with meter.measuring() as cost:
        assert len(filled.by_person(BOB, 5).requests) == 5
    assert (cost.calls, cost.rows) == ({"Query": 1, "BatchGetItem": 1}, 6)
    with meter.measuring() as cost:
        assert len(filled.by_state(State.PENDING, 5).requests) == 5
    assert (cost.calls, cost.rows) == ({"Query": 2, "BatchGetItem": 1}, 12)
    with meter.measuring() as cost:
        assert len(filled.ids(5)) == 5
    assert (cost.calls, cost.rows) == ({"Query": 2}, 10)


FIRST = asked(1)
SECOND = then(the_request(FIRST), wake_at=LATER)
THIRD = then(the_request(SECOND), state=State.ACTIVE, wake_at=TOMORROW)
PUT_OFF = put_off(the_request(THIRD), LATER)
SLOT = a_slot(1, wake_at=NOW)
MARK = a_mark(1, 3, LATER)

IN_TURN: dict[str, Callable[[DynamoStore], object]] = {
    "commit: a request begins": lambda store: store.commit(FIRST),
    "commit: an event, another wake-up": lambda store: store.commit(
        replace(SECOND, channels=("notices",))
    ),
    "commit: an event, another state and wake-up": lambda store: store.commit(THIRD),
    "commit: a wake-up alone": lambda store: store.commit(PUT_OFF),
    "commit: a new slot": lambda store: store.commit(Change(slots=(SLOT,))),
    "commit: a slot, another wake-up": lambda store: store.commit(
        Change(slots=(replace(SLOT, version=2, wake_at=LATER),))
    ),
    "commit: the deployment's own trail": lambda store: store.commit(Change(control=controlled())),
    "request, wake_at": lambda store: store.request(request_id(1)),
    "slot": lambda store: store.slot(slot_key(1)),
    "mark": lambda store: store.mark("notices", request_id(1)),
    "controls": lambda store: store.controls(),
    "events, control_events": lambda store: store.events(request_id(1)),
    "slots": lambda store: store.slots([slot_key(1), slot_key(2)]),
    "due": lambda store: store.due(NOW, 100),
    "due_marks": lambda store: store.due_marks(NOW, 100),
    "by_person": lambda store: store.by_person(ALICE, 50),
    "by_state": lambda store: store.by_state(State.ACTIVE, 50),
    "unreviewed": lambda store: store.unreviewed(50),
    "unreviewed, of a person": lambda store: store.unreviewed(50, ALICE),
    "all_slots": lambda store: store.all_slots(50),
    "ids": lambda store: store.ids(50),
    "put_mark": lambda store: store.put_mark(replace(MARK, version=2, wake_at=None)),
}


def test_the_page_says_what_each_call_costs(ministack: Ministack, meter: Meter) -> None:
    client = client_of(ministack.endpoint_url, ministack.account)
    store = DynamoStore(a_table(client), client=lambda: meter.client)
    found = {}
    for name, call in IN_TURN.items():
        with meter.measuring() as cost:
            call(store)
        found[name] = _told(cost)
    rows = table(PAGE, "call", "of DynamoDB", "reads", "writes")
    assert {
        row["call"].replace("`", ""): (row["of DynamoDB"], row["reads"], row["writes"])
        for row in rows
    } == found


def _told(cost: Cost) -> tuple[str, str, str]:
    calls = ", ".join(
        f"{count} `{name}`" if count > 1 else f"`{name}`" for name, count in cost.calls.items()
    )
    # ministack does not say what BatchGetItem costs: as much as each item read alone.
    more = " and an item's each" if "BatchGetItem" in cost.calls else ""
    return calls, f"{cost.reads:g}{more}", f"{cost.writes:g}"
