"""Facts of the world: tickets found open, freezes that are on, and people who are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.facts import Surroundings
from jitcloud.freezes import Freeze, Freezes
from jitcloud.model import Cause, Decided, Facts, Looked, Request, State
from jitcloud.ports import Ticket
from tests.world import CATALOG, PEOPLE, POLICY, START, World, caller

TICKETED = POLICY.replace(
    'resource.privilege == Privilege::"write" &&',
    'resource.privilege == Privilege::"write" && context has ticket &&',
)
FROZEN = (
    POLICY
    + """
@id("freeze")
@because("A change freeze is on.")
forbid (principal, action in Action::"access", resource in Environment::"prod")
when { context.freeze };
"""
)


@dataclass
class Desk:
    """A system that keeps tickets, in memory; adapters of real ones are tested as such."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    down: bool = False

    def look(self, ticket: str) -> Ticket | None:
        if self.down:
            raise Unavailable("The ticket system does not answer; try again in a moment.")
        return self.tickets.get(ticket)


@pytest.fixture
def desk() -> Desk:
    return Desk(
        {
            "OPS-1": Ticket(id="OPS-1", is_open=True, project="OPS"),
            "OPS-2": Ticket(id="OPS-2", is_open=False, project="OPS"),
            "HR-1": Ticket(id="HR-1", is_open=True, project="HR"),
            "OLD-1": Ticket(id="OLD-1", is_open=None, project="OLD"),
        }
    )


@pytest.fixture
def world(tmp_path: Path, desk: Desk) -> World:
    text = CATALOG.replace(
        'title = "Write in production"', 'title = "Write"\nticket_projects = ["OPS", "OLD"]'
    )
    return World(tmp_path, policy_text=TICKETED, catalog_text=text, look=Surroundings(tickets=desk))


def facts(world: World, request: Request) -> list[Facts]:
    trail = world.store.events(request.id)
    return [line.event.what.facts for line in trail if hasattr(line.event.what, "facts")]


def test_a_ticket_found_open_counts_and_is_recorded_so(world: World) -> None:
    request = world.ask(what="prod-write", ticket="OPS-1")
    assert request.state is State.PENDING
    assert facts(world, request) == [Facts(ticket=Looked.OPEN)]


@pytest.mark.parametrize(
    ("ticket", "because"),
    [
        ("OPS-2", "is closed"),
        ("OPS-9", "There is no ticket"),
        ("HR-1", "belongs elsewhere; prod-write takes one of OPS, OLD"),
        ("\x1b[31mOPS", "There is no ticket"),
    ],
)
def test_a_ticket_that_does_not_do_is_refused_with_the_reason(
    world: World, ticket: str, because: str
) -> None:
    if not ticket.isprintable():
        with pytest.raises(ValueError, match="ticket"):
            world.ask(what="prod-write", ticket=ticket)
        return
    request = world.ask(what="prod-write", ticket=ticket)
    assert request.state is State.DENIED
    assert because in request.reason


def test_without_one_the_rule_that_wants_one_does_not_match(world: World) -> None:
    assert world.ask(what="prod-write").state is State.DENIED


def test_a_ticket_whose_form_alone_was_looked_at_counts_as_unchecked(world: World) -> None:
    request = world.ask(what="prod-write", ticket="OLD-1")
    assert request.state is State.PENDING
    assert facts(world, request) == [Facts(ticket=Looked.UNCHECKED)]


def test_where_nobody_looks_tickets_up_no_rule_sees_them(tmp_path: Path) -> None:
    world = World(tmp_path, policy_text=TICKETED)
    assert world.ask(what="prod-write", ticket="OPS-1").state is State.DENIED
    other = world.ask(what="prod-admin", ticket="OPS-1")
    assert facts(world, other) == [Facts(ticket=Looked.UNKNOWN)]


def test_a_system_that_is_down_refuses_at_first_and_only_delays_later(
    world: World, desk: Desk
) -> None:
    desk.down = True
    refused = world.ask(what="prod-write", ticket="OPS-1")
    assert refused.state is State.DENIED
    assert "does not answer" in refused.reason
    desk.down = False
    request = world.ask(what="prod-write", ticket="OPS-1")
    desk.down = True
    with pytest.raises(Unavailable):
        world.approve(request)
    assert world.now(request).votes == (), "nothing was recorded, and nothing is lost"
    desk.down = False
    world.broker.approve(caller("ben"), request.id, world.time())
    desk.down = True
    assert world.sweep().troubles
    assert world.now(request).state is State.SCHEDULED
    desk.down = False
    world.time.forward(minutes=1)
    world.sweep()
    assert world.now(request).state is State.ACTIVE


def test_the_catalog_may_let_an_unchecked_ticket_pass(tmp_path: Path, desk: Desk) -> None:
    text = CATALOG.replace('title = "Write in', 'unchecked_tickets = true\ntitle = "Write in')
    world = World(
        tmp_path, policy_text=TICKETED, catalog_text=text, look=Surroundings(tickets=desk)
    )
    desk.down = True
    request = world.ask(what="prod-write", ticket="OPS-1")
    assert request.state is State.PENDING
    assert facts(world, request) == [Facts(ticket=Looked.UNCHECKED)]
    assert world.approve(request).state is State.ACTIVE


def test_a_ticket_closed_while_the_request_waits_is_a_no(world: World, desk: Desk) -> None:
    request = world.ask(what="prod-write", ticket="OPS-1")
    desk.tickets["OPS-1"] = desk.tickets["OPS-2"]
    denied = world.approve(request)
    assert denied.state is State.DENIED
    assert "is closed" in denied.reason


def test_incidents_are_looked_up_apart(tmp_path: Path, desk: Desk) -> None:
    text = TICKETED.replace("context has ticket", "context has incident")
    look = Surroundings(incidents=desk)
    world = World(tmp_path, policy_text=text, look=look)
    assert world.ask(what="prod-write", incident="OPS-1").state is State.PENDING
    refused = world.ask(what="prod-write", incident="OPS-2")
    assert "The incident" in refused.reason


def test_a_freeze_that_begins_while_the_window_lasts_is_on(tmp_path: Path) -> None:
    begins = START + timedelta(hours=1)
    freeze = Freeze(name="Year end", begins=begins, ends=begins + timedelta(days=9))
    world = World(tmp_path, policy_text=FROZEN, look=Surroundings(freezes=Freezes((freeze,))))
    assert world.ask(what="prod-write", minutes=60).state is State.PENDING
    refused = world.ask(what="prod-write", minutes=61)
    assert refused.reason == "A change freeze is on."
    assert facts(world, refused) == [Facts(freeze="Year end")]
    assert world.ask(minutes=90).state is State.ACTIVE
    later = world.ask(what="prod-write", minutes=30, start=begins + timedelta(days=9))
    assert later.state is State.PENDING


# ── People who are gone ──────────────────────────────────────────────────────────────────────


def gone(world: World, how: str) -> None:
    file = world.folder / "people.toml"
    if how == "disabled":
        text = PEOPLE.replace('name = "Ana"', 'name = "Ana"\ndisabled = true')
    else:
        text = PEOPLE.replace('[[person]]\nid = "ana"\nname = "Ana"', "").replace(
            'emails = ["ana@example.com"]', "", 1
        )
        text = text.replace('members = ["ana", "ben", "caro"]', 'members = ["ben", "caro"]')
    file.write_text(text)


@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_what_somebody_holds_who_is_gone_ends_within_minutes(tmp_path: Path, how: str) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=8 * 60)
    gone(world, how)
    world.time.forward(minutes=5)
    world.sweep()
    assert world.now(request).state in {State.ENDING, State.ENDED}
    assert world.now(request).cause is Cause.DISABLED
    world.time.forward(minutes=1)
    world.sweep()
    assert not world.cloud.who_can("reader")
    assert world.now(request).state is State.ENDED
    world.verify_all()


def test_a_directory_that_is_broken_ends_nobodys_access(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=60)
    (world.folder / "people.toml").write_text("[[person")
    world.time.forward(minutes=30)
    world.sweep()
    assert world.now(request).state is State.ACTIVE
    world.time.forward(minutes=30)
    world.sweep()
    world.time.forward(minutes=1)
    world.sweep()
    assert world.now(request).state is State.ENDED
    assert world.now(request).cause is Cause.DEADLINE


def test_a_missing_group_is_a_no_and_never_a_crash(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = world.ask(what="prod-write")
    text = PEOPLE.replace("[groups.leads]", "[groups.others]")
    (world.folder / "people.toml").write_text(text)
    refused = world.ask(what="prod-write")
    assert refused.state is State.DENIED
    assert "Too few people could approve" in refused.reason
    assert world.broker.waiting_for(caller("ben"), world.time()) == ()
    assert world.now(request).state is State.PENDING


def test_whoever_is_disabled_decides_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = world.ask("ben", "prod-admin")
    assert request.state is State.DENIED, "two of the leads, and he is one of the two"
    assert isinstance(world.store.events(request.id)[1].event.what, Decided)
    (world.folder / "people.toml").write_text("[[person")
    with pytest.raises(Misconfigured):
        world.ask()
