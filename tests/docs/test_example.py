"""The example organisation in docs/examples is what it says, run in its folder."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.policy import cases
from jitcloud.policy.cases import Case
from tests.docs.pages import ROOT

EXAMPLE = ROOT / "docs" / "examples"
FIXTURE = ROOT / "tests" / "fixtures" / "example-policy"


def jit(*args: str) -> int:
    return run(args, Program(environment={}))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["check"], "20 rules with those that come with jitcloud, in 5 files, about 11"),
        (["fmt", "--check"], ""),
        (["test"], " cases, all as written.\n"),
        (["matrix", "--check", "matrix.csv"], "matrix.csv still says who could get what, in "),
    ],
    ids=["check", "fmt", "test", "matrix"],
)
def test_it_passes_in_its_own_folder(
    command: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path: path.read_bytes() for path in EXAMPLE.rglob("*") if path.is_file()}
    monkeypatch.chdir(EXAMPLE)
    assert jit("policy", *command) == 0
    out, err = capsys.readouterr()
    assert said in out
    assert "No case is decided by" not in out
    assert err == ""
    # It needs no key and no record, and makes none.
    assert {path: path.read_bytes() for path in EXAMPLE.rglob("*") if path.is_file()} == before


def test_its_first_page_names_commands_that_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLE)
    text = (EXAMPLE / "jitcloud.toml").read_text()
    commands = [line.split()[2:] for line in text.splitlines() if line.startswith("#   jitcloud ")]
    assert len(commands) == 5
    for command in commands[:-1]:
        assert jit(*command) == 0
    leads = "2 of sre-leads (or platform-leads after 30m)"
    assert f"after a yes from {leads} [sre-prod-admin]" in capsys.readouterr().out
    redirect = commands[-1].index(">")
    assert jit(*commands[-1][:redirect]) == 0
    assert capsys.readouterr().out == (EXAMPLE / commands[-1][redirect + 1]).read_text()


def test_its_rules_are_those_that_the_tests_of_the_engine_use() -> None:
    texts = {path.name: path.read_text() for path in (EXAMPLE / "policy").iterdir()}
    assert texts == {path.name: path.read_text() for path in FIXTURE.glob("*.cedar")}


def test_its_table_has_rows_about_every_answer() -> None:
    table = cases.read(EXAMPLE / "cases.toml").cases
    assert len(table) >= 120
    answers = Counter(
        (case.expect, isinstance(case, Case) and bool(case.approves)) for case in table
    )
    assert answers["activate", False] >= 20
    assert answers["request", False] >= 20
    assert answers["deny", False] >= 40
    assert answers["approve", True] >= 10
    assert answers["deny", True] >= 10
    assert answers["break-glass", False] >= 3
    assert answers["stop", False] >= 3
    assert answers["end", False] >= 3


def test_with_a_key_it_can_grant_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder)
    assert jit("init", str(folder), "--key") == 0
    assert jit("--config", str(folder), "check") == 0
    assert "aws.sts-session" in capsys.readouterr().out
