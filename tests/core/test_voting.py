"""Votes are judged by the text and the people of their moment, and an older text undoes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured, NotFound, Refused, Tampered
from jitcloud.model import Ask, Facts, Person, PersonId, Request, State, Voted, Window
from jitcloud.policy import Policy
from tests.world import PEOPLE, POLICY, World, caller

PEOPLE_TOO = (
    PEOPLE
    + """
[[person]]
id = "dora"
name = "Dora"

[groups.chiefs]
members = ["dora"]
"""
)
CHIEFS = POLICY.replace('"2 of leads"', '"1 of chiefs"')
IN_TURN = POLICY.replace('"2 of leads"', '"2 of leads then 1 of chiefs"')
AT_ONCE = POLICY + '@id("all") permit (principal, action == Action::"activate", resource);'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, people_text=PEOPLE_TOO)


def put(world: World, text: str) -> None:
    world.policy_text = text
    world.put_together()


def numbers(world: World, request: Request) -> list[int]:
    return [
        line.event.what.policy.number
        for line in world.store.events(request.id)
        if hasattr(line.event.what, "policy")
    ]


# ── Another text than the one it was asked by ────────────────────────────────────────────────


def test_whom_the_new_text_asks_may_say_yes_at_once(world: World) -> None:
    request = world.ask(what="prod-admin")
    put(world, CHIEFS)
    assert world.approve(request, "dora").state is State.ACTIVE
    assert numbers(world, request) == [1, 2, 2, 2]
    world.verify_all()


@pytest.mark.parametrize("yes", [True, False])
def test_whom_the_new_text_does_not_ask_decides_nothing(world: World, *, yes: bool) -> None:
    request = world.ask(what="prod-admin")
    put(world, CHIEFS)
    before = world.store.events(request.id)
    vote = world.broker.approve if yes else world.broker.deny
    with pytest.raises(Refused, match="not among the people asked"):
        vote(caller("ben"), request.id, world.time(), "I would rather say")
    assert world.store.events(request.id) == before


def test_where_the_new_text_asks_nobody_that_is_what_is_recorded(world: World) -> None:
    request = world.ask(what="prod-admin")
    put(world, AT_ONCE)
    assert world.approve(request).state is State.ACTIVE
    types = [line.event.what.type for line in world.store.events(request.id)]
    assert types == ["asked", "decided", "decided", "activating", "activated"], "and no vote"
    world.verify_all()


# ── Two processes, one of which has not seen the new text ────────────────────────────────────


@dataclass
class Meanwhile:
    """Does something once, when a vote has come so far."""

    do: Callable[[], object] | None = None

    def __call__(self) -> None:
        do, self.do = self.do, None
        if do is not None:
            do()


class Directory(StaticDirectory):
    """Is asked who votes: before it is known which text judges."""

    meanwhile: Meanwhile

    def person(self, handle: str) -> Person:
        self.meanwhile()
        return super().person(handle)


@pytest.mark.parametrize("when", ["renewing", "who votes", "facts"])
def test_a_vote_by_an_older_text_undoes_nothing_that_a_newer_one_judged(
    world: World, tmp_path: Path, when: str
) -> None:
    request = world.ask(what="prod-admin")
    (tmp_path / "other").mkdir()

    def judge_elsewhere() -> None:
        other = World(
            tmp_path / "other",
            store=world.store,
            time=world.time,
            cloud_=world.cloud,
            people_text=PEOPLE_TOO,
            policy_text=IN_TURN,
        )
        other.broker.approve(caller("ben"), request.id, world.time())

    meanwhile, judge = Meanwhile(judge_elsewhere), world.broker.judge
    match when:
        case "renewing":

            def renew() -> Policy:
                meanwhile()
                return judge.policy

            judge = replace(judge, renew=renew)
        case "who votes":
            directory = Directory(world.folder / "people.toml")
            directory.meanwhile = meanwhile
            judge = replace(judge, directory=directory)
        case _:

            def look(_ask: Ask, _window: Window) -> Facts:  # once it is known which text judges
                meanwhile()
                return Facts()

            judge = replace(judge, look=look)
    broker = replace(world.broker, judge=judge)
    with pytest.raises(Misconfigured, match="was replaced; policy 2"):
        broker.approve(caller("caro"), request.id, world.time())
    assert meanwhile.do is None
    assert numbers(world, request) == [1, 2]
    assert [vote.by for vote in world.now(request).votes] == ["ben"]
    world.verify_all()


# ── Who votes ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alias", ["ben@example.com", "BEN@example.com", "Ben"])
def test_nobody_votes_under_another_name_of_theirs(world: World, alias: str) -> None:
    request = world.ask("ben", "prod-write")
    with pytest.raises(NotFound):
        world.broker.approve(caller(alias), request.id, world.time())
    assert world.now(request).votes == ()


def test_the_yes_of_somebody_who_is_disabled_by_the_start_no_longer_counts(world: World) -> None:
    start = world.time() + timedelta(minutes=5)
    request = world.approve(world.ask(what="prod-write", start=start))
    assert request.state is State.SCHEDULED
    world.people_text = PEOPLE_TOO.replace('name = "Ben"', 'name = "Ben"\ndisabled = true')
    world.put_together()
    world.time.forward(minutes=5)
    world.sweep()
    assert world.now(request).state is State.DENIED
    assert not world.cloud.who_can("writer")


def test_nobody_votes_upon_a_vote_that_was_forged(world: World) -> None:
    request = world.ask(what="prod-admin")
    forged = Voted(by=PersonId("ben"), yes=True, stage=0, reason="")
    replace(world.ledger, signer=None).record(request, (forged,), now=world.time())
    world.put_together()
    with pytest.raises(Tampered, match="not signed"):
        world.approve(request, "caro")
