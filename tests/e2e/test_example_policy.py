"""The example organisation at work: what its rules promise, by the clock, through the core."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.errors import Refused
from jitcloud.facts import Surroundings
from jitcloud.model import Caller, Entitlement, EntitlementId, PersonId, Request, State, Token
from jitcloud.ports import Ticket
from tests.cli_world import MemorySessions
from tests.world import Time, World

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TUESDAY = datetime(2026, 12, 1, 16, 0, tzinfo=UTC)


class Sessions(MemorySessions):
    """Stands in for AWS: what a target may say is tested there."""

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:  # noqa: ARG002 - see above
        return ()


class Open:
    """A system in which every ticket exists and is open."""

    def look(self, ticket: str) -> Ticket | None:
        return Ticket(id=ticket, is_open=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    texts = sorted((EXAMPLES / "policy").glob("*.cedar"))
    return World(
        tmp_path,
        time=Time(TUESDAY),
        policy_text="\n".join(path.read_text() for path in texts),
        catalog_text=(EXAMPLES / "catalog.toml").read_text(),
        people_text=(EXAMPLES / "people.toml").read_text(),
        mechanisms={"aws.sts-session": Sessions()},
        look=Surroundings(tickets=Open(), incidents=Open()),
    )


def fresh(world: World, person: str) -> Caller:
    """Somebody who has signed in with a second factor two minutes ago."""
    name = world.directory.person(f"{person}@example.org").id
    signed_in_at = world.time() - timedelta(minutes=2)
    token = Token(kind="test", id=f"token-of-{name}")
    return Caller(person=PersonId(name), token=token, signed_in_at=signed_in_at)


def ask(world: World, person: str, what: str, hours: float, **more: object) -> Request:
    request = world.broker.request(
        fresh(world, person),
        EntitlementId(what),
        duration=timedelta(hours=hours),
        justification="the release",
        now=world.time(),
        **more,  # type: ignore[arg-type] # facts of the ask, for brevity
    )
    return world.advance.wake(request.id)


def test_a_slow_approval_passes_though_the_sign_in_was_fresh_only_when_asked(world: World) -> None:
    request = ask(world, "d.weber", "orders-read", 1)
    assert request.state is State.PENDING
    world.time.forward(minutes=40)
    owner = owners(world, "orders-read")[0]
    stale = Caller(
        person=PersonId(owner),
        token=Token(kind="test", id="t"),
        signed_in_at=world.time() - timedelta(minutes=16),
    )
    with pytest.raises(Refused, match="multi-factor sign-in within the last 15 minutes"):
        world.broker.approve(stale, request.id, world.time())
    yes(world, owner, request)
    assert world.now(request).state is State.ACTIVE


def test_a_scheduled_start_next_morning_is_judged_again_and_works(world: World) -> None:
    start = TUESDAY + timedelta(hours=16)
    request = ask(world, "d.weber", "orders-read", 2, start=start)
    world.time.forward(minutes=30)
    yes(world, owners(world, "orders-read")[0], request)
    assert world.now(request).state is State.SCHEDULED
    world.time.now = start
    world.sweep()
    active = world.now(request)
    assert active.state is State.ACTIVE
    assert active.window is not None
    assert active.window.deadline == start + timedelta(hours=2)
    world.time.forward(hours=2)
    world.sweep_until_quiet()
    world.verify_all()


def test_a_scheduled_start_is_a_no_once_the_person_has_left_the_group(world: World) -> None:
    start = TUESDAY + timedelta(hours=16)
    request = ask(world, "d.weber", "orders-read", 2, start=start)
    yes(world, owners(world, "orders-read")[0], request)
    before = world.people_text
    left = before.replace('developers = { members = ["dana"', 'developers = { members = ["deniz"')
    assert left != before
    (world.folder / "people.toml").write_text(left)
    world.time.now = start
    world.sweep()
    assert world.now(request).state is State.DENIED


def owners(world: World, what: str) -> list[str]:
    catalog = world.broker.judge.catalog
    members = world.directory.members(catalog.get(what).owner) or frozenset()
    return sorted(member for member in members if not world.directory.person(member).disabled)


def yes(world: World, person: str, request: Request) -> None:
    caller = Caller(
        person=PersonId(person),
        token=Token(kind="test", id=f"token-of-{person}"),
        signed_in_at=world.time() - timedelta(minutes=1),
    )
    world.broker.approve(caller, request.id, world.time())
    world.advance.wake(request.id)
