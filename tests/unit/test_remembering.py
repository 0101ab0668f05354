"""Asked once: what a decision asks a directory, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured, NotFound, Refused
from jitcloud.model import GroupId, Person, PersonId, Request, RotationId, State
from jitcloud.ports import Directory
from jitcloud.remembering import Remembering
from tests.world import World, caller

PEOPLE = """
[[person]]
id = "u-1"
name = "Ann"
emails = ["ann@example.org"]

[groups]
inner = { members = ["u-1"] }

[rotations]
pager = { on_call = ["u-1"] }
"""


@dataclass
class Counted:
    """A directory, and what it was asked; a text in ``twins`` fits two people."""

    inner: Directory
    twins: str = ""
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def person(self, handle: str) -> Person:
        self.asked.append(("person", handle))
        if handle == self.twins:
            raise Refused("Two have it.")
        return self.inner.person(handle)

    def members(self, group: GroupId) -> frozenset[PersonId] | None:
        self.asked.append(("members", group))
        return self.inner.members(group)

    def on_call(self, rotation: RotationId) -> frozenset[PersonId] | None:
        self.asked.append(("on_call", rotation))
        return self.inner.on_call(rotation)

    def groups(self) -> frozenset[GroupId] | None:
        self.asked.append(("groups",))
        return self.inner.groups()

    def rotations(self) -> frozenset[RotationId] | None:
        self.asked.append(("rotations",))
        return self.inner.rotations()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.toml"
    path.write_text(PEOPLE)
    return path


@pytest.fixture
def counted(file: Path) -> Counted:
    return Counted(StaticDirectory(file), twins="ann")


QUESTIONS: list[Callable[[Directory], object]] = [
    lambda d: d.person("u-1"),
    lambda d: d.person("ann@example.org"),
    lambda d: d.members(GroupId("inner")),
    lambda d: d.members(GroupId("none")),
    lambda d: d.on_call(RotationId("pager")),
    lambda d: d.on_call(RotationId("none")),
    lambda d: d.groups(),
    lambda d: d.rotations(),
]


def test_each_question_is_asked_once_and_answered_as_ever(counted: Counted, file: Path) -> None:
    directory = Remembering(counted)
    for ask in QUESTIONS * 3:
        assert ask(directory) == ask(StaticDirectory(file))
    assert len(counted.asked) == len(set(counted.asked)) == len(QUESTIONS)


def test_nobody_and_several_are_answers_that_are_remembered_too(counted: Counted) -> None:
    directory = Remembering(counted)
    for _ in range(3):
        with pytest.raises(NotFound, match="Nobody in the directory"):
            directory.person("u-9")
        with pytest.raises(Refused, match="Two have it"):
            directory.person("ann")
    assert counted.asked == [("person", "u-9"), ("person", "ann")]


def test_an_error_raised_again_does_not_grow(counted: Counted) -> None:
    directory = Remembering(counted)
    depths = set()
    for _ in range(3):
        with pytest.raises(NotFound) as caught:
            directory.person("u-9")
        depths.add(len(caught.traceback))
    assert len(depths) == 1


def test_no_answer_is_not_remembered(counted: Counted, file: Path) -> None:
    directory = Remembering(counted)
    file.write_text("[")
    for ask in QUESTIONS:
        with pytest.raises(Misconfigured):
            ask(directory)
    file.write_text(PEOPLE)
    for ask in QUESTIONS:
        assert ask(directory) == ask(StaticDirectory(file))


def test_what_is_found_by_an_alias_is_not_taken_for_what_has_that_id(file: Path) -> None:
    counted = Counted(StaticDirectory(file))
    directory = Remembering(counted)
    assert directory.person("ann@example.org").id == "u-1"
    assert directory.person("ANN@example.org").id == "u-1"
    assert directory.person("u-1").id == "u-1"
    assert [handle for _, handle in counted.asked] == ["ann@example.org", "ANN@example.org", "u-1"]


def test_the_next_decision_asks_anew(counted: Counted, file: Path) -> None:
    first = Remembering(counted)
    assert first.members(GroupId("inner")) == frozenset({PersonId("u-1")})
    new = file.with_suffix(".new")
    new.write_text(PEOPLE.replace('members = ["u-1"]', "members = []"))
    new.replace(file)
    assert "inner" in first.person("u-1").groups or first.members(GroupId("inner"))
    assert Remembering(counted).members(GroupId("inner")) == frozenset()
    assert not Remembering(counted).person("u-1").groups


# ── What decisions cost ──

LEADS = [f"lead-{n}" for n in range(5)]
CHIEFS = [f"chief-{n}" for n in range(5)]

TWO_STAGES = """
@id("prod-write")
@approval("1 of leads then 1 of chiefs")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod");
"""


Asked = tuple[str, ...]


@dataclass
class Costs:
    """Two stages with five approvers each, and a directory that counts."""

    world: World
    counted: Counted
    request: Request | None = None

    def of(self, do: Callable[[World], Request]) -> list[Asked]:
        """Return what one decision asks."""
        self.counted.asked.clear()
        judge = replace(self.world.broker.judge, directory=Remembering(self.counted))
        self.world.broker = replace(self.world.broker, judge=judge)
        self.world.advance = replace(self.world.advance, judge=judge)
        self.request = do(self.world)
        return self.counted.asked

    def of_a_yes(self, voter: str) -> list[Asked]:
        assert self.request is not None
        name = self.request.id
        return self.of(lambda world: world.broker.approve(caller(voter), name, world.time()))


@pytest.fixture
def costs(tmp_path: Path) -> Costs:
    people = "".join(f'[[person]]\nid = "{p}"\nname = "{p}"\n' for p in ["ana", *LEADS, *CHIEFS])
    groups = f'[groups]\ndevelopers.members = ["ana"]\nleads.members = {LEADS}\n'
    world = World(
        tmp_path, policy_text=TWO_STAGES, people_text=f"{people}{groups}chiefs.members = {CHIEFS}\n"
    )
    return Costs(world, Counted(world.directory))


def test_what_two_stages_with_ten_approvers_cost(costs: Costs) -> None:
    everybody: set[Asked] = {("person", each) for each in ("ana", *LEADS, *CHIEFS)}
    asking = costs.of(lambda world: world.ask("ana", "prod-write"))
    _check(asking, everybody | {("members", "leads"), ("members", "chiefs")})
    _check(costs.of_a_yes("lead-0"), {("person", "ana"), ("person", "lead-0")})
    voters: set[Asked] = {("person", each) for each in ("ana", "lead-0", "chief-0")}
    _check(costs.of_a_yes("chief-0"), voters)
    assert costs.request is not None
    name = costs.request.id
    _check(costs.of(lambda world: world.advance.wake(name)), voters)
    assert costs.request.state is State.ACTIVE


def _check(asked: list[Asked], at_most: set[Asked]) -> None:
    assert set(asked) <= at_most
    assert len(asked) == len(set(asked))
