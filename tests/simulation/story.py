"""The story of a world, line by line; what was left out of it, and what it came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.simulation.chaos import Fault


@dataclass(frozen=True)
class Masks:
    """What is left out of a world, to make its story shorter."""

    steps: frozenset[int] = frozenset()
    faults: frozenset[Fault] = frozenset()
    stages: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()


@dataclass
class Line:
    """One line of a story."""

    at: datetime
    step: int
    said: str
    faults: tuple[str, ...]

    def __str__(self) -> str:
        counted = Counter(self.faults)
        every = [each if n == 1 else f"{each} ({n} times)" for each, n in counted.items()]
        went_wrong = "".join(f"\n                 {each}" for each in every)
        return f"{self.at:%H:%M:%S} {self.step:>3}  {self.said}{went_wrong}"


@dataclass
class Ran:
    """What one world has come to."""

    seed: int
    lifetimes: int
    struck: dict[str, int]
    happened: dict[str, int]
    longest: dict[str, timedelta] = field(default_factory=dict)
    calm: dict[str, timedelta] = field(default_factory=dict)


def told(lines: Sequence[Line]) -> str:
    """Write a story."""
    return "\n".join(str(line) for line in lines)
