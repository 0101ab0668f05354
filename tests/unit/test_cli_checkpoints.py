from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from jitcloud.audit.checkpoint import believed
from jitcloud.audit.public_keys import public_keys
from tests.cli_world import CONFIG, CliWorld

ANCHORED = f'{CONFIG}\n[anchors]\npath = "anchors"\norigin = "example.com/jit"\n'


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    world = CliWorld(tmp_path, capsys, monkeypatch)
    world.write("jitcloud.toml", ANCHORED)
    return world


def delete(cli: CliWorld, name: str) -> None:
    """Delete a request whole, as whoever has the file can."""
    connection = apsw.Connection(str(cli.folder / "jitcloud.db"))
    connection.execute("DELETE FROM events WHERE request = ?", (name,))
    connection.execute("DELETE FROM requests WHERE id = ?", (name,))
    connection.close()


def lines(cli: CliWorld) -> list[bytes]:
    path = cli.folder / "anchors"
    return [each for each in path.read_bytes().split(b"\n") if each] if path.exists() else []


# ── Writing ──────────────────────────────────────────────────────────────────────────────────


def test_a_checkpoint_says_what_it_is(cli: CliWorld) -> None:
    cli.granted()
    said = cli.jit("audit", "checkpoint")
    assert (said.code, said.err) == (0, "")
    assert said.out == "leaf 3, 2 trails added, as of 2026-12-01T09:00:00Z\n"
    (found,) = cli.jit("audit", "checkpoint", "--json").json["checkpoints"]
    assert (found["added"], found["size"], found["doubts"]) == (0, 4, [])
    assert found["checkpoint"].startswith("example.com/jit\n4\n")
    last = believed(lines(cli)[-1], public_keys(cli.folder / "keys"))
    assert last.note == found["checkpoint"]


def test_a_sweep_writes_one_when_it_is_time(cli: CliWorld) -> None:
    cli.granted()
    cli.jit("sweep")
    assert len(lines(cli)) == 1
    cli.time.forward(minutes=59)
    cli.jit("sweep")
    assert len(lines(cli)) == 1
    cli.time.forward(minutes=1)
    assert cli.jit("sweep").code == 0
    assert len(lines(cli)) == 2


def test_ends_wait_for_no_anchor(cli: CliWorld) -> None:
    name = cli.granted()
    cli.write("jitcloud.toml", ANCHORED.replace('"anchors"', '"gone/anchors"'))
    cli.time.forward(hours=1)
    said = cli.jit("sweep")
    assert (said.code, cli.state(name)) == (1, "ended")
    assert "jitcloud: anchors: The anchors in" in said.err
    assert "cannot be written" in said.err


def test_where_none_are_kept_that_is_told(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", CONFIG)
    said = cli.jit("audit", "checkpoint")
    assert (said.code, "[anchors]" in said.err) == (6, True)


def test_a_log_that_does_not_hold_is_left_alone(cli: CliWorld) -> None:
    cli.granted()
    cli.jit("audit", "checkpoint")
    path = cli.folder / "anchors"
    path.write_bytes(path.read_bytes().replace(b'"seq', b'"sex').replace(b"jit\\n3", b"jit\\n4"))
    spoilt = path.read_bytes()
    said = cli.jit("audit", "checkpoint", "--json")
    assert "begin a new log elsewhere" in said.error["message"]
    assert path.read_bytes() == spoilt


def test_a_log_of_another_name_is_left_alone(cli: CliWorld) -> None:
    cli.jit("audit", "checkpoint")
    cli.write("jitcloud.toml", ANCHORED.replace("example.com/jit", "example.org/other"))
    said = cli.jit("audit", "checkpoint")
    assert "are of example.com/jit, and not of example.org/other" in said.err
    assert len(lines(cli)) == 1


def test_a_record_that_was_set_back_is_noticed_by_whoever_writes(cli: CliWorld) -> None:
    name = cli.granted()
    cli.jit("audit", "checkpoint")
    delete(cli, name)
    said = cli.jit("audit", "checkpoint")
    assert said.code == 1
    assert f"The trail of {name} has 0 events, and had 6 at the last checkpoint" in said.out


# ── Verifying ────────────────────────────────────────────────────────────────────────────────


def test_without_anchors_nothing_changes(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", CONFIG)
    cli.granted()
    said = cli.jit("audit", "verify")
    assert said.code == 0
    assert "- A request that was deleted whole" in said.out


def test_what_is_unseen_begins_with_the_last_checkpoint(cli: CliWorld) -> None:
    cli.granted()
    assert "(there is none)" in cli.jit("audit", "verify").out
    cli.jit("audit", "checkpoint")
    said = cli.jit("audit", "verify")
    assert said.code == 0
    assert "since the last checkpoint (that of 2026-12-01T09:00:00Z)" in said.out
    assert "Trails with such events: none." in said.out


def test_a_deleted_request_is_found(cli: CliWorld) -> None:
    name = cli.granted()
    cli.jit("audit", "checkpoint")
    delete(cli, name)
    said = cli.jit("audit", "verify", "--json")
    assert said.code == 1
    (finding,) = said.json["findings"]
    assert finding["where"] == name
    assert "deleted whole" in finding["message"]


def test_one_request_is_held_to_the_anchors_too(cli: CliWorld) -> None:
    name = cli.granted()
    cli.jit("audit", "checkpoint")
    path = cli.folder / "anchors"
    path.write_bytes(path.read_bytes() + b"[]\n")
    said = cli.jit("audit", "verify", name)
    assert said.code == 1
    assert "this is no checkpoint as it is kept." in said.out


def exported(cli: CliWorld, *of: str) -> str:
    path = cli.folder / "export.jsonl"
    path.write_text(cli.jit("audit", "export", *of).out)
    return str(path)


def test_an_export_is_verified_with_copies_of_checkpoints(cli: CliWorld) -> None:
    name = cli.granted()
    other = cli.ask()
    cli.jit("audit", "checkpoint")
    copies = cli.folder / "copies"
    copies.mkdir()
    for line in lines(cli):
        (copies / f"{json.loads(line)['start']:016d}.json").write_bytes(line)
    keys = ("--keys", str(cli.folder / "keys"))
    for place in (str(cli.folder / "anchors"), str(copies)):
        anchors = ("--anchors", place)
        whole = cli.jit("audit", "verify", "--file", exported(cli), *keys, *anchors)
        assert (whole.code, "all of it holds" in whole.out) == (0, True)
        file = exported(cli, name)
        missed = cli.jit("audit", "verify", "--file", file, *keys, *anchors)
        assert (missed.code, f"request {other}" in missed.out) == (1, True)
        part = cli.jit("audit", "verify", "--file", file, *keys, *anchors, "--part")
        assert (part.code, "left out whole" in part.out) == (0, True)


@pytest.mark.parametrize("more", [("--anchors", "nowhere"), ("--part",)])
def test_what_cannot_be_meant_is_told(cli: CliWorld, more: tuple[str, ...]) -> None:
    assert cli.jit("audit", "verify", *more).code == 2


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("", "by path or by bucket"),
        ('path = "x"\nbucket = "xxx"', "by path or by bucket"),
        ('path = "x"\nretain_days = 4', "retain_days goes with bucket"),
        ('path = "x"\norigin = "a b"', "without spaces"),
        ('path = "x"\nevery = "10s"', "at least 1m"),
        ('bucket = "anchors"\nlock = "none"', "compliance"),
        ('bucket = "anchors"\nretain_days = 0', "greater than or equal to 1"),
        ('bucket = "anchors"\nendpoint_url = "https://evil.example"', "emulators"),
    ],
)
def test_settings_that_make_no_sense_are_refused(cli: CliWorld, settings: str, why: str) -> None:
    cli.write("jitcloud.toml", f"{CONFIG}\n[anchors]\n{settings}\n")
    said = cli.jit("sweep")
    assert why in said.err
