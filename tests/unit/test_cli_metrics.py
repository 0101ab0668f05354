"""Figures for whoever watches: what they count, what they cost, and that Prometheus reads them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud import metrics
from jitcloud.metrics import exposition, snapshot
from jitcloud.model import (
    Cause,
    Ending,
    Place,
    Reconciled,
    Removed,
    Restored,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.memory import Fault
from jitcloud.slots import LAST_RETRY
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from tests.cli_world import CliWorld
from tests.factories import a_slot, asked, ended, the_request, together
from tests.world import World

NOTHING = timedelta(0)

# https://prometheus.io/docs/instrumenting/exposition_formats/, with what this writes of it
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
COMMENT = re.compile(rf"# (?P<kind>HELP|TYPE) (?P<name>{NAME}) (?P<text>[^\n]+)")
SAMPLE = re.compile(
    rf'(?P<name>{NAME})(?:\{{(?P<label>{NAME})="(?P<value>[^"\\]*)"\}})? (?P<number>\S+)'
)


def read(text: str) -> dict[str, float]:
    """Read the text format, as strictly as it is described; return each sample by its name."""
    assert text.endswith("\n")
    samples: dict[str, float] = {}
    families: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        comment, sample = COMMENT.fullmatch(line), SAMPLE.fullmatch(line)
        if comment is not None:
            name, kind = comment["name"], comment["kind"]
            seen = families.get(name, "")
            # All lines of a metric stand together, its type before its first sample.
            assert kind not in seen
            assert not any(each.partition("{")[0] == name for each in samples)
            assert kind == "HELP" or comment["text"] == "gauge"
            assert "\\" not in comment["text"]
            families[name] = f"{seen}{kind} "
        else:
            assert sample is not None, line
            assert sample["name"] == list(families)[-1]
            key = line.rpartition(" ")[0]
            assert key not in samples
            samples[key] = float(sample["number"])
    assert set(families.values()) == {"HELP TYPE "}
    return samples


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def of(world: World) -> metrics.Metrics:
    return snapshot(world.store, world.time())


# ── What they count ──────────────────────────────────────────────────────────────────────────


def test_of_an_empty_record_all_is_well(world: World) -> None:
    found = of(world)
    assert found.requests == dict.fromkeys(metrics.UNFINISHED, 0)
    assert (found.overdue, found.oldest_overdue) == (0, NOTHING)
    assert (found.slots_in_trouble, found.most_attempts, found.exposed) == (0, 0, 0)
    assert (found.since_reconcile, found.held, found.backlog) == (None, False, NOTHING)
    assert found.complete


def test_requests_are_counted_by_their_state_while_they_are_not_finished(world: World) -> None:
    world.ask(what="prod-write")
    world.ask("ben", what="prod-write")
    world.ask("caro", start=world.time() + timedelta(hours=1))
    world.ask("caro")
    world.cloud.faults.append(Fault.REFUSED)
    world.ask("ben")
    world.give_back(world.ask("ana"))
    early = world.ask("ana")
    world.cloud.faults.append(Fault.REFUSED)
    world.give_back(early)
    assert of(world).requests == {
        State.PENDING: 2,
        State.SCHEDULED: 1,
        State.ACTIVATING: 1,
        State.ACTIVE: 1,
        State.ENDING: 1,
    }


def test_the_oldest_overdue_end_says_how_long(world: World) -> None:
    world.ask("ana", minutes=10)
    world.ask("ben", minutes=30)
    world.ask("caro", minutes=60)
    world.time.forward(minutes=45)
    found = of(world)
    assert (found.overdue, found.oldest_overdue) == (2, timedelta(minutes=35))
    world.sweep()
    assert (of(world).overdue, of(world).oldest_overdue) == (0, NOTHING)


def test_places_in_trouble_are_counted_with_the_most_tries(world: World) -> None:
    one, two = world.ask("ana", minutes=10), world.ask("ben", minutes=10)
    world.time.forward(minutes=10)
    world.cloud.faults.extend([Fault.REFUSED] * 2)
    world.sweep()
    assert (of(world).slots_in_trouble, of(world).most_attempts) == (2, 1)
    world.cloud.faults.extend([None, Fault.REFUSED])
    world.time.forward(seconds=2)
    world.sweep()
    left = {world.now(each).state for each in (one, two)}
    assert left == {State.ENDED, State.ENDING}
    assert (of(world).slots_in_trouble, of(world).most_attempts) == (1, 2)


def test_a_place_in_trouble_is_found_though_its_request_is_finished(world: World) -> None:
    soon = world.time() + LAST_RETRY
    place = replace(a_slot(1, wake_at=soon), trouble="Throttled.", attempts=9)
    world.store.commit(Change(slots=(place, a_slot(2, wake_at=soon))))
    assert (of(world).slots_in_trouble, of(world).most_attempts) == (1, 9)


def test_a_place_of_a_request_is_looked_at_whenever_it_wakes(world: World) -> None:
    request = world.ask(minutes=400)
    place = replace(world.slot(request), trouble="No.", attempts=4)
    world.store.commit(Change(slots=(replace(place, version=place.version + 1),)))
    assert place.wake_at is not None
    assert place.wake_at > world.time() + LAST_RETRY
    assert (of(world).slots_in_trouble, of(world).most_attempts) == (1, 4)


def test_an_empty_place_whose_sessions_may_live_on_is_an_exposure(world: World) -> None:
    request = world.ask()
    now = world.time()
    request = world.ledger.record(request, (Ending(cause=Cause.REVOKED, reason="x"),), now=now)
    assert of(world).exposed == 0
    left = Removed(seen_at=now, dead_by=now + timedelta(hours=1))
    world.ledger.record(request, (left,), now=now)
    assert (of(world).exposed, of(world).overdue) == (1, 1)


def test_how_long_ago_clouds_were_compared_and_whether_that_is_waited_for(world: World) -> None:
    begun_at = world.time()
    world.time.forward(minutes=10)
    done = Reconciled(begun_at=begun_at, leaked=0, missing=0, foreign=0)
    world.forge(done)
    assert (of(world).since_reconcile, of(world).held) == (timedelta(minutes=10), False)
    world.time.forward(minutes=1)
    world.forge(Restored(reason="disk"))
    assert (of(world).since_reconcile, of(world).held) == (timedelta(minutes=11), True)
    world.forge(replace(done, begun_at=world.time()))
    assert (of(world).since_reconcile, of(world).held) == (NOTHING, False)


def test_the_backlog_is_as_old_as_what_has_been_due_for_longest(world: World) -> None:
    world.ask(minutes=10)
    world.time.forward(minutes=10)
    assert of(world).backlog == timedelta(minutes=5), "whether Ana is still there, first"
    world.sweep()
    assert of(world).backlog == NOTHING


# ── What they cost ───────────────────────────────────────────────────────────────────────────

FINISHED = 3000


def test_nothing_that_is_finished_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "jitcloud.db")
    world = World(tmp_path, store=store)
    for person in ("ana", "ben", "caro"):
        world.ask(person)
        world.ask(person, what="prod-write")
    world.time.forward(minutes=20)
    begin = [asked(number) for number in range(FINISHED)]
    for first in range(0, FINISHED, 1000):
        store.commit(together(*begin[first : first + 1000]))
        store.commit(together(*(ended(the_request(c)) for c in begin[first : first + 1000])))
    places = tuple(replace(a_slot(n, wake_at=None), trouble="") for n in range(FINISHED))
    store.commit(Change(slots=places))
    read_rows: list[int] = []
    rows = type(store._file).rows  # noqa: SLF001 - where every row comes from

    def counted(*args: Any) -> Any:
        found = rows(*args)
        read_rows.append(len(found))
        return found

    monkeypatch.setattr(type(store._file), "rows", counted)  # noqa: SLF001 - the same
    found = snapshot(store, world.time())
    assert sum(found.requests.values()) == 6
    # Six requests, three places, what is due, what is due soon, the controls, no checkpoint.
    assert sum(read_rows) <= 6 + 3 + 1 + 9 + 1
    assert len(read_rows) <= len(metrics.UNFINISHED) + 5
    store.close()


def test_what_is_read_is_bounded_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        world.ask(what="prod-write")
    monkeypatch.setattr(metrics, "PAGE", 2)
    assert of(world).requests[State.PENDING] == 5
    assert of(world).complete
    monkeypatch.setattr(metrics, "PAGES", 2)
    assert of(world).requests[State.PENDING] == 4
    assert not of(world).complete
    assert read(exposition(of(world)))["jitcloud_metrics_complete"] == 0


class ManyPlaces(MemoryStore):
    """Counts how many places are asked for at once."""

    most = 0

    def slots(self, keys: Any) -> Any:
        self.most = max(self.most, len(keys))
        return super().slots(keys)


def test_places_are_read_a_page_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ManyPlaces()
    world = World(tmp_path, store=store)
    for person in ("ana", "ben", "caro"):
        world.ask(person)
    monkeypatch.setattr(metrics, "PAGE", 2)
    assert of(world).requests[State.ACTIVE] == 3
    assert store.most == 2


# ── How they are written ─────────────────────────────────────────────────────────────────────


def test_prometheus_reads_all_of_it(world: World) -> None:
    world.ask(minutes=10)
    world.time.forward(minutes=10, seconds=1.5)
    world.cloud.faults.append(Fault.REFUSED)
    world.sweep()
    assert read(exposition(of(world))) == {
        'jitcloud_requests{state="pending"}': 0,
        'jitcloud_requests{state="scheduled"}': 0,
        'jitcloud_requests{state="activating"}': 0,
        'jitcloud_requests{state="active"}': 0,
        'jitcloud_requests{state="ending"}': 1,
        "jitcloud_overdue_ends": 1,
        "jitcloud_overdue_oldest_seconds": 1.5,
        "jitcloud_slots_in_trouble": 1,
        "jitcloud_slot_attempts_max": 1,
        "jitcloud_exposed_grants": 0,
        "jitcloud_reconcile_age_seconds": float("inf"),
        "jitcloud_activations_held": 0,
        "jitcloud_wakeup_backlog_seconds": 0,
        "jitcloud_metrics_complete": 1,
    }


def test_no_figure_is_negative_though_the_clock_was_set_back(world: World) -> None:
    world.forge(Reconciled(begun_at=world.time(), leaked=0, missing=0, foreign=0))
    world.time.forward(minutes=-5)
    assert read(exposition(of(world)))["jitcloud_reconcile_age_seconds"] == 0


def test_nothing_in_it_names_anybody_or_grows_with_use(world: World) -> None:
    request = world.approve(world.ask(what="prod-write"))
    world.time.forward(minutes=30)
    world.cloud.faults.append(Fault.REFUSED)
    world.sweep()
    text = exposition(of(world))
    place = world.now(request).places.grant
    assert isinstance(place, Place)
    for secret in ("ana", "ben", "testing", "prod-write", "writer", request.id, place.key):
        assert secret not in text
    labels = set(re.findall(r"\{(.*?)\}", text))
    assert labels == {f'state="{state}"' for state in metrics.UNFINISHED}


# ── By the command line ──────────────────────────────────────────────────────────────────────


def test_the_command_writes_it_and_needs_nobody(cli: CliWorld) -> None:
    cli.granted()
    cli.time.forward(hours=1)
    said = cli.jit("metrics")
    assert (said.code, said.err) == (0, "")
    found = read(said.out)
    assert found['jitcloud_requests{state="active"}'] == 1
    assert found["jitcloud_overdue_oldest_seconds"] == 30 * 60


def test_it_goes_on_while_the_configuration_is_broken(cli: CliWorld) -> None:
    cli.granted()
    cli.time.forward(hours=1)
    cli.write("policy/rules.cedar", "not Cedar")
    cli.write("people.toml", "[[person")
    said = cli.jit("metrics")
    assert said.code == 0
    assert read(said.out)["jitcloud_overdue_ends"] == 1
    assert "only ends go on" in said.err


def test_as_json_it_has_the_documented_shape(cli: CliWorld) -> None:
    cli.granted()
    cli.time.forward(hours=1)
    assert cli.jit("metrics", "--json").json == {
        "requests": {"pending": 0, "scheduled": 0, "activating": 0, "active": 1, "ending": 0},
        "overdue": 1,
        "oldest_overdue": 1800,
        "slots_in_trouble": 0,
        "most_attempts": 0,
        "exposed": 0,
        "since_reconcile": None,
        "since_checkpoint": None,
        "held": False,
        "backlog": 3300,
        "complete": True,
    }


def test_the_library_counts_the_same(cli: CliWorld) -> None:
    cli.granted()
    with cli.opener(cli.folder) as jitcloud:
        assert jitcloud.metrics().requests[State.ACTIVE] == 1
