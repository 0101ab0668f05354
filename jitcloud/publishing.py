"""Passes committed events on to other programs: at least once, and each request's in order.

How far it has come with a request is kept in a mark, as for messages to people: a crash, and a
receiver that is down or slow, are the same code. Nothing else waits for any of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jitcloud.durations import format_duration
from jitcloud.envelopes import TYPES, type_of
from jitcloud.errors import Misconfigured, Refused, Tampered
from jitcloud.instants import iso
from jitcloud.marking import (
    LONGEST_TROUBLE,
    Progress,
    backoff,
    is_due,
    reading,
    steps,
    stored_mark,
)
from jitcloud.model import Event, Mark, Request, RequestId, Sealed
from jitcloud.ports import Clock, Publisher, Store
from jitcloud.text import printable

PREFIX = "publish-"
"""How the channels of publishers begin."""

STALE = timedelta(hours=24)
"""What had happened so long before a channel first heard of a request is history to it."""

GIVE_UP = timedelta(days=14)
"""What could not be passed on for so long never is; nor is what a restored backup had due."""

ENOUGH = timedelta(seconds=15)
"""For so long one request is worked off at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A publisher, and which types of events it is given."""

    publisher: Publisher
    types: frozenset[str] = frozenset(TYPES)

    @property
    def channel(self) -> str:
        """What its marks are called."""
        return self.publisher.channel

    def wants(self, event: Event) -> bool:
        """Whether it is given this one."""
        return type_of(event) in self.types


@dataclass(slots=True)
class Publication:
    """Works off requests for one publisher. Safe to run in any number of processes at once."""

    store: Store
    subscription: Subscription
    clock: Clock
    paused_until: datetime | None = field(default=None, init=False, compare=False)
    _pauses: int = field(default=0, init=False, repr=False, compare=False)

    def wake(self, request: RequestId) -> str:
        """Pass on what was not passed on yet, if that is due; return what could not be, and why.

        What ``ENOUGH`` does not suffice for stays due. What is put off for the first time is no
        trouble yet. Raises ``Conflict`` when another process took over, ``Unavailable`` when the
        record cannot be reached, and ``Tampered`` when its mark cannot be read.
        """
        now = self.clock()
        mark = stored_mark(self.store, self.subscription.channel, request)
        if mark is None or not is_due(mark, now):
            return ""
        if self.paused_until is not None and now < self.paused_until:
            put_off(self.store, mark, self.paused_until)
            return ""
        working = _Working(self, Progress(self.store, self.clock, mark), give_up=now + ENOUGH)
        # An event must not be lost with the process that was to send it, so:
        #
        # 1. Take a lease. A crash after this leaves the request due at the lease's end.
        # 2. Send events. A crash after this sends once more what is not recorded: as many as
        #    UNSAVED, at most.
        # 3. Record how far it has come. A crash after this loses and repeats nothing.
        # 4. Set the next wake-up, which gives the lease back.
        working.progress.cursor = heard_at(mark)
        working.progress.save()  # (1)
        working.work_off()  # (2) (3)
        return working.done()  # (4)

    def pause(self) -> None:
        """Spare all other requests the wait for a receiver that does not answer."""
        self._pauses += 1
        self.paused_until = self.clock() + backoff(self._pauses)

    def resume(self) -> None:
        """Go on without a pause: somebody answers."""
        self._pauses, self.paused_until = 0, None


@dataclass(slots=True)
class _Working:
    """One go at one request."""

    publication: Publication
    progress: Progress
    give_up: datetime
    """When nothing more is begun."""
    tried: bool = False
    """Whether any event was sent: however late it is, one is."""
    reached: bool = False
    """Whether any was taken, or refused for good: somebody is there to take them."""
    refused: bool = False
    stuck: bool = False
    """Whether something is to be tried again."""
    more: bool = False
    """Whether time has run out over events that went well: the next go has the rest."""
    troubles: list[str] = field(default_factory=list)

    def work_off(self) -> None:
        request = self.progress.mark.request
        try:
            with reading(request):
                since = datetime.fromisoformat(self.progress.cursor) - STALE
                trail = list(steps(self.publication.store, request))
                old = [line.event.seq for _, line, _ in trail if line.event.at < since]
        except Tampered as exc:
            self._stick(str(exc))
            return
        self.progress.pass_over(max([self.progress.seq, *old]))
        for _, line, after in trail:
            if self.stuck or self.more:
                return
            if line.event.seq > self.progress.seq:
                self._pass_on(line, after)

    def _pass_on(self, line: Sealed, after: Request) -> None:
        event, now = line.event, self.publication.clock()
        if now - event.at > GIVE_UP:
            if self.progress.mark.attempts:
                self._trouble(f"Event {event.seq} was given up after {format_duration(GIVE_UP)}.")
            self.progress.pass_over(event.seq)
        elif not self.publication.subscription.wants(event):
            self.progress.pass_over(event.seq)
        elif self.tried and now >= self.give_up:
            self.more = True
        else:
            self._send(line, after)

    def _send(self, line: Sealed, after: Request) -> None:
        self.tried = True
        seq = line.event.seq
        try:
            self.publication.subscription.publisher.publish(after, (line,))
        except Refused as exc:
            self._trouble(f"Event {seq} was not passed on. {exc}")
            self.refused = True
        except Misconfigured as exc:
            self._stick(f"Event {seq} was not passed on yet. {exc}")
            if not self.reached:
                self.publication.pause()
            return
        self.reached = True
        self.publication.resume()
        self.progress.passed_on(seq)

    def done(self) -> str:
        """Record how far it has come and when to go on; return what wants somebody's eye."""
        now, before = self.publication.clock(), self.progress.mark
        attempts, again = 0, None
        if self.stuck:
            attempts = 1 if self.reached else before.attempts + 1
            again = now + backoff(attempts)
        elif self.more or self.progress.made_due:
            again = now
        trouble = " ".join(self.troubles)[:LONGEST_TROUBLE]
        quiet = not self.troubles and not self.reached and not before.attempts
        self.progress.finish(
            attempts=attempts, trouble=before.trouble if quiet else trouble, wake_at=again
        )
        return "" if self.stuck and attempts == 1 and not self.refused else trouble

    def _stick(self, why: str) -> None:
        self._trouble(why)
        self.stuck = True

    def _trouble(self, why: str) -> None:
        self.troubles.append(printable(why))


def put_off(store: Store, mark: Mark, until: datetime) -> None:
    """Let others go first. Raises ``Conflict`` when somebody else is at it."""
    later = replace(mark, wake_at=until, cursor=heard_at(mark), version=mark.version + 1)
    store.put_mark(later)


def heard_at(mark: Mark) -> str:
    """When a channel first heard of a request: of what was long before that, it is told nothing.

    A mark says so from its first use on; until then it is due at the event that made it.
    """
    return mark.cursor or ("" if mark.wake_at is None else iso(mark.wake_at))
