"""``python -m tests.simulation``: lifetimes by the thousand, or one seed's story again."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.running import digest, everywhere
from tests.simulation.shrink import Failure, read_ranges, shrunk, tried
from tests.simulation.story import Masks, told
from tests.simulation.tally import Tally
from tests.simulation.world import World


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments say; 0 where every promise was kept and every fault struck."""
    asked = _arguments().parse_args(argv)
    if asked.digest:
        _print(digest(range(1, asked.digest + 1)))
        return 0
    if asked.seed is not None:
        return _one(asked.seed, _masks(asked), real=asked.real)
    return _many(asked)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("lifetimes", type=int, nargs="?", default=10_000, help="how many, at least")
    parser.add_argument("first", type=int, nargs="?", default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="tell the story of this seed alone")
    parser.add_argument("--digest", type=int, help="print what so many stories hash to")
    parser.add_argument("--real", action="store_true", help="through the clouds' own SDKs")
    parser.add_argument("--cores", type=int, help="on how many; all of them unless told")
    parser.add_argument("--minutes", type=float, default=120.0, help="for how long at the most")
    parser.add_argument("--without-steps", default="", help="such as 3,7-19")
    parser.add_argument("--without-faults", default="", help="such as 3.1,20.0: step and number")
    parser.add_argument("--without-stages", default="")
    parser.add_argument("--without-people", default="")
    return parser


def _masks(asked: argparse.Namespace) -> Masks:
    faults = (each.split(".") for each in asked.without_faults.split(",") if each)
    return Masks(
        steps=read_ranges(asked.without_steps),
        faults=frozenset((int(step), int(number)) for step, number in faults),
        stages=frozenset(filter(None, asked.without_stages.split(","))),
        people=frozenset(filter(None, asked.without_people.split(","))),
    )


def _one(seed: int, masks: Masks, *, real: bool) -> int:
    failure = tried(seed, masks, real=real)
    if failure is not None:
        _print(str(failure))
        return 1
    world = World(seed, masks, real=real)
    try:
        ran = world.run()
    finally:
        world.close()
    _print(f"{told(world.story)}\n\nseed {seed}: {ran.lifetimes} lifetimes, every promise kept")
    return 0


def _many(asked: argparse.Namespace) -> int:
    lifetimes, first, real = asked.lifetimes, asked.first, asked.real
    tally, failure = Tally(), None
    give_up = time.monotonic() + asked.minutes * 60
    console = Console(stderr=True)
    columns = (TextColumn("lifetimes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=lifetimes)
        for ran, seconds in everywhere(first, real=real, cores=asked.cores):
            if isinstance(ran, Failure):
                failure = ran
                break
            tally.add(ran, seconds)
            progress.update(bar, completed=tally.lifetimes)
            if tally.lifetimes >= lifetimes or time.monotonic() > give_up:
                break
    _print(f"seeds {first} to {first + tally.worlds - 1}")
    _print("\n".join(tally.lines()))
    if failure is not None:
        _print("\na promise was broken; its story is made shorter ...\n")
        _print(str(shrunk(failure)))
        return 1
    if tally.lifetimes < lifetimes:
        _print(f"\nno time is left for the other {lifetimes - tally.lifetimes}")
        return 1
    missing = tally.missing(real=real)
    if missing:
        _print(f"\nnever struck, or never happened: {', '.join(missing)}")
        return 1
    return 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
