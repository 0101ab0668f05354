"""Keeps how far the passing on of a request has come, and the lease of whoever is at it.

A mark is written after some messages, not after each: what was sent since is all that a crash
repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jitcloud import lifecycle
from jitcloud.errors import Conflict, JitError, Tampered
from jitcloud.model import Mark, Notice, PersonId, Request, RequestId, Sealed
from jitcloud.ports import Clock, Store
from jitcloud.text import printable

FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(minutes=30)

LONGEST_TROUBLE = 500
"""How many characters of what went wrong a mark keeps."""

LEASE = timedelta(minutes=2)
"""For so long nobody else takes up a request that is being worked off."""

UNSAVED, UNSAVED_FOR = 10, timedelta(seconds=2)
"""After so many messages, or when so much time has gone by, it is recorded who has theirs."""

_TRIES = 5
"""How often a mark is written again that commits make due meanwhile."""


@dataclass(slots=True)
class Progress:
    """How far one go at one request has come. Each write raises ``Conflict`` once it is lost."""

    store: Store
    clock: Clock
    mark: Mark
    """As it is stored."""
    seq: int = field(init=False)
    """The last event that is done with, stored or not."""
    told: tuple[PersonId, ...] = field(init=False)
    """Who of the event after that was told, stored or not."""
    cursor: str = field(init=False)
    """What the channel itself wants remembered, stored or not."""
    made_due: bool = field(default=False, init=False)
    """Whether a commit has made the mark due meanwhile."""
    _left: tuple[int, tuple[PersonId, ...]] | None = field(default=None, init=False)
    _unsaved: int = field(default=0, init=False)
    _saved_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.seq, self.told, self.cursor = self.mark.seq, self.mark.told, self.mark.cursor
        self._saved_at = self.clock()

    @property
    def doubtful(self) -> bool:
        """Whether it has gone on without somebody, and nobody else was reached since."""
        return self._left is not None

    def left(self, wanted: Sequence[Notice]) -> tuple[Notice, ...]:
        """Return what is to be sent yet: first to whoever follows the last one told.

        Each new try begins one further, so whoever is put off for ever keeps nobody waiting.
        """
        last = self.told[-1] if self.told else None
        after = next((at for at, notice in enumerate(wanted, 1) if notice.to == last), 0)
        turn = (*wanted[after:], *wanted[:after])
        left = tuple(notice for notice in turn if notice.to not in self.told)
        first = self.mark.attempts % len(left) if left else 0
        return left[first:] + left[:first]

    def add(self, to: PersonId) -> None:
        """Note who has been told, and record it before too much would be repeated."""
        self.told = (*self.told, to)
        self._count()

    def pass_over(self, seq: int) -> None:
        """Be done with an event."""
        self.seq, self.told = seq, ()

    def passed_on(self, seq: int) -> None:
        """Be done with an event that was sent, and record it before too much would be repeated."""
        self.pass_over(seq)
        self._count()

    def _count(self) -> None:
        self._unsaved += 1
        if self._unsaved >= UNSAVED or self.clock() - self._saved_at >= UNSAVED_FOR:
            self.save()

    def leave(self, seq: int) -> None:
        """Go on without those who cannot be reached, but record it only once somebody else is."""
        self._left = self.seq, self.told
        self.pass_over(seq)

    def confirm(self) -> None:
        """Somebody was reached: so it was not the server that left the others without theirs."""
        if self._left is not None:
            self._left = None
            self.save(attempts=0)

    def hold(self) -> None:
        """Lengthen the lease where it could run out under way."""
        lease = self.mark.wake_at
        if lease is not None and lease - self.clock() < LEASE / 2:
            self.save()

    def save(self, *, attempts: int | None = None, warned: datetime | None = None) -> None:
        """Record how far it has come, and hold the lease for longer."""
        kept = self.mark.attempts if attempts is None else attempts
        wanted = replace(
            self._so_far(),
            attempts=kept,
            warned=warned or self.mark.warned,
            wake_at=self.clock() + LEASE,
        )
        self._put(wanted, holds=True)

    def finish(self, *, attempts: int, trouble: str, wake_at: datetime | None) -> None:
        """Record how far it has come, and give the lease back."""
        wanted = replace(self._so_far(), attempts=attempts, trouble=trouble, wake_at=wake_at)
        self._put(wanted, holds=False)

    def _so_far(self) -> Mark:
        seq, told = self._left or (self.seq, self.told)
        return replace(self.mark, seq=seq, told=told, cursor=self.cursor)

    def _put(self, wanted: Mark, *, holds: bool) -> None:
        for _ in range(_TRIES):
            try:
                newer = replace(wanted, version=self.mark.version + 1)
                self.store.put_mark(newer)
            except Conflict:
                # A commit has made the mark due, and changed nothing else of it. Anything else
                # was another teller, who goes on from what is stored.
                stored = self.store.mark(self.mark.channel, self.mark.request)
                now = self.clock()
                if stored is None or not is_due(stored, now) or not self._is_ours(stored):
                    raise
                self.made_due = True
                self.mark = replace(self.mark, version=stored.version)
                wanted = wanted if holds else replace(wanted, wake_at=now)
            else:
                self.mark = newer
                self._unsaved, self._saved_at = 0, self.clock()
                return
        message = f"Request {self.mark.request} changes too fast to be told of; it is tried again."
        raise Conflict(message)

    def _is_ours(self, stored: Mark) -> bool:
        return self.mark == replace(stored, wake_at=self.mark.wake_at, version=self.mark.version)


def stored_mark(store: Store, channel: str, request: RequestId) -> Mark | None:
    """Return the mark of a request, if there is one. Raises ``Tampered`` if it is another's."""
    with reading(request):
        mark = store.mark(channel, request)
    if mark is not None and (mark.channel, mark.request) != (channel, request):
        message = (
            f"The mark of {channel} at request {printable(request)} is that of another;"
            " compare the record with a backup."
        )
        raise Tampered(message)
    return mark


@contextmanager
def reading(request: RequestId) -> Iterator[None]:
    """Raise ``Tampered`` for what can be decoded and means nothing, such as a time of no zone."""
    try:
        yield
    except JitError:
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as exc:
        message = (
            f"Nobody can be told of request {printable(request)}: what is recorded of it makes no"
            f" sense ({type(exc).__name__}). See `jitcloud audit verify`."
        )
        raise Tampered(message) from exc


def steps(store: Store, request: RequestId) -> Iterator[tuple[Request | None, Sealed, Request]]:
    """Yield each line of a request's trail, with the request before and after it."""
    before: Request | None = None
    for line in store.events(request):
        after = lifecycle.fold(before, line)
        yield before, line, after
        before = after


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after so many tries."""
    doubled: timedelta = FIRST_RETRY * 2 ** max(0, min(attempts - 1, 10))
    return min(doubled, LAST_RETRY)


def is_due(mark: Mark, now: datetime) -> bool:
    """Whether a request is to be worked off."""
    return mark.wake_at is not None and mark.wake_at <= now
