"""In which order a sweep wakes what is due, for how long, and that nothing broken stops an end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import apsw
import pytest

from jitcloud.controls import EVERYTHING
from jitcloud.directories.static import StaticDirectory
from jitcloud.lifecycle import RECHECK
from jitcloud.model import Brake, Ending, Person, PersonId, Request, RequestId, Slot, SlotKey, State
from jitcloud.ports import Directory
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.sweep import ASKING, TELLING, sweep
from jitcloud.waking import PUT_OFF
from tests.core.test_brakes import ANA, RIGHTS
from tests.world import PEOPLE, Time, World, caller

CALL = timedelta(seconds=5)
"""How long a slow directory takes for each answer."""

CROWD = tuple(f"person-{number}" for number in range(10))
PEOPLE_TOO = PEOPLE.replace(
    '"ana", ', '"ana", ' + "".join(f'"{name}", ' for name in CROWD)
) + "".join(f'\n[[person]]\nid = "{name}"\nname = "{name}"\n' for name in CROWD)


class Slow(StaticDirectory):
    """Answers, after some seconds by the clock."""

    def __init__(self, file: Path, time: Time) -> None:
        super().__init__(file)
        self.time = time
        self.asked_at: list[datetime] = []

    def person(self, handle: str) -> Person:
        self.asked_at.append(self.time())
        self.time.now += CALL
        return super().person(handle)


class Defective(StaticDirectory):
    def person(self, handle: str) -> Person:
        raise RuntimeError(handle)


class BrokenPlace(MemoryStore):
    """A store that cannot make sense of one place."""

    broken: SlotKey | None = None

    def slot(self, slot: SlotKey) -> Slot | None:
        if slot == self.broken:
            raise ValueError(slot)
        return super().slot(slot)


def drive_by(world: World, directory: Directory) -> None:
    """Let whoever drives requests ask this directory."""
    judge = replace(world.advance.judge, directory=directory)
    world.advance = replace(world.advance, judge=judge)


def ending_at(world: World, request: Request) -> datetime | None:
    found = [
        line.event.at
        for line in world.store.events(request.id)
        if isinstance(line.event.what, Ending)
    ]
    return found[0] if found else None


def deadline(world: World, request: Request) -> datetime:
    window = world.now(request).window
    assert window is not None
    return window.deadline


@pytest.fixture
def crowded(tmp_path: Path) -> World:
    """Whoever has something is looked for in the directory, all in the same second."""
    world = World(tmp_path, people_text=PEOPLE_TOO)
    for name in CROWD:
        world.ask(name, minutes=240)
    return world


# ── Order and time ───────────────────────────────────────────────────────────────────────────


def test_what_is_over_ends_before_the_directory_is_asked_anything(crowded: World) -> None:
    world = crowded
    world.time.forward(minutes=4)
    short = world.ask(minutes=1)
    world.time.forward(minutes=1)
    directory = Slow(world.folder / "people.toml", world.time)
    drive_by(world, directory)
    before = world.time()
    world.sweep()
    assert directory.asked_at[0] == before
    assert ending_at(world, short) == before


def test_what_is_over_while_the_directory_is_asked_ends_before_the_next_question(
    crowded: World,
) -> None:
    world = crowded
    world.time.forward(minutes=4)
    short = world.ask(minutes=1.1)
    world.time.forward(minutes=1)
    directory = Slow(world.folder / "people.toml", world.time)
    drive_by(world, directory)
    world.sweep()
    late = ending_at(world, short)
    assert late is not None
    assert late - deadline(world, short) <= CALL
    assert late in directory.asked_at, "and others were asked for after it"


def test_the_directory_is_asked_for_a_bounded_time_and_the_rest_is_put_off(crowded: World) -> None:
    world = crowded
    world.time.now += RECHECK
    directory = Slow(world.folder / "people.toml", world.time)
    drive_by(world, directory)
    before = world.time()
    world.sweep()
    assert len(directory.asked_at) == ASKING / CALL
    assert world.time() == before + ASKING
    assert world.store.due(world.time(), 100) == (), "nothing stands before what ends next"
    world.time.now += PUT_OFF
    world.sweep()
    assert len(directory.asked_at) == 2 * ASKING / CALL
    world.time.now += PUT_OFF
    world.sweep()
    assert len(directory.asked_at) == len(CROWD), "everybody was looked for in the end"


def test_messages_take_a_bounded_time_too(crowded: World) -> None:
    world = crowded
    world.ledger = replace(world.ledger, channels=("notices",))
    world.broker = replace(world.broker, ledger=world.ledger)
    for name in CROWD:
        request = world.ask(name, "prod-write")
        world.broker.withdraw(caller(name), request.id, world.time())

    class SlowMail:
        def wake(self, request: RequestId) -> str:
            told.append(request)
            world.time.now += CALL
            return ""

    told: list[RequestId] = []
    before = world.time()
    sweep(world.advance, telling=SlowMail())
    assert world.time() - before == TELLING
    assert len(told) == TELLING / CALL
    assert len(world.store.due_marks(world.time(), 100)) == len(CROWD), "the rest stays due"


# ── What is broken ───────────────────────────────────────────────────────────────────────────


def test_a_defect_puts_nothing_off_past_its_deadline(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=10)
    world.time.forward(minutes=9, seconds=58)
    drive_by(world, Defective(world.folder / "people.toml"))
    assert world.sweep().troubles == ((request.id, "jitcloud has a defect here: RuntimeError"),)
    assert world.store.wake_at(request.id) == deadline(world, request)
    world.time.forward(seconds=2)
    world.sweep()
    assert ending_at(world, request) == deadline(world, request)


@pytest.mark.parametrize("braked", [False, True])
def test_one_broken_place_stops_no_other_end(tmp_path: Path, *, braked: bool) -> None:
    store = BrokenPlace()
    world = World(tmp_path, policy_text=RIGHTS, store=store)
    broken, whole = world.ask(minutes=10), world.ask("caro", minutes=10)
    store.broken = world.slot(broken).key
    trouble = (broken.id, "jitcloud has a defect here: ValueError")
    if braked:
        ended = world.broker.end_all(caller("ben"), EVERYTHING, world.time(), "leaked key")
        assert ended == (1, (trouble,))
    world.time.forward(minutes=10)
    assert trouble in world.sweep().troubles
    store.broken = None
    world.sweep_until_quiet()
    assert world.now(whole).state is world.now(broken).state is State.ENDED


def test_a_row_that_cannot_be_read_keeps_a_brake_from_nobody_else(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jitcloud.db")
    world = World(tmp_path, policy_text=RIGHTS, store=store)
    spoilt, whole = world.ask(minutes=60), world.ask("caro", minutes=60)
    forger = apsw.Connection(str(tmp_path / "jitcloud.db"))
    forger.execute("UPDATE requests SET body = '{}' WHERE id = ?", (spoilt.id,))
    forger.close()
    ended, troubles = world.broker.end_all(caller("ben"), EVERYTHING, world.time(), "leaked key")
    assert (ended, [where for where, _ in troubles]) == (1, [spoilt.id])
    assert world.now(whole).state is State.ENDING
    world.time.forward(minutes=2)
    world.sweep()
    assert world.now(whole).state is State.ENDED
    types = [line.event.what.type for line in store.control_events()]
    assert types == ["adopted", "end-all"], "the brake stays on for what could not be ended"
    store.close()


def test_a_brake_of_no_time_zone_stops_no_end(tmp_path: Path) -> None:
    store = MemoryStore()
    world = World(tmp_path, policy_text=RIGHTS, store=store)
    request = world.ask(minutes=10)
    known = store.controls()
    assert known is not None
    naive = Brake(scope=ANA, by=PersonId("x"), at=world.time().replace(tzinfo=None), reason="x")
    store._controls = replace(known, endings=(naive,))  # noqa: SLF001 - as whoever can write it
    world.time.forward(minutes=10)
    assert ("brakes", "jitcloud has a defect here: TypeError") in world.sweep().troubles
    world.sweep_until_quiet()
    assert world.now(request).state is State.ENDED
