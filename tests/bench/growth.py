"""What an ask, a yes, an end and a list take, as the record grows from a thousand requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from jitcloud.model import Request, State
from jitcloud.stores.sqlite import SqliteStore
from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.sweeps import Cost, Meter
from tests.bench.timing import MILLI, Pairs, Say, seconds_of
from tests.factories import fill_sqlite
from tests.sqlite_files import each_new
from tests.world import World, caller

FILE = "jitcloud.db"
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 40
LIMIT = 1.05
"""Of what SQLite itself counts; times are told."""

ASK = "an ask"
YES = "a yes, and the grant"
END = "an end at the deadline"
LIST = "a list of one's own"


@dataclass
class Grown:
    """A record with so many requests in it, and one life that is lived in it again and again."""

    world: World
    meter: Meter
    seconds: dict[str, list[float]] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def live(self) -> None:
        """Ask, say yes, let the deadline come, and look at a list; note what each took."""
        for name, step in self._steps().items():
            took = self.seconds.setdefault(name, [])
            self.costs[name] = self.meter.cost_of(partial(_time, step, took))
            if name == YES:
                self.world.time.forward(hours=1)
        state = self.world.now(self.asked[-1]).state
        if state is not State.ENDED:
            raise AssertionError(state)

    def _steps(self) -> Mapping[str, Callable[[], object]]:
        return {ASK: self._ask, YES: self._say_yes, END: self._end, LIST: self._list}

    def _ask(self) -> None:
        self.asked.append(self.world.ask(what="prod-write"))

    def _say_yes(self) -> None:
        self.world.approve(self.asked[-1])

    def _end(self) -> None:
        for _ in range(3):  # told, and read back once that has settled
            self.world.sweep()
            self.world.time.forward(minutes=1)

    def _list(self) -> None:
        if not self.world.broker.mine(caller("ana")).requests:
            raise AssertionError("nothing is listed")


def _time(step: Callable[[], object], took: list[float]) -> None:
    took.append(seconds_of(step))


def measure(
    folder: Path, say: Say, counts: Sequence[int] = COUNTS, rounds: int = ROUNDS
) -> Iterator[Figure | Chart]:
    records = [_grown(folder, number, say) for number in counts]
    say("living, by turns")
    for number in range(rounds):
        # Each is as often the first, so that whatever else the machine does slows all alike.
        for which in range(len(records)):
            records[(number + which) % len(records)].live()
    for record in records:
        record.world.store.close()
    least, most = records[0], records[-1]
    for name in (ASK, YES, END, LIST):
        pairs = Pairs(tuple(most.seconds[name]), tuple(least.seconds[name]))
        yield Figure(
            name=f"growth-of-{name.split()[1].strip(',')}",
            what=f"steps of SQLite for {name} among {counts[-1]:,} requests / among {counts[0]:,}",
            value=most.costs[name].steps / least.costs[name].steps,
            unit="x",
            limit=LIMIT,
            parts={
                f"time among {counts[-1]:,} (ms)": median(most.seconds[name]) * MILLI,
                f"time among {counts[0]:,} (ms)": median(least.seconds[name]) * MILLI,
                "time (x)": pairs.ratio,
                "rows that were scanned": most.costs[name].scanned,
            },
            notes=(f"Of the times {pairs.middle_half}.",),
        )
    labels = tuple(f"{number:,}" for number in counts)
    yield Chart(
        name="throughput-sqlite",
        title="How many a second, one after the other, in one process",
        x="requests on record",
        y="deeds a second, as a median",
        labels=labels,
        lines={name: _a_second(records, name) for name in (ASK, YES, END, LIST)},
        form="lines",
        logarithmic=True,
        notes=(
            "SQLite in a file, each commit synced to the disk; the cloud is one in memory.",
            "A yes is judged and signed, and lets somebody in; an end is told, and read back.",
        ),
    )
    yield Chart(
        name="work-sqlite",
        title="Work of SQLite itself",
        x="requests on record",
        y="steps of its machine",
        labels=labels,
        lines={
            name: tuple(float(record.costs[name].steps) for record in records)
            for name in (ASK, YES, END, LIST)
        },
        form="lines",
        notes=("Counted, not timed: the same on every machine.",),
    )


def _grown(folder: Path, number: int, say: Say) -> Grown:
    say(f"making {number:,} requests")
    place = folder / f"among-{number}"
    place.mkdir()
    fill_sqlite(place / FILE, number)
    meter = Meter()
    with each_new(meter.follow):
        world = World(place, store=SqliteStore(place / FILE))
    made = Grown(world, meter)
    made.live()  # the policy is taken up, once for all
    made.seconds.clear()
    return made


def _a_second(records: Sequence[Grown], name: str) -> tuple[float, ...]:
    return tuple(1 / median(record.seconds[name]) for record in records)
