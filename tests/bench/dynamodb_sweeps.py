"""What is due is swept as fast as DynamoDB writes it: a sweep, against its transactions alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Entitlement, Guarantee, Person, Places, Request, State
from jitcloud.ports import Change, Store
from jitcloud.providers.memory import KIND, MemoryMechanism
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.sweep import BATCH, sweep
from tests.bench.figures import Figure
from tests.bench.timing import Say, seconds_of
from tests.dynamodb_tables import a_table, client_of
from tests.stores_dynamodb.filling import fill
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEMS = 2_000
WHOLE = 10_000
"""How many are due in the promise; so many take minutes, and ``ITEMS`` as long for each."""

LIMIT = 1 / 0.8


@dataclass
class Twice:
    """A store whose every commit is made in another one as well, at once, and timed there."""

    store: Store
    other: Store
    commits: int = 0
    alone: float = 0.0
    """Seconds that the other one took for all of them."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def commit(self, change: Change) -> None:
        # By turns: whoever comes second finds what the first has encoded, and a warm processor.
        is_first = self.commits % 2 == 0
        if is_first:
            self.store.commit(change)
        self.alone += seconds_of(partial(self.other.commit, change))
        if not is_first:
            self.store.commit(change)
        self.commits += 1


class Sessions(MemoryMechanism):
    """Grants what has no place: nothing is there before somebody uses it."""

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - none has one
        return Places()


def measure(folder: Path, say: Say, items: int = ITEMS) -> Iterable[Figure]:
    with Ministack() as aws:
        client = client_of(aws.endpoint_url, aws.account)
        for name, what, make in (
            ("lapses", "requests that nobody has voted on", _lapsing),
            ("deadlines", "sessions whose deadline has come", _ending),
        ):
            say(f"{name}: {items:,} {what}")
            place = folder / name
            place.mkdir()
            yield _figure(name, what, items, *_swept(make, place, client, items))


def _lapsing(world: World) -> Request:
    """Make one of which the others are copies, and let the time come."""
    request = world.ask(what="prod-write")
    world.time.forward(hours=25)
    return request


def _ending(world: World) -> Request:
    request = world.ask(minutes=30)
    assert world.now(request).state is State.ACTIVE
    world.time.forward(hours=1)
    return request


def _swept(
    make: Callable[[World], Request], folder: Path, client: DynamoDBClient, items: int
) -> tuple[float, Twice]:
    table, other = a_table(client), a_table(client)
    store = DynamoStore(table, client=lambda: client)
    mechanisms = {KIND: Sessions(guarantee=Guarantee.CLOUD)}
    world = World(folder, store=store, mechanisms=mechanisms)
    request = make(world)
    partition = keys.text(keys.request(request.id))
    found = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": partition},
        ConsistentRead=True,
    )["Items"]
    sweep(world.advance)  # that one, and the brakes: all is warm
    for name in (table, other):
        fill(client, name, cast("Any", found), request.id, range(items))
    twice = Twice(store, DynamoStore(other, client=lambda: client))
    world.store = cast("Store", twice)
    world.put_together()
    return _seconds(world, items) - twice.alone, twice


def _seconds(world: World, items: int) -> float:
    woken = 0
    begun = time.perf_counter()
    for _ in range(items // BATCH + 1):
        swept = sweep(world.advance)
        woken += swept.woken
        if swept.troubles:
            raise AssertionError(swept.troubles[:3])
    if woken != items:
        raise AssertionError(woken)
    return time.perf_counter() - begun


def _figure(name: str, what: str, items: int, ours: float, twice: Twice) -> Figure:
    return Figure(
        name=f"swept-{name}",
        what=f"time to sweep {items:,} {what} / time of their transactions alone",
        value=ours / twice.alone,
        unit="x",
        limit=LIMIT,
        parts={
            "of the raw rate (%)": 100 * twice.alone / ours,
            "swept a second": items / ours,
            "transactions a second, swept": twice.commits / ours,
            "transactions a second, alone": twice.commits / twice.alone,
        },
        notes=(
            f"Each sweep takes on {BATCH}.",
            "Each commit is made in a table like it too, at once: what that takes is told apart.",
            f"The promise is of {WHOLE:,}; every {ITEMS:,} of them take as long.",
        ),
    )
