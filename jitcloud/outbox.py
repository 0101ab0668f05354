"""Works off what is due to be passed on to other programs: each channel in a thread of its own.

So a receiver that is slow, or down, keeps neither an end waiting nor any other receiver.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud.due import Due
from jitcloud.errors import Conflict, JitError
from jitcloud.marking import is_due, stored_mark
from jitcloud.model import RequestId
from jitcloud.ports import Clock, Store
from jitcloud.publishing import Publication, Subscription, put_off
from jitcloud.telling import CHANNEL

MOST = 1000
"""How many due marks are looked at at once: as many as a store hands out."""

WITHIN = timedelta(seconds=20)
"""For so long a channel goes on before it looks anew what is due."""

PUT_OFF = timedelta(seconds=30)
"""How long what one go had no time for is left alone where it would stand before others."""

NOBODYS = timedelta(hours=1)
"""How long what is due on a channel that is configured nowhere is left alone.

It was configured once, or is elsewhere: it must neither be lost nor stand before others for ever.
"""

LINGER = timedelta(seconds=2)
"""How long whoever is in a hurry waits for an event under way; it is sent again otherwise."""

_TROUBLES = 1000


_Name = tuple[str, RequestId]
"""Of a mark: its channel, and the request."""

_Wake = Callable[[_Name], str]

_NOBODY = ""
"""Where everything goes that is due on a channel nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was done about what was due."""

    requests: int
    """How many were worked off, or put off."""
    troubles: tuple[tuple[str, str], ...]
    """What could not be passed on, and why; each stays due, unless it never can be."""
    more: bool
    """Whether more was due than there was time for."""


@dataclass(slots=True)
class Outbox:
    """All channels of a deployment. Begins nothing by itself; see ``start``."""

    store: Store
    subscriptions: Sequence[Subscription]
    clock: Clock
    others: Collection[str] = (CHANNEL,)
    """Channels that are worked off elsewhere: how people are told."""
    within: timedelta = WITHIN
    limit: int = MOST
    """How many requests a channel works off in one go."""
    _lines: dict[str, _Line] = field(default_factory=dict, init=False, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def start(self) -> None:
        """Begin to pass on what is due now; whatever channel is at it still goes on.

        Returns at once. Raises ``Unavailable`` when the record cannot be reached.
        """
        due = self.store.due_marks(self.clock(), MOST)
        give_up = self.clock() + self.within
        for channel, marks in self._by_line(due).items():
            self._line(channel).begin(marks, give_up, puts_off=len(due) == MOST)

    def _by_line(self, due: Sequence[Due]) -> dict[str, list[_Name]]:
        known = {each.channel for each in self.subscriptions}
        found: dict[str, list[_Name]] = {}
        for item in due:
            channel, _, request = item.id.rpartition("/")
            if channel not in self.others:
                line = channel if channel in known else _NOBODY
                found.setdefault(line, []).append((channel, RequestId(request)))
        return found

    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Return what could not be passed on and was not told before."""
        return tuple(trouble for line in self._lines.values() for trouble in line.told())

    def finish(self, seconds: float | None = None) -> Published:
        """Wait until all that was begun is over, or so many seconds; say what came of it."""
        give_up = None if seconds is None else time.monotonic() + seconds
        for line in self._lines.values():
            line.join(None if give_up is None else max(0.0, give_up - time.monotonic()))
        return Published(
            requests=sum(line.count for line in self._lines.values()),
            troubles=self.troubles(),
            more=any(line.more for line in self._lines.values()),
        )

    def close(self) -> None:
        """Begin nothing more, and wait for a moment. What is not over stays due, or comes twice."""
        self._stop.set()
        self.finish(LINGER.total_seconds())

    def _line(self, channel: str) -> _Line:
        if channel not in self._lines:
            self._lines[channel] = _Line(
                wake=self._waking(channel),
                leave=lambda name: self._put_off(name, PUT_OFF),
                clock=self.clock,
                limit=self.limit,
                stopped=self._stop.is_set,
            )
        return self._lines[channel]

    def _waking(self, channel: str) -> _Wake:
        found = next((each for each in self.subscriptions if each.channel == channel), None)
        if found is None:
            return lambda name: self._put_off(name, NOBODYS)
        publication = Publication(self.store, found, self.clock)
        return lambda name: publication.wake(name[1])

    def _put_off(self, name: _Name, by: timedelta) -> str:
        mark, now = stored_mark(self.store, *name), self.clock()
        if mark is not None and is_due(mark, now):
            put_off(self.store, mark, now + by)
        return ""


def publish_due(  # noqa: PLR0913 - the record, who is told, and three bounds
    store: Store,
    subscriptions: Sequence[Subscription],
    clock: Clock,
    limit: int = MOST,
    within: timedelta = WITHIN,
    *,
    others: Collection[str] = (CHANNEL,),
) -> Published:
    """Pass on what is due now: of each channel so many requests, and for so long; then return.

    It may take longer by what is under way then: by ``publishing.ENOUGH`` and one more event.
    ``others`` names channels that are worked off elsewhere. Raises ``Unavailable`` when the
    record cannot be reached.
    """
    outbox = Outbox(store, subscriptions, clock, others, within, limit)
    outbox.start()
    return outbox.finish()


@dataclass(slots=True, kw_only=True)
class _Line:
    """One channel, and the thread that is at it, if any is."""

    wake: _Wake
    leave: _Wake
    """Lets others go first."""
    clock: Clock
    limit: int
    stopped: Callable[[], bool]
    count: int = 0
    more: bool = False
    _thread: threading.Thread | None = None
    _troubles: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, marks: Sequence[_Name], give_up: datetime, *, puts_off: bool) -> None:
        if self.stopped() or (self._thread is not None and self._thread.is_alive()):
            return

        def work() -> None:
            self._work(marks, give_up, puts_off=puts_off)

        self._thread = threading.Thread(target=work, name=marks[0][0], daemon=True)
        self._thread.start()

    def join(self, seconds: float | None) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def told(self) -> tuple[tuple[str, str], ...]:
        with self._lock:
            found, self._troubles = tuple(self._troubles.items()), {}
        return found

    def _work(self, marks: Sequence[_Name], give_up: datetime, *, puts_off: bool) -> None:
        self.more = False
        for number, name in enumerate(marks):
            if not (self.stopped() or self.clock() >= give_up or number >= self.limit):
                self.count += 1
                self._guarded(name, self.wake)
                continue
            self.more = True
            if self.stopped() or not puts_off:
                return
            self._guarded(name, self.leave)

    def _guarded(self, name: _Name, wake: _Wake) -> None:
        try:
            trouble = wake(name)
        except Conflict:
            return  # somebody else is at it
        except JitError as exc:
            trouble = str(exc)
        except Exception as exc:  # noqa: BLE001 - one broken request must not keep others waiting
            trouble = f"jitcloud has a defect here: {type(exc).__name__}"
        if trouble:
            with self._lock:
                if len(self._troubles) < _TROUBLES:
                    self._troubles["/".join(name)] = trouble
