"""A fleet in simulated time: the stream, the queue, the look ahead, and the core over a cloud.

What the functions are made of is real (``Handed``, ``look_ahead``, ``wake_one``, the core and a
store); what Amazon runs between them is modelled: a queue that delays whole seconds and 15
minutes at the most, a stream that lags, a schedule once a minute. Each may be stopped, and
messages lost or repeated.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

from jitcloud.ahead import PERIOD, Handed, look_ahead
from jitcloud.config import Deployment
from jitcloud.due import Due, Wake, wake_up
from jitcloud.fleet.advancing import wake_one
from jitcloud.model import Request, State
from jitcloud.ports import Change, Store
from jitcloud.queues.sqs import LONGEST
from jitcloud.stores.memory import MemoryStore
from tests.world import POLICY, Time, World

LAG = timedelta(milliseconds=200)
"""How long after a commit the stream's handler has queued what it set."""


BRAKE = """
@id("leads-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""


@dataclass
class SlowQueue:
    """SQS, as far as it matters: delays of whole seconds, no more than 15 minutes of them."""

    time: Time
    loses: Callable[[Wake], bool] = lambda _: False
    repeats: int = 1
    _messages: list[tuple[datetime, int, Wake]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def put(self, wakes: Sequence[Wake], now: datetime, lag: timedelta = timedelta(0)) -> None:
        for wake in wakes:
            left = min(max(wake.at - now + wake.behind, timedelta(0)), LONGEST)
            whole = timedelta(seconds=int(left.total_seconds()))
            if self.loses(wake):
                continue
            for _ in range(self.repeats):
                heapq.heappush(self._messages, (now + lag + whole, next(self._numbers), wake))

    def next_at(self) -> datetime | None:
        return self._messages[0][0] if self._messages else None

    def take(self) -> Wake | None:
        due = self._messages and self._messages[0][0] <= self.time()
        return heapq.heappop(self._messages)[2] if due else None

    def lose_all(self) -> None:
        self._messages.clear()


class Streaming:
    """A store whose commits reach a queue, a little later, for as long as its stream runs."""

    def __init__(self, store: Store, queue: SlowQueue, time: Time) -> None:
        self._store, self._queue, self._time = store, queue, time
        self.is_running = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, change: Change) -> None:
        self._store.commit(change)
        if self.is_running:
            self._queue.put(list(_wakes(change, self._time())), self._time(), LAG)


def _wakes(change: Change, now: datetime) -> Iterator[Wake]:
    for move in change.moves:
        if move.wake_at is not None:
            due = Due(kind="request", id=move.request.id, wake_at=move.wake_at)
            is_ending = move.request.state is State.ENDING
            yield cast("Wake", wake_up(due, proves=now if is_ending else None))
    for slot in change.slots:
        if slot.wake_at is not None:
            yield cast("Wake", wake_up(Due(kind="slot", id=slot.key, wake_at=slot.wake_at)))
    if change.control is not None and change.control.controls.endings:
        yield Wake(kind="brakes", id="brakes", at=change.control.controls.updated_at)


class Fleet:
    """All of it, driven by one clock."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.time = Time()
        self.queue = SlowQueue(self.time)
        self.store = Streaming(store or MemoryStore(), self.queue, self.time)
        self.world = World(
            folder,
            time=self.time,
            store=cast("Store", self.store),
            policy_text=f"{POLICY}\n{BRAKE}",
        )
        self.expires = True
        self.woken = 0
        self._looks_at = self.time()

    def ask(self, minutes: float, person: str = "ana") -> Request:
        """Ask as the judge would: it decides, and leaves the rest to others."""
        world, advance = self.world, self.world.advance
        world.advance = cast("Any", _LeftToOthers(advance))
        try:
            return world.ask(person, "dev-read", minutes)
        finally:
            world.advance = advance

    def run_until(self, until: datetime, most: int = 20_000) -> None:
        """Let time pass, and everything happen that is due in it."""
        for _ in range(most):
            moments = [self._looks_at, until]
            if (message := self.queue.next_at()) is not None:
                moments.append(message)
            self.time.now = max(self.time.now, min(moments))
            if self.time.now >= until:
                return
            if self.time.now >= self._looks_at:
                self._looks_at += PERIOD
                if self.expires:
                    look_ahead(self._due, {"memory": self.queue}, self.time())
            while (wake := self.queue.take()) is not None:
                self._hand(wake)
        raise AssertionError("it never comes to rest")

    def who_can(self) -> frozenset[str]:
        return self.world.cloud.who_can("reader")

    def _due(self, until: datetime, limit: int) -> Iterator[tuple[str, Wake]]:
        for item in self.store.due(until, min(limit, 1000)):
            if (wake := wake_up(item)) is not None:
                yield "memory", wake

    def _hand(self, wake: Wake) -> None:
        self.woken += 1
        world = self.world
        deployment = cast("Deployment", _Deployment(world))
        handed = Handed(
            queue=self.queue,
            wake=lambda each: wake_one(deployment, each),
            clock=self.time,
            pause=lambda seconds: self.time.forward(seconds=seconds),
            give_up=self.time() + timedelta(seconds=90),
        )
        list(handed.take([wake]))


class _Deployment:
    def __init__(self, world: World) -> None:
        self.ledger, self.advance, self.clock = world.ledger, world.advance, world.time


class _LeftToOthers:
    """What the judge has in place of a driver."""

    def __init__(self, advance: Any) -> None:
        self._advance = advance

    def wake(self, name: Any) -> Request:
        found = self._advance.ledger.load(name)
        assert isinstance(found, Request)
        return found
