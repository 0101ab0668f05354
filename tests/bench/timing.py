"""Times two things by turns, so that whatever else the machine does slows both alike."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles

MILLI = 1e3
MICRO = 1e6

Say = Callable[[str], None]
"""Tells whoever waits how far it is."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds of both, pair by pair."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of all pairs' ratios."""
        return median(self._ratios)

    @property
    def quiet_ratio(self) -> float:
        """The same of those moments in which nobody else was at work."""
        return quantiles(self.ours, n=10)[0] / quantiles(self.bare, n=10)[0]

    @property
    def middle_half(self) -> str:
        low, _, high = quantiles(self._ratios, n=4)
        return f"half of {len(self.ours)} pairs lie between {low:.2f} x and {high:.2f} x"

    @property
    def _ratios(self) -> list[float]:
        return [ours / bare for ours, bare in zip(self.ours, self.bare, strict=True)]


def by_turns(  # noqa: PLR0913 - how often, how long, and how
    ours: Callable[[], object],
    bare: Callable[[], object],
    *,
    pairs: int,
    seconds: float,
    warm: int = 3,
    rest: float = 0.0,
) -> Pairs:
    """Run both, each first as often as the other; stop early once the seconds are used up.

    Before each that counts nothing happens for ``rest`` seconds.
    """
    for _ in range(warm):
        ours()
        bare()
    gc.collect()
    measured: tuple[list[float], list[float]] = [], []
    give_up = time.monotonic() + seconds
    while len(measured[0]) < pairs and (len(measured[0]) < 10 or time.monotonic() < give_up):
        order = (0, 1) if len(measured[0]) % 2 == 0 else (1, 0)
        for which in order:
            time.sleep(rest)
            measured[which].append(seconds_of((ours, bare)[which]))
    return Pairs(tuple(measured[0]), tuple(measured[1]))


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def one_processor() -> Iterator[bool]:
    """Keep this thread, and those it starts meanwhile, on one core; tell whether that works here.

    macOS has no such call.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(every)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, every)
