"""A small explicit-state checker: every state that a model can reach, breadth first.

It knows nothing of what it checks. A model is a function from a state to its next states; states
are hashable and compare by value, and two that differ only in names may be told to be one
(``canonical``), which is sound where the model treats those names alike.

**Safety.** ``broken`` is asked of every state, as TLC does with an invariant (L. Lamport,
Specifying Systems, 2002, chapter 14). States are visited breadth first, so the first violation
found has a shortest trace.

**Liveness.** "Every run comes to rest" is checked in two ways.

* From every state a state can be reached in which all is finished (CTL: AG EF finished). Weaker
  than what is meant, but needs no assumption.
* No run is both fair and unfinished for ever. A run is fair if what the model names as rare
  happens in it finitely often only, and if, for each kind of step that the model names as fair,
  a run that has such a step before it infinitely often takes such a step infinitely often
  (strong fairness). A run that never ends stays, from some point on, in one
  strongly connected set of states and visits all of it again and again; so it suffices that no
  strongly connected set with an unfinished state is fair. Whether one is: where a fair kind of
  step can be taken in the set, but stays inside it nowhere, the states which it can be taken in
  are dropped, for a fair run visits them finitely often only; what is left is divided into
  strongly connected sets anew. What nothing has to be dropped of is fair. (C. Baier and J.-P.
  Katoen, Principles of Model Checking, 2008, section 6.5; E. A. Emerson and C.-L. Lei,
  Modalities for Model Checking, 1987.)
  A state without a next state is a run that ends there, and must be finished.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """One step of a model: what happens, in words, which kind of thing that is, and what then is.

    The kind names no one in particular, so that it is the same in all states told to be one.
    """

    kind: str
    who: str
    what: str
    then: S

    def __str__(self) -> str:
        return f"{self.who} {self.what}".strip()


class Model(Protocol[S]):
    """What is checked."""

    @property
    def fair(self) -> frozenset[str]:
        """The kinds of step that are not put off for ever."""
        ...

    @property
    def rare(self) -> frozenset[str]:
        """The kinds of step that do not happen again and again for ever."""
        ...

    def beginnings(self) -> Iterable[S]:
        """The states that a run begins in."""
        ...

    def steps(self, state: S) -> Iterable[Step[S]]:
        """What may happen next."""
        ...

    def broken(self, state: S) -> str:
        """Which invariant a state breaks, and how; empty if none."""
        ...

    def is_finished(self, state: S) -> bool:
        """Whether all that was to be done is done."""
        ...

    def canonical(self, state: S) -> S:
        """The one state that stands for this and all that differ from it by names only."""
        ...


class Violated(AssertionError):
    """What must be true is not. Its text is the shortest trace that leads there."""

    def __init__(self, what: str, trace: Sequence[str]) -> None:
        numbered = [f"{number:3}. {line}" for number, line in enumerate(trace, 1)]
        super().__init__("\n".join([what, *numbered]))
        self.what = what
        self.trace = tuple(trace)


@dataclass
class Space(Generic[S]):
    """All states that were reached, numbered in the order in which they were."""

    model: Model[S]
    states: list[S] = field(default_factory=list)
    depth: int = 0
    """How many steps the state lies away that is reached last."""
    kinds: list[str] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    """How many transitions there are of each kind."""
    parents: array[int] = field(default_factory=lambda: array("l"))
    first: array[int] = field(default_factory=lambda: array("l"))
    """Where the transitions of a state begin; one more than there are states."""
    targets: array[int] = field(default_factory=lambda: array("l"))
    labels: array[int] = field(default_factory=lambda: array("h"))

    @property
    def transitions(self) -> int:
        return len(self.targets)

    def leaving(self, state: int) -> Iterator[tuple[int, int]]:
        """Yield the kind and the target of each transition of a state."""
        for edge in range(self.first[state], self.first[state + 1]):
            yield self.labels[edge], self.targets[edge]

    def staying(self, state: int) -> Iterator[tuple[int, int]]:
        """The same, without what is rare."""
        rare = {label for label, kind in enumerate(self.kinds) if kind in self.model.rare}
        return ((label, target) for label, target in self.leaving(state) if label not in rare)

    def path(self, state: int) -> list[int]:
        """The shortest way to a state, from where it begins."""
        way = [state]
        while self.parents[way[-1]] >= 0:
            way.append(self.parents[way[-1]])
        return way[::-1]


def explore(model: Model[S], most: int = 20_000_000) -> Space[S]:
    """Visit every state. Raises ``Violated`` with a shortest trace to the first that is broken.

    ``most`` bounds how many transitions are followed; more is a mistake in the model.
    """
    space: Space[S] = Space(model)
    index: dict[S, int] = {}
    numbers: dict[str, int] = {}
    depths = array("h")

    def reach(state: S, parent: int) -> int:
        known = index.get(state)
        if known is not None:
            return known
        number = index[state] = len(space.states)
        space.states.append(state)
        space.parents.append(parent)
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
        broken = model.broken(state)
        if broken:
            raise Violated(broken, told(space, number))
        return number

    for state in model.beginnings():
        reach(model.canonical(state), -1)
    number = 0
    while number < len(space.states):
        space.first.append(len(space.targets))
        for step in model.steps(space.states[number]):
            space.targets.append(reach(model.canonical(step.then), number))
            space.labels.append(numbers.setdefault(step.kind, len(numbers)))
        if len(space.targets) > most:
            raise AssertionError(f"more than {most} transitions: the model has no bound")
        number += 1
    space.first.append(len(space.targets))
    space.kinds = list(numbers)
    space.depth = max(depths)
    counted = Counter(space.labels)
    space.taken = Counter({kind: counted[label] for label, kind in enumerate(space.kinds)})
    return space


def walk(model: Model[S], way: Sequence[S]) -> list[Step[S]]:
    """Steps that lead through these canonical states, with the same names from end to end."""
    state = next(each for each in model.beginnings() if model.canonical(each) == way[0])
    taken = []
    for wanted in way[1:]:
        step = next(s for s in model.steps(state) if model.canonical(s.then) == wanted)
        taken.append(step)
        state = step.then
    return taken


def told(space: Space[S], state: int) -> list[str]:
    """The shortest trace to a state, in words."""
    way = [space.states[number] for number in space.path(state)]
    return [str(step) for step in walk(space.model, way)]


# ── Liveness ─────────────────────────────────────────────────────────────────────────────────


def check_finishes(space: Space[S]) -> None:
    """Raise ``Violated`` where a run may go on for ever, or stop, with something unfinished."""
    finished = bytearray(map(space.model.is_finished, space.states))
    _check_reachable(space, finished)
    _check_fair(space, finished)


def _check_reachable(space: Space[S], finished: bytearray) -> None:
    before: list[list[int]] = [[] for _ in space.states]
    for state in range(len(space.states)):
        for _, target in space.leaving(state):
            before[target].append(state)
    reaches = bytearray(finished)
    todo = [state for state, is_finished in enumerate(finished) if is_finished]
    while todo:
        for state in before[todo.pop()]:
            if not reaches[state]:
                reaches[state] = 1
                todo.append(state)
    stuck = reaches.find(0)
    if stuck >= 0:
        raise Violated("From here nothing leads to an end of all requests.", told(space, stuck))


def _check_fair(space: Space[S], finished: bytearray) -> None:
    fair = {label for label, kind in enumerate(space.kinds) if kind in space.model.fair}
    todo = _divided(space, range(len(space.states)))
    while todo:
        part = todo.pop()
        inside = set(part)
        if all(finished[state] for state in part):
            continue
        dropped = _put_off_for_ever(space, inside, fair)
        if not dropped:
            worst = min(state for state in part if not finished[state])
            lines = told(space, worst)
            round_ = _round(space, worst, inside)
            raise Violated(
                "A fair run goes round for ever, and something is never finished.",
                [*lines, *(f"(for ever) {line}" for line in round_)],
            )
        todo += _divided(space, sorted(inside - dropped))


def _put_off_for_ever(space: Space[S], inside: set[int], fair: set[int]) -> set[int]:
    """The states that a fair run which stays inside visits finitely often only."""
    can: dict[int, set[int]] = {}
    does: set[int] = set()
    for state in inside:
        for label, target in space.staying(state):
            if label in fair:
                can.setdefault(label, set()).add(state)
                if target in inside:
                    does.add(label)
    return set().union(*(states for label, states in can.items() if label not in does))


def _round(space: Space[S], begin: int, inside: set[int]) -> list[str]:
    """The shortest way from a state back to it, in words."""
    came: dict[int, int] = {}
    todo = [begin]
    for state in todo:
        for _, target in space.staying(state):
            if target in inside and target not in came:
                came[target] = state
                todo.append(target)
    way = [begin, came[begin]]
    while way[-1] != begin:
        way.append(came[way[-1]])
    lines = []
    for here, wanted in pairwise(space.states[number] for number in way[::-1]):
        steps = space.model.steps(here)
        lines.append(str(next(s for s in steps if space.model.canonical(s.then) == wanted)))
    return lines


def _divided(space: Space[S], states: Iterable[int]) -> list[list[int]]:
    """The strongly connected sets among these states that a run can stay in."""
    return _Division(space, set(states)).parts()


class _Division(Generic[S]):
    """The algorithm of R. Tarjan (Depth-first search and linear graph algorithms, 1972)."""

    def __init__(self, space: Space[S], among: set[int]) -> None:
        self._space, self._among = space, among
        self._rare = {n for n, kind in enumerate(space.kinds) if kind in space.model.rare}
        self._order: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._waiting: set[int] = set()

    def parts(self) -> list[list[int]]:
        found = []
        for root in sorted(self._among):
            if root not in self._order:
                found += [part for part in self._from(root) if self._can_stay(part)]
        return found

    def _from(self, root: int) -> Iterator[list[int]]:
        work = [(root, self._enter(root))]
        while work:
            state, targets = work[-1]
            deeper = next((t for t in targets if not self._is_known(state, t)), None)
            if deeper is not None:
                work.append((deeper, self._enter(deeper)))
                continue
            work.pop()
            if work:
                above = work[-1][0]
                self._low[above] = min(self._low[above], self._low[state])
            if self._low[state] == self._order[state]:
                yield self._leave(state)

    def _after(self, state: int) -> Iterator[int]:
        for label, target in self._space.leaving(state):
            if target in self._among and label not in self._rare:
                yield target

    def _enter(self, state: int) -> Iterator[int]:
        self._order[state] = self._low[state] = len(self._order)
        self._stack.append(state)
        self._waiting.add(state)
        return self._after(state)

    def _is_known(self, state: int, target: int) -> bool:
        if target in self._waiting:
            self._low[state] = min(self._low[state], self._order[target])
        return target in self._order

    def _leave(self, state: int) -> list[int]:
        part: list[int] = []
        while not part or part[-1] != state:
            part.append(self._stack.pop())
        self._waiting.difference_update(part)
        return part

    def _can_stay(self, part: list[int]) -> bool:
        return len(part) > 1 or part[0] in self._after(part[0])
