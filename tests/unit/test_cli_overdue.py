"""How long something is overdue is told wherever it is looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from jitcloud import overdue, shapes
from jitcloud.cli import words
from jitcloud.cli.knowing import Judged
from jitcloud.model import Cause, Ending, Removed, Reopened, Request, RequestId, State, Window
from jitcloud.providers.memory import Fault
from tests.cli_world import CliWorld
from tests.world import START, World

LATER = START + timedelta(minutes=30)


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def of_role(cli: CliWorld) -> str:
    """Let Ana ask for a role, and both leads say yes."""
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        assert cli.jit("approve", name, by=lead).code == 0
    return name


def listed(cli: CliWorld, name: str) -> str:
    (line,) = [line for line in cli.jit("list", by="ana").out.splitlines() if name in line]
    return line


def shown(cli: CliWorld, name: str) -> dict[str, str]:
    lines = cli.jit("show", name, by="ana").out.splitlines()
    return {label.strip(): text.strip() for label, _, text in (x.partition(":") for x in lines)}


def as_json(cli: CliWorld, name: str) -> Any:
    return cli.jit("show", name, "--json", by="ana").json


# ── Since when ───────────────────────────────────────────────────────────────────────────────


def test_what_has_time_left_is_not_overdue(world: World) -> None:
    request = world.ask(minutes=30)
    assert overdue.since(request, LATER - timedelta(microseconds=1)) is None
    assert overdue.age(request, LATER - timedelta(microseconds=1)) is None


def test_it_is_overdue_from_its_deadline_on_though_nobody_has_noticed(world: World) -> None:
    request = world.ask(minutes=30)
    assert request.state is State.ACTIVE
    assert overdue.since(request, LATER) == LATER
    assert overdue.age(request, LATER + timedelta(hours=3)) == timedelta(hours=3)


@pytest.mark.parametrize("late", [0, 7])
def test_what_began_to_end_late_is_overdue_from_its_deadline_on(world: World, late: int) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=30 + late)
    world.cloud.faults.append(Fault.REFUSED)
    world.sweep()
    assert world.now(request).state is State.ENDING
    assert overdue.since(world.now(request), world.time()) == LATER


def test_what_ends_early_is_overdue_from_when_it_began_to(world: World) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=10)
    world.cloud.faults.append(Fault.REFUSED)
    world.give_back(request)
    world.time.forward(minutes=50)
    early = START + timedelta(minutes=10)
    assert overdue.since(world.now(request), world.time()) == early
    assert overdue.age(world.now(request), world.time()) == timedelta(minutes=50)


@pytest.mark.parametrize("early", [False, True])
def test_what_is_seen_after_all_is_overdue_from_when_it_should_have_been_gone(
    world: World, *, early: bool
) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=10 if early else 30)
    ended = world.give_back(request)
    assert ended.state is State.ENDED
    assert overdue.since(ended, world.time()) is None
    world.time.forward(minutes=5)
    reopened = world.ledger.record(ended, (Reopened(seen_at=world.time()),), now=world.time())
    assert overdue.since(reopened, world.time()) == (world.time() if early else LATER)


def test_an_empty_place_whose_sessions_live_on_is_overdue_still(world: World) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=30)
    what = Ending(cause=Cause.DEADLINE, reason="")
    now = world.time()
    request = world.ledger.record(request, (what,), now=now)
    world.time.forward(minutes=2)
    left = Removed(seen_at=world.time(), dead_by=now + timedelta(hours=1))
    request = world.ledger.record(request, (left,), now=world.time())
    assert overdue.since(request, world.time()) == LATER
    told = dict(words.of_request(request, Judged(world.advance.judge), world.time()))
    assert told["exposed"] == (
        "the place is empty; what was made of it works until 2026-12-01T10:30:00Z (in 58m)"
    )
    assert shapes.of_age(request, world.time())["removed_at"] == "2026-12-01T09:32:00Z"


def test_of_an_early_one_it_is_known_since_when_the_place_was_empty(world: World) -> None:
    request = world.ask(minutes=30)
    what = Ending(cause=Cause.REVOKED, reason="leak")
    request = world.ledger.record(request, (what,), now=world.time())
    world.time.forward(minutes=2)
    left = Removed(seen_at=world.time(), dead_by=world.time() + timedelta(hours=1))
    world.time.forward(minutes=1)
    request = world.ledger.record(request, (left,), now=world.time())
    assert overdue.age(request, world.time()) == timedelta(minutes=1)


@pytest.mark.parametrize("state", State)
def test_only_what_gives_access_or_may_is_overdue(world: World, state: State) -> None:
    request = replace(world.ask(minutes=30), state=state)
    late = overdue.age(request, LATER + timedelta(hours=1))
    assert (late is not None) == (state in {State.ACTIVATING, State.ACTIVE, State.ENDING})


def test_a_clock_that_was_set_back_makes_no_negative_age(world: World) -> None:
    request = replace(world.ask(minutes=30), state=State.ENDING)
    assert overdue.age(request, START - timedelta(hours=1)) == timedelta(0)


# ── Where it is told ─────────────────────────────────────────────────────────────────────────


def test_list_and_show_tell_what_nobody_has_ended(cli: CliWorld) -> None:
    name = of_role(cli)
    cli.time.forward(hours=2, seconds=30)
    assert "  overdue for 1h30m  " in listed(cli, name)
    assert shown(cli, name)["overdue"] == "for 1h30m, since 2026-12-01T09:30:00Z"
    told = as_json(cli, name)
    assert (told["state"], told["overdue"]) == ("active", 5430)
    assert told["overdue_since"] == "2026-12-01T09:30:00Z"
    assert told["troubles"] == []
    (row,) = cli.jit("list", "--json", by="ana").json["requests"]
    assert row["overdue"] == 5430


def test_show_says_what_the_cloud_last_said(cli: CliWorld) -> None:
    name = of_role(cli)
    cli.cloud.faults.extend([Fault.REFUSED, Fault.REFUSED])
    cli.time.forward(minutes=30)
    cli.jit("sweep")
    cli.time.forward(minutes=3)
    said = cli.jit("sweep")
    assert said.code == 1
    refusal = "The memory cloud refuses, as it was told to."
    assert said.err.endswith(f": {refusal} (overdue for 3m)\n")
    assert "  overdue for 3m  " in listed(cli, name)
    assert shown(cli, name)["trouble"] == f"{refusal} (2 tries)"
    (trouble,) = as_json(cli, name)["troubles"]
    assert trouble == {
        "what": "memory.assignment/ana/admin",
        "message": refusal,
        "attempts": 2,
    }
    cli.time.forward(minutes=5)
    assert cli.jit("sweep").code == 0
    told = as_json(cli, name)
    assert (told["state"], told["overdue"], told["troubles"]) == ("ended", None, [])
    assert "overdue" not in shown(cli, name)
    assert "trouble" not in shown(cli, name)


def test_what_is_over_says_nothing_of_whoever_is_there_now(cli: CliWorld) -> None:
    over = of_role(cli)
    cli.jit("give-back", over, by="ana")
    assert cli.state(over) is State.ENDED
    cli.cloud.faults.append(Fault.REFUSED)
    name = of_role(cli)
    assert "trouble" in shown(cli, name)
    assert "trouble" not in shown(cli, over)
    assert as_json(cli, over)["troubles"] == []


def test_an_early_end_that_is_refused_is_told_as_overdue(cli: CliWorld) -> None:
    name = of_role(cli)
    cli.cloud.faults.append(Fault.REFUSED)
    cli.time.forward(minutes=10)
    cli.jit("give-back", name, by="ana")
    cli.time.forward(seconds=40)
    assert "  overdue for 40s  " in listed(cli, name)
    assert shown(cli, name)["trouble"].endswith("(1 try)")


def test_since_when_an_activation_is_under_way(cli: CliWorld) -> None:
    cli.cloud.faults.append(Fault.REFUSED)
    name = of_role(cli)
    assert cli.state(name) is State.ACTIVATING
    cli.time.forward(seconds=50)
    assert "  under way for 50s  " in listed(cli, name)
    told = shown(cli, name)
    assert told["under way"] == "since 2026-12-01T09:00:00Z (50s ago)"
    assert told["trouble"].startswith("The memory cloud refuses")
    assert as_json(cli, name)["activating_since"] == "2026-12-01T09:00:00Z"
    assert as_json(cli, name)["overdue"] is None


def test_what_is_as_it_should_be_says_nothing_of_it(cli: CliWorld) -> None:
    name = of_role(cli)
    assert "  ends in 30m  " in listed(cli, name)
    assert not {"overdue", "under way", "exposed", "trouble"} & set(shown(cli, name))
    told = as_json(cli, name)
    ages = ("overdue", "overdue_since", "activating_since", "removed_at")
    assert [told[key] for key in ages] == [None] * len(ages)


def test_a_place_that_cannot_be_read_hides_nothing_else(cli: CliWorld) -> None:
    name = of_role(cli)
    cli.cloud.faults.append(Fault.REFUSED)
    cli.jit("give-back", name, by="ana")
    forger = apsw.Connection(str(cli.folder / "jitcloud.db"))
    forger.execute("UPDATE slots SET body = '{}'")
    forger.close()
    said = cli.jit("show", name, by="ana")
    assert said.code == 0
    assert "state:       ending" in said.out
    cli.time.forward(minutes=31)
    swept = cli.jit("sweep", "--json")
    assert swept.code == 1
    told = {each["what"]: each["message"] for each in swept.json["troubles"]}
    assert told[name].endswith("(overdue for 31m)")
    assert json.dumps(told["memory.assignment/ana/admin"])


def test_a_request_with_no_window_is_no_riddle(world: World) -> None:
    request = replace(world.ask(what="prod-write"), state=State.ENDING)
    assert request.window is None
    assert overdue.since(request, LATER) == request.updated_at


def test_the_age_is_of_the_latest_deadline(world: World) -> None:
    request = world.ask(minutes=30)
    longer = Window(start=START, deadline=LATER + timedelta(hours=1))
    assert overdue.since(_with(request, longer), LATER) is None


def _with(request: Request, window: Window) -> Request:
    return replace(request, window=window, prolonged_by=(RequestId(request.id),))
