"""Makes the story of a broken promise shorter: without whatever it does without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.simulation.promises import Broken
from tests.simulation.stage import PEOPLE
from tests.simulation.story import Masks, told
from tests.simulation.world import World

T = TypeVar("T")

WITHIN = 90.0
"""For how many seconds a story is shortened at the most."""


@dataclass(frozen=True)
class Failure:
    """A broken promise, as short as it could be made."""

    seed: int
    masks: Masks
    why: str
    story: str
    steps: int
    real: bool = False

    def __str__(self) -> str:
        real = " --real" if self.real else ""
        return (
            f"seed {self.seed}: {self.why}\n\n{self.story}\n\n"
            f"again:  python -m tests.simulation --seed {self.seed}{real}{as_options(self.masks)}"
        )


def tried(seed: int, masks: Masks, *, real: bool = False) -> Failure | None:
    """Live through a world; return what was broken in it, if anything was."""
    world = World(seed, masks, real=real)
    try:
        world.run()
    except Broken as exc:
        last = max((line.step for line in world.story), default=0)
        why = str(exc).partition("\n")[0]
        return Failure(seed, masks, why, told(world.story), min(last, world.steps) + 1, real)
    finally:
        world.close()
    return None


def shrunk(failure: Failure, within: float = WITHIN) -> Failure:
    """Leave out whatever the same promise is broken without."""
    give_up = time.monotonic() + within
    promise = failure.why.partition(":")[0]
    best = failure

    def still(masks: Masks) -> bool:
        nonlocal best
        if time.monotonic() > give_up:
            return False
        again = tried(failure.seed, masks, real=failure.real)
        if again is None or not again.why.startswith(promise):
            return False
        best = again
        return True

    def with_steps(left_out: frozenset[int]) -> Masks:
        return replace(best.masks, steps=best.masks.steps | left_out)

    world = World(failure.seed, failure.masks, real=failure.real)
    stages = tuple(world.stages)
    steps = world.steps
    world.close()
    _without(range(failure.steps, steps), lambda each: still(with_steps(each)))
    for stage in stages:
        still(replace(best.masks, stages=best.masks.stages | {stage}))
    for person in PEOPLE:
        still(replace(best.masks, people=best.masks.people | {person}))
    _without(range(best.steps), lambda each: still(with_steps(each)))
    _without(
        _faults(failure, best),
        lambda each: still(replace(best.masks, faults=best.masks.faults | each)),
    )
    _without(range(best.steps), lambda each: still(with_steps(each)))
    return best


def _faults(failure: Failure, best: Failure) -> Sequence[tuple[int, int]]:
    world = World(failure.seed, best.masks, real=failure.real)
    try:
        world.run()
    except Broken:
        pass
    finally:
        world.close()
    return tuple(dict.fromkeys(world.chaos.faults))


def _without(among: Sequence[T], still: Callable[[frozenset[T]], bool]) -> None:
    """Leave out as many as possible, in pieces that become smaller (delta debugging)."""
    left = list(among)
    size = len(left)
    while size and left:
        kept: list[T] = []
        for at in range(0, len(left), size):
            piece = left[at : at + size]
            if not still(frozenset(piece)):
                kept += piece
        left = kept
        size //= 2


def as_options(masks: Masks) -> str:
    """Write masks as the options that read them."""
    said = ""
    if masks.steps:
        said += f" --without-steps {_ranges(masks.steps)}"
    if masks.faults:
        said += " --without-faults " + ",".join(f"{a}.{b}" for a, b in sorted(masks.faults))
    if masks.stages:
        said += f" --without-stages {','.join(sorted(masks.stages))}"
    if masks.people:
        said += f" --without-people {','.join(sorted(masks.people))}"
    return said


def _ranges(numbers: Iterable[int]) -> str:
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def read_ranges(text: str) -> frozenset[int]:
    """Read what ``_ranges`` wrote."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
