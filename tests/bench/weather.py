"""What a cloud does to the broker while it lets somebody in or out: four kinds of weather.

It stands in for the faults of ``tests/simulation``, which strike at random: here one kind of
trouble strikes at a time, at the moment that matters, so that what it costs can be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from tests.faults import Killed
from tests.simulation.clock import Clock
from tests.simulation.dice import Dice
from tests.simulation.stage import Call, Does, Trouble

T = TypeVar("T")

LATENCY = timedelta(milliseconds=300)
"""A call takes up to so long, evenly drawn."""

THROTTLED = 0.2
"""How many of all calls are refused while a cloud is throttled."""

OUTAGE = timedelta(minutes=10)
"""For how long a cloud is down at the most after the moment that matters, evenly drawn."""

AT_CALL = 4
"""At which call of a grant, or an end, a process dies: one of the first so many, before or after
that call has done its work."""

AWAY = timedelta(seconds=30)
"""How long it takes until a process that died is there again."""


class Kind(StrEnum):
    """What the weather is like."""

    CALM = "calm"
    THROTTLED = "throttled"
    OUTAGE = "outage"
    RESTART = "restart"


@dataclass
class Weather:
    """The ``Chaos`` of one life: calm until it begins, and from then on of one kind."""

    clock: Clock
    dice: Dice
    kind: Kind
    watch: Callable[[], None]
    """Told whenever the clock has moved."""
    calls: Counter[str] = field(default_factory=Counter)
    """By what the cloud calls each: how often it was called."""
    struck: int = 0
    """How often something went wrong."""
    changed_at: datetime | None = None
    """When the cloud last did what it was told, or had to by itself."""
    back_at: datetime | None = None
    """When a cloud that is down is there again."""
    _has_begun: bool = False
    _deaths: int = 0
    """How many calls are left until the process dies; none where it does not."""
    _dies_before: bool = False

    def begin(self, matters_at: datetime) -> None:
        """Have it begin, a moment before the one that matters at the most."""
        self._has_begun, self.changed_at = True, matters_at
        if self.kind is Kind.OUTAGE:
            self.back_at = matters_at + self.dice.within(OUTAGE)
        if self.kind is Kind.RESTART:
            self._deaths = self.dice.number(1, AT_CALL)
            self._dies_before = self.dice.chance(0.5)

    def call(self, call: Call, do: Callable[[], T], fails: Callable[[Trouble], Exception]) -> T:
        """Pass one call to the cloud; see ``tests.simulation.stage.Chaos``."""
        self.calls[call.name] += 1
        self.forward(self.dice.within(LATENCY))
        trouble = self._trouble()
        if trouble is not None:
            self.struck += 1
            raise fails(trouble)
        dies = self._dies()
        if dies and self._dies_before:
            raise Killed
        answer = do()
        if call.does is not Does.READ:
            self.changed_at = self.clock()
        if dies:
            raise Killed
        self.watch()
        return answer

    def age(self, stage: str, settle: timedelta) -> timedelta:  # noqa: ARG002 - whatever is read
        """Return nothing: what is read is as it is now."""
        return timedelta(0)

    def at(self, instant: datetime, do: Callable[[], object]) -> None:
        """Have the cloud do something then."""
        self.clock.at(instant, do)

    def strikes(self, stage: str, fault: str, chance: float) -> bool:  # noqa: ARG002 - whatever it is
        """Say no: nothing goes wrong but what this weather is about."""
        return False

    def forward(self, by: timedelta) -> None:
        """Let time pass, with a look at the clouds after it."""
        self.clock.forward(by)
        self.watch()

    def _trouble(self) -> Trouble | None:
        if not self._has_begun:
            return None
        if self.kind is Kind.THROTTLED and self.dice.chance(THROTTLED):
            return Trouble.THROTTLED
        if self.back_at is not None and self.clock() < self.back_at:
            return Trouble.DOWN
        return None

    def _dies(self) -> bool:
        if not self._deaths:
            return False
        self._deaths -= 1
        self.struck += self._deaths == 0
        return self._deaths == 0
