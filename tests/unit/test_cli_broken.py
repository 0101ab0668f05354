"""P6: ending is gated on nothing; whatever file is broken, access still ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.model import State
from tests.cli_world import CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def break_file(name: str) -> object:
    def broken(cli: CliWorld) -> None:
        path = cli.folder / name
        if path.is_dir():
            for file in path.iterdir():
                file.unlink()
        else:
            path.write_text("this is { not what belongs here")

    return pytest.param(broken, id=name)


BROKEN = [
    break_file(name)
    for name in ("people.toml", "catalog.toml", "policy/rules.cedar", "policy", "keys")
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_does_not_keep_a_deadline_from_being_kept(
    cli: CliWorld, broken: object
) -> None:
    name = admin(cli)
    assert cli.cloud.who_can("admin") == {"ana"}
    broken(cli)  # type: ignore[operator] # what break_file made
    cli.time.forward(minutes=30)
    swept = cli.jit("sweep")
    assert swept.code == 1, "a broken configuration wants somebody's attention"
    assert "only ends go on until this is mended" in swept.err
    assert cli.cloud.who_can("admin") == frozenset()
    assert cli.state(name) is State.ENDED


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize(
    ("command", "by"), [(("give-back",), "ana"), (("revoke", "--because", "no"), "caro")]
)
def test_a_broken_file_does_not_keep_anybody_from_ending_access(
    cli: CliWorld, broken: object, command: tuple[str, ...], by: str
) -> None:
    name = admin(cli)
    broken(cli)  # type: ignore[operator] # what break_file made
    said = cli.jit(command[0], name, *command[1:], by=by)
    assert said.code == 0, said.err
    assert cli.cloud.who_can("admin") == frozenset()
    assert cli.state(name) is State.ENDED


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_grants_nothing(cli: CliWorld, broken: object) -> None:
    waiting = cli.ask("prod-role")
    broken(cli)  # type: ignore[operator] # what break_file made
    for command in (("approve", waiting), ("request", "dev-read", "--for", "5m", "--because", "x")):
        assert cli.jit(*command, by="ben").code == 6
    cli.jit("sweep")
    assert cli.state(waiting) is State.PENDING


def test_what_was_scheduled_waits_until_the_file_is_mended(cli: CliWorld) -> None:
    start = "2026-12-01T10:00:00Z"
    name = cli.ask("dev-read", "--start", start)
    assert cli.state(name) is State.SCHEDULED
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", "broken")
    cli.time.forward(hours=1)
    assert "Nothing is granted until this is mended" in cli.jit("sweep").err
    assert cli.state(name) is State.SCHEDULED
    cli.write("people.toml", people)
    cli.time.forward(minutes=1)
    assert cli.jit("sweep").code == 0
    assert cli.state(name) is State.ACTIVE


def admin(cli: CliWorld) -> str:
    """Let Ana have a role that only the broker takes away again."""
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        assert cli.jit("approve", name, by=lead).code == 0
    assert cli.state(name) is State.ACTIVE
    return name
