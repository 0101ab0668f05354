"""Meets deadlines to the second where nothing runs all the time: wake-ups are queued ahead.

Once a minute whatever is due within the next two is put into a queue that hands it out when it
is due, and each commit queues the wake-ups it sets. A message that is lost costs a minute, one
that is repeated a read: the record alone says what is to be done, and until when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from jitcloud.due import BEHIND, Wake
from jitcloud.errors import Conflict, JitError, Unavailable

if TYPE_CHECKING:  # loads the model, and whoever looks ahead needs none of it
    from jitcloud.ports import Clock, Queue

PERIOD = timedelta(minutes=1)
"""How often it is looked what will be due."""

AHEAD = 2 * PERIOD
"""How far ahead: one look may fail, or be late by a whole period, and nothing is missed."""

EARLY = timedelta(seconds=2)
"""For so long whoever is handed a wake-up early waits for it; for longer, it is queued again."""

AGAIN = timedelta(seconds=5)
"""When it is tried again where the record could not be reached."""

SOON = timedelta(seconds=1)
"""And where somebody else was at it, who need not have done the same."""

TRIES = PERIOD // AGAIN
"""How often: by then the next look has found it again, and two of it would soon be many."""

MOST = 10_000
"""How many wake-ups of a cloud one look queues; the next one queues the rest."""


class Found(Protocol):
    """Looks what is due until an instant: pairs of a cloud and a wake-up, oldest first a cloud."""

    def __call__(self, until: datetime, limit: int) -> Iterable[tuple[str, Wake]]:
        """Yield at most so many a cloud. Raises ``Unavailable``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """What one look has come to."""

    wakes: int
    oldest: timedelta
    """How long the oldest of them has been due; 0 where none was yet."""
    unrouted: tuple[str, ...]
    """Clouds that something is due in, and that have no queue."""
    troubles: tuple[str, ...]


def look_ahead(found: Found, queues: Mapping[str, Queue], now: datetime) -> Queued:
    """Queue whatever is due soon, for each cloud in a queue of its own.

    A queue that cannot be reached keeps no other from being filled.
    """
    by_cloud: dict[str, list[Wake]] = {cloud: [] for cloud in queues}
    unrouted: set[str] = set()
    oldest = timedelta(0)
    for cloud, wake in found(now + AHEAD, MOST):
        oldest = max(oldest, now - wake.at)
        if cloud in by_cloud:
            by_cloud[cloud].append(replace(wake, behind=BEHIND) if wake.at > now else wake)
        else:
            unrouted.add(cloud)
    troubles: list[str] = []
    count = 0
    for cloud, wakes in by_cloud.items():
        # A brake may have been left half-way by whoever put it on: it is gone on with each time.
        try:
            queues[cloud].put([*wakes, Wake(kind="brakes", id="brakes", at=now)], now)
            count += len(wakes)
        except JitError as exc:
            troubles.append(f"{cloud}: {exc}")
    return Queued(
        wakes=count,
        oldest=oldest,
        unrouted=tuple(sorted(unrouted)),
        troubles=tuple(troubles),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Takes wake-ups out of a queue, and wakes what is due."""

    queue: Queue
    wake: Callable[[Wake], tuple[str, ...]]
    """Wakes one thing; says what could not be done, and why.

    Raises ``Unavailable`` where not even the record can be reached, which else has it tried again,
    and ``Conflict`` where somebody else is at it.
    """
    clock: Clock
    pause: Callable[[float], None]
    """Waits for so many seconds."""
    give_up: datetime
    """When nothing more is begun: what is left then is queued again."""

    def take(self, wakes: Iterable[Wake]) -> Iterator[str]:
        """Wake all of these, the earliest first; yield what could not be done.

        None is dropped: one that is early is waited for, or queued again, and one that cannot be
        judged now, since the record is out of reach, is queued again until the next look ahead has
        found it anew. Raises
        ``Unavailable`` where even that cannot be done: then whoever handed them out keeps them.
        """
        for wake in sorted(wakes, key=lambda each: each.at):
            now = self.clock()
            if wake.at - now > EARLY or now >= self.give_up:
                self.queue.put([wake], now)
                continue
            if wake.at > now:
                self.pause((wake.at - now).total_seconds())
            try:
                yield from self.wake(wake)
            except Conflict:
                self._again(wake, SOON)
            except Unavailable as exc:
                self._again(wake, AGAIN)
                yield f"{wake.id}: {exc}"

    def _again(self, wake: Wake, later: timedelta) -> None:
        if wake.tries < TRIES:
            now = self.clock()
            again = Wake(kind=wake.kind, id=wake.id, at=now + later, tries=wake.tries + 1)
            self.queue.put([again], now)
