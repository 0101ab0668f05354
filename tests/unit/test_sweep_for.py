"""Sweeping for a while: to the second, without spinning, and no longer than it is wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import sweeping
from jitcloud.cli.stopping import Stopping
from jitcloud.due import Due
from jitcloud.errors import Unavailable
from jitcloud.model import Ended, Ending, Request, RequestId, State
from jitcloud.providers.memory import Fault, MemoryCloud
from jitcloud.stores.memory import MemoryStore
from jitcloud.sweep import Swept
from jitcloud.sweeping import NAP, SHORTEST_NAP, sweep_for
from tests.cli_world import CliWorld
from tests.world import START, World, caller

MINUTE = timedelta(minutes=1)
REFUSAL = "The memory cloud refuses, as it was told to."


@dataclass
class Naps:
    """Lets the time of a world pass, and takes note for how long."""

    world: World
    taken: list[float] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What others do in the first naps."""

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.world.time.forward(seconds=seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def naps(world: World) -> Naps:
    return Naps(world)


def happened(world: World, request: Request, what: type[Ending | Ended]) -> datetime:
    (at,) = [
        line.event.at
        for line in world.store.events(request.id)
        if isinstance(line.event.what, what)
    ]
    return at


# ── To the second ────────────────────────────────────────────────────────────────────────────


def test_a_deadline_is_met_when_it_comes(world: World, naps: Naps) -> None:
    first, second = world.ask(minutes=30), world.ask("ben", minutes=30.5)
    world.time.forward(minutes=29, seconds=50.3)
    swept = sweep_for(world.advance, MINUTE, naps)
    for request, minutes in ((first, 30), (second, 30.5)):
        deadline = START + timedelta(minutes=minutes)
        assert happened(world, request, Ending) == deadline
        assert happened(world, request, Ended) == deadline
    assert (swept.troubles, swept.more) == ((), False)
    assert swept.woken > 2
    assert world.time() == START + timedelta(minutes=30, seconds=50.3)
    assert all(SHORTEST_NAP <= timedelta(seconds=nap) <= NAP for nap in naps.taken[:-1])


def test_what_a_cloud_refuses_is_tried_as_soon_as_it_is_worth_it(world: World, naps: Naps) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=30)
    world.cloud.faults.extend([Fault.REFUSED] * 4)
    sweep_for(world.advance, MINUTE, naps)
    late = happened(world, request, Ended) - (START + timedelta(minutes=30))
    assert late <= timedelta(seconds=1 + 2 + 4 + 8), "and not four minutes"


def test_it_waits_for_the_next_wake_up_and_no_longer(world: World, naps: Naps) -> None:
    world.ask(minutes=30)
    world.time.forward(minutes=29, seconds=58)
    world.sweep()
    world.time.forward(seconds=0.75)
    sweep_for(world.advance, timedelta(seconds=1.25), naps)
    assert naps.taken == [1, 0.25]
    assert world.cloud.who_can("reader") == frozenset()


def test_what_others_put_in_meanwhile_is_done_within_a_second(world: World, naps: Naps) -> None:
    request = world.ask(minutes=30)
    naps.meanwhile.append(lambda: world.broker.give_back(caller("ana"), request.id, world.time()))
    sweep_for(world.advance, timedelta(seconds=10), naps)
    assert world.now(request).state is State.ENDED
    assert happened(world, request, Ended) - happened(world, request, Ending) <= NAP


class Mailing:
    """Passes messages on, each in five seconds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.told_at: list[datetime] = []

    def wake(self, request: RequestId) -> str:
        self.told_at.append(self.world.time())
        self.world.time.forward(seconds=5)
        mark = self.world.store.mark("notices", request)
        assert mark is not None
        done = replace(mark, wake_at=None, seq=mark.seq + 1, version=mark.version + 1)
        self.world.store.put_mark(done)
        return ""


def test_messages_keep_no_end_waiting_for_more_than_one_of_them(world: World, naps: Naps) -> None:
    request = world.ask(minutes=30)
    ledger = replace(world.ledger, channels=("notices",))
    broker = replace(world.broker, ledger=ledger)
    world.time.forward(minutes=29, seconds=58)
    world.broker = broker
    for _ in range(4):
        world.ask("ben", what="prod-write")
    mailing = Mailing(world)
    sweep_for(world.advance, timedelta(seconds=30), naps, telling=mailing)
    assert len(mailing.told_at) == 4
    assert happened(world, request, Ending) == START + timedelta(minutes=30, seconds=3)


def test_it_wakes_for_a_message_too(world: World, naps: Naps) -> None:
    world.broker = replace(world.broker, ledger=replace(world.ledger, channels=("notices",)))
    request = world.ask(what="prod-write")
    mark = world.store.mark("notices", request.id)
    assert mark is not None
    soon = START + timedelta(seconds=0.5)
    world.store.put_mark(replace(mark, wake_at=soon, version=mark.version + 1))
    mailing = Mailing(world)
    sweep_for(world.advance, timedelta(seconds=3), naps, telling=mailing)
    assert mailing.told_at == [soon]


# ── Without spinning ─────────────────────────────────────────────────────────────────────────


def test_nothing_to_do_costs_one_look_a_second(world: World, naps: Naps) -> None:
    swept = sweep_for(world.advance, timedelta(seconds=10), naps)
    assert naps.taken == [1] * 10
    assert swept == Swept(woken=0, troubles=(), more=False)


class Stuck(MemoryStore):
    """Has something due that nothing can be done about."""

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        return (Due(kind="slot", id="none", wake_at=START), *super().due(now, limit))[:limit]


def test_what_stays_due_is_not_tried_without_a_pause(tmp_path: Path) -> None:
    world = World(tmp_path, store=Stuck())
    naps = Naps(world)
    sweep_for(world.advance, timedelta(seconds=1), naps)
    assert naps.taken == [SHORTEST_NAP.total_seconds()] * 20


def test_a_clock_that_stands_still_does_not_hold_it_for_ever(world: World) -> None:
    naps: list[float] = []
    sweep_for(world.advance, timedelta(seconds=1), naps.append)
    assert len(naps) == timedelta(seconds=1) / SHORTEST_NAP + 2


def test_a_batch_after_the_other_is_taken_on_at_once(
    world: World, naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Swept(woken=500, troubles=(), more=True)
    stuck = Swept(woken=1, troubles=(("a", "No."),), more=True)
    batches = [full, full, stuck, Swept(woken=3, troubles=(("a", "Not yet."),), more=False)]
    monkeypatch.setattr(sweeping, "sweep", lambda *_, **__: batches.pop(0))
    heard: list[Swept] = []
    swept = sweep_for(world.advance, timedelta(seconds=1), naps, tell=heard.append)
    assert naps.taken == [1]
    assert swept == Swept(woken=1004, troubles=(("a", "Not yet."),), more=False)
    assert [each.woken for each in heard] == [500, 500, 1, 3]


class Locked(MemoryStore):
    """Is locked by another process for a while."""

    locked = 0

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        if self.locked:
            self.locked -= 1
            raise Unavailable("jitcloud.db is locked by another process: wait, then try again.")
        return super().due(now, limit)


def test_a_record_that_is_locked_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    store = Locked()
    world = World(tmp_path, store=store)
    request = world.ask(minutes=30)
    world.time.forward(minutes=30)
    store.locked = 3
    naps = Naps(world)
    swept = sweep_for(world.advance, timedelta(seconds=10), naps)
    assert naps.taken[:3] == [1, 1, 1]
    assert [where for where, _ in swept.troubles] == ["record"]
    assert world.now(request).state is State.ENDED


# ── Until it is asked to stop ────────────────────────────────────────────────────────────────


@dataclass
class Telling(MemoryCloud):
    """Lets something happen when it is told to take somebody's access away."""

    told: list[Callable[[], object]] = field(default_factory=list)

    def set(self, person: str, role: str, *, present: bool) -> None:
        if not present and self.told:
            self.told.pop()()
        super().set(person, role, present=present)


def test_it_stops_after_the_item_in_hand(tmp_path: Path) -> None:
    world = World(tmp_path)
    cloud = Telling(world.time)
    world = World(tmp_path, time=world.time, cloud_=cloud)
    requests = [world.ask(person, minutes=30) for person in ("ana", "ben", "caro")]
    world.time.forward(minutes=30)
    asked = Stopping()
    cloud.told.append(lambda: asked.ask(signal.SIGTERM, None))
    naps = Naps(world)
    swept = sweep_for(world.advance, MINUTE, naps, stopped=asked)
    states = sorted(world.now(request).state for request in requests)
    assert states == [State.ACTIVE, State.ACTIVE, State.ENDED], "the one in hand was finished"
    assert (swept.woken, swept.more, naps.taken) == (1, True, [])
    assert len(world.cloud.who_can("reader")) == 2
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset(), "the others stayed due"


def test_asked_twice_it_does_not_wait_for_the_item_in_hand() -> None:
    asked = Stopping()
    asked.ask(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        asked.ask(signal.SIGINT, None)
    assert asked.by == signal.SIGTERM
    slept: list[float] = []
    asked.pause(slept.append, 1)
    assert not slept


# ── By the command line ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    world = CliWorld(tmp_path, capsys, monkeypatch)
    world.sleep = lambda seconds: world.time.forward(seconds=seconds)
    return world


def role_of(cli: CliWorld) -> str:
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        assert cli.jit("approve", name, by=lead).code == 0
    return name


def test_the_command_ends_what_is_over_when_it_is_and_says_nothing(cli: CliWorld) -> None:
    name = role_of(cli)
    cli.time.forward(minutes=29, seconds=30)
    said = cli.jit("sweep", "--for", "1m")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert cli.state(name) is State.ENDED
    assert cli.now(name).updated_at == START + timedelta(minutes=30)
    assert cli.time() >= START + timedelta(minutes=30, seconds=30)


def test_troubles_are_told_as_they_come(cli: CliWorld) -> None:
    role_of(cli)
    cli.time.forward(minutes=30)
    cli.cloud.faults.extend([Fault.REFUSED] * 3)
    said = cli.jit("sweep", "--for", "20s")
    assert (said.code, said.out) == (1, "")
    lines = said.err.splitlines()
    assert len(lines) == 2, "the first refusal is no trouble yet"
    assert all(REFUSAL in line for line in lines)
    assert lines[-1].endswith(" (overdue for 2s)")


def test_as_json_it_tells_all_of_it_at_the_end(cli: CliWorld) -> None:
    role_of(cli)
    cli.time.forward(minutes=30)
    cli.cloud.faults.extend([Fault.REFUSED] * 3)
    said = cli.jit("sweep", "--for", "20s", "--json")
    assert said.code == 1
    (trouble,) = said.json["troubles"]
    assert trouble["message"].startswith(REFUSAL)
    assert said.json["more"] is False
    assert said.json["woken"] >= 4


@pytest.mark.parametrize(
    "options",
    [
        ["--for", "0s"],
        ["--for", "x"],
        ["--for", "-1m"],
        ["--for", "31d"],
        ["--for", "1m", "--every", "1s"],
        ["--for", "1m", "--times", "2"],
    ],
)
def test_for_how_long_must_make_sense(cli: CliWorld, options: list[str]) -> None:
    said = cli.jit("sweep", *options)
    assert (said.code, said.out) == (2, "")


def test_files_are_read_anew_each_minute(cli: CliWorld) -> None:
    name = role_of(cli)
    policy = (cli.folder / "policy" / "rules.cedar").read_text()
    cli.time.forward(minutes=29)

    def pass_on(seconds: float) -> None:
        cli.time.forward(seconds=seconds)
        passed = cli.time() - START - timedelta(minutes=29)
        whole = not timedelta(seconds=30) < passed < timedelta(seconds=90)
        cli.write("policy/rules.cedar", policy if whole else "not Cedar")

    cli.sleep = pass_on
    said = cli.jit("sweep", "--for", "3m")
    assert said.code == 1
    assert said.err.count("this is not Cedar") == 1
    assert cli.state(name) is State.ENDED
    assert cli.now(name).updated_at == START + timedelta(minutes=30)


def test_what_cannot_be_opened_is_opened_again_soon(cli: CliWorld) -> None:
    name = role_of(cli)
    config = (cli.folder / "jitcloud.toml").read_text()
    cli.time.forward(minutes=29, seconds=50)
    cli.write("jitcloud.toml", "[store\n")

    def mend(seconds: float) -> None:
        cli.time.forward(seconds=seconds)
        cli.write("jitcloud.toml", config)

    cli.sleep = mend
    said = cli.jit("sweep", "--for", "1m")
    assert said.code == 1
    assert said.err.count("jitcloud.toml") == 1
    assert cli.now(name).updated_at == START + timedelta(minutes=30)
    assert cli.state(name) is State.ENDED


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)]
)
def test_a_signal_ends_it_at_once_in_a_pause(
    cli: CliWorld, number: signal.Signals, code: int
) -> None:
    before = signal.getsignal(number)
    naps: list[float] = []

    def signalled(seconds: float) -> None:
        naps.append(seconds)
        os.kill(os.getpid(), number)
        time.sleep(30)

    cli.sleep = signalled
    assert cli.jit("sweep", "--for", "1h").code == code
    assert len(naps) == 1
    assert signal.getsignal(number) is before


def test_a_signal_lets_the_item_in_hand_be_finished(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = role_of(cli)
    cli.time.forward(minutes=30)
    take = cli.cloud.set

    def signalled(person: str, role: str, *, present: bool) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        take(person, role, present=present)

    monkeypatch.setattr(cli.cloud, "set", signalled)
    assert cli.jit("sweep", "--for", "1h").code == 0
    assert cli.cloud.who_can("admin") == frozenset()
    assert cli.state(name) in {State.ENDING, State.ENDED}


def test_a_process_that_is_told_to_end_ends(tmp_path: Path) -> None:
    jitcloud = str(Path(sys.executable).parent / "jitcloud")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    folder = tmp_path / "srv"
    made = subprocess.run([jitcloud, "init", str(folder)], env=environment, check=False)  # noqa: S603 - what the test says
    assert made.returncode == 0
    process = subprocess.Popen(  # noqa: S603 - as above
        [jitcloud, "sweep", "--for", "1h"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    try:
        # The record is opened once whoever asks it to stop is heeded.
        while not (folder / "jitcloud.db-wal").exists() and time.monotonic() < give_up:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
