"""What docs/guarantees.md says of each promise is what tests and code have."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from jitcloud import slots
from tests.crashes.registry import MECHANISMS
from tests.docs import evidence, figures, guarantees
from tests.docs.pages import text_of
from tests.mutations import patches
from tests.mutations.patches import PROMISES
from tests.simulation.registered import STAGES

PAGE = guarantees.PAGE

KEPT, FAILS, OUTSIDE = "**How it is kept.**", "**What would fail.**", "**What remains outside.**"

SIMULATED = PROMISES[:10]
"""What the design has the simulation check after every step."""


def test_what_is_made_of_the_tests_is_as_they_are() -> None:
    stale = list(guarantees.stale(text_of(PAGE)))
    assert stale == [], "python -m tests.docs.guarantees --write makes them anew"


def test_every_part_stands_on_the_page_once() -> None:
    assert sorted(guarantees.names_in(text_of(PAGE))) == sorted(guarantees.parts())


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_says_how_it_is_kept_what_would_fail_and_what_is_outside(promise: str) -> None:
    said = guarantees.section(text_of(PAGE), promise)
    before, kept, after = said.partition(KEPT)
    how, fails, rest = after.partition(FAILS)
    nothing, outside, limits = rest.partition(OUTSIDE)
    assert (kept, fails, outside) == (KEPT, FAILS, OUTSIDE)
    assert (before.partition("\n")[2].strip(), nothing.strip()) == ("", "")
    assert re.search(r"\]\(\.\./(jitcloud|infra)/[\w./]+\)", how), "it names no file"
    assert re.findall(r"^\* \S", limits, re.MULTILINE), "it names no limit"


def test_promises_stand_in_their_order_and_none_is_missing() -> None:
    told = re.findall(r"^## (P[0-9]+): ", text_of(PAGE), re.MULTILINE)
    assert tuple(told) == PROMISES


# ── What would fail ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_has_bugs_and_tests_that_catch_them(promise: str) -> None:
    bugs = evidence.bugs()[promise]
    tests = [test for bug in bugs for test in bug.caught_by]
    assert bugs
    assert all(bug.caught_by for bug in bugs)
    assert [test for test in tests if not evidence.is_there(test)] == []


@pytest.mark.parametrize("promise", SIMULATED)
def test_the_simulation_looks_for_each_that_it_can(promise: str) -> None:
    assert evidence.looked_for_in_the_simulation()[promise]


def test_nothing_is_said_of_a_promise_that_there_is_not() -> None:
    for said in (evidence.bugs(), evidence.simulated(), evidence.modelled(), evidence.claims()):
        assert said.keys() <= set(PROMISES)


@pytest.mark.parametrize(
    ("test", "there"),
    [
        ("tests/docs/test_guarantees_page.py", True),
        ("tests/docs/test_guarantees_page.py::test_a_test_that_is_gone_is_missed[x]", True),
        ("tests/docs/test_guarantees_page.py::test_nothing_of_the_kind", False),
        ("tests/docs/test_nothing_of_the_kind.py", False),
    ],
)
def test_a_test_that_is_gone_is_missed(test: str, there: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    assert evidence.is_there(test) is there


def test_a_bug_that_says_something_else_makes_the_page_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = guarantees.made(text_of(PAGE))
    read = patches.read

    def another(name: str) -> patches.Patch:
        return replace(read(name), harm="none") if name.startswith("001") else read(name)

    monkeypatch.setattr(patches, "read", another)
    promise = another(patches.names()[0]).promise
    evidence.bugs.cache_clear()
    try:
        assert list(guarantees.stale(page)) == [f"{promise} in tests"]
    finally:
        monkeypatch.undo()
        evidence.bugs.cache_clear()


# ── Seconds ──────────────────────────────────────────────────────────────────────────────────


def test_every_figure_that_is_written_by_hand_is_that_of_the_code() -> None:
    assert list(figures.wrong_in(guarantees.by_hand(text_of(PAGE)))) == []


def test_every_figure_of_the_list_is_needed() -> None:
    told = guarantees.by_hand(text_of(PAGE))
    needed = {name for name in figures.figures() if f"(`{name}`)" in told}
    used = {"converge.CLAIM_MARGIN"}  # in the table of places
    assert figures.figures().keys() == needed | used


def test_a_figure_that_is_no_longer_so_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    page, said = guarantees.made(text_of(PAGE)), "within 5 minutes (`slots.LOOK_AGAIN`)"
    assert list(figures.wrong_in(said)) == []
    monkeypatch.setattr(slots, "LOOK_AGAIN", timedelta(minutes=6))
    assert list(figures.wrong_in(said)) == ["5 minutes (`slots.LOOK_AGAIN`): it is 6 minutes"]
    assert list(guarantees.stale(page)) == ["figures"]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("it takes 5 seconds", "say behind it"),
        ("it takes five seconds", "in digits"),
        ("it takes 5 seconds (`slots.SOON`)", "nothing is called that"),
        ("it takes 15 seconds (`model.SKEW`)", "it is 5 seconds"),
    ],
)
def test_a_figure_that_names_nothing_or_something_else_is_found(said: str, wrong: str) -> None:
    (found,) = figures.wrong_in(said)
    assert wrong in found


def test_whatever_is_killed_and_simulated_is_among_the_mechanisms() -> None:
    told = {held.name for held in figures.mechanisms()}
    assert told == {each.name for each in MECHANISMS}
    assert told <= {stage.quick.name for stage in STAGES}
    assert all(held.killed_on for held in figures.mechanisms())


def test_what_the_simulation_takes_for_held_by_a_cloud_is_said_to_be() -> None:
    held = {stage.quick.name: stage.quick for stage in STAGES}
    for each in figures.mechanisms():
        stage = held[each.name]
        assert stage.held_by_cloud == each.by_cloud, each.name
        assert (stage.ends_within > timedelta(0)) == each.takes_its_time, each.name
