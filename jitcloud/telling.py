"""Tells people what concerns them, at least once: works off a request's events, in their order.

How far it has come is kept in a mark, with a wake-up: a crash, a mail server that is down and
a warning before a deadline are the same code. Ending access never waits for any of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jitcloud import lifecycle, notices
from jitcloud.errors import Conflict, Misconfigured, Refused, Tampered
from jitcloud.model import Event, Mark, Notice, Request, RequestId
from jitcloud.notices import AsOfNow, People
from jitcloud.ports import Clock, Directory, Notifier, Store
from jitcloud.text import printable, quoted

CHANNEL = "notices"

LEASE = timedelta(minutes=2)
"""For so long nobody else takes up a request that is being worked off."""

FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(minutes=30)

PAUSE = timedelta(seconds=30)
"""When nothing could be sent at all, all other requests wait for so long before they try."""

STALE = timedelta(hours=24)
"""What is older is told to nobody: not after a restore, nor when mail is first configured."""

ENOUGH = timedelta(seconds=30)
"""When somebody is put off and so much time has gone by, the others of that event wait too."""

TRIES = 5
"""How often an event is tried again for those few who cannot be reached when others were."""

_LONGEST_TROUBLE = 500


@dataclass(slots=True)
class Teller:
    """Passes on what happens to requests. Safe to run in any number of processes at once."""

    store: Store
    directory: Directory
    notifier: Notifier
    clock: Clock
    channel: str = CHANNEL
    _paused_until: datetime | None = field(default=None, init=False, repr=False, compare=False)

    def wake(self, request: RequestId) -> str:
        """Tell what was not told yet, if that is due; return who could not be told, and why.

        What is put off for the first time is no trouble yet. Raises ``Conflict`` when another
        teller took over, and ``Unavailable`` when the record cannot be reached.
        """
        now = self.clock()
        mark = self.store.mark(self.channel, request)
        if mark is None or not _is_due(mark, now):
            return ""
        if self._paused_until is not None and now < self._paused_until:
            later = replace(mark, wake_at=self._paused_until, version=mark.version + 1)
            self.store.put_mark(later)
            return ""
        # A message must not be lost with the process that was to send it, so:
        #
        # 1. Take a lease. A crash after this leaves the request due at the lease's end.
        # 2. Send what one event causes. A crash after this sends it once more.
        # 3. Record that the event was passed on. A crash after this loses and repeats nothing.
        # 4. Set the next wake-up, which gives the lease back.
        working = _Working(self, mark)
        working.save()  # (1)
        working.work_off()  # (2) (3)
        return working.done()  # (4)

    def pause(self) -> None:
        """Spare all other requests the wait for a server that does not answer."""
        self._paused_until = self.clock() + PAUSE


@dataclass(slots=True)
class _Sent:
    """What became of the messages of one event."""

    taken: int = 0
    put_off: int = 0
    whole: bool = True
    """Whether each of them was tried."""


@dataclass(slots=True)
class _Working:
    """One go at one request."""

    teller: Teller
    mark: Mark
    """As it is stored."""
    seq: int = 0
    """The last event that is done with, stored or not."""
    again: bool = False
    """Whether a commit has made the mark due meanwhile."""
    stuck: bool = False
    """Whether something is to be tried again."""
    reached: bool = False
    """Whether any message was taken, or refused for good: somebody is there to take them."""
    refused: bool = False
    troubles: list[str] = field(default_factory=list)
    warn_at: datetime | None = None

    def __post_init__(self) -> None:
        self.seq = self.mark.seq

    def work_off(self) -> None:
        people = AsOfNow(self.teller.directory)
        try:
            steps = list(_steps(self.teller.store, self.mark.request))
        except Tampered as exc:
            self._trouble(str(exc))
            self.stuck = True
            return
        for before, event, after in steps:
            if event.seq > self.seq and not self.stuck:
                self._pass_on(before, event, after, people)
        if steps:
            self._warn(steps[-1][2], people)

    def _pass_on(
        self, before: Request | None, event: Event, after: Request, people: People
    ) -> None:
        if self.teller.clock() - event.at > STALE:
            if self.mark.attempts and event.seq == self.mark.seq + 1:
                self._trouble(f"Event {event.seq} was given up after a day. {self.mark.trouble}")
            self.seq = event.seq
            return
        try:
            wanted = notices.of(before, event, after, people)
        except Misconfigured as exc:  # the directory cannot be read
            self._trouble(str(exc))
            self.stuck = True
            return
        sent = self._send(wanted)
        # Trying again sends it again to those who have it: that must come to an end.
        given_up = sent.taken and sent.whole and self.mark.attempts >= TRIES
        self.stuck = sent.put_off > 0 and not given_up
        if not self.stuck:
            self.seq = event.seq
            if wanted:
                self.save(attempts=0)

    def _send(self, wanted: Sequence[Notice]) -> _Sent:
        sent, began = _Sent(), self.teller.clock()
        # Each try begins with another: one who is put off for ever keeps nobody else waiting.
        first = self.mark.attempts % len(wanted) if wanted else 0
        for notice in (*wanted[first:], *wanted[:first]):
            self._hold()
            try:
                self.teller.notifier.send(notice)
                sent.taken += 1
                self.reached = True
            except Refused as exc:
                self._trouble(f"{quoted(notice.to)} was not told. {exc}")
                self.refused = self.reached = True
            except Misconfigured as exc:
                self._trouble(f"{quoted(notice.to)} was not told yet. {exc}")
                sent.put_off += 1
                if not self.reached:
                    self.teller.pause()
                if not self.reached or self.teller.clock() - began > ENOUGH:
                    sent.whole = False
                    break
        return sent

    def _warn(self, request: Request, people: People) -> None:
        at = notices.warn_at(request)
        if at is None or request.window is None or self.mark.warned == request.window.deadline:
            return
        now = self.teller.clock()
        if now < at:
            self.warn_at = at
        elif now < request.window.deadline:
            try:
                warning = notices.warning(request, people)
            except Misconfigured as exc:
                self._trouble(str(exc))
                self.stuck = True
                return
            if self._send(() if warning is None else (warning,)).put_off:
                self.stuck = True
            else:
                self.save(warned=request.window.deadline)

    # ── The mark ─────────────────────────────────────────────────────────────────────────────

    def save(self, *, attempts: int | None = None, warned: datetime | None = None) -> None:
        """Record how far it has come, and hold the lease for longer."""
        self._put(
            replace(
                self.mark,
                seq=self.seq,
                attempts=self.mark.attempts if attempts is None else attempts,
                warned=warned or self.mark.warned,
                wake_at=self.teller.clock() + LEASE,
            ),
            holds=True,
        )

    def done(self) -> str:
        """Record how far it has come and when to go on; return what wants somebody's eye."""
        now = self.teller.clock()
        attempts = self.mark.attempts + 1 if self.stuck else 0
        retry = now + _backoff(attempts) if self.stuck else None
        wakes = [at for at in (retry, self.warn_at, now if self.again else None) if at is not None]
        quiet = not self.troubles and not self.reached and not self.mark.attempts
        self._put(
            replace(
                self.mark,
                seq=self.seq,
                attempts=attempts,
                trouble=self.mark.trouble if quiet else " ".join(self.troubles)[:_LONGEST_TROUBLE],
                wake_at=min(wakes, default=None),
            ),
            holds=False,
        )
        first = self.stuck and attempts == 1 and not self.refused
        return "" if first else " ".join(self.troubles)[:_LONGEST_TROUBLE]

    def _hold(self) -> None:
        lease = self.mark.wake_at
        if lease is not None and lease - self.teller.clock() < LEASE / 2:
            self.save()

    def _put(self, wanted: Mark, *, holds: bool) -> None:
        for _ in range(TRIES):
            try:
                newer = replace(wanted, version=self.mark.version + 1)
                self.teller.store.put_mark(newer)
            except Conflict:
                # A commit has made the mark due, and changed nothing else of it. Anything else
                # was another teller, who goes on from what is stored.
                stored = self.teller.store.mark(self.mark.channel, self.mark.request)
                now = self.teller.clock()
                if stored is None or stored.seq != self.mark.seq or not _is_due(stored, now):
                    raise
                self.again = True
                self.mark = replace(self.mark, version=stored.version)
                wanted = wanted if holds else replace(wanted, wake_at=now)
            else:
                self.mark = newer
                return
        message = f"Request {self.mark.request} changes too fast to be told of; it is tried again."
        raise Conflict(message)

    def _trouble(self, why: str) -> None:
        self.troubles.append(printable(why))


def _steps(store: Store, request: RequestId) -> Iterator[tuple[Request | None, Event, Request]]:
    """Yield each event of a request, with the request before and after it."""
    before: Request | None = None
    for line in store.events(request):
        after = lifecycle.fold(before, line)
        yield before, line.event, after
        before = after


def _is_due(mark: Mark, now: datetime) -> bool:
    return mark.wake_at is not None and mark.wake_at <= now


def _backoff(attempts: int) -> timedelta:
    doubled: timedelta = FIRST_RETRY * 2 ** min(attempts - 1, 10)
    return min(doubled, LAST_RETRY)
