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

STORY = """
1. 09:00:00 ana: ana asks for prod-write, Write in production, which is write in prod, for 1h: “INC-7”.
2. 09:00:00 ana: policy wants a yes from 1 of leads (or platform after 30m), then 1 of security (or platform after 30m) until 2026-12-02T09:00:00Z [prod-write]. SIGNED
3. 09:30:00 jitcloud: stage 1 has waited for long enough; platform may say yes as well.
4. 09:31:00 dora: said yes (stage 1): “nobody else is up”. SIGNED
5. 09:32:00 emil: said yes (stage 2). SIGNED
6. 09:32:00 emil: the yeses meet what is asked, 1 of leads (or platform after 30m), then 1 of security (or platform after 30m) [prod-write]. SIGNED
7. 09:32:00 jitcloud: the window is fixed, 2026-12-01T09:32:00Z to 2026-12-01T10:32:00Z; its end is held by the cloud itself, even if jitcloud is dead. Would leave: A set lives on until the deadline.
8. 09:32:00 jitcloud: access was there, as seen 2026-12-01T09:32:00Z.
extension 1, 1. 09:52:00 ana: ana asks to extend REQUEST, prod-write, Write in production, which is write in prod, for 2h in all: “still burning”.
extension 1, 2. 09:52:00 ana: policy wants a yes from 1 of leads (or platform after 30m), then 1 of security (or platform after 30m) until 2026-12-02T09:52:00Z [prod-write]. SIGNED
extension 1, 3. 09:53:00 ben: said yes (stage 1). SIGNED
extension 1, 4. 09:54:00 emil: said yes (stage 2): “go on”. SIGNED
extension 1, 5. 09:54:00 emil: the yeses meet what is asked, 1 of leads (or platform after 30m), then 1 of security (or platform after 30m) [prod-write]. SIGNED
9. 09:54:00 jitcloud: the deadline is later now, 2026-12-01T11:32:00Z: request EXTENSION was let in.
extension 1, 6. 09:54:00 jitcloud: what it extends now lasts until 2026-12-01T11:32:00Z.
extension 2, 1. 10:54:00 ana: ana asks to extend REQUEST, prod-write, Write in production, which is write in prod, for 2h30m in all: “one more”.
extension 2, 2. 10:54:00 ana: policy says no: No rule lets you have this as you asked for it; try a shorter time, or ask leads which rule could. SIGNED
10. 10:55:00 ana: access is to end: its holder gave it back: “it is out”.
11. 10:55:00 jitcloud: access has ended; nothing was ever handed out, 2026-12-01T10:55:00Z.
"""


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
    assert told.splitlines() == STORY.strip().splitlines()
    assert "all of it holds" in then(0, "audit", "verify")
    alone = then(0, "audit", "export", name)
    assert f'"request":"{extension}"' in alone, "what proves the later deadline comes along"
