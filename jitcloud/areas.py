"""Where a reconcile has to look: everything that the record, the catalog or the journal names.

The catalog of today is not enough: what was taken out of it may have left somebody somewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from jitcloud import restores, slots, verdicts
from jitcloud.codec import canonical
from jitcloud.errors import JitError, Tampered
from jitcloud.model import Area, Entitlement, Place, Request, Slot, SlotKey, State
from jitcloud.ports import Journal, Mechanisms, SlotKinds, Store

PAGE = 200
"""How many requests, or slots, are looked at in one read."""

Trouble = tuple[str, str]
"""What could not be looked at, and why."""


@dataclass(slots=True)
class Scope:
    """Where to look, and what must be found there. Holds no more than a key for each."""

    store: Store
    kinds: SlotKinds
    mechanisms: Mechanisms
    now: datetime
    is_held: bool = False
    """Whether the record was restored, and nothing is activated before this has finished."""
    areas: dict[str, Area] = field(default_factory=dict)
    expected: dict[str, set[SlotKey]] = field(default_factory=dict)
    """By area: slots that are held, and were seen filled."""
    noted: dict[SlotKey, datetime] = field(default_factory=dict)
    """What the journal knows to be ours, and who has seen it empty since when knows better."""
    noted_in: dict[str, dict[SlotKey, Place]] = field(default_factory=dict)
    """The same by area: what is on none of its pages is looked at by itself."""
    troubles: list[Trouble] = field(default_factory=list)
    _asked: set[str] = field(default_factory=set)
    _unreached: set[str] = field(default_factory=set)

    def gather(
        self,
        catalog: Iterable[Entitlement],
        former: Iterable[Entitlement],
        journal: Journal | None,
    ) -> None:
        """Find all there is to look at; what cannot be told is a trouble, and the rest goes on."""
        for entitlement in catalog:
            self._entitlement(entitlement)
        # What the catalog of today says of an area counts more than what was said once.
        settled = frozenset(self.areas)
        for entitlement in former:
            self._entitlement(entitlement, settled)
        self._of_slots(settled)
        self._of_requests(settled)
        self._of_journal(journal, settled)

    # ── Each source ──────────────────────────────────────────────────────────────────────────

    def _entitlement(self, entitlement: Entitlement, settled: frozenset[str] = frozenset()) -> None:
        asked = canonical([entitlement.mechanism, dict(entitlement.target)])
        if asked in self._asked:
            return
        self._asked.add(asked)
        mechanism = self.mechanisms.get(entitlement.mechanism)
        if mechanism is None:
            self._not_reached(entitlement.mechanism)
            return

        def add() -> None:
            for area in mechanism.areas(entitlement, self.now):
                self._add(area, settled)

        self._isolated(entitlement.id, add)

    def _of_slots(self, settled: frozenset[str]) -> None:
        for slot in self._paged_slots():
            area = self._place(slot, settled)
            kind = self.kinds.get(slot.kind)
            if area is None or kind is None:
                continue
            if verdicts.is_expected(slot, kind.settle, self.now):
                self.expected.setdefault(area.key, set()).add(slot.key)

    def _paged_slots(self) -> Iterator[Slot]:
        after: SlotKey | None = None
        while True:
            try:
                page = self.store.all_slots(PAGE, after)
            except Tampered as exc:
                self.troubles.append(("slots", str(exc)))
                return
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].key

    def _of_requests(self, settled: frozenset[str]) -> None:
        """Look at what was asked for, whatever became of it: no trail is read for this."""
        try:
            # In the order of a life: what moves on meanwhile is met again further on.
            for state in State:
                for request in self._in(state):
                    self._request(request, settled)
        except Tampered:
            for request in self._one_by_one():
                self._request(request, settled)

    def _request(self, request: Request, settled: frozenset[str]) -> None:
        self._entitlement(request.entitlement, settled)
        if request.places.grant is not None:
            self._place(slots.at(request.places.grant), settled)

    def _in(self, state: State) -> Iterator[Request]:
        after = None
        while True:
            page = self.store.by_state(state, PAGE, after)
            yield from page.requests
            after = page.after
            if after is None:
                return

    def _one_by_one(self) -> Iterator[Request]:
        names = self.store.ids(PAGE)
        while names:
            for name in names:
                try:
                    found = self.store.request(name)
                except Tampered as exc:
                    self.troubles.append((name, str(exc)))
                    continue
                if found is not None:
                    yield found
            names = self.store.ids(PAGE, names[-1])

    def _of_journal(self, journal: Journal | None, settled: frozenset[str]) -> None:
        restored: list[datetime] = []
        # What cannot be told of restores is a trouble, and hides nothing that the journal has.
        self._isolated("controls", lambda: restored.extend(restores.known(self.store)))

        def read() -> None:
            for place, noted_at in () if journal is None else journal.places():
                self.noted[place.key] = self._landed(place, noted_at, restored)
                area = self._place(slots.at(place), settled)
                if area is not None:
                    self.noted_in.setdefault(area.key, {})[place.key] = place

        self._isolated("journal", read)

    def _landed(self, place: Place, noted_at: datetime, restored: Collection[datetime]) -> datetime:
        """When what the journal was told of has landed, where the record may have forgotten it."""
        kind = self.kinds.get(place.kind)
        if kind is None:
            return noted_at
        lands_by = restores.landed(kind, noted_at, restored)
        if self.is_held and self.now < lands_by:
            self.troubles.append((place.key, _on_its_way(lands_by)))
        return lands_by

    # ── What they come to ────────────────────────────────────────────────────────────────────

    def _place(self, slot: Slot, settled: frozenset[str]) -> Area | None:
        kind = self.kinds.get(slot.kind)
        if kind is None:
            self._not_reached(slot.kind)
            return None
        try:
            area = kind.area(slot)
        except Exception as exc:  # noqa: BLE001 - one broken slot must not hide the others
            self.troubles.append((slot.key, defect(exc)))
            return None
        if area is not None:
            self._add(area, settled)
        return area

    def _add(self, area: Area, settled: frozenset[str]) -> None:
        known = self.areas.get(area.key)
        if known is None:
            self.areas[area.key] = area
        elif area.key not in settled and area.where.get("exclusive") is False:
            # Of several that say differently whose the places in there are, the one that spares
            # more of them.
            self.areas[area.key] = area

    def _not_reached(self, name: str) -> None:
        if name not in self._unreached:
            self._unreached.add(name)
            self.troubles.append((name, unreached(name)))

    def _isolated(self, what: str, do: Callable[[], None]) -> None:
        try:
            do()
        except JitError as exc:
            self.troubles.append((what, str(exc)))
        except Exception as exc:  # noqa: BLE001 - one broken entry must not hide the others
            self.troubles.append((what, defect(exc)))


def _on_its_way(lands_by: datetime) -> str:
    return (
        "It was about to be filled shortly before the record was restored, and may be filled yet;"
        f" compare again after {lands_by:%Y-%m-%d %H:%M:%S} UTC."
    )


def unreached(name: str) -> str:
    """What to tell of a mechanism, or a kind of place, that nothing here reaches."""
    return (
        f"Nothing in the configuration reaches {name} any more, so nobody has looked at what it"
        " left; configure that cloud again."
    )


def defect(exc: Exception) -> str:
    """What to tell of an error that nobody raised on purpose."""
    return f"jitcloud has a defect here: {type(exc).__name__}"
