"""The checker finds what is wrong with models so small that it can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.model.checker import Step, Violated, check_finishes, explore


@dataclass(frozen=True, eq=False)
class Toy:
    """A graph: from each state by these kinds of step to these states."""

    steps_of: Mapping[str, tuple[tuple[str, str], ...]]
    bad: frozenset[str] = frozenset()
    fair: frozenset[str] = frozenset()
    rare: frozenset[str] = frozenset()
    alike: Mapping[str, str] = field(default_factory=dict)

    def beginnings(self) -> Iterator[str]:
        yield "begin"

    def steps(self, state: str) -> Iterator[Step[str]]:
        for kind, then in self.steps_of.get(state, ()):
            yield Step(kind, state, f"{kind} to {then}", then)

    def broken(self, state: str) -> str:
        return f"{state} is bad" if state in self.bad else ""

    def is_finished(self, state: str) -> bool:
        return state == "end"

    def canonical(self, state: str) -> str:
        return self.alike.get(state, state)


def test_every_state_is_visited_once_and_counted() -> None:
    diamond = {
        "begin": (("go", "left"), ("go", "right")),
        "left": (("go", "end"),),
        "right": (("go", "end"), ("turn", "left")),
    }
    space = explore(Toy(diamond))
    assert (space.states, space.transitions, space.depth) == (
        ["begin", "left", "right", "end"],
        5,
        2,
    )
    assert space.taken == {"go": 4, "turn": 1}
    check_finishes(space)


def test_the_trace_to_what_is_broken_is_a_shortest_one() -> None:
    long_way = {
        "begin": (("go", "far"), ("go", "near")),
        "far": (("go", "farther"),),
        "farther": (("go", "bad"),),
        "near": (("go", "bad"),),
    }
    with pytest.raises(Violated) as found:
        explore(Toy(long_way, bad=frozenset({"bad"})))
    assert str(found.value) == "bad is bad\n  1. begin go to near\n  2. near go to bad"


def test_states_that_are_alike_are_one_and_a_trace_keeps_their_names() -> None:
    twins = {
        "begin": (("go", "two"),),
        "one": (("go", "bad of one"),),
        "two": (("go", "bad of two"),),
    }
    alike = {"two": "one", "bad of two": "bad of one"}
    toy = Toy(twins, bad=frozenset({"bad of one"}), alike=alike)
    with pytest.raises(Violated) as found:
        explore(toy)
    assert found.value.trace == ("begin go to two", "two go to bad of two")


def test_what_no_end_can_be_reached_from_is_found() -> None:
    trap = {"begin": (("go", "end"), ("go", "trap")), "trap": (("turn", "trap"),)}
    with pytest.raises(Violated, match="nothing leads to an end"):
        check_finishes(explore(Toy(trap)))


def test_what_stops_unfinished_is_found() -> None:
    with pytest.raises(Violated, match="nothing leads to an end"):
        check_finishes(explore(Toy({"begin": (("go", "end"), ("go", "stuck"))})))


ROUND = {"begin": (("turn", "other"), ("leave", "end")), "other": (("turn", "begin"),)}


def test_a_run_may_go_round_for_ever_where_nothing_makes_it_leave() -> None:
    with pytest.raises(Violated) as found:
        check_finishes(explore(Toy(ROUND)))
    assert found.value.trace == (
        "(for ever) begin turn to other",
        "(for ever) other turn to begin",
    )


def test_a_fair_step_leaves_the_round() -> None:
    check_finishes(explore(Toy(ROUND, fair=frozenset({"leave"}))))


def test_a_fair_step_that_is_also_taken_inside_does_not_leave_the_round() -> None:
    both = {**ROUND, "other": (("turn", "begin"), ("leave", "begin"))}
    with pytest.raises(Violated, match="goes round for ever"):
        check_finishes(explore(Toy(both, fair=frozenset({"leave"}))))


def test_what_is_rare_is_no_way_round() -> None:
    seldom = {"begin": (("turn", "other"), ("leave", "end")), "other": (("crash", "begin"),)}
    check_finishes(explore(Toy(seldom, rare=frozenset({"crash"}))))


def test_a_fair_step_that_is_dropped_drops_another() -> None:
    """In ``other`` the run can only stay by what leads to ``begin``, which it must leave."""
    nested = {
        "begin": (("turn", "other"), ("leave", "end")),
        "other": (("turn", "begin"), ("work", "begin"), ("wait", "other")),
    }
    fair = frozenset({"leave", "work"})
    check_finishes(explore(Toy(nested, fair=fair)))
    with pytest.raises(Violated, match="goes round for ever"):
        check_finishes(explore(Toy(nested, fair=fair - {"work"})))


def test_a_model_without_a_bound_is_not_followed_for_ever() -> None:
    class Endless(Toy):
        def steps(self, state: str) -> Iterator[Step[str]]:
            yield Step("go", state, "on", state + ".")

    with pytest.raises(AssertionError, match="no bound"):
        explore(Endless({}), most=1000)
