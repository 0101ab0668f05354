"""One lifetime in a fleet over DynamoDB, step by step, and what is in the table besides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jitcloud.model import EntitlementId, Request, State
from jitcloud.stores.dynamodb import plans
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.factories import asked, the_request
from tests.fleet.in_time import Fleet
from tests.stores_dynamodb.filling import fill
from tests.stores_dynamodb.measured import Cost, Meter
from tests.world import START, caller

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECOND = timedelta(seconds=1)

STEPS = ("asked", "approved", "let in", "ended")


def fill_up(client: DynamoDBClient, table: str, count: int) -> None:
    """Write requests as their first commits leave them; none is due for a year."""
    change = asked(0, at=START, wake_at=START + timedelta(days=365))
    items = [write.action["Put"]["Item"] for write in plans.plan(change, table, "c").writes]
    fill(client, table, items, the_request(change).id, range(count))


def lifetime(folder: Path, meter: Meter, table: str) -> dict[str, Cost]:
    """Ask, be approved, be let in, and be put out at the deadline; say what each step has cost.

    As a fleet does it: a commit wakes what it concerns, by stream and queue. The look ahead is
    left out, for it reads as much whoever is due.
    """
    fleet = Fleet(folder, DynamoStore(table, client=lambda: meter.client))
    fleet.expires = False
    fleet.world.ask(what="prod-write")  # the policy is taken up, once for all
    broker, time = fleet.world.broker, fleet.time
    costs = dict.fromkeys(STEPS, Cost())
    with meter.measuring() as costs["asked"]:
        request = broker.request(
            caller("ana"),
            EntitlementId("prod-write"),
            duration=timedelta(minutes=10),
            justification="Look into INC-7",
            now=time(),
        )
    with meter.measuring() as costs["approved"]:
        broker.approve(caller("ben"), request.id, time())
    with meter.measuring() as costs["let in"]:
        fleet.run_until(time() + 30 * SECOND)
    _is(fleet, request, State.ACTIVE)
    with meter.measuring() as costs["ended"]:
        fleet.run_until(time() + timedelta(minutes=12))
    _is(fleet, request, State.ENDED)
    return costs


def _is(fleet: Fleet, request: Request, state: State) -> None:
    found = fleet.world.now(request).state
    assert found is state, found
