"""One go at comparing the clouds with the record: area by area, page by page, place by place.

Each is isolated from the next one's failure, and after each page it is kept how far it has come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime

from jitcloud import leaks, slots, verdicts
from jitcloud.areas import Scope, Trouble, defect, unreached
from jitcloud.errors import CloudRefused, Conflict, JitError, Misconfigured, Tampered, Unavailable
from jitcloud.ledger import Ledger
from jitcloud.model import Area, Listing, Place, Slot, SlotKey
from jitcloud.ports import Clock, SlotKind, SlotKinds
from jitcloud.rounds import Progress, Round, Tally
from jitcloud.verdicts import Verdict

MOST_TOLD = 1000
"""How many findings, and troubles, one go tells one by one; findings are counted besides."""

MOST_PAGES = 100_000
"""How many pages of one area are read in one go: a bound, not a plan."""

KEPT = 100
"""After so many places that were looked at one by one, it is kept how far that has come."""


class OutOfTime(Exception):
    """The time for this go is over; how far it has come is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A place in which a cloud and the record do not agree."""

    verdict: Verdict
    place: SlotKey
    is_ended: bool = False
    """Whether it is written down now that it is to end."""


@dataclass(slots=True)
class Comparing:
    """What one go has seen, and how far the comparison has come with it."""

    ledger: Ledger
    kinds: SlotKinds
    clock: Clock
    scope: Scope
    progress: Progress
    round: Round
    _: KW_ONLY
    give_up: datetime
    ends_leaked: bool
    left_out: Collection[str]
    areas: int = 0
    pages: int = 0
    places: int = 0
    findings: dict[SlotKey, Finding] = field(default_factory=dict)
    _troubles: dict[str, dict[str, str]] = field(default_factory=dict)
    """By area; those of no area under the empty name."""

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What could not be looked at, and why."""
        every = [trouble for them in self._troubles.values() for trouble in them.items()]
        return tuple(every[:MOST_TOLD])

    def go_through(self) -> None:
        """Go through all areas, and once more through those that something was wrong with.

        Then from their first page on: a cloud forgets in time how to go on behind another.
        Raises ``OutOfTime``, and ``Conflict`` where another goes on with it.
        """
        troubles = {what: why for what, why in self.scope.troubles if what not in self.left_out}
        if troubles:
            self._troubles[""] = troubles
            self.round = replace(self.round, is_spoilt=True)
        if not self.round.again:
            self._each(self.scope.areas.keys())
            if not self.round.troubled:
                return
            self.round = self.round.second()
        self._each(self.scope.areas.keys() & set(self.round.troubled))

    # ── Areas ────────────────────────────────────────────────────────────────────────────────

    def _each(self, keys: Collection[str]) -> None:
        for key in sorted(key for key in keys if key > self.round.passed):
            if key in self.left_out:
                continue
            self.round = self.round.enter(key)
            self._troubles.pop(key, None)
            with self._isolated(key):
                self._area(self.scope.areas[key])
            self.areas += not self.round.is_marred
            self.round = self.round.leave()
            self._keep()

    def _area(self, area: Area) -> None:
        kind = self.kinds.get(area.kind)
        if kind is None:
            raise Misconfigured(unreached(area.kind))
        if self.round.sought is None:
            self._pages(kind, area)
        self._seek(kind, area)
        self._forget(kind, area)

    def _pages(self, kind: SlotKind, area: Area) -> None:
        """Read all pages of an area, and judge what is on each."""
        for _ in range(MOST_PAGES):
            after = self.round.after
            listing = kind.ours(area, after, self.clock())
            self.pages += 1
            self._page(kind, area, listing)
            if listing.after is None:
                self.round = replace(self.round, after=None, sought="")
                self._keep()
                return
            if listing.after == after:
                break
            self.round = replace(self.round, after=listing.after)
            self._keep()
        raise CloudRefused("What the cloud lists there does not come to an end; look at it there.")

    # ── Places ───────────────────────────────────────────────────────────────────────────────

    def _page(self, kind: SlotKind, area: Area, listing: Listing) -> None:
        stored = self._stored([place.key for place in listing.found])
        tally, ended = Tally(), 0
        for place in listing.found:
            self.places += 1
            finding = None
            with self._isolated(place.key):
                slot = self._slot(place.key) if stored is None else stored.get(place.key)
                finding = self._judged(kind, area, place, slot)
            if finding is None:
                continue
            self._tell(finding)
            tally += _counted(finding.verdict)
            ended += finding.is_ended
            if finding.is_ended and self.clock() >= self.give_up:
                # The page will be read once more, and these are not found on it again.
                self.round = self.round.plus(Tally(leaked=ended), ended)
                self._keep()
        self.round = self.round.plus(tally, ended)

    def _judged(
        self, kind: SlotKind, area: Area, place: Place, slot: Slot | None
    ) -> Finding | None:
        now = self.clock()
        self.scope.expected.get(area.key, set()).discard(place.key)
        hold = kind.hold(slots.at(place))
        noted_at = self.scope.noted.get(place.key)
        self.scope.noted_in.get(area.key, {}).pop(place.key, None)
        verdict = verdicts.of_filled(slot, hold, noted_at, kind.settle, now)
        if verdict in {Verdict.IN_ORDER, Verdict.IN_MOTION}:
            return None
        told = Finding(verdict=verdict, place=place.key)
        if verdict is Verdict.FOREIGN or not self.ends_leaked:
            return told
        stood = slots.at(place) if slot is None else slot
        if leaks.end(self.ledger, kind, stood, verdict, now):
            return replace(told, is_ended=True)
        return None

    def _seek(self, kind: SlotKind, area: Area) -> None:
        """Look for what should be there and was on no page, each by itself."""
        left = self.scope.expected.get(area.key, set())
        after = self.round.sought or ""
        for number, key in enumerate(sorted(key for key in left if key > after), start=1):
            is_missing = False
            with self._isolated(key):
                is_missing = self._is_missing(kind, key)
            self.round = replace(self.round, sought=key)
            if is_missing:
                self._tell(Finding(verdict=Verdict.MISSING, place=key))
                self.round = self.round.plus(_counted(Verdict.MISSING))
            if number % KEPT == 0:
                self._keep()

    def _forget(self, kind: SlotKind, area: Area) -> None:
        """See of what was noted, and is on no page, that it is empty: it is ours no longer.

        Else whoever is given it by hand, however much later, would be taken for what we had filled.
        """
        if not self.ends_leaked:
            return
        for key, place in sorted(self.scope.noted_in.get(area.key, {}).items()):
            with self._isolated(key):
                leaks.forget(self.ledger, kind, place, self.scope.noted[key], self.clock())
            if self.clock() >= self.give_up:
                self._keep()

    def _is_missing(self, kind: SlotKind, key: SlotKey) -> bool:
        now = self.clock()
        slot = self._slot(key)
        if slot is None or not verdicts.is_expected(slot, kind.settle, now):
            return False
        return not kind.see(slot, now).present

    def _tell(self, finding: Finding) -> None:
        if len(self.findings) < MOST_TOLD:
            self.findings[finding.place] = finding

    # ── The record ───────────────────────────────────────────────────────────────────────────

    def _stored(self, keys: Sequence[SlotKey]) -> dict[SlotKey, Slot] | None:
        """Return what the record has of these; None where one of them cannot be read."""
        try:
            return {slot.key: slot for slot in self.ledger.store.slots(keys)}
        except Tampered:
            return None

    def _slot(self, key: SlotKey) -> Slot | None:
        return self.ledger.store.slot(key)

    def _keep(self) -> None:
        """Keep how far it has come, and stop there if the time is over."""
        now = self.clock()
        self.progress.keep(self.round, now)
        if now >= self.give_up:
            raise OutOfTime

    @contextmanager
    def _isolated(self, what: str) -> Iterator[None]:
        """Note what goes wrong with one place or area, and let the others go on."""
        try:
            yield
        except (OutOfTime, Conflict, Unavailable):
            raise
        except JitError as exc:
            self._in_trouble(what, str(exc))
        except Exception as exc:  # noqa: BLE001 - one broken thing must not hide the others
            self._in_trouble(what, defect(exc))

    def _in_trouble(self, what: str, why: str) -> None:
        if what not in self.left_out:
            self._troubles.setdefault(self.round.area, {})[what] = why
            self.round = replace(self.round, is_marred=True)


def _counted(verdict: Verdict) -> Tally:
    match verdict:
        case Verdict.LEAKED | Verdict.HELD:
            return Tally(leaked=1)
        case Verdict.MISSING:
            return Tally(missing=1)
        case Verdict.FOREIGN:
            return Tally(foreign=1)
        case _:
            return Tally()
