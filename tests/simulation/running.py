"""Runs worlds, one seed after the other, on every core there is."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count, islice

from tests.simulation.shrink import Failure, tried
from tests.simulation.story import Masks, Ran, told
from tests.simulation.tally import Tally
from tests.simulation.world import World

AT_ONCE = 8
"""How many worlds a process is handed at once."""

Outcome = tuple[Ran | Failure, float]


def run(seed: int, *, real: bool = False) -> Outcome:
    """Live through one world; return what it came to, and the seconds that took."""
    begun = time.process_time()
    world = World(seed, real=real)
    try:
        ran: Ran | Failure = world.run()
    except AssertionError:
        # Told anew: a failure that is not one the second time is one of the simulation.
        failure = tried(seed, Masks(), real=real)
        if failure is None:
            message = f"Seed {seed} was broken once, and not again: it does not repeat."
            raise RuntimeError(message) from None
        ran = failure
    finally:
        world.close()
    return ran, time.process_time() - begun


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
    """Live through worlds on every core, for as long as anybody asks for more."""
    cores = cores or os.cpu_count() or 1
    if cores == 1:
        yield from (run(seed, real=real) for seed in count(first))
        return
    chunks = (range(at, at + AT_ONCE) for at in count(first, AT_ONCE))
    # Forked, a process would inherit whatever threads hold of this one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        waiting: set[Future[list[Outcome]]] = set()
        try:
            while True:
                for chunk in islice(chunks, 2 * cores - len(waiting)):
                    waiting.add(pool.submit(run_some, chunk, real=real))
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            for each in waiting:
                each.cancel()
