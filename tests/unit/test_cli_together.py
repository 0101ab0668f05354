"""Several things asked for at once by the command line: each is shown, decided and waited for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitcloud.model import State
from tests.cli_world import HOSTILE, CliWorld

NAME = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
NEXT = "01JD8Z6N3V5E6X7Y8Z9ABCDEFH"
BECAUSE = ("--for", "30m", "--because", "INC-7")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def names(cli: CliWorld) -> list[str]:
    """All requests of Ana's, the oldest first."""
    requests = cli.jit("list", "--json", by="ana").json["requests"]
    return [request["id"] for request in reversed(requests)]


def test_each_is_shown_apart_and_names_the_others(cli: CliWorld) -> None:
    said = cli.jit("request", "dev-read", "prod-write", *BECAUSE, by="ana")
    one, two = names(cli)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"request:     {one}",
        "state:       active",
        "who:         Ana (ana)",
        "what:        dev-read: Read in development (read in dev)",
        "for:         30m",
        "because:     INC-7",
        "asked:       2026-12-01T09:00:00Z (now)",
        f"together:    {two}",
        "policy:      at once [dev-self-serve]",
        "ends:        2026-12-01T09:30:00Z (in 30m)",
        "ended by:    the cloud itself, even if jitcloud is dead",
        "early end:   Giving back ends nothing early here.",
        "note:        A set lives a quarter of an hour.",
        "leaves:      A set lives on until the deadline.",
        "",
        f"request:     {two}",
        "state:       pending",
        "waits for:   1 of leads",
        "who:         Ana (ana)",
        "what:        prod-write: Write in production (write in prod)",
        "for:         30m",
        "because:     INC-7",
        "asked:       2026-12-01T09:00:00Z (now)",
        f"together:    {one}",
        "policy:      after a yes from 1 of leads [prod-write]",
        "lapses:      2026-12-02T09:00:00Z (in 1d)",
        "ended by:    the cloud itself, even if jitcloud is dead",
        "early end:   Giving back ends nothing early here.",
        "note:        A set lives a quarter of an hour.",
        "leaves:      A set lives on until the deadline.",
        "stage 1:     1 of leads: Ben, Caro",
    ]


OF_NOW = {"overdue_since", "overdue", "activating_since", "removed_at", "troubles"}
"""What is told of a request that is looked at, and not of one that was just asked."""


def test_json_of_several_is_a_list_of_what_one_would_be(cli: CliWorld) -> None:
    told = cli.jit("request", "dev-read", "prod-write", *BECAUSE, "--json", by="ana").json
    assert list(told) == ["requests"]
    one, two = told["requests"]
    assert one["together"] == two["together"] == [one["id"], two["id"]] == names(cli)
    assert (one["state"], two["state"]) == ("active", "pending")
    assert set(one) == set(two)
    for each in (one, two):
        shown = cli.jit("show", each["id"], "--json", by="ben").json
        both = set(shown) & set(each)
        assert {key: each[key] for key in both} == {key: shown[key] for key in both}
        assert set(shown) - set(each) == OF_NOW
    cli.time.forward(seconds=1)
    alone = cli.jit("request", "dev-read", *BECAUSE, "--json", by="ana").json
    assert alone["together"] == []
    assert set(alone) == set(one)


def test_a_refusal_of_one_is_an_error_and_keeps_no_other_back(cli: CliWorld) -> None:
    args = ("--for", "2h", "--because", "INC-7")
    said = cli.jit("request", "dev-read", "prod-role", *args, by="ana")
    one, two = names(cli)
    assert said.code == 3
    assert (cli.state(one), cli.state(two)) == (State.ACTIVE, State.DENIED)
    assert (
        "hint:        This would be allowed within 1h, after a yes from 2 of leads.\n" in said.out
    )
    assert said.err.startswith(f"jitcloud: Request {two} is denied: No rule lets you have this")
    assert said.err.count("\n") == 1


def test_each_refusal_is_a_line_of_json_for_a_program(cli: CliWorld) -> None:
    args = ("--for", "9h", "--because", "INC-7", "--json")
    said = cli.jit("request", "dev-read", "prod-role", *args, by="ana")
    assert said.code == 3
    errors = [json.loads(line)["error"] for line in said.err.splitlines()]
    assert [error["kind"] for error in errors] == ["Refused", "Refused"]
    assert [error["message"].split()[1] for error in errors] == names(cli)


def test_what_cannot_be_asked_records_none_of_it(cli: CliWorld) -> None:
    many = tuple(f"e{number}" for number in range(21))
    for what, code, message in (
        (("dev-read", "no-such"), 4, 'The catalog has no "no-such"'),
        (("dev-read", ""), 4, "The catalog has no "),
        (("dev-read", "\x1b[31m"), 4, 'The catalog has no "\\x1b[31m"'),
        (("dev-read", "dev-read"), 2, "The same thing is asked for twice; name it once."),
        (many, 2, "Ask for at least one thing, and for 20 at most"),
        ((), 2, "Missing argument 'ENTITLEMENT...'"),
    ):
        said = cli.jit("request", *what, *BECAUSE, by="ana")
        assert (said.code, said.out) == (code, "")
        assert message in said.err
        assert said.err.isascii()
    assert cli.recorded()[0] == 0


def test_a_hostile_reason_is_taken_for_none_of_it(cli: CliWorld) -> None:
    for text, message in HOSTILE:
        args = ("--for", "30m", "--because", text)
        said = cli.jit("request", "dev-read", "prod-write", *args, by="ana")
        assert (said.code, said.out) == (2, "")
        assert message in said.err
    assert cli.recorded()[0] == 0


def test_the_same_id_asks_for_all_of_it_once(cli: CliWorld) -> None:
    ask = ("request", "dev-read", "prod-write", *BECAUSE, "--id", NAME)
    for _ in range(3):
        assert cli.jit(*ask, by="ana").code == 0
    assert names(cli) == [NAME, NEXT]
    for other in (("dev-read", "prod-role"), ("dev-read", "prod-write", "prod-role")):
        said = cli.jit("request", *other, *BECAUSE, "--id", NAME, by="ana")
        assert (said.code, said.out) == (5, "")
        assert said.err == f"jitcloud: Request {NAME} exists already and asks for something else.\n"
    assert names(cli) == [NAME, NEXT]


def test_what_is_asked_in_the_same_instant_is_no_part_of_it(cli: CliWorld) -> None:
    for _ in range(3):
        said = cli.jit("request", "dev-read", "prod-write", *BECAUSE, by="ana")
        assert (said.code, said.err) == (0, "")
    assert len(set(names(cli))) == 6


def test_an_id_without_room_for_the_others_is_said_so(cli: CliWorld) -> None:
    last = "7" + "Z" * 25
    said = cli.jit("request", "dev-read", "prod-write", *BECAUSE, "--id", last, by="ana")
    assert (said.code, said.out) == (2, "")
    assert said.err == "jitcloud: That id leaves no room for the others; choose one by time.\n"
    assert cli.recorded()[0] == 0


def test_wait_stays_until_each_of_them_is_decided(cli: CliWorld) -> None:
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        assert len(naps) < 10, "it never ends"
        if len(naps) == 2:
            cli.approve_elsewhere(NAME)
        if len(naps) == 4:
            with cli.opener(cli.folder) as jitcloud:
                jitcloud.acting_as("caro").deny(NEXT, "not that one")

    cli.sleep = nap
    ask = ("request", "prod-write", "prod-role", *BECAUSE, "--id", NAME, "--wait")
    said = cli.jit(*ask, by="ana")
    assert said.code == 3
    assert len(naps) == 4
    assert (cli.state(NAME), cli.state(NEXT)) == (State.ACTIVE, State.DENIED)
    assert "state:       active\n" in said.out
    assert "state:       denied: not that one\n" in said.out
    assert said.err.splitlines() == [
        "pending, waits for 1 of leads · lapses in 1d",
        "pending, waits for 2 of leads · lapses in 1d",
        f"jitcloud: Request {NEXT} is denied: not that one",
    ]


def test_the_trail_says_that_there_were_others(cli: CliWorld) -> None:
    cli.jit("request", "dev-read", "prod-write", "prod-role", *BECAUSE, by="ana")
    told = cli.jit("audit", "show", names(cli)[0]).out
    assert "for 30m, with 2 more at once: “INC-7”." in told


def test_the_glass_is_broken_for_each_of_them_that_needs_it(cli: CliWorld) -> None:
    cli.permit(
        '@id("glass") @review("within 1h by leads") '
        'permit (principal, action == Action::"breakGlass", resource in Environment::"prod");'
    )
    glass = ("--break-glass", "--incident", "INC-9")
    said = cli.jit("request", "dev-read", "prod-write", *BECAUSE, *glass, by="ana")
    assert said.code == 0
    assert said.out.count("review:      due 2026-12-01T10:00:00Z (in 1h)\n") == 1
    one, two = names(cli)
    assert ["glass-broken" in cli.trail(name) for name in (one, two)] == [False, True]
