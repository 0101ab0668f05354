"""``advance``: takes wake-ups from the table's stream, which it only queues, and from the queue.

Whatever a cloud is told is told here, by a role that may reach the catalog's targets of one cloud
and can sign nothing: it believes what the signed trail proves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3

from jitcloud import config
from jitcloud.ahead import Handed
from jitcloud.clock import utc_now
from jitcloud.config import Deployment
from jitcloud.due import Due, Wake
from jitcloud.errors import Invalid, Misconfigured, Unavailable
from jitcloud.fleet.environment import Context, Kept, folder, give_up, secrets, variable
from jitcloud.observing import logs
from jitcloud.ports import Queue
from jitcloud.queues import sqs
from jitcloud.stores.dynamodb import stream
from jitcloud.waking import brakes, woken

AGAIN = 30.0
"""Seconds after which secrets that could not be read are looked for again."""

SPARE = timedelta(seconds=30)
"""What is not begun so long before the platform ends the call is queued again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advancing:
    """One cloud's driver."""

    deployment: Callable[[], Deployment]
    queue: Queue

    def stream(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Queue the wake-ups that commits have set. Raises ``Unavailable``: it is handed them anew.

        Nothing else happens here: whatever a stream's records are in front of waits for them.
        """
        now = utc_now()
        wakes = [wake for record in records for wake in stream.wakes(record, now)]
        self.queue.put(wakes, now)

    def take(self, records: Sequence[Mapping[str, Any]], context: Context) -> dict[str, object]:
        """Wake what a batch of messages names; say which of them to hand out again."""
        wakes = list(self._read(records))
        deployment = self.deployment()
        handed = Handed(
            queue=self.queue,
            wake=lambda wake: wake_one(deployment, wake),
            clock=deployment.clock,
            pause=time.sleep,
            give_up=give_up(context, SPARE),
        )
        try:
            for trouble in handed.take(wakes):
                logs.event("trouble", level=logging.WARNING, why=trouble)
        except Unavailable as exc:
            logs.event("unavailable", level=logging.ERROR, why=str(exc))
            # Waking twice does no harm, so all of them may come again.
            names = [record.get("messageId") for record in records]
            return {"batchItemFailures": [{"itemIdentifier": name} for name in names if name]}
        return {"batchItemFailures": []}

    def _read(self, records: Sequence[Mapping[str, Any]]) -> Iterator[Wake]:
        for record in records:
            try:
                yield sqs.decode(str(record.get("body", "")))
            except Invalid as exc:
                logs.event("no wake-up", level=logging.WARNING, why=str(exc))


def wake_one(deployment: Deployment, wake: Wake) -> tuple[str, ...]:
    """Wake one thing; say what could not be done, and why.

    Raises ``Unavailable`` where the record cannot be reached: nothing has put it off then; and
    ``Conflict`` where somebody else is at it.
    """
    ledger, now = deployment.ledger, deployment.clock()
    if wake.kind == "brakes":
        troubles = tuple(brakes(ledger, now))
    else:
        due = Due(kind=wake.kind, id=wake.id, wake_at=wake.at)
        troubles = tuple(woken(deployment.advance, due, is_looked_for=False))
    if troubles:
        ledger.store.due_marks(now, 1)  # is it the record itself that cannot be reached?
    return tuple(f"{name}: {why}" for name, why in troubles)


def made() -> Advancing:
    """Put it together from the environment. Opens no connection."""
    opened = Kept(_opened, lambda each: each.is_good)
    queue = sqs.SqsQueue(boto3.client("sqs", config=sqs.CONFIG), variable("JITCLOUD_QUEUE"))
    return Advancing(deployment=lambda: opened().deployment, queue=queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A deployment, and since when it lacks something that may be mended by now."""

    deployment: Deployment
    lacking_since: float | None

    @property
    def is_good(self) -> bool:
        since = self.lacking_since
        return since is None or time.monotonic() - since < AGAIN


def _opened() -> _Opened:
    # What cannot be had of secrets must keep no access alive: an end needs none of them.
    lacking = None
    try:
        secrets()
    except Misconfigured as exc:
        lacking = time.monotonic()
        logs.event("broken", level=logging.ERROR, why=str(exc))
    deployment = config.load_to_end(folder(), utc_now, signs=False)
    if deployment.broken:
        lacking = time.monotonic() - AGAIN  # each call looks whether it was mended
    return _Opened(deployment=deployment, lacking_since=lacking)
