"""What is left of the two things that Identity Center limits: calls, and operations under way.

What is really done is counted. What a turn was given for is set aside until the thread that has
the turn does it, or asks for another one: a thread drives one place at a time.
Neither class is safe for threads; whoever has them locks them.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

_NONE = timedelta(0)

FIRST_PAUSE = timedelta(seconds=1)
LAST_PAUSE = timedelta(minutes=1)
"""For how long nobody calls once AWS has throttled a call: doubling while it goes on."""

PROMISED = timedelta(seconds=30)
"""After this a thread that had a turn is taken to have died with it."""


@dataclass(slots=True)
class _Promise:
    at: datetime
    left: int


class Calls:
    """A bucket that fills at a rate, and holds as much as comes in a second but one call.

    The generic cell rate algorithm, in whole microseconds, so that no rounding lets one call more
    through than AWS counts; the one that is kept back is for what else AWS may count.
    """

    def __init__(self, rate: int) -> None:
        """Begin with a full one that fills with ``rate`` calls a second."""
        self._each = timedelta(seconds=1) / rate
        self._most = self._each * max(1, rate - 1)
        self._full_at: datetime | None = None
        self._promises: dict[int, _Promise] = {}
        self._pause = FIRST_PAUSE
        self._held_until: datetime | None = None

    def left(self, now: datetime) -> int:
        """How many calls may be made now, besides those promised."""
        return 0 if self._hold(now) else (self._most - self._spent(now)) // self._each

    def left_at(self, calls: int, now: datetime) -> datetime:
        """When so many may be made."""
        return now + max(self._hold(now), self._spent(now) + self._each * calls - self._most)

    def promise(self, calls: int, now: datetime) -> None:
        """Set some aside for this thread."""
        self._promises[threading.get_ident()] = _Promise(now, calls)
        self._spend(calls, now)

    def refund(self, now: datetime) -> None:
        """Take back what this thread, and those that have died, did not use."""
        for thread, promise in list(self._promises.items()):
            if thread == threading.get_ident() or not _NONE <= now - promise.at < PROMISED:
                del self._promises[thread]
                self._spend(-promise.left, now)

    def take(self, now: datetime) -> None:
        """Count a call: of those set aside for this thread, or one more."""
        promise = self._promises.get(threading.get_ident())
        if promise is not None and promise.left > 0:
            promise.left -= 1
        else:
            self._spend(1, now)

    def pause(self, now: datetime) -> None:
        """AWS has throttled a call: let nobody call for a moment."""
        self._held_until = now + self._pause
        self._pause = min(2 * self._pause, LAST_PAUSE)

    def go_on(self) -> None:
        """AWS has answered: the next pause is a short one again."""
        self._pause = FIRST_PAUSE

    # Neither is ever further ahead than a minute, unless the clock was set back: that must not
    # keep everybody out until it is as late again.

    def _hold(self, now: datetime) -> timedelta:
        return _ahead(self._held_until, now)

    def _spent(self, now: datetime) -> timedelta:
        return _ahead(self._full_at, now)

    def _spend(self, calls: int, now: datetime) -> None:
        spent = self._spent(now) + self._each * calls
        self._full_at = now + min(max(_NONE, spent), LAST_PAUSE)


def _ahead(at: datetime | None, now: datetime) -> timedelta:
    ahead = _NONE if at is None else at - now
    return ahead if _NONE < ahead <= LAST_PAUSE else _NONE


# ── What is under way ────────────────────────────────────────────────────────────────────────

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(minutes=1)
"""Between these it is guessed how long an operation takes; AWS names no time."""

LONGER = 1.5
"""By how much the guess rises when AWS takes on no more, though it had seemed to."""

CLOSE = 0.9
"""Within this the guess is good enough, and nothing is tried to make it better."""

MANY = 3
"""How often all lines must be wanted for a try to be worth what it may cost."""

DOUBT = timedelta(minutes=1)
"""How often it is doubted that operations still take as long."""

ODD = 3
"""What takes so many times as long as is guessed is stuck, and says nothing of others."""

STUCK_FOR = timedelta(seconds=30)
"""How long one that is stuck still counts once AWS has said so. It is asked after less often, so
that in between somebody may find out whether AWS counts it too: ten of them keep nobody in."""

FORGET = timedelta(minutes=15)
"""What nobody has asked after for so long is over, or nobody's here."""

MOST_KNOWN = 1000

SLACK = timedelta(milliseconds=5)
"""Who waits for the end of an operation comes this much later: after whoever asks for it."""


@dataclass(slots=True)
class _Operation:
    begun_at: datetime
    stuck_until: datetime

    def until(self, takes: timedelta) -> datetime:
        return max(self.begun_at + takes, self.stuck_until)

    def counts(self, now: datetime, takes: timedelta) -> bool:
        return self.begun_at <= now < self.until(takes)


@dataclass(slots=True)
class _Begin:
    at: datetime
    tries: timedelta | None
    """If AWS takes it on, operations take no longer than this."""


class Lines:
    """How many more operations AWS takes on.

    It does not say when one is over, only, when asked, whether it is. So one counts as over once
    it has lasted for as long as they take. That is a guess, from what AWS says when it is asked
    and from whether it takes on more. It begins low, because only one that is too low shows by
    itself; later one is begun too early now and then, to find out whether the guess is too high.
    """

    def __init__(self, most: int) -> None:
        """Begin with nothing under way, and allow so many at a time."""
        self._most = most
        self._known: dict[str, _Operation] = {}
        self._promises: dict[int, _Begin] = {}
        self._takes = SHORTEST
        self._longer_than = _NONE
        """What they were seen to take longer than."""
        self._doubted_at: datetime | None = None
        self.is_learnt = False
        """Whether any was seen to end."""

    def free(self, now: datetime, *, tries: bool = False) -> int:
        """How many more may be begun, besides those promised; with ``tries``, as a try."""
        takes = self._try if tries else self._takes
        known = sum(one.counts(now, takes) for one in self._known.values())
        return self._most - len(self._promises) - known

    def free_at(self, ahead: int, now: datetime, *, tries: bool = False) -> datetime:
        """When one more may be begun, after so many that have waited for longer."""
        takes = self._try if tries else self._takes
        ends = [one.until(takes) for one in self._known.values()]
        ends += [begin.at + takes for begin in self._promises.values()]
        busy = heapq.nlargest(self._most, (end for end in ends if end > now))
        frees = sorted([now] * (self._most - len(busy)) + busy)
        rounds, line = divmod(ahead, self._most)
        return frees[line] + rounds * takes + SLACK

    def counts(self, name: str, now: datetime) -> bool:
        """Whether an operation counts as under way."""
        one = self._known.get(name)
        return one is not None and one.counts(now, self._takes)

    def wants_try(self, waiting: int) -> bool:
        """Whether it is worth finding out if operations take less than it is guessed."""
        if waiting < MANY * self._most or any(begin.tries for begin in self._promises.values()):
            return False
        return self._takes > SHORTEST and self._longer_than < self._takes * CLOSE

    def promise(self, now: datetime, *, tries: bool = False) -> None:
        """Set one aside for this thread."""
        self._promises[threading.get_ident()] = _Begin(now, self._try if tries else None)

    def refund(self, now: datetime) -> None:
        """Take back what this thread, and those that have died, did not use."""
        for thread, begin in list(self._promises.items()):
            if thread == threading.get_ident() or not _NONE <= now - begin.at < PROMISED:
                del self._promises[thread]

    def begin(self, name: str, begun_at: datetime) -> None:
        """Count one that has begun."""
        promise = self._promises.pop(threading.get_ident(), None)
        if promise is not None and promise.tries is not None:
            self._takes = min(self._takes, promise.tries)
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[name] = _Operation(begun_at, begun_at)

    def runs(self, name: str, begun_at: datetime, now: datetime) -> None:
        """AWS says that it is under way."""
        one = self._known.setdefault(name, _Operation(begun_at, begun_at))
        lasts = now - begun_at
        if lasts >= self._takes * ODD and self.is_learnt:
            one.stuck_until = now + STUCK_FOR
        elif lasts >= self._takes:
            self._longer(lasts)

    def end(self, name: str, begun_at: datetime, now: datetime, *, known: bool) -> None:
        """AWS says that it is over, or (not ``known``) that it knows of none."""
        self._known.pop(name, None)
        if not known:
            return
        self.is_learnt = True
        took = max(now - begun_at, SHORTEST)
        if took < self._takes:
            # Since when it was over nobody knows, and others may take longer than this one.
            self._takes = (self._takes + took) / 2
            self._longer_than = min(self._longer_than, self._takes * CLOSE)

    def refuse(self) -> bool:
        """AWS takes on no more; return whether that is because they take longer than it seemed."""
        promise = self._promises.pop(threading.get_ident(), None)
        if promise is not None and promise.tries is not None:
            self._longer_than = max(self._longer_than, promise.tries)
            return True
        if len(self._known) < self._most or self._takes >= LONGEST:
            return False
        self._longer(self._takes)
        return True

    def forget(self, now: datetime) -> None:
        """Drop what nobody asks after, and now and then doubt what is known."""
        for name, one in list(self._known.items()):
            if abs(now - one.until(_NONE)) >= FORGET:
                del self._known[name]
        if self._doubted_at is None or not _NONE <= now - self._doubted_at < DOUBT:
            self._longer_than, self._doubted_at = self._longer_than * CLOSE * CLOSE, now

    @property
    def _try(self) -> timedelta:
        return max(SHORTEST, (self._longer_than + self._takes) / 2)

    def _longer(self, than: timedelta) -> None:
        self._longer_than = min(than, LONGEST)
        self._takes = min(max(than * LONGER, self._takes), LONGEST)
