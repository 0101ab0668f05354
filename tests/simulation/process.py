"""One driver of a world: the real core, put together as a process would, by its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud.advance import Advance
from jitcloud.asking import Patience
from jitcloud.broker import Broker
from jitcloud.catalog import Catalog
from jitcloud.converge import Converger
from jitcloud.directories.unreadable import Unreadable
from jitcloud.errors import Unavailable
from jitcloud.facts import Surroundings
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger
from jitcloud.model import Entitlement, EntitlementId, Place, RequestId, Slot, SlotKey
from jitcloud.policy import Policy
from jitcloud.ports import Directory, Mechanism, Signer, SlotKind, Store, Verifier
from jitcloud.reconcile import Compared, Reconciler
from jitcloud.sweep import sweep
from tests.simulation.chaos import Injector
from tests.simulation.clock import Skewed
from tests.simulation.organisation import policy
from tests.simulation.stage import LONGEST, Driver, Stage

PATIENCE = Patience(decision=timedelta(minutes=30), activation=timedelta(minutes=20))

BROKEN = "The simulated configuration is broken."


@dataclass
class Journal:
    """What is noted apart from the record, and not lost with it."""

    chaos: Injector
    _noted: dict[SlotKey, tuple[Place, datetime]] = field(default_factory=dict)

    def note(self, slot: Slot, now: datetime) -> None:
        self._reached()
        self._noted[slot.key] = (Place(key=slot.key, kind=slot.kind, where=slot.where), now)

    def cross_out(self, slot: Slot, now: datetime) -> None:  # noqa: ARG002 - it keeps only what counts
        self._reached()
        self._noted.pop(slot.key, None)

    def places(self) -> Iterator[tuple[Place, datetime]]:
        self._reached()
        yield from tuple(self._noted.values())

    def _reached(self) -> None:
        if self.chaos.strikes("journal", "unavailable", 0.03):
            raise Unavailable("The simulated journal cannot be reached just now.")


@dataclass(frozen=True, kw_only=True)
class Around:
    """What all drivers of a world have around them, as it is now."""

    stages: Mapping[str, Stage]
    directory: Directory
    signer: Signer
    verifier: Verifier
    journal: Journal
    entitlements: Callable[[], Mapping[EntitlementId, Entitlement]]
    """The catalog of this moment."""


class Process:
    """A driver. Started again it knows nothing any more but what is on record."""

    def __init__(self, name: str, clock: Skewed, around: Around, store: Store, text: str) -> None:
        self.name, self.clock, self.around = name, clock, around
        self.text = text
        """The policy text of its checkout."""
        self.store = store
        self.start()

    def start(self) -> None:
        """Put it together, as its configuration says now."""
        around = self.around
        mechanisms, kinds = self._joined()
        catalog = Catalog(dict(around.entitlements()))
        self.ledger = Ledger(self.store, around.signer, around.verifier)
        judge = Judge(
            policy(self.text),
            catalog,
            around.directory,
            mechanisms,
            look=Surroundings(),
            ledger=self.ledger,
            longest=LONGEST,
            renew=lambda: policy(self.text),
        )
        self._build(judge, kinds, around.journal)
        self.reconciler = Reconciler(
            ledger=self.ledger,
            kinds=kinds,
            mechanisms=mechanisms,
            catalog=catalog,
            clock=self.clock,
            journal=around.journal,
            ends_leaked=True,
        )

    def start_broken(self) -> None:
        """Put together what ends access, where nothing else can be read (P6)."""
        mechanisms, kinds = self._joined()
        self.ledger = Ledger(self.store, None, self.around.verifier)
        directory = Unreadable(BROKEN)
        judge = Judge(Policy.nothing(), Catalog({}), directory, mechanisms, renew=directory.policy)
        self._build(judge, kinds, None)

    def wake(self, *names: RequestId) -> None:
        """Do what requests call for now, as whoever was asked does."""
        for name in names:
            self.advance.wake(name)

    def sweep(self) -> tuple[tuple[str, str], ...]:
        """Do all that is due; return what could not be."""
        return sweep(self.advance).troubles

    def compare(self) -> Compared:
        """Compare the clouds with the record, for as long as it takes."""
        return self.reconciler.run()

    def _joined(self) -> tuple[dict[str, Mechanism], dict[str, SlotKind]]:
        mechanisms: dict[str, Mechanism] = {}
        kinds: dict[str, SlotKind] = {}
        driver = Driver(self.name, self.clock)
        for stage in self.around.stages.values():
            more, places = stage.join(driver)
            mechanisms.update(more)
            kinds.update(places)
        return mechanisms, kinds

    def _build(self, judge: Judge, kinds: Mapping[str, SlotKind], journal: Journal | None) -> None:
        self.broker = Broker(self.ledger, judge, PATIENCE)
        converger = Converger(self.store, kinds, self.clock, journal, self.ledger.doubts)
        self.advance = Advance(self.ledger, judge, converger)
