"""What is left of the two things that Identity Center limits: calls, and operations under way.

Counted is what was really done. What a turn was given for is set aside until the thread that has
the turn does it, or asks for another turn: it drives one place at a time.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

_NONE = timedelta(0)

FIRST_PAUSE = timedelta(seconds=1)
LAST_PAUSE = timedelta(minutes=1)
"""For how long nobody calls after AWS has throttled a call: doubling while it goes on."""

PROMISED = timedelta(seconds=30)
"""After this a thread that had a turn is taken to have died with it."""


@dataclass(slots=True)
class _Promise:
    at: datetime
    left: int


class Calls:
    """A bucket that fills at a rate. Not safe for threads: whoever owns it locks it.

    The generic cell rate algorithm, in whole microseconds: what AWS counts is not missed by a
    rounding. One call of a second's worth is kept back, for clocks do not agree on a second.
    """

    def __init__(self, rate: int) -> None:
        """Begin with a full one."""
        self._each = timedelta(seconds=1) / rate
        self._most = self._each * max(1, rate - 1)
        self._spent_until: datetime | None = None
        """When it is full again."""
        self._promises: dict[int, _Promise] = {}
        self._pause = FIRST_PAUSE
        self.held_until: datetime | None = None
        """Until when AWS is left alone."""

    def left(self, now: datetime) -> int:
        """How many calls may be made now, besides those promised."""
        if self.held_until is not None and now < self.held_until <= now + LAST_PAUSE:
            return 0
        return (self._most - self._spent(now)) // self._each

    def left_at(self, calls: int, now: datetime) -> datetime:
        """When so many may be made."""
        at = now + self._spent(now) + self._each * calls - self._most
        held = self.held_until
        return max(at, now if held is None else min(held, now + LAST_PAUSE))

    def promise(self, calls: int, now: datetime) -> None:
        """Set some aside for this thread."""
        self._promises[threading.get_ident()] = _Promise(now, calls)
        self._spend(calls, now)

    def refund(self, now: datetime) -> None:
        """Take back what this thread, and those that have died, did not use."""
        gone = [
            thread
            for thread, promise in self._promises.items()
            if thread == threading.get_ident() or not _NONE <= now - promise.at < PROMISED
        ]
        for thread in gone:
            self._spend(-self._promises.pop(thread).left, now)

    def take(self, now: datetime) -> None:
        """Count a call: of those set aside for this thread, or one more."""
        promise = self._promises.get(threading.get_ident())
        if promise is not None and promise.left > 0:
            promise.left -= 1
        else:
            self._spend(1, now)

    def pause(self, now: datetime) -> None:
        """Let nobody call for a moment."""
        self.held_until = now + self._pause
        self._pause = min(2 * self._pause, LAST_PAUSE)

    def go_on(self) -> None:
        """AWS has answered: the next pause is a short one again."""
        self._pause = FIRST_PAUSE

    def _spent(self, now: datetime) -> timedelta:
        if self._spent_until is None:
            return _NONE
        # A clock that was set back must not keep everybody out until it is as late again.
        return min(max(_NONE, self._spent_until - now), LAST_PAUSE)

    def _spend(self, calls: int, now: datetime) -> None:
        self._spent_until = now + max(_NONE, self._spent(now) + self._each * calls)


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

ODD = 3
"""What takes so many times as long as is guessed is stuck, and says nothing of others."""

DOUBT = timedelta(minutes=1)
"""How often it is doubted that they still take as long."""

FORGET = timedelta(minutes=15)
"""Whatever is not asked after for so long is over, or nobody's here."""

SEEN_RUNNING = timedelta(seconds=75)
"""How long one that is stuck counts as under way still; it is asked after sooner."""

MOST_KNOWN = 1000

SLACK = timedelta(milliseconds=5)
"""Who waits for the end of an operation comes this much later: after whoever asks for it."""


@dataclass(slots=True)
class _Operation:
    begun_at: datetime
    running_until: datetime


@dataclass(slots=True)
class _Line:
    at: datetime
    tries: timedelta | None
    """How long they must take at the most, for AWS to take on this one."""


class Lines:
    """How many operations may be begun. Not safe for threads either.

    AWS does not say when one is over, only, when asked, whether it is. So it counts as over once
    it has lasted for as long as they take: a guess, from what AWS says when it is asked, and from
    whether it takes on more. It begins low, for only one that is too low shows by itself; later
    one is begun too early now and then, to find out whether the guess is too high.
    """

    def __init__(self, most: int) -> None:
        """Begin with nothing under way."""
        self._most = most
        self._known: dict[str, _Operation] = {}
        self._promised: dict[int, _Line] = {}
        self.takes = SHORTEST
        """The guess."""
        self._longer_than = _NONE
        """What they have been seen to take longer than."""
        self.is_learnt = False
        """Whether the end of any has been seen."""
        self._doubted_at: datetime | None = None

    def free(self, now: datetime, *, tries: bool = False) -> int:
        """How many more may be begun now, besides those promised; or would, if the try holds."""
        takes = self._try if tries else self.takes
        known = sum(self._counts(one, now, takes) for one in self._known.values())
        return self._most - len(self._promised) - known

    def counts(self, name: str, now: datetime) -> bool:
        """Whether it counts as under way."""
        one = self._known.get(name)
        return one is not None and self._counts(one, now, self.takes)

    def free_at(self, ahead: int, now: datetime, *, tries: bool = False) -> datetime:
        """When one more may be begun, after so many that wait for longer."""
        takes = self._try if tries else self.takes
        ends = [_until(one, takes) for one in self._known.values()]
        ends += [line.at + takes for line in self._promised.values()]
        last = heapq.nlargest(self._most, (max(end, now) for end in ends))
        frees = sorted(last + [now] * (self._most - len(last)))
        rounds, line = divmod(ahead, self._most)
        return frees[line] + rounds * takes + SLACK

    def wants_try(self, waiting: int) -> bool:
        """Whether it is worth finding out if they take less than it is guessed."""
        if waiting < MANY * self._most or any(line.tries for line in self._promised.values()):
            return False
        return self.takes > SHORTEST and self._longer_than < self.takes * CLOSE

    def promise(self, now: datetime, *, tries: bool = False) -> None:
        """Set one aside for this thread."""
        self._promised[threading.get_ident()] = _Line(now, self._try if tries else None)

    def refund(self, now: datetime) -> None:
        """Take back what this thread, and those that have died, did not use."""
        for thread, line in list(self._promised.items()):
            if thread == threading.get_ident() or not _NONE <= now - line.at < PROMISED:
                del self._promised[thread]

    def begin(self, name: str, begun_at: datetime) -> None:
        """Count one that has begun."""
        line = self._promised.pop(threading.get_ident(), None)
        if line is not None and line.tries is not None:
            self.takes = min(self.takes, line.tries)
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[name] = _Operation(begun_at, begun_at)

    def runs(self, name: str, begun_at: datetime, now: datetime) -> None:
        """AWS says that it is under way."""
        one = self._known.setdefault(name, _Operation(begun_at, begun_at))
        lasts = now - begun_at
        if lasts >= self.takes * ODD and self.is_learnt:
            one.running_until = now + SEEN_RUNNING
        elif lasts >= self.takes:
            self._longer(lasts)

    def end(self, name: str, begun_at: datetime, now: datetime, *, known: bool) -> None:
        """AWS says that it is over, or (not ``known``) that there is no such operation."""
        self._known.pop(name, None)
        if not known:
            return
        self.is_learnt = True
        took = max(now - begun_at, SHORTEST)
        if took < self.takes:
            # Nobody knows since when it was over: they take no longer than this, but for some.
            self.takes = (self.takes + took) / 2
            self._longer_than = min(self._longer_than, self.takes * CLOSE)

    def refuse(self) -> bool:
        """AWS takes on no more; return whether that is because they take longer than it seemed."""
        line = self._promised.pop(threading.get_ident(), None)
        if line is not None and line.tries is not None:
            self._longer_than = max(self._longer_than, line.tries)
            return True
        if len(self._known) < self._most or self.takes >= LONGEST:
            return False
        self._longer(self.takes)
        return True

    def forget(self, now: datetime) -> None:
        """Drop what nobody asks after, and doubt now and then what is known."""
        old = [
            name
            for name, one in self._known.items()
            if not -FORGET < now - max(one.begun_at, one.running_until) < FORGET
        ]
        for name in old:
            del self._known[name]
        if self._doubted_at is None or not _NONE <= now - self._doubted_at < DOUBT:
            self._longer_than, self._doubted_at = self._longer_than * CLOSE * CLOSE, now

    def _longer(self, than: timedelta) -> None:
        self._longer_than = min(than, LONGEST)
        self.takes = min(max(than * LONGER, self.takes), LONGEST)

    @property
    def _try(self) -> timedelta:
        return max(SHORTEST, (self._longer_than + self.takes) / 2)

    @staticmethod
    def _counts(one: _Operation, now: datetime, takes: timedelta) -> bool:
        return one.begun_at <= now < _until(one, takes)


def _until(one: _Operation, takes: timedelta) -> datetime:
    return max(one.begun_at + takes, one.running_until)
