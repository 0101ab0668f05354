from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_world import CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def test_the_catalog_lists_what_there_is(cli: CliWorld) -> None:
    said = cli.jit("catalog")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "entitlement  title                 where     privilege",
        "dev-read     Read in development   aws/dev   read",
        "prod-write   Write in production   aws/prod  write",
        "prod-role    A role in production  aws/prod  admin",
    ]


def test_the_catalog_says_what_policy_would_say_to_you(cli: CliWorld) -> None:
    said = cli.jit("catalog", "--for", "2h", by="ana")
    assert "at once [dev-self-serve]" in said.out
    assert "after a yes from 1 of leads [prod-write]" in said.out
    assert "no: No rule lets you have this" in said.out


def test_the_catalog_as_json(cli: CliWorld) -> None:
    (first, *_) = cli.jit("catalog", "--json").json["entitlements"]
    assert first == {
        "id": "dev-read",
        "title": "Read in development",
        "cloud": "aws",
        "mechanism": "memory.session",
        "privilege": "read",
        "environment": "dev",
        "owner": "leads",
        "labels": [],
        "decision": None,
    }
    (first, second, third) = cli.jit("catalog", "--json", "--for", "2h", by="ana").json[
        "entitlements"
    ]
    assert first["decision"] == {"kind": "activate", "rules": ["dev-self-serve"]}
    assert second["decision"]["kind"] == "needs-approval"
    assert third["decision"]["kind"] == "denied"
    assert third["decision"]["because"]


def test_nothing_of_a_target_is_shown_to_who_asks(cli: CliWorld) -> None:
    assert "target" not in cli.jit("catalog", "--json").out
    name = cli.ask("prod-role", by="caro")
    assert "target" not in cli.jit("show", name, "--json", by="ana").out


def test_list_shows_your_own_newest_first(cli: CliWorld) -> None:
    first = cli.ask()
    cli.time.forward(minutes=1)
    second = cli.ask("prod-write")
    cli.ask(by="ben")
    lines = cli.jit("list", by="ana").out.splitlines()
    assert lines[0].split() == ["request", "state", "when", "who", "what", "because"]
    assert [line.split()[0] for line in lines[1:]] == [second, first]
    assert "lapses in 1d" in lines[1]
    assert "ends in 29m" in lines[2]


def test_list_of_nothing_says_nothing(cli: CliWorld) -> None:
    said = cli.jit("list", by="ana")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert cli.jit("list", "--json", by="ana").json == {"requests": [], "after": None}


def test_list_waiting_shows_what_you_could_say_yes_to(cli: CliWorld) -> None:
    name = cli.ask("prod-write", by="ben")
    assert name in cli.jit("list", "--waiting", by="caro").out
    assert name not in cli.jit("list", "--waiting", by="ben").out
    assert name not in cli.jit("list", "--waiting", by="ana").out
    shown = cli.jit("list", "--waiting", "--json", by="caro").json
    assert [request["id"] for request in shown["requests"]] == [name]


def test_list_by_state_shows_everybodys(cli: CliWorld) -> None:
    one, two = cli.ask(by="ben"), cli.ask(by="ana")
    cli.ask("prod-write")
    shown = cli.jit("list", "--state", "active", "--json", by="caro").json
    assert {request["id"] for request in shown["requests"]} == {one, two}


def test_list_goes_on_where_the_page_before_ended(cli: CliWorld) -> None:
    names = []
    for _ in range(3):
        cli.time.forward(seconds=1)
        names.append(cli.ask())
    said = cli.jit("list", "--limit", "2", by="ana")
    assert f"--after {names[1]}" in said.err
    page = cli.jit("list", "--limit", "2", "--json", by="ana").json
    assert [request["id"] for request in page["requests"]] == [names[2], names[1]]
    rest = cli.jit("list", "--after", page["after"], "--json", by="ana").json
    assert [request["id"] for request in rest["requests"]] == [names[0]]
    assert rest["after"] is None


def test_show_tells_all_that_is_known(cli: CliWorld) -> None:
    name = cli.ask("prod-write", "--ticket", "T-1", "--incident", "I-2")
    shown = cli.jit("show", name, by="ben").out.splitlines()
    assert shown == [
        f"request:     {name}",
        "state:       pending",
        "waits for:   1 of leads",
        "who:         Ana (ana)",
        "what:        prod-write: Write in production (write in prod)",
        "for:         30m",
        "because:     testing",
        "ticket:      T-1",
        "incident:    I-2",
        "asked:       2026-12-01T09:00:00Z (now)",
        "policy:      after a yes from 1 of leads [prod-write]",
        "lapses:      2026-12-02T09:00:00Z (in 1d)",
        "ended by:    the cloud itself, even if jitcloud is dead",
        "early end:   Giving back ends nothing early here.",
        "note:        A set lives a quarter of an hour.",
        "leaves:      A set lives on until the deadline.",
    ]


def test_show_tells_who_gets_access_in_the_cloud_and_until_when(cli: CliWorld) -> None:
    name = cli.ask("prod-role", by="ana")
    cli.jit("approve", name, by="ben")
    shown = cli.jit("show", name, by="caro").out
    assert "waits for:   1 of leads" in shown
    cli.jit("approve", name, by="caro")
    shown = cli.jit("show", name, by="caro").out
    assert "ended by:    jitcloud, which tries until it is gone" in shown
    assert cli.cloud.who_can("admin") == {"ana"}
    cli.jit("give-back", name, by="ana")
    assert "read back from the cloud: it is gone" in cli.jit("show", name, by="caro").out
    assert cli.cloud.who_can("admin") == frozenset()


def test_on_a_terminal_a_table_folds_and_shows_foreign_text_as_it_is(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = cli.jit("request", "dev-read", "--for", "5m", "--because", "[bold]x :boom:", by="ana")
    assert said.code == 0
    shown = cli.jit("list", by="ana").out
    assert "[bold]x :boom:" in shown
    assert cli.jit("list", "--json", by="ana").out.startswith("{\n  ")


def test_whoever_left_the_directory_is_shown_by_id(cli: CliWorld) -> None:
    name = cli.ask("prod-write", by="ana")
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('"ana"', '"anne"').replace("ana@", "anne@"))
    assert "who:         ana\n" in cli.jit("show", name, by="ben").out
