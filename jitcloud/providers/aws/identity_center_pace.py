"""When a place in Identity Center may be driven, so that all of them share what AWS allows.

AWS takes 20 calls a second of the API as a whole, and has ten assignments under way at a time.
https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html#ssothrottlelimits

Whoever cannot go at once is told when to come back, and has the turn then: it is put off once or
twice, not again and again. Who goes next is decided by what can be done when somebody comes, so
that nothing stands idle while anybody waits.

Nothing here is on record. After a restart all may go at once; AWS throttles what is too much, and
that is learnt from.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import count
from threading import Lock, get_ident

from jitcloud.model import SlotKey
from jitcloud.providers.aws.identity_center_budget import Calls, Lines
from jitcloud.providers.aws.identity_center_errands import Errand, Rank

SLICE = timedelta(milliseconds=500)
"""In steps of this calls are booked ahead."""

HORIZON = timedelta(minutes=2)
"""Nobody waits for longer at once, while AWS takes calls: more may be possible by then."""

FIRST_HORIZON = timedelta(seconds=6)
"""The same while nobody knows how long anything takes: by then the first was asked after."""

SOON = timedelta(seconds=1)
"""When whoever AWS has throttled is expected again: after the first retry of the core."""

AHEAD = timedelta(seconds=2)
"""For so long whoever has the turn, and has not come, is given way to."""

GHOST = timedelta(seconds=90)
"""Whoever has not come so long after their time will not: some are swept once a minute."""

MOST_WAITING = 2000
"""How many may have a time of their own. Those beyond wait for no turn, and come back later."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FAR = timedelta(hours=1)


class _Way(Enum):
    """How somebody may go."""

    FREE = auto()
    TRY = auto()
    """As if operations took less than it is guessed, to find out."""


@dataclass(frozen=True, slots=True)
class _Booking:
    key: SlotKey
    number: int
    """Whoever has waited for longer has a lower one."""
    at: datetime
    errand: Errand
    tries: bool = False

    def goes_before(self, number: int, rank: Rank) -> bool:
        return (self.errand.rank, self.number) < (rank, number)


class Pace:
    """The budget that all places share. Safe for several threads, and never waits itself."""

    def __init__(self, *, rate: int = 20, outstanding: int = 10) -> None:
        """Allow ``rate`` calls a second, and so many operations at a time."""
        self._lock = Lock()
        self._calls = Calls(rate)
        self._lines = Lines(outstanding)
        self._room = max(1, int(rate * SLICE.total_seconds()))
        """How many calls one slice takes."""
        self._numbers = count()
        self._bookings: dict[SlotKey, _Booking] = {}
        self._taken: dict[int, Counter[Rank]] = {}
        """How many calls are booked, or were made, by slice and rank."""
        self._gone: dict[int, _Booking] = {}
        """Who went last, by thread."""
        self._forgot_at: datetime | None = None

    # ── Who may go ───────────────────────────────────────────────────────────────────────────

    def turn(self, key: SlotKey, errand: Errand, now: datetime) -> datetime:
        """Say when a place may be driven: now, or later; see ``ports.Paced``."""
        with self._lock:
            self._forget(now)
            self._calls.refund(now)
            self._lines.refund(now)
            errand = self._ranked(errand, now)
            mine = self._bookings.get(key)
            way = self._way(mine, errand, now)
            number = self._cancel(key)
            if way is None:
                horizon = HORIZON if self._lines.is_learnt else FIRST_HORIZON
                latest = self._calls.left_at(errand.calls, now) + horizon
                return min(self._book(key, number, errand, now), latest)
            self._gone[get_ident()] = _Booking(key, number, now, errand)
            self._count(now, errand)
            self._calls.promise(errand.calls, now)
            if errand.begins:
                self._lines.promise(now, tries=way is _Way.TRY)
            return now

    def _ranked(self, errand: Errand, now: datetime) -> Errand:
        frees = bool(errand.after) and self._lines.counts(errand.after, now)
        if not frees or self._lines.free(now) > 0:
            return errand
        return replace(errand, rank=Rank.FREES)

    def _way(self, mine: _Booking | None, errand: Errand, now: datetime) -> _Way | None:
        """How it may go now; None when it may not."""
        if errand.rank is Rank.GRANTS and self._removal_waits():
            return None
        # Who comes when the turn has come yields to nobody of the same rank.
        is_due = mine is not None and mine.at <= now
        rank = errand.rank - 1 if is_due else errand.rank
        ahead = [
            other.errand
            for other in self._bookings.values()
            if other.errand.rank <= rank
            and now - AHEAD < other.at <= now + SLICE
            and other is not mine
        ]
        if self._calls.left(now) < errand.calls + sum(other.calls for other in ahead):
            return None
        if not errand.begins or self._lines.free(now) > sum(other.begins for other in ahead):
            return _Way.FREE
        tries = mine is not None and mine.tries and self._lines.free(now, tries=True) > 0
        return _Way.TRY if tries else None

    def _removal_waits(self) -> bool:
        return any(other.errand.rank is Rank.ENDS for other in self._bookings.values())

    # ── Who comes back when ──────────────────────────────────────────────────────────────────

    def _book(self, key: SlotKey, number: int, errand: Errand, now: datetime) -> datetime:
        known, tries = self._bookings.values(), False
        at = self._calls.left_at(errand.calls, now)
        if errand.rank is Rank.GRANTS:
            at = max([at, *(other.at for other in known if other.errand.rank is Rank.ENDS)])
        if errand.begins:
            waiting = [other for other in known if other.errand.begins]
            ahead = sum(other.goes_before(number, errand.rank) for other in waiting)
            tries = self._lines.wants_try(len(waiting)) and not any(w.tries for w in waiting)
            at = max(at, self._lines.free_at(ahead, now, tries=tries))
        while at <= now or self._is_full(at, errand):
            at = _EPOCH + (_slice(at) + 1) * SLICE
        self._keep(_Booking(key, number, at, errand, tries))
        return at

    def _is_full(self, at: datetime, errand: Errand) -> bool:
        taken = self._taken.get(_slice(at))
        if taken is None:
            return False
        others = sum(calls for rank, calls in taken.items() if rank <= errand.rank)
        return others > 0 and others + errand.calls > self._room

    def _keep(self, booking: _Booking) -> None:
        if len(self._bookings) >= MOST_WAITING:
            # A removal is never the one that nobody knows of.
            grants = (b.key for b in self._bookings.values() if b.errand.rank is Rank.GRANTS)
            other = next(grants, None)
            if other is None or booking.errand.rank is Rank.GRANTS:
                return
            self._cancel(other)
        self._bookings[booking.key] = booking
        self._count(booking.at, booking.errand)

    def _cancel(self, key: SlotKey) -> int:
        """Give up a booking; return its number, or a new one for whoever has none."""
        booking = self._bookings.pop(key, None)
        if booking is None:
            return next(self._numbers)
        taken = self._taken.get(_slice(booking.at))
        if taken is not None:
            taken[booking.errand.rank] -= booking.errand.calls
        return booking.number

    def _count(self, at: datetime, errand: Errand) -> None:
        self._taken.setdefault(_slice(at), Counter())[errand.rank] += errand.calls

    def _forget(self, now: datetime) -> None:
        """Drop who will not come back, and what is past, once in a while."""
        if self._forgot_at is not None and timedelta(0) <= now - self._forgot_at < AHEAD:
            return
        self._forgot_at = now
        self._lines.forget(now)
        for booking in list(self._bookings.values()):
            if not -_FAR < now - booking.at < GHOST:
                self._cancel(booking.key)
        for thread, gone in list(self._gone.items()):
            if not timedelta(0) <= now - gone.at < GHOST:
                del self._gone[thread]
        for number in list(self._taken):
            if not _slice(now) <= number < _slice(now + 2 * _FAR):
                del self._taken[number]

    # ── What was done ────────────────────────────────────────────────────────────────────────

    def call(self, now: datetime) -> None:
        """Count a call that is about to be made."""
        with self._lock:
            self._calls.take(now)

    def answered(self) -> None:
        """AWS has answered a call, whatever it said."""
        with self._lock:
            self._calls.go_on()

    def throttled(self, now: datetime, *, begins: bool, place: SlotKey | None = None) -> None:
        """AWS takes no more calls; or, of those that begin something (``begins``), no more.

        ``place`` is whose turn it was, if anybody's.
        """
        with self._lock:
            gone = self._gone.pop(get_ident(), None)
            if gone is not None and gone.key == place:
                # It waits still, and has not lost its number.
                self._keep(replace(gone, at=now + SOON))
            if not (begins and self._lines.refuse()):
                self._calls.pause(now)

    def began(self, operation: str, now: datetime) -> None:
        """An operation is under way, or may be."""
        with self._lock:
            self._lines.begin(operation, now)

    def runs(self, operation: str, begun_at: datetime, now: datetime) -> None:
        """AWS says that an operation is under way."""
        with self._lock:
            self._lines.runs(operation, begun_at, now)

    def ended(self, operation: str, begun_at: datetime, now: datetime, *, known: bool) -> None:
        """AWS says that an operation is over; or (not ``known``) that it knows of none."""
        with self._lock:
            self._lines.end(operation, begun_at, now, known=known)


def _slice(at: datetime) -> int:
    return (at - _EPOCH) // SLICE
