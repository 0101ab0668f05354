"""What is due, among a million requests: as much is read, and as fast, as among a thousand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import apsw

from jitcloud.stores.sqlite import SqliteStore
from jitcloud.sweep import BATCH, sweep
from tests.bench.figures import Figure
from tests.bench.timing import MICRO, MILLI, Pairs, Say, seconds_of
from tests.factories import fill_sqlite
from tests.sqlite_files import each_new
from tests.world import World

FILE = "jitcloud.db"
DUE = 10
NONE, FEW, MANY = 0, 1_000, 1_000_000
"""How many others there are, none of them due."""

ROUNDS = 40
LOOKS = 20

ROWS_LIMIT = DUE
TIME_LIMIT = 2

STEPS_A_ROW = 2
"""The least that SQLite takes to pass over a row: compare it, and go on to the next one."""


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    places = {count: folder / f"among-{count}" for count in (NONE, FEW, MANY)}
    for count, place in places.items():
        say(f"making {count:,} requests")
        place.mkdir()
        fill_sqlite(place / FILE, count, trails=False)
    say("sweeping")
    looks, sweeps = _times(places)
    say("counting what is read")
    yield _rows({count: _read(place) for count, place in places.items()})
    yield _seconds("due-among-a-million", "due()", looks, LOOKS)
    yield _seconds(f"sweep-of-{DUE}-among-a-million", "sweep()", sweeps, 1)


# ── How fast ─────────────────────────────────────────────────────────────────────────────────


def _times(places: Mapping[int, Path]) -> tuple[Pairs, Pairs]:
    worlds = [_world(places[count]) for count in (MANY, FEW)]
    looks: tuple[list[float], list[float]] = [], []
    sweeps: tuple[list[float], list[float]] = [], []
    for number in range(ROUNDS):
        for which in (0, 1) if number % 2 else (1, 0):
            world = worlds[which]
            _let_ten_lapse(world)
            looks[which].append(seconds_of(partial(_look, world)))
            sweeps[which].append(seconds_of(partial(_sweep, world)))
    for world in worlds:
        world.store.close()
    return Pairs(tuple(looks[0]), tuple(looks[1])), Pairs(tuple(sweeps[0]), tuple(sweeps[1]))


def _look(world: World) -> None:
    for _ in range(LOOKS):
        world.store.due(world.time(), BATCH)


def _sweep(world: World) -> None:
    swept = sweep(world.advance)
    if swept.woken != DUE or swept.troubles:
        raise AssertionError(swept)


def _let_ten_lapse(world: World) -> None:
    for _ in range(DUE):
        world.ask(what="prod-write")
    world.time.forward(hours=25)  # nobody has voted within the day that a request waits


def _seconds(name: str, what: str, pairs: Pairs, calls: int) -> Figure:
    many, few = median(pairs.ours) / calls, median(pairs.bare) / calls
    unit, times = ("ms", MILLI) if many >= 1 / MILLI else ("µs", MICRO)
    return Figure(
        name=name,
        what=f"{what} among {MANY:,} requests of which {DUE} are due / among {FEW:,}",
        value=pairs.ratio,
        unit="x",
        limit=TIME_LIMIT,
        parts={f"among {MANY:,} ({unit})": many * times, f"among {FEW:,} ({unit})": few * times},
        notes=(pairs.middle_half,),
    )


# ── How little ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What some statements cost, as SQLite itself counts it."""

    steps: int
    scanned: int
    """Rows that it went through without an index, or sorted."""


@dataclass
class Meter:
    """Listens to a store's connections."""

    statements: list[tuple[str, Mapping[str, int]]] = field(default_factory=list)

    def follow(self, connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._note)

    def cost_of(self, work: Callable[[], object]) -> Cost:
        self.statements.clear()
        work()
        return Cost(
            steps=self._sum("VM_STEP"),
            scanned=sum(map(self._sum, ("FULLSCAN_STEP", "SORT", "AUTOINDEX"))),
        )

    def _sum(self, what: str) -> int:
        return sum(status[f"SQLITE_STMTSTATUS_{what}"] for _, status in self.statements)

    def _note(self, event: dict[str, Any]) -> None:
        self.statements.append((event["sql"], event["stmt_status"]))


@dataclass(frozen=True, kw_only=True)
class Read:
    """What one look for what is due, and one whole sweep, read in one store."""

    found: int
    plan: tuple[str, ...]
    look: Cost
    sweep: Cost


def _read(place: Path) -> Read:
    meter = Meter()
    with each_new(meter.follow):
        world = _world(place)
    _let_ten_lapse(world)
    look = meter.cost_of(lambda: world.store.due(world.time(), BATCH))
    ((sql, _),) = meter.statements
    found = len(world.store.due(world.time(), BATCH))
    whole = meter.cost_of(lambda: _sweep(world))
    world.store.close()
    return Read(found=found, plan=_plan(place, sql), look=look, sweep=whole)


def _plan(place: Path, sql: str) -> tuple[str, ...]:
    connection = apsw.Connection(str(place / FILE))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0, BATCH)).fetchall()
    connection.close()
    return tuple(str(detail) for *_, detail in rows)


def _rows(reads: Mapping[int, Read]) -> Figure:
    # In a store that holds nothing but those ten, no step goes into another row. So what a
    # million others add in steps bounds how many of them are read.
    many, alone = reads[MANY], reads[NONE]
    others = max(0, many.look.steps - alone.look.steps) // STEPS_A_ROW
    return Figure(
        name="rows-read",
        what=f"rows that due() reads among {MANY:,} requests of which {DUE} are due",
        value=many.found + others + many.look.scanned,
        unit="rows",
        limit=ROWS_LIMIT,
        parts={
            f"{what} among {count:,} others (steps)": cost.steps
            for count, read in reads.items()
            for what, cost in (("due()", read.look), ("sweep()", read.sweep))
        }
        | {"scanned by the whole sweep (rows)": many.sweep.scanned},
        notes=(
            f"Read: what it returns, scans or sorts; and a row for {STEPS_A_ROW} steps beyond.",
            f"Plan: {'; '.join(many.plan)}.",
        ),
    )


def _world(place: Path) -> World:
    return World(place, store=SqliteStore(place / FILE))
