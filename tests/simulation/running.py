"""Runs worlds, one seed after the other, on every core there is."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import count, islice

from tests.simulation.shrink import Failure, tried
from tests.simulation.story import Masks, Ran, told
from tests.simulation.tally import Tally
from tests.simulation.world import World

AT_ONCE = 8
"""How many worlds a process is handed at once."""

AHEAD = 4
"""How many times as many a core may be ahead of the slowest."""

Outcome = tuple[Ran | Failure, float]


def run(seed: int, *, real: bool = False) -> Outcome:
    """Live through one world; return what it came to, and the seconds that took."""
    begun = time.process_time()
    with _left_alone():
        ran = _run(seed, real=real)
    return ran, time.process_time() - begun


def _run(seed: int, *, real: bool) -> Ran | Failure:
    world = World(seed, real=real)
    try:
        return world.run()
    except AssertionError:
        # Told anew: a failure that is not one the second time is one of the simulation.
        failure = tried(seed, Masks(), real=real)
        if failure is None:
            message = f"Seed {seed} was broken once, and not again: it does not repeat."
            raise RuntimeError(message) from None
        return failure
    finally:
        world.close()


@contextmanager
def _left_alone() -> Iterator[None]:
    """Have garbage collected once a world, and nothing that is older looked through for it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(1)
        if was_on:
            gc.enable()


def digest(seeds: Iterable[int]) -> str:
    """What is the same wherever these seeds are lived through: a hash of all their stories."""
    stories = hashlib.sha256()
    for seed in seeds:
        world = World(seed)
        try:
            world.run()
        finally:
            world.close()
        stories.update(told(world.story).encode())
    return stories.hexdigest()


def run_some(seeds: range, *, real: bool = False) -> list[Outcome]:
    """Live through some worlds; no further than to the first that is broken."""
    outcomes = []
    for seed in seeds:
        outcomes.append(run(seed, real=real))
        if isinstance(outcomes[-1][0], Failure):
            break
    return outcomes


def until(lifetimes: int, first: int, *, real: bool = False) -> tuple[Tally, Failure | None]:
    """Live through worlds, here, until there were so many lifetimes."""
    tally = Tally()
    for seed in count(first):
        ran, seconds = run(seed, real=real)
        if isinstance(ran, Failure):
            return tally, ran
        tally.add(ran, seconds)
        if tally.lifetimes >= lifetimes:
            return tally, None
    raise AssertionError("it counts for ever")


def everywhere(first: int, *, real: bool = False, cores: int | None = None) -> Iterator[Outcome]:
    """Live through worlds on every core, for as long as anybody asks for more.

    They come in the order of their seeds: which there were does not depend on how many cores.
    """
    cores = cores or os.cpu_count() or 1
    if cores == 1:
        yield from (run(seed, real=real) for seed in count(first))
        return
    chunks = (range(at, at + AT_ONCE) for at in count(first, AT_ONCE))
    # Forked, a process would inherit whatever threads hold of this one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        waiting: deque[Future[list[Outcome]]] = deque()
        try:
            while True:
                for chunk in islice(chunks, AHEAD * cores - len(waiting)):
                    waiting.append(pool.submit(run_some, chunk, real=real))
                yield from waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
