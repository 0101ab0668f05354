"""Comparing clouds and record by the command line, and saying that a record was restored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitcloud import adapters, config
from jitcloud.errors import CloudRefused, Misconfigured
from jitcloud.library import Jitcloud
from jitcloud.model import Area, Listing, State
from jitcloud.providers.memory import KIND, MemoryAssignments
from jitcloud.settings import Settings
from tests.cli_world import CATALOG, HOSTILE, CliWorld

PLACE = "memory.assignment/{}/admin"
NOTHING = "0 places leaked, 0 missing, 0 foreign, in 1 area.\n"
WAITS = "The record was restored, and the clouds have not been compared with it since"


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def admin(cli: CliWorld) -> str:
    """Let Ana have a role that only the broker takes away again."""
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        assert cli.jit("approve", name, by=lead).code == 0
    assert cli.cloud.who_can("admin") == {"ana"}
    return name


# ── What is found ────────────────────────────────────────────────────────────────────────────


def test_where_all_agrees_it_says_so_and_takes_nobody_to_say_who_they_are(cli: CliWorld) -> None:
    admin(cli)
    said = cli.jit("reconcile")
    assert (said.code, said.out, said.err) == (0, NOTHING, "")
    assert cli.recorded()[1] == ["adopted", "reconciled"]


def test_what_has_leaked_is_told_until_it_may_be_ended(cli: CliWorld) -> None:
    admin(cli)
    cli.cloud.assign_by_hand("mallory", "admin")
    said = cli.jit("reconcile")
    assert said.code == 1
    assert said.out.splitlines() == [
        "found   place",
        "leaked  memory.assignment/mallory/admin  nobody on record has it",
        "1 place leaked, 0 missing, 0 foreign, in 1 area.",
    ]
    assert said.err.splitlines() == [
        "jitcloud: What has leaked is still there: `jitcloud reconcile --end-leaked` ends it."
    ]
    assert cli.jit("sweep").code == 0
    assert cli.cloud.who_can("admin") == {"ana", "mallory"}

    said = cli.jit("reconcile", "--end-leaked")
    assert (said.code, said.err) == (0, "")
    assert "nobody on record has it; the next sweep ends it" in said.out
    assert cli.jit("sweep").code == 0
    assert cli.cloud.who_can("admin") == {"ana"}
    assert cli.jit("reconcile").out == NOTHING


def test_a_dry_run_says_the_same_and_records_nothing(cli: CliWorld) -> None:
    cli.cloud.assign_by_hand("mallory", "admin")
    said = cli.jit("reconcile", "--dry-run", "--end-leaked")
    assert said.code == 1
    assert PLACE.format("mallory") in said.out
    assert said.out.splitlines()[-1].startswith("This was a dry run: nothing was written")
    assert cli.recorded()[1] == []
    assert cli.jit("sweep").code == 0
    assert cli.cloud.who_can("admin") == {"mallory"}


def test_with_the_record_lost_what_it_left_is_found_and_ended(cli: CliWorld) -> None:
    admin(cli)
    for file in cli.folder.glob("jitcloud.db*"):
        file.unlink()
    assert PLACE.format("ana") in cli.jit("reconcile", "--dry-run").out
    assert cli.jit("reconcile", "--end-leaked").code == 0
    assert cli.jit("sweep").code == 0
    assert cli.cloud.who_can("admin") == frozenset()


def test_what_is_missing_is_told_and_not_put_again(cli: CliWorld) -> None:
    name = admin(cli)
    cli.cloud.unassign_by_hand("ana", "admin")
    said = cli.jit("reconcile", "--end-leaked")
    assert said.code == 1
    assert "missing  memory.assignment/ana/admin  somebody on record has it" in said.out
    assert (said.err, cli.state(name)) == ("", State.ACTIVE)
    assert cli.cloud.who_can("admin") == frozenset()


def test_who_was_there_before_a_holder_goes_with_them(cli: CliWorld) -> None:
    cli.cloud.assign_by_hand("ana", "admin")
    admin(cli)
    said = cli.jit("reconcile", "--end-leaked")
    assert said.code == 0
    assert "held   memory.assignment/ana/admin  it was there before whoever holds it" in said.out


def test_as_json_it_has_the_documented_shape(cli: CliWorld) -> None:
    cli.cloud.assign_by_hand("mallory", "admin")
    said = cli.jit("reconcile", "--end-leaked", "--json")
    assert said.json == {
        "begun_at": "2026-12-01T09:00:00Z",
        "finished": True,
        "areas": 1,
        "pages": 1,
        "places": 1,
        "leaked": 1,
        "missing": 0,
        "foreign": 0,
        "findings": [{"verdict": "leaked", "place": PLACE.format("mallory"), "ended": True}],
        "troubles": [],
    }
    assert said.err == ""


def test_what_is_more_than_can_be_told_is_counted(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.comparing.MOST_TOLD", 2)
    for number in range(5):
        cli.cloud.assign_by_hand(f"p{number}", "admin")
    said = cli.jit("reconcile")
    assert "5 places leaked" in said.out
    assert "There are 3 more, which are counted alone." in said.err.splitlines()


# ── What is in its way ───────────────────────────────────────────────────────────────────────


class Closed(MemoryAssignments):
    """An account that was closed for good."""

    def ours(self, area: Area, after: str | None, now: object) -> Listing:  # noqa: ARG002 - it answers nobody
        raise CloudRefused("This account is closed.")


def close(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanisms, _ = adapters.clouds(Settings(), cli.time)  # those in memory
    shut = {KIND: Closed(cli.cloud)}
    monkeypatch.setattr(config, "clouds", lambda *_: (mechanisms, shut))


def test_what_is_in_its_way_is_told_and_may_be_left_out_by_name(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(cli, monkeypatch)
    said = cli.jit("reconcile")
    assert said.code == 1
    assert said.out == "0 places leaked, 0 missing, 0 foreign, in 0 areas.\n"
    assert said.err.splitlines()[0] == "jitcloud: memory.assignment/admin: This account is closed."
    assert "This reconcile is not finished" in said.err
    assert cli.recorded()[1] == []
    said = cli.jit("reconcile", "--leave-out", "memory.assignment/admin")
    assert (said.code, said.err) == (0, "")
    told = cli.jit("audit", "show", "controls").out
    assert 'left out: "memory.assignment/admin".' in told
    as_json = cli.jit("reconcile", "--json").json
    assert as_json["finished"] is False
    assert as_json["troubles"] == [
        {"what": "memory.assignment/admin", "message": "This account is closed."}
    ]


def test_a_former_catalog_says_where_else_to_look(cli: CliWorld) -> None:
    cli.cloud.assign_by_hand("mallory", "owner")
    assert cli.jit("reconcile").out == NOTHING
    cli.write("2025.toml", CATALOG.replace('role = "admin"', 'role = "owner"'))
    said = cli.jit("reconcile", "--catalog", str(cli.folder / "2025.toml"))
    assert "memory.assignment/mallory/owner" in said.out
    missing = cli.jit("reconcile", "--catalog", str(cli.folder / "2024.toml"))
    assert missing.code == 6
    assert "2024.toml cannot be read" in missing.err


def test_while_a_file_is_broken_nothing_is_compared(cli: CliWorld) -> None:
    (cli.folder / "catalog.toml").unlink()
    said = cli.jit("reconcile", "--end-leaked")
    assert said.code == 6
    assert "catalog.toml cannot be read" in said.err
    with (
        Jitcloud(config.load_to_end(cli.folder, cli.time)) as jitcloud,
        pytest.raises(Misconfigured, match=r"Nothing is compared until this is mended"),
    ):
        jitcloud.reconcile()


# ── A record that was restored ───────────────────────────────────────────────────────────────


def test_after_a_restore_everything_waits_and_every_command_says_for_what(cli: CliWorld) -> None:
    cli.ask("dev-read", "--start", "2026-12-01T09:30:00Z")
    cli.time.forward(minutes=1)
    said = cli.jit("restored", "--because", "The disk broke", by="ben")
    done = "Nothing is activated until `jitcloud reconcile` has finished; ends go on.\n"
    assert (said.code, said.out, said.err) == (0, done, "")
    shown = cli.jit("brake", "show", by="ana").out
    assert f"restored:    2026-12-01T09:01:00Z (now); {WAITS}" in shown
    assert cli.jit("brake", "show", "--json", by="ana").json["restored_at"] == (
        "2026-12-01T09:01:00Z"
    )
    assert cli.jit("list", by="ana").err.startswith(WAITS)
    refused = cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="ana")
    assert refused.code == 3
    assert f"Activations are stopped for everything: {WAITS}" in refused.err
    assert cli.jit("reconcile", "--dry-run").code == 0
    assert cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="ana").code == 3

    assert cli.jit("reconcile").code == 0
    assert cli.jit("list", by="ana").err == ""
    assert "reconciled:  2026-12-01T09:01:00Z (now)" in cli.jit("brake", "show", by="ana").out
    assert cli.state(cli.ask()) is State.ACTIVE
    told = cli.jit("audit", "show", "controls").out
    assert "the record was restored: “The disk broke”" in told
    assert cli.jit("audit", "verify").code == 0


def test_what_waits_says_so_when_it_is_shown(cli: CliWorld) -> None:
    name = cli.ask("dev-read", "--start", "2026-12-01T09:30:00Z")
    cli.jit("restored", "--because", "The disk broke", by="ben")
    cli.time.forward(minutes=30)
    assert cli.jit("sweep").code == 0
    assert cli.state(name) is State.SCHEDULED
    shown = cli.jit("show", name, by="ana").out
    assert "waits for:   activations to go on" in shown
    assert WAITS in shown


def test_as_json_it_says_that_it_is_done(cli: CliWorld) -> None:
    said = cli.jit("restored", "--because", "The disk broke", "--json", by="ben")
    assert said.json == {
        "done": "Nothing is activated until `jitcloud reconcile` has finished; ends go on."
    }


def test_it_can_be_said_while_files_are_broken(cli: CliWorld) -> None:
    (cli.folder / "people.toml").unlink()
    assert cli.jit("restored", "--because", "All of it broke", by="ben").code == 0
    assert cli.recorded()[1] == ["restored"]


@pytest.mark.parametrize(("text", "why"), HOSTILE)
def test_a_hostile_reason_is_not_taken(cli: CliWorld, text: str, why: str) -> None:
    said = cli.jit("restored", "--because", text, "--json", by="ben")
    assert said.code == 2
    assert why in json.loads(said.err.splitlines()[-1])["error"]["message"]
    assert cli.recorded()[1] == []


def test_it_takes_somebody_to_say_so(cli: CliWorld) -> None:
    assert cli.jit("restored", "--because", "x").code == 2
    assert cli.jit("restored", by="ben").code == 2
