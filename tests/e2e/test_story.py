"""One lifetime in all its turns, through the command line, as an auditor reads it afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli_world import CliWorld
from tests.world import PEOPLE

PEOPLE_TOO = (
    PEOPLE
    + """
[[person]]
id = "dora"
name = "Dora"

[[person]]
id = "emil"
name = "Emil"

[groups.platform]
members = ["dora"]

[groups.security]
members = ["emil"]
"""
)

POLICY = """
@id("prod-write")
@approval("1 of leads then 1 of security")
@escalate("after 30m to platform")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { context.duration <= duration("2h") };
"""

STORY = (Path(__file__).parent / "story.txt").read_text()


def test_it_reads_as_one_clear_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = CliWorld(tmp_path, capsys, monkeypatch)
    cli.write("people.toml", PEOPLE_TOO)
    cli.write("policy/rules.cedar", POLICY)

    def then(minutes: float, *args: str, by: str | None = None, code: int = 0) -> str:
        cli.time.forward(minutes=minutes)
        said = cli.jit(*args, by=by)
        assert said.code == code, said
        return said.out

    asked = then(0, "request", "prod-write", "--for", "1h", "--because", "INC-7", by="ana")
    assert "stage 1:     1 of leads (or platform after 30m): Ben, Caro" in asked
    name = cli.now_waiting()
    then(30, "sweep")
    assert name in then(0, "list", "--waiting", by="dora")
    then(1, "approve", name, "--because", "nobody else is up", by="dora")
    assert name not in then(0, "list", "--waiting", by="dora")
    then(1, "approve", name, by="emil")
    then(20, "extend", name, "--for", "1h", "--because", "still burning", by="ana")
    extension = cli.now_waiting()
    then(1, "approve", extension, by="ben")
    then(1, "approve", extension, "--because", "go on", by="emil")
    shown = then(0, "show", name, by="ana")
    assert "ends:        2026-12-01T11:32:00Z (in 1h38m)" in shown
    assert f"extended:    by request {extension}" in shown
    then(60, "extend", name, "--for", "30m", "--because", "one more", by="ana", code=3)
    then(1, "give-back", name, "--because", "it is out", by="ana")
    told = then(0, "audit", "show", name)
    told = told.replace(name, "REQUEST").replace(extension, "EXTENSION")
    told = re.sub(r"2026-12-01T(\S{8})Z (\w+)(?: \(unsafe-local\))?:", r"\1 \2:", told)
    told = re.sub(r" \(policy 1, [0-9a-f]{12}\)", "", told)
    told = re.sub(r"\[signature of \S+ holds\]", "SIGNED", told)
    assert told.splitlines() == STORY.splitlines()
    assert "all of it holds" in then(0, "audit", "verify")
    alone = then(0, "audit", "export", name)
    assert f'"request":"{extension}"' in alone, "what proves the later deadline comes along"
