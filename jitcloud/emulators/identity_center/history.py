"""A set that remembers since when, and until when, each thing was in it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

_KEPT = timedelta(hours=1)
"""How far before the last instant asked for one may still ask: lists may come to lag more."""


class History(Generic[Thing]):
    """What is there, and what was: for lists that are behind."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._since: dict[Thing, datetime] = {}
        self._ended: list[tuple[Thing, datetime, datetime]] = []
        self._now: frozenset[Thing] | None = None

    @property
    def now(self) -> frozenset[Thing]:
        """What is in: the same set for as long as nothing changes."""
        if self._now is None:
            self._now = frozenset(self._since)
        return self._now

    def __contains__(self, thing: object) -> bool:
        return thing in self._since

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._since)

    def add(self, thing: Thing, at: datetime) -> None:
        """Put it in. What is in already stays in since when it was."""
        self._since.setdefault(thing, at)
        self._now = None

    def discard(self, thing: Thing, at: datetime) -> None:
        """Take it out, if it is in."""
        since = self._since.pop(thing, None)
        if since is not None:
            self._now = None
            self._ended.append((thing, since, at))

    def as_of(self, then: datetime) -> frozenset[Thing]:
        """What was in at an instant."""
        self._ended = [ended for ended in self._ended if ended[2] > then - _KEPT]
        was = {thing for thing, since, until in self._ended if since <= then < until}
        return frozenset(was.union(thing for thing, at in self._since.items() if at <= then))
