"""What goes wrong, and when: every call that leaves the core passes through here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from jitcloud.errors import Unavailable
from tests.faults import Killed
from tests.simulation.clock import Clock
from tests.simulation.dice import Dice
from tests.simulation.stage import Call, Does, Trouble

T = TypeVar("T")

KILLED_BEFORE = "killed before"
KILLED_AFTER = "killed after"
THROTTLED = "throttled"
UNANSWERED = "unanswered"
LOST = "lost"
LATE = "late"
TWICE = "arrives twice"
DOWN = "refused by a cloud that is down"
STALE = "is stale"
MIDDLE = "somebody acts in the middle of a call"

OF_A_READ = ((1.0, KILLED_BEFORE), (0.7, KILLED_AFTER), (2.0, THROTTLED), (2.0, UNANSWERED))
OF_A_WRITE = (
    (1.5, KILLED_BEFORE),
    (1.5, KILLED_AFTER),
    (2.0, THROTTLED),
    (2.0, LOST),
    (2.0, UNANSWERED),
    (3.0, LATE),
    (1.5, TWICE),
)
READS, WRITES, STALES = 0.035, 0.11, 0.15
"""How often something goes wrong with a read and a write, and how often a read is stale."""

RARE = 4.0
"""How much more often something goes wrong with the first writes of a kind in a world: else little
would ever go wrong with what is seldom written, such as a deny document."""

GOES_DOWN, OUTAGE = 0.004, timedelta(minutes=10)
"""How often a cloud goes down just before it is told something, and for how long at the most."""

READS_OF_A_FAILURE = 1500
"""In how many reads of the store one fails."""

INTERLEAVED = 0.03
"""How often somebody else acts in the middle of a call."""

DEEP = 2
"""How many acts may be in the middle of one another."""

LATENCY = timedelta(milliseconds=300)
COMMITS_WITHIN = timedelta(seconds=1)

Fault = tuple[int, int]
"""Which step, and which fault of it: by these one is masked when a story is shrunk."""


def faults_of(calls: Iterable[Call]) -> frozenset[str]:
    """Name all that can go wrong with a stage's calls, as it is counted."""
    named: set[str] = set()
    for call in calls:
        each = OF_A_READ if call.does is Does.READ else OF_A_WRITE
        named |= {f"{call.stage}: {call.does} {fault}" for _, fault in each}
        named.add(f"{call.stage}: {call.does} {DOWN}")
    return frozenset(named)


@dataclass
class Injector:
    """Decides what goes wrong next, counts what did, and lets others act meanwhile."""

    clock: Clock
    dice: Dice
    weather: float = 1.0
    """How much goes wrong in this world, beside the usual."""
    masked: frozenset[Fault] = frozenset()
    on: bool = True
    meanwhile: Callable[[], None] | None = None
    """Lets somebody else act in the middle of a call."""
    struck: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    """What went wrong since the step began, for its line in the story."""
    faults: list[Fault] = field(default_factory=list)
    """All that struck, by which each can be masked."""
    trouble_at: dict[str, datetime] = field(default_factory=dict)
    """When something last went wrong: by stage, and under the empty name what was none's."""
    _down: dict[str, datetime] = field(default_factory=dict)
    _written: Counter[tuple[str, Does]] = field(default_factory=Counter)
    """How often each stage was told something, by what for."""
    step: int = -1
    calls: int = 0
    """How many calls there were."""
    _count: int = 0
    _reads_left: int = 0
    _depth: int = 0
    _limit: datetime | None = None

    def begin(self, step: int, dice: Dice) -> None:
        """Begin a step with dice of its own."""
        self.dice, self.step, self._count = dice, step, 0
        # Which read of the store fails in this step, if it comes to that: reads are too many to
        # be drawn one by one.
        self._reads_left = int(dice.fraction() * READS_OF_A_FAILURE / max(self.weather, 0.1))
        self.told.clear()

    def strikes(self, stage: str, fault: str, chance: float) -> bool:
        """Whether a fault strikes that has no more to it than that."""
        if chance < 1 and (not self.on or not self.dice.chance(chance * self.weather)):
            return False
        return self._struck(stage, fault)

    def go_down(self, stage: str, until: datetime) -> None:
        """Have a cloud refuse everything until then."""
        self._down[stage] = until

    def calm(self) -> None:
        """Let nothing go wrong any more, but for clouds that are down."""
        self.on, self.weather, self.meanwhile, self._reads_left = True, 0.0, None, 0

    def is_down(self, stage: str) -> bool:
        """Whether a cloud refuses everything now."""
        until = self._down.get(stage)
        return self.on and until is not None and self.clock.now < until

    def call(self, call: Call, do: Callable[[], T], fails: Callable[[Trouble], Exception]) -> T:
        """Pass one call to a cloud; see ``stage.Chaos``."""
        self.calls += 1
        if not self.on:
            return do()
        begun = self.clock.now
        ends = begun + call.timeout
        self._pass(self.dice.within(LATENCY), ends)
        self.interleave(ends)
        often = self._how_often(call)
        if self._refuses(call, often):
            self._struck(call.stage, f"{call.does} {DOWN}")
            raise fails(Trouble.DOWN)
        fault = self._drawn(call, often)
        if fault == KILLED_BEFORE:
            raise Killed
        if fault == THROTTLED:
            raise fails(Trouble.THROTTLED)
        if fault in {LOST, LATE}:
            gives_up = self.dice.within(call.timeout)
            if fault == LATE:
                lands = max(self.clock.now, begun + max(gives_up, self.dice.within(call.timeout)))
                self.clock.at(lands, lambda: _quietly(do))
            self._pass(gives_up, ends)
            raise fails(Trouble.NO_ANSWER)
        answer = do()
        if fault == TWICE:
            _quietly(do)
        if fault == KILLED_AFTER:
            raise Killed
        if fault == UNANSWERED:
            self._pass(self.dice.within(call.timeout), ends)
            raise fails(Trouble.NO_ANSWER)
        self.interleave(ends)
        return answer

    def age(self, stage: str, settle: timedelta) -> timedelta:
        """How old an answer is; see ``stage.Chaos``."""
        if settle and self.strikes(stage, STALE, STALES):
            return self.dice.within(settle)
        return timedelta(0)

    def at(self, instant: datetime, do: Callable[[], object]) -> None:
        """Have a cloud do something then."""
        self.clock.at(instant, do)

    def read_fails(self) -> bool:
        """Whether a read of the store cannot be done."""
        self._reads_left -= 1
        return self._reads_left == 0 and self.on and self._struck("store", "read unavailable")

    def commit(self, write: Callable[[], None]) -> None:
        """Pass one commit to the store: it is done or not, or whoever makes it dies around it."""
        self.interleave(self.clock.now + COMMITS_WITHIN)
        if self.strikes("store", KILLED_BEFORE, 0.006):
            raise Killed
        if self.strikes("store", "commit unavailable", 0.01):
            raise Unavailable("The simulated store takes no commits just now.")
        write()
        if self.strikes("store", KILLED_AFTER, 0.006):
            raise Killed

    def interleave(self, until: datetime) -> None:
        """Perhaps let somebody else act just here; it is over by then."""
        if self.meanwhile is None or self._depth >= DEEP or not self.on:
            return
        if not self.dice.chance(INTERLEAVED):
            return
        if not self._struck("", MIDDLE):
            return
        self.told.pop()
        self._depth += 1
        limit = self._limit
        self._limit = until if limit is None else min(limit, until)
        kept = self.told
        self.told = []
        try:
            self.meanwhile()
        finally:
            kept += self.told
            self.told = kept
            self._limit = limit
            self._depth -= 1

    @property
    def is_nested(self) -> bool:
        """Whether this is in the middle of somebody else's call."""
        return self._depth > 0

    def _pass(self, by: timedelta, until: datetime) -> None:
        """Let time pass, but not beyond what a call may take; nor one that this is within."""
        instant = min(self.clock.now + by, until)
        self.clock.to(instant if self._limit is None else min(instant, self._limit))

    def _how_often(self, call: Call) -> float:
        """How much more goes wrong with a call than with most of those that do the same."""
        if call.does is Does.READ:
            return 1.0
        known = self._written[call.stage, call.does]
        self._written[call.stage, call.does] += 1
        return 1.0 + (RARE - 1.0) / (1 + known)

    def _refuses(self, call: Call, often: float) -> bool:
        """Whether a cloud is down: perhaps since just now, though it was read a moment ago."""
        if call.does is not Does.READ and self.dice.chance(GOES_DOWN * often**2 * self.weather):
            self.go_down(call.stage, self.clock.now + self.dice.within(OUTAGE))
        return self.is_down(call.stage)

    def _drawn(self, call: Call, often: float) -> str | None:
        reads = call.does is Does.READ
        if not self.dice.chance((READS if reads else WRITES) * often * self.weather):
            return None
        fault = self.dice.weighed(OF_A_READ if reads else OF_A_WRITE)
        return fault if self._struck(call.stage, f"{call.does} {fault}", call.name) else None

    def _struck(self, stage: str, fault: str, name: str = "") -> bool:
        """Count a fault, unless it is masked."""
        which = (self.step, self._count)
        self._count += 1
        if which in self.masked:
            return False
        self.faults.append(which)
        self.struck[f"{stage}: {fault}" if stage else fault] += 1
        self.trouble_at[stage] = self.clock.now
        self.told.append(f"{name or stage} {fault}".strip())
        return True


def _quietly(do: Callable[[], object]) -> None:
    """Land a call that nobody waits for any more, refused or not."""
    try:
        do()
    except Killed:
        raise
    except Exception:  # noqa: BLE001 - its answer reaches nobody
        return
