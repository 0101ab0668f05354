"""Tells people what concerns them, at least once: works off a request's events, in their order.

How far it has come is kept in a mark, with a wake-up: a crash, a mail server that is down or
slow and a warning before a deadline are the same code. Ending access never waits for any of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jitcloud import notices
from jitcloud.errors import JitError, Misconfigured, Refused, Tampered
from jitcloud.marking import (
    LONGEST_TROUBLE,
    Progress,
    backoff,
    is_due,
    reading,
    steps,
    stored_mark,
)
from jitcloud.model import Event, Notice, PersonId, Request, RequestId
from jitcloud.notices import AsOfNow, People
from jitcloud.ports import Clock, Directory, Notifier, Store
from jitcloud.text import printable, quoted

CHANNEL = "notices"

PAUSE = timedelta(seconds=30)
"""When nothing could be sent at all, all other requests wait for so long before they try."""

STALE = timedelta(hours=24)
"""What is older is told to nobody: not after a restore, nor when mail is first configured."""

ENOUGH = timedelta(seconds=15)
"""For so long one request is worked off at a time: ends wait for the sweep that tells."""

TRIES = 5
"""How often an event is tried again before those who cannot be reached keep others waiting."""


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

        What ``ENOUGH`` does not suffice for stays due; a message under way, and a warning, may
        take longer. What is put off for the first time is no trouble yet. Raises ``Conflict``
        when another teller took over, ``Unavailable`` when the record cannot be reached, and
        ``Tampered`` when its mark cannot be read.
        """
        now = self.clock()
        mark = stored_mark(self.store, self.channel, request)
        if mark is None or not is_due(mark, now):
            return ""
        if self._paused_until is not None and now < self._paused_until:
            later = replace(mark, wake_at=self._paused_until, version=mark.version + 1)
            self.store.put_mark(later)
            return ""
        # A message must not be lost with the process that was to send it, so:
        #
        # 1. Take a lease. A crash after this leaves the request due at the lease's end.
        # 2. Send messages. A crash after this sends once more what is not recorded: as many as
        #    UNSAVED, at most.
        # 3. Record who was told. A crash after this loses and repeats nothing.
        # 4. Set the next wake-up, which gives the lease back.
        progress = Progress(self.store, self.clock, mark)
        progress.save()  # (1)
        working = _Working(self, progress, give_up=now + ENOUGH)
        working.work_off()  # (2) (3)
        return working.done()  # (4)

    def pause(self) -> None:
        """Spare all other requests the wait for a server that does not answer."""
        self._paused_until = self.clock() + PAUSE


@dataclass(slots=True)
class _Working:
    """One go at one request."""

    teller: Teller
    progress: Progress
    give_up: datetime
    """When nothing more is begun."""
    tried: bool = False
    """Whether any message was: however late it is, one is."""
    reached: bool = False
    """Whether any message was taken, or refused for good: somebody is there to take them."""
    refused: bool = False
    put_off: set[PersonId] = field(default_factory=set)
    """Who could not be reached: of a later event they come last, lest they look like all."""
    stuck: bool = False
    """Whether something is to be tried again."""
    more: bool = False
    """Whether time has run out over messages that went well: the next go has the rest."""
    troubles: list[str] = field(default_factory=list)
    warn_at: datetime | None = None

    def work_off(self) -> None:
        people = AsOfNow(self.teller.directory)
        request = self.progress.mark.request
        try:
            with reading(request):
                trail = list(steps(self.teller.store, request))
        except Tampered as exc:
            self._stick(exc)
            return
        for before, line, after in trail:
            if line.event.seq > self.progress.seq and not (self.stuck or self.more):
                self._pass_on(before, line.event, after, people)
        if trail:
            self._warn(trail[-1][2], people)

    def _pass_on(
        self, before: Request | None, event: Event, after: Request, people: People
    ) -> None:
        mark = self.progress.mark
        try:
            with reading(event.request):
                is_stale = self.teller.clock() - event.at > STALE
                wanted = () if is_stale else notices.of(before, event, after, people)
        except (Misconfigured, Tampered) as exc:  # the directory cannot be read, or the record
            self._stick(exc)
            return
        if is_stale:
            if (mark.attempts or mark.told) and event.seq == mark.seq + 1:
                said = f"Event {event.seq} was given up after a day. {mark.trouble}"
                self._trouble(said.rstrip())
            self.progress.pass_over(event.seq)
            return
        left = self._send_all(wanted)
        if left is None:
            self.more, self.stuck = self.reached, not self.reached
        elif not left or (self._is_enough() and self.reached):
            self.progress.pass_over(event.seq)
            if wanted:
                self.progress.save(attempts=0)
        elif self._is_enough():
            self.progress.leave(event.seq)
            self.tried = False
        else:
            self.stuck = True

    def _is_enough(self) -> bool:
        """Whether those who could not be reached have kept others waiting for long enough."""
        return bool(self.progress.told) and self.progress.mark.attempts >= TRIES

    def _send_all(self, wanted: Sequence[Notice]) -> int | None:
        """Return how many were put off; None where not all of them were tried in time."""
        put_off = 0
        in_turn = self.progress.left(wanted)
        for notice in sorted(in_turn, key=lambda notice: notice.to in self.put_off):
            if self.tried and self.teller.clock() >= self.give_up:
                return None
            if self._send(notice):
                self.progress.add(notice.to)
                continue
            put_off += 1
            self.put_off.add(notice.to)
            if not self.reached and not self.progress.told:
                self.teller.pause()
                return put_off
        return put_off

    def _send(self, notice: Notice) -> bool:
        """Return whether it is done with: it was taken, or refused for good."""
        self.progress.hold()
        self.tried = True
        try:
            self.teller.notifier.send(notice)
        except Refused as exc:
            self._trouble(f"{quoted(notice.to)} was not told. {exc}")
            self.refused = True
        except Misconfigured as exc:
            self._trouble(f"{quoted(notice.to)} was not told yet. {exc}")
            return False
        self.reached = True
        self.progress.confirm()
        return True

    def _warn(self, request: Request, people: People) -> None:
        """Warn of the end, however late it is: a warning is good for minutes, and is but one."""
        now, window = self.teller.clock(), request.window
        try:
            with reading(request.id):
                at = notices.warn_at(request)
                if at is None or window is None or self.progress.mark.warned == window.deadline:
                    return
                if now < at:
                    self.warn_at = at
                if not at <= now < window.deadline:
                    return
                warning = notices.warning(request, people)
        except (Misconfigured, Tampered) as exc:
            self._stick(exc)
            return
        if warning is None or self._send(warning):
            self.progress.save(warned=window.deadline)
            return
        self.stuck = True
        if not self.reached:
            self.teller.pause()

    def done(self) -> str:
        """Record how far it has come and when to go on; return what wants somebody's eye."""
        now, before = self.teller.clock(), self.progress.mark
        attempts, again = 0, None
        if self.more:
            attempts, again = before.attempts, now
        elif self.stuck or self.progress.doubtful:
            attempts = before.attempts + 1
            again = now + backoff(attempts)
        made_due = now if self.progress.made_due else None
        wakes = [at for at in (again, self.warn_at, made_due) if at is not None]
        trouble = " ".join(self.troubles)[:LONGEST_TROUBLE]
        quiet = not self.troubles and not self.reached and not before.attempts
        self.progress.finish(
            attempts=attempts,
            trouble=before.trouble if quiet else trouble,
            wake_at=min(wakes, default=None),
        )
        first = self.more or (again is not None and attempts == 1)
        return "" if first and not self.refused else trouble

    def _stick(self, exc: JitError) -> None:
        self._trouble(str(exc))
        self.stuck = True

    def _trouble(self, why: str) -> None:
        self.troubles.append(printable(why))
