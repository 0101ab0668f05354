from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud import config
from jitcloud.model import State
from jitcloud.sweep import Swept
from tests.cli_world import CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def test_a_sweep_ends_what_is_over_and_says_nothing(cli: CliWorld) -> None:
    name = cli.granted()
    cli.time.forward(hours=1)
    said = cli.jit("sweep")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert cli.state(name) is State.ENDED


def test_a_sweep_as_json(cli: CliWorld) -> None:
    cli.granted()
    cli.time.forward(hours=1)
    assert cli.jit("sweep", "--json").json == {"woken": 1, "troubles": [], "more": False}


def test_a_sweep_goes_on_until_nothing_more_is_due(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [Swept(woken=1000, troubles=(), more=True), Swept(woken=3, troubles=(), more=False)]
    monkeypatch.setattr(config, "sweep", lambda *_, **__: batches.pop(0))
    assert cli.jit("sweep").code == 0
    assert not batches


def test_a_sweep_takes_on_no_more_than_it_should(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = Swept(woken=1000, troubles=(), more=True)
    batches = [more, more, more]
    monkeypatch.setattr("jitcloud.cli.sweeping.ROUNDS", 2)
    monkeypatch.setattr(config, "sweep", lambda *_, **__: batches.pop())
    assert cli.jit("sweep").code == 0
    assert len(batches) == 1


def test_a_sweep_that_gets_nowhere_stops(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = Swept(woken=1, troubles=(("slot", "The cloud said no."),), more=True)
    monkeypatch.setattr(config, "sweep", lambda *_, **__: stuck)
    said = cli.jit("sweep")
    assert (said.code, said.err) == (1, "jitcloud: slot: The cloud said no.\n")


def test_troubles_are_told_and_end_in_an_exit_code(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = Swept(woken=2, troubles=(("01J", "It \x1b[31mwent wrong."),), more=False)
    monkeypatch.setattr(config, "sweep", lambda *_, **__: trouble)
    said = cli.jit("sweep")
    assert (said.code, said.out) == (1, "")
    assert said.err == "jitcloud: 01J: It \\x1b[31mwent wrong.\n"
    said = cli.jit("sweep", "--json")
    assert said.json["troubles"] == [{"what": "01J", "message": "It \x1b[31mwent wrong."}]


def test_sweeping_again_and_again_waits_in_between(cli: CliWorld) -> None:
    naps: list[float] = []
    cli.sleep = naps.append
    assert cli.jit("sweep", "--every", "30s", "--times", "3").code == 0
    assert naps == [30, 30]


def test_sweeping_on_outlasts_a_broken_file_and_says_so(cli: CliWorld) -> None:
    policy = (cli.folder / "policy" / "rules.cedar").read_text()
    name = cli.granted()
    cli.time.forward(hours=1)
    cli.write("policy/rules.cedar", "not Cedar")

    def mend(_: float) -> None:
        cli.write("policy/rules.cedar", policy)

    cli.sleep = mend
    said = cli.jit("sweep", "--every", "30s", "--times", "2")
    assert said.code == 1
    assert "this is not Cedar" in said.err
    assert cli.state(name) is State.ENDED


@pytest.mark.parametrize(
    "options",
    [["--every", "0s"], ["--every", "x"], ["--times", "2"], ["--every", "1s", "--times", "0"]],
)
def test_how_often_must_make_sense(cli: CliWorld, options: list[str]) -> None:
    assert cli.jit("sweep", *options).code == 2
