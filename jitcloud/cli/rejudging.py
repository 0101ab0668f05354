"""Reads the requests of the past and has them judged again; see ``replaying``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from jitcloud.audit.verify import all_ids, verified
from jitcloud.catalog import Catalog
from jitcloud.cli.rulebook import Rulebook
from jitcloud.errors import NotFound, Tampered
from jitcloud.model import Ask, Decision, PersonId, Request, RequestId, Sealed, Window
from jitcloud.policy import World
from jitcloud.policy.changes import Changes
from jitcloud.policy.rejudge import Rejudge
from jitcloud.policy.replay import Present, Skip, read
from jitcloud.policy.slices import cut
from jitcloud.policy.usage import Session, session
from jitcloud.ports import Store, Verifier

LARGE = 100
"""From so many rules on it pays to cut a policy down to those about one person."""

PEOPLE = 1000
"""For how many people that is kept at a time."""


@dataclass(slots=True, kw_only=True)
class Replayed:
    """All that a replay found."""

    changes: Changes = field(default_factory=Changes)
    sessions: list[Session] = field(default_factory=list)
    skipped: Counter[Skip] = field(default_factory=Counter)
    missing: Counter[PersonId] = field(default_factory=Counter)
    """Who is not there any more, or disabled, and how many requests they had made."""
    tampered: list[tuple[RequestId, str]] = field(default_factory=list)
    left_out: int = 0
    """Older ones than were to be read."""
    without_facts: int = 0
    """Recorded when the facts of their world were not."""
    retired: int = 0
    """For what the catalog no longer has."""
    moved: int = 0
    """For what the catalog has otherwise by now."""

    @property
    def judged(self) -> int:
        """How many requests were judged again."""
        return self.changes.counts.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is read of a record: the newest requests, proven by their trails."""

    store: Store
    verifier: Verifier
    since: datetime | None
    limit: int

    def names(self) -> list[RequestId]:
        """Return every request there is, the newest first."""
        return list(all_ids(self.store))[::-1]

    def trails(
        self, names: Sequence[RequestId], found: Replayed, advance: Callable[[int], None]
    ) -> Iterator[tuple[Request, tuple[Sealed, ...]]]:
        """Yield what can be believed, and note in ``found`` what is left out, or cannot be."""
        taken = 0
        for name in names:
            advance(1)
            try:
                if taken >= self.limit or self._is_older(name):
                    found.left_out += 1
                    continue
                taken += 1
                proven = verified(self.store, name, self.verifier)
            except (NotFound, Tampered) as exc:
                found.tampered.append((name, str(exc)))
            else:
                yield proven

    def extended(self, request: Request) -> Window | None:
        """Return the window of the grant that a request extends, if it does."""
        if request.ask.extends is None:
            return None
        try:
            parent = self.store.request(request.ask.extends)
        except Tampered:  # listed in its own turn
            return None
        return None if parent is None else parent.window

    def _is_older(self, name: RequestId) -> bool:
        # An id tells when it was made only if nobody chose it, so the ask is looked at.
        if self.since is None:
            return False
        request = self.store.request(name)
        return request is not None and request.ask.asked_at < self.since


def replayed(
    record: Record,
    names: Sequence[RequestId],
    proposed: Rulebook,
    in_force: Rulebook | None,
    advance: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Judge the named requests again. ``in_force`` tells what is not the proposal's doing."""
    found = Replayed()
    present = Present(proposed.catalog, proposed.directory)
    judges = _judges(proposed)
    today = None if in_force is None else _judges(in_force).judge
    for request, trail in record.trails(names, found, advance):
        used = session(request, [line.event for line in trail])
        found.sessions += [] if used is None else [used]
        past = read(request, trail, record.extended(request))
        again = past if isinstance(past, Skip) else present.settle(past)
        if isinstance(again, Skip):
            found.skipped[again] += 1
            if again in {Skip.GONE, Skip.DISABLED}:
                found.missing[request.person] += 1
            continue
        found.without_facts += again.past.facts is None
        found.retired += again.is_retired
        found.moved += again.is_moved
        found.changes.add(again, judges.judge(again), today)
    return found


def _judges(book: Rulebook) -> Rejudge:
    @lru_cache(maxsize=PEOPLE)
    def about(person: PersonId) -> Rulebook:
        if len(book.policy.rules) < LARGE:
            return book
        return replace(book, policy=cut(book.policy, book.directory.person(person)))

    def decide(ask: Ask, world: World) -> Decision:
        # Which entry of the catalog counts is settled before: what is gone by now is judged too.
        catalog = Catalog({ask.entitlement.id: ask.entitlement})
        return replace(about(ask.person), catalog=catalog).decide(ask, world)

    return Rejudge.by(book.policy.rules, decide)
