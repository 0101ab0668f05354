"""Compares the clouds with the record: what is there and should not be, and the other way round.

It tells no cloud anything. What has leaked is written down as such, if that is allowed, and the
sweep then ends it like anything else. What is not ours is told, and left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud.areas import Scope, Trouble
from jitcloud.codec import canonical
from jitcloud.comparing import Comparing, Finding, OutOfTime
from jitcloud.ledger import Ledger, again_on_conflict
from jitcloud.model import BROKER, Actor, Controls, Entitlement, Reconciled, Restored
from jitcloud.ports import Clock, Journal, Mechanisms, SlotKinds
from jitcloud.rounds import Progress, Round, Tally
from jitcloud.text import one_line

DAILY = timedelta(hours=12)
"""A comparison that finds nothing is on record twice a day, however often there is one."""

WITHIN = timedelta(minutes=5)
"""How long one run goes on, unless told; the next one goes on where it stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What one run has come to."""

    begun_at: datetime
    """When the comparison began, perhaps in an earlier run."""
    is_over: bool
    """Whether everything was gone through, in this run or in earlier ones."""
    is_finished: bool
    """Whether, besides, nothing stood in the way; only then it is recorded as done."""
    areas: int
    """How many areas this run has come to the end of, and nothing was wrong with."""
    pages: int
    places: int
    """How many filled places it was shown."""
    tally: Tally
    """What was found so far, by earlier runs of this comparison too."""
    findings: tuple[Finding, ...]
    """Of this run alone, the first thousand."""
    troubles: tuple[Trouble, ...]
    """What this run could not look at, and why; as many at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Compares all clouds with the record. Of several at once only one gets on."""

    ledger: Ledger
    kinds: SlotKinds
    mechanisms: Mechanisms
    catalog: Iterable[Entitlement]
    clock: Clock
    journal: Journal | None = None
    former: Sequence[Entitlement] = ()
    """What the catalog once said, where somebody still has it."""
    ends_leaked: bool = False
    """Whether what has leaked is ended; else it is only told."""
    is_dry: bool = False
    """Whether nothing at all is written: neither what has leaked nor how far it has come."""
    left_out: Collection[str] = ()
    """Areas, and whatever else was in trouble, that nobody can look at; somebody answers for it."""

    def run(self, within: timedelta = WITHIN) -> Compared:
        """Go on for so long, from where the last run stopped; at least by one page.

        Every place, page and area is isolated from the next one's failure. Raises ``Conflict``
        while another goes on with it, and ``Unavailable`` without the record.
        """
        now = self.clock()
        store = self.ledger.store
        known = store.controls()
        restored_at = None if known is None else known.restored_at
        terms = self._terms(restored_at)
        progress = Progress.read(store, is_kept=not self.is_dry)
        begun = progress.unfinished(terms, now, restored_at)
        is_held = restored_at is not None
        scope = Scope(store, self.kinds, self.mechanisms, now, is_held=is_held)
        scope.gather(self.catalog, self.former, self.journal)
        comparing = Comparing(
            self.ledger,
            self.kinds,
            self.clock,
            scope,
            progress,
            begun or Round(begun_at=now, terms=terms),
            give_up=now + within,
            ends_leaked=self.ends_leaked and not self.is_dry,
            left_out=self.left_out,
        )
        try:
            comparing.go_through()
        except OutOfTime:
            return _compared(comparing, is_over=False, is_finished=False)
        ended = comparing.round
        is_finished = not ended.is_spoilt and not ended.troubled
        if is_finished and not self.is_dry:
            self._record(ended, restored_at)
        progress.keep(None, self.clock())
        return _compared(comparing, is_over=True, is_finished=is_finished)

    def _terms(self, restored_at: datetime | None) -> str:
        said = {
            "restored": None if restored_at is None else restored_at.isoformat(),
            "ends": self.ends_leaked,
            "left_out": sorted(self.left_out),
            "former": [[each.mechanism, dict(each.target)] for each in self.former],
        }
        return hashlib.sha256(canonical(said).encode()).hexdigest()

    def _record(self, ended: Round, restored_at: datetime | None) -> None:
        """Record it as done, unless the record was restored meanwhile.

        Clocks are not asked which came first: whoever said so may have gone by another.
        """
        what = Reconciled(
            begun_at=ended.begun_at,
            leaked=ended.done.leaked,
            missing=ended.done.missing,
            foreign=ended.done.foreign,
            left_out=tuple(sorted(self.left_out)),
        )
        ledger = self.ledger

        def record() -> None:
            known, now = ledger.store.controls(), self.clock()
            if known is not None and known.restored_at not in {None, restored_at}:
                return
            if _is_news(known, what, now):
                ledger.control(known, (what,), actor=BROKER, now=now)

        again_on_conflict(record)


def _is_news(known: Controls | None, what: Reconciled, now: datetime) -> bool:
    """Whether a comparison is worth an event: whoever grants anything reads all there are."""
    if known is None or known.restored_at is not None or known.reconciled_at is None:
        return True
    found = what.leaked or what.missing or what.foreign or what.left_out
    return bool(found) or now - known.reconciled_at >= DAILY


def restored(ledger: Ledger, reason: str, actor: Actor, now: datetime) -> Controls:
    """Record that the record is an older one than there was.

    Nothing is activated from then on until a reconcile that began later has finished; ends go on.
    Like an end of everything it is recorded whoever signed what stands before: it only takes away.
    """
    what = Restored(reason=one_line(reason, "reason"))
    return again_on_conflict(
        lambda: ledger.control(ledger.store.controls(), (what,), actor=actor, now=now)
    )


def _compared(comparing: Comparing, *, is_over: bool, is_finished: bool) -> Compared:
    return Compared(
        begun_at=comparing.round.begun_at,
        is_over=is_over,
        is_finished=is_finished,
        areas=comparing.areas,
        pages=comparing.pages,
        places=comparing.places,
        tally=comparing.round.done + comparing.round.here,
        findings=tuple(comparing.findings.values()),
        troubles=comparing.troubles,
    )
