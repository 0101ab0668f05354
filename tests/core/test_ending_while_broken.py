"""What ends while the configuration is broken is told once everything is mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jitcloud.model import RequestId, State
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.telling import CHANNEL
from tests.cli_world import CONFIG, CliWorld

MAIL = """
[mail]
host = "127.0.0.1"
port = 9
tls = "none"
from_address = "jitcloud@example.com"
"""


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def told_so_far(cli: CliWorld, name: str) -> None:
    """Record that everybody was told everything about a request, and nobody will be again."""
    store = SqliteStore(cli.folder / "jitcloud.db")
    mark = store.mark(CHANNEL, RequestId(name))
    assert mark is not None
    version = mark.version + 1
    store.put_mark(replace(mark, seq=cli.now(name).seq, wake_at=None, version=version))
    store.close()


def is_to_be_told(cli: CliWorld, name: str) -> bool:
    store = SqliteStore(cli.folder / "jitcloud.db")
    mark = store.mark(CHANNEL, RequestId(name))
    store.close()
    return mark is not None and mark.wake_at is not None


@pytest.mark.parametrize("how", ["given back", "revoked", "all ended", "run out"])
def test_it_is_marked_to_be_told_later(cli: CliWorld, how: str) -> None:
    cli.write("jitcloud.toml", CONFIG + MAIL)
    name = cli.ask()
    told_so_far(cli, name)
    cli.write("policy/rules.cedar", "permit (")
    because = ("--because", "over")
    match how:
        case "given back":
            cli.jit("give-back", name, *because, by="ana")
        case "revoked":
            cli.jit("revoke", name, *because, by="ben")
        case "all ended":
            cli.jit("brake", "end", "--everything", *because, by="ben")
        case _:
            cli.time.forward(minutes=30)
            cli.jit("sweep")
    assert cli.state(name) in {State.ENDING, State.ENDED}
    assert is_to_be_told(cli, name)


def test_where_nobody_is_told_anything_nothing_is_marked(cli: CliWorld) -> None:
    name = cli.ask()
    cli.write("people.toml", "[[person")
    cli.jit("revoke", name, "--because", "over", by="ben")
    assert cli.state(name) in {State.ENDING, State.ENDED}
    assert not is_to_be_told(cli, name)
