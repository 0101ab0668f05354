"""Attesting by the command line: what is shown and told of it, and what is typed wrong."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from jitcloud.errors import CloudRefused
from jitcloud.model import State
from tests.cli_world import BRAKES, HOSTILE, MARKUP, CliWorld

WHY = ("--because", "The account was closed")
DAN = """
[[person]]
id = "dan"
name = "Dan"
emails = ["dan@example.com"]
"""


def refuses(*_: object, **__: object) -> NoReturn:
    raise CloudRefused("There is no such \x1b[31maccount.")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    world = CliWorld(tmp_path, capsys, monkeypatch)
    people = (world.folder / "people.toml").read_text()
    world.write("people.toml", DAN + people.replace('["ben", "caro"]', '["ben", "caro", "dan"]'))
    world.permit(BRAKES)
    return world


def vanished(cli: CliWorld) -> str:
    """Let Ana have a role in a cloud that then refuses everything for more than a day."""
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        assert cli.jit("approve", name, by=lead).code == 0
    assert cli.state(name) is State.ACTIVE
    for call in ("has", "set"):
        cli.monkeypatch.setattr(cli.cloud, call, refuses)
    for hours in (1, 23, 2):
        cli.time.forward(hours=hours)
        cli.jit("sweep")
    assert cli.state(name) is State.ENDING
    return name


def test_it_is_shown_as_somebodys_word(cli: CliWorld) -> None:
    name = vanished(cli)
    said = cli.jit("attest", name, *WHY, by="dan")
    assert (said.code, said.err) == (0, "")
    shown = said.out.splitlines()
    assert "state:       ended: The account was closed" in shown
    assert "known by:    somebody answers for it by name, and no cloud was seen to say so" in shown
    assert cli.jit("show", name, by="ana").out == said.out
    assert cli.jit("sweep").code == 0
    assert name not in cli.jit("list", "--state", "ending", by="dan").out


def test_as_json_it_has_the_shape_of_a_request(cli: CliWorld) -> None:
    name = vanished(cli)
    done = cli.jit("attest", name, *WHY, "--json", by="dan").json
    assert (done["id"], done["state"], done["evidence"]) == (name, "ended", "attested")
    assert done["reason"] == "The account was closed"


def test_its_trail_says_who_answers_for_it_and_holds(cli: CliWorld) -> None:
    name = vanished(cli)
    cli.jit("attest", name, *WHY, by="dan")
    told = cli.jit("audit", "show", name)
    assert told.code == 0
    last = told.out.splitlines()[-1]
    assert " dan (unsafe-local): answers for it that access is gone, which no cloud was" in last
    assert "seen to say: “The account was closed”. [signature of ed25519:" in last
    assert last.endswith(" holds]")
    assert "access has ended" not in told.out
    assert cli.jit("audit", "verify").code == 0
    (event,) = [
        each
        for each in cli.jit("audit", "show", name, "--json").json["events"]
        if each["what"]["type"] == "attested"
    ]
    assert event["what"]["by"] == "dan"


@pytest.mark.parametrize(
    ("by", "code", "message"),
    [
        ("ana", 3, "You cannot attest the end of your own access; somebody else does it."),
        ("ben", 3, "You approved this access; its end is attested by somebody who did not."),
        ("zoe", 4, 'Nobody in the directory has the id or e-mail "zoe".'),
    ],
)
def test_who_may_not_is_told_why(cli: CliWorld, by: str, code: int, message: str) -> None:
    name = vanished(cli)
    said = cli.jit("attest", name, *WHY, by=by)
    assert (said.code, said.out, said.err) == (code, "", f"jitcloud: {message}\n")
    assert cli.state(name) is State.ENDING


def test_it_takes_a_right(cli: CliWorld) -> None:
    name = vanished(cli)
    cli.permit()
    said = cli.jit("attest", name, *WHY, "--json", by="dan")
    assert (said.code, said.out) == (3, "")
    assert said.error["kind"] == "Refused"
    assert 'permit you Action::"end"' in said.error["message"]
    assert cli.state(name) is State.ENDING


def test_a_hostile_reason_is_not_taken(cli: CliWorld) -> None:
    name = vanished(cli)
    for text, message in HOSTILE:
        said = cli.jit("attest", name, "--because", text, by="dan")
        assert (said.code, said.out) == (2, "")
        assert f"The reason {message}" in said.err
    assert cli.jit("attest", name, by="dan").code == 2
    assert cli.state(name) is State.ENDING
    assert MARKUP in cli.jit("attest", name, "--because", MARKUP, by="dan").out


@pytest.mark.parametrize(
    ("name", "code"), [("x", 2), ("01JD8Z6N3V5E6X7Y8Z9ABCDEFG", 4), ("controls", 2)]
)
def test_what_is_no_request_is_said_so(cli: CliWorld, name: str, code: int) -> None:
    said = cli.jit("attest", name, *WHY, by="dan")
    assert (said.code, said.out) == (code, "")


def test_nothing_is_given_up_while_the_configuration_is_broken(cli: CliWorld) -> None:
    name = vanished(cli)
    for file in ("people.toml", "catalog.toml", "policy/rules.cedar"):
        kept = (cli.folder / file).read_text()
        cli.write(file, "this is { not what belongs here")
        assert cli.jit("attest", name, *WHY, by="dan").code == 6
        cli.write(file, kept)
    assert cli.state(name) is State.ENDING
    assert cli.jit("attest", name, *WHY, by="dan").code == 0
