"""What many worlds have come to: how many lifetimes, what struck, what happened, how late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import get_args

from jitcloud.model import Happening
from tests.simulation.chaos import MIDDLE, faults_of
from tests.simulation.registered import STAGES
from tests.simulation.stage import Stage
from tests.simulation.story import Ran

EVERYWHERE = frozenset(
    {
        MIDDLE,
        "store: killed before",
        "store: killed after",
        "store: commit unavailable",
        "store: read unavailable",
        "directory: unavailable",
        "journal: unavailable",
        "signer: unavailable",
    }
)
"""What can go wrong whichever cloud there is."""

HAPPENINGS = frozenset(type_.__dataclass_fields__["type"].default for type_ in get_args(Happening))


def every_fault(*, real: bool = False) -> frozenset[str]:
    """Name all that can go wrong: a run in which one of them never struck proves too little."""
    made = [each.real if real else each.quick for each in STAGES]
    return EVERYWHERE.union(*(_of(stage) for stage in made if stage is not None))


def _of(stage: type[Stage]) -> frozenset[str]:
    return faults_of(stage.calls) | {f"{stage.name}: {fault}" for fault in stage.own_faults}


@dataclass
class Tally:
    """The sum of what worlds have come to."""

    worlds: int = 0
    lifetimes: int = 0
    seconds: float = 0.0
    """Of the processor, all cores together."""
    struck: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    longest: dict[str, timedelta] = field(default_factory=dict)
    calm: dict[str, timedelta] = field(default_factory=dict)

    def add(self, ran: Ran, seconds: float) -> None:
        """Count one more world."""
        self.worlds += 1
        self.lifetimes += ran.lifetimes
        self.seconds += seconds
        self.struck.update(ran.struck)
        self.happened.update(ran.happened)
        _latest(self.longest, ran.longest)
        _latest(self.calm, ran.calm)

    def missing(self, *, real: bool = False) -> tuple[str, ...]:
        """What never struck, and what never happened."""
        never_struck = every_fault(real=real) - self.struck.keys()
        never_happened = HAPPENINGS - self.happened.keys()
        return (*sorted(never_struck), *sorted(never_happened))

    def lines(self) -> Iterable[str]:
        """Tell all of it."""
        per_second = self.lifetimes / self.seconds if self.seconds else 0.0
        yield (
            f"{self.lifetimes} lifetimes in {self.worlds} worlds, "
            f"{per_second:.0f} a second on one core"
        )
        yield "faults that struck:"
        yield from (f"  {count:>8}  {what}" for what, count in sorted(self.struck.items()))
        yield "what happened:"
        yield from (f"  {count:>8}  {what}" for what, count in sorted(self.happened.items()))
        yield "longest overstay: in all, and where neither a fault nor a late sweep is to blame"
        for stage in sorted(self.longest):
            calm = self.calm.get(stage, timedelta(0)).total_seconds()
            yield f"  {self.longest[stage].total_seconds():>8.1f} s {calm:>6.1f} s  {stage}"


def _latest(known: dict[str, timedelta], more: dict[str, timedelta]) -> None:
    for stage, each in more.items():
        known[stage] = max(each, known.get(stage, each))
