"""What chance decides: alike on every machine and every Python, and per step on its own.

Only ``random.Random.random`` is drawn from, whose numbers are promised to stay the same
(https://docs.python.org/3/library/random.html#notes-on-reproducibility).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws. The dice of one step say the same whatever the steps before have drawn."""

    def __init__(self, seed: int, step: int = -1) -> None:
        """Begin at a step of a seed; -1 is what was before the first."""
        self._random = random.Random(seed * 1_000_003 + step + 1).random  # noqa: S311 - to be repeated, not to be secret

    def fraction(self) -> float:
        """Draw from 0 up to 1, which it never is."""
        return self._random()

    def chance(self, of: float) -> bool:
        """Whether something happens that happens so often: never at 0, always at 1."""
        return self._random() < of

    def number(self, low: int, high: int) -> int:
        """Draw a whole number, both ends among them."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, among: Sequence[T]) -> T:
        """Draw one of them."""
        return among[int(self._random() * len(among))]

    def weighed(self, among: Sequence[tuple[float, T]]) -> T:
        """Draw one of them, by their weights."""
        left = self._random() * sum(weight for weight, _ in among)
        for weight, each in among:
            left -= weight
            if left < 0:
                return each
        return among[-1][1]

    def within(self, span: timedelta) -> timedelta:
        """Draw a time from nothing up to this, to the millisecond."""
        return timedelta(milliseconds=int(self._random() * (span.total_seconds() * 1000 + 1)))

    def bytes(self, count: int) -> bytes:
        """Draw bytes, for names."""
        words = (int(self._random() * 0x1_0000_0000) for _ in range(-(-count // 4)))
        return b"".join(word.to_bytes(4, "big") for word in words)[:count]
