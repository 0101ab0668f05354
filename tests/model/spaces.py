"""Which models are explored, and the traces that cover what happens in them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import cache

from tests.model.checker import Space, Step, check_finishes, explore, walk
from tests.model.lifecycle_model import DRIVERS, NAMES, Lifecycle
from tests.model.lifecycle_state import State

WHOLE = Lifecycle()
"""Two drivers, two requests, a crash of each driver, one call that gets no answer."""

REDUCED = {
    "one driver, a late call": Lifecycle(drivers=1, crashes=0, duration=1),
    "one request, all faults": Lifecycle(requests=1, duration=1),
}
"""Together they have each kind of step, and take seconds."""

PROMPT = {
    "one request": Lifecycle(requests=1, duration=1, is_prompt=True),
    "one request, longer claims": Lifecycle(claim=2, requests=1, duration=1, is_prompt=True),
    "two requests": Lifecycle(drivers=1, duration=1, is_prompt=True),
}
"""Where whoever has something to do does it before time goes on."""

LARGER = {
    "no faults": Lifecycle(crashes=0, late_calls=0),
    "claims that last longer": Lifecycle(claim=2, drivers=1, duration=3),
    "settling that lasts longer than a claim": Lifecycle(settle=2, drivers=1, duration=2),
}


@cache
def explored(model: Lifecycle) -> Space[State]:
    """Explore a model, and check that whatever begins there ends."""
    space = explore(model)
    check_finishes(space)
    return space


Kind = Callable[[State, Step[State]], Hashable]


# ── Traces ───────────────────────────────────────────────────────────────────────────────────


def coarse(state: State, step: Step[State]) -> Hashable:
    """What is the same in two transitions of one kind: what is on record, by and large."""
    what = step.what
    for name in NAMES:
        what = what.replace(name, "a request")
    slot = state.slot
    requests = tuple(sorted((r.phase, r.looked) for r in state.requests))
    if step.who not in DRIVERS:
        return step.kind, what, requests
    return step.kind, what, requests, slot.standing, slot.seen, slot.settled


def fine(state: State, step: Step[State]) -> Hashable:
    """The same, and what whoever does it knows: all that makes a difference to the code.

    Not what others are about to do, which nobody can see; nor how many ticks are left of what is
    over all the same.
    """
    over = tuple(sorted((r.phase, r.looked, r.left > 0) for r in state.requests))
    slot = state.slot
    record = (over, slot.standing, slot.seen, slot.settled, slot.tried, slot.claim > 0)
    if step.who not in DRIVERS:
        return coarse(state, step), record
    driver = state.drivers[DRIVERS.index(step.who)]
    knows = (
        driver.known > 0,
        driver.saw,
        driver.settled,
        driver.doubtful,
        driver.call,
        driver.moved,
    )
    return coarse(state, step), record, knows


def traces(space: Space[State], kind_of: Kind) -> Iterator[tuple[State, list[Step[State]]]]:
    """Yield where to begin and what happens, until each kind of transition was part of a trace.

    The longest come first, for what lies on the way to them is covered by that.
    """
    left = _first_of_each_kind(space, kind_of)
    for kind in sorted(left, key=lambda kind: left[kind], reverse=True):
        if kind in left:
            begin, steps = _way_to(space, left[kind], kind, kind_of)
            covered = {kind_of(state, step) for state, step in _along(begin, steps)}
            for each in covered:
                left.pop(each, None)
            yield begin, steps + _further(space, steps[-1].then, left, kind_of)


def _first_of_each_kind(space: Space[State], kind_of: Kind) -> dict[Hashable, int]:
    found: dict[Hashable, int] = {}
    for number, state in enumerate(space.states):
        for step in space.model.steps(state):
            found.setdefault(kind_of(state, step), number)
    return found


def _way_to(
    space: Space[State], number: int, kind: Hashable, kind_of: Kind
) -> tuple[State, list[Step[State]]]:
    way = [space.states[each] for each in space.path(number)]
    steps = walk(space.model, way)
    begin = next(s for s in space.model.beginnings() if space.model.canonical(s) == way[0])
    state = steps[-1].then if steps else begin
    last = next(s for s in space.model.steps(state) if kind_of(state, s) == kind)
    return begin, [*steps, last]


def _along(begin: State, steps: list[Step[State]]) -> Iterator[tuple[State, Step[State]]]:
    state = begin
    for step in steps:
        yield state, step
        state = step.then


def _further(
    space: Space[State], state: State, left: dict[Hashable, int], kind_of: Kind
) -> list[Step[State]]:
    """What may happen next that was in no trace yet, for as long as there is something."""
    steps: list[Step[State]] = []
    while True:
        new = ((kind_of(state, step), step) for step in space.model.steps(state))
        kind, step = next(((k, s) for k, s in new if k in left), (None, None))
        if kind is None or step is None:
            return steps
        del left[kind]
        steps.append(step)
        state = step.then
