"""More time by the command line: what is seen, typed wrong, waited for, and used afterwards."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jitcloud.model import Reach, Scope, State
from tests.cli_world import HOSTILE, MARKUP, CliWorld

NAME = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
BECAUSE = ("--for", "30m", "--because", "not done yet")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def deadline(cli: CliWorld, name: str) -> str:
    window = cli.now(name).window
    assert window is not None
    return window.deadline.strftime("%H:%M")


# ── What is seen ─────────────────────────────────────────────────────────────────────────────


def test_what_policy_gives_at_once_lasts_longer_at_once(cli: CliWorld) -> None:
    name = cli.ask()
    cli.time.forward(minutes=20)
    said = cli.jit("extend", name, *BECAUSE, by="ana")
    extension = cli.now(name).prolonged_by[0]
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"request:     {extension}",
        "state:       extended",
        "who:         Ana (ana)",
        "what:        dev-read: Read in development (read in dev)",
        "for:         1h in all",
        f"extends:     {name}",
        "because:     not done yet",
        "asked:       2026-12-01T09:20:00Z (now)",
        "policy:      at once [dev-self-serve]",
        "ends:        2026-12-01T10:00:00Z (in 40m)",
        "leaves:      A set lives on until the deadline.",
    ]
    shown = cli.jit("show", name, by="ana").out
    assert "state:       active\n" in shown
    assert "ends:        2026-12-01T10:00:00Z (in 40m)\n" in shown
    assert f"extended:    by request {extension}\n" in shown


def test_what_a_colleague_gave_waits_for_a_colleague_and_says_who(cli: CliWorld) -> None:
    name = cli.granted()
    said = cli.jit("extend", name, *BECAUSE, by="ana")
    extension = cli.now_waiting()
    assert said.code == 0
    assert said.out.splitlines() == [
        f"request:     {extension}",
        "state:       pending",
        "waits for:   1 of leads",
        "who:         Ana (ana)",
        "what:        prod-write: Write in production (write in prod)",
        "for:         1h in all",
        f"extends:     {name}",
        "because:     not done yet",
        "asked:       2026-12-01T09:00:00Z (now)",
        "policy:      after a yes from 1 of leads [prod-write]",
        "lapses:      2026-12-01T09:30:00Z (in 30m)",
        "ended by:    the cloud itself, even if jitcloud is dead",
        "early end:   Giving back ends nothing early here.",
        "note:        A set lives a quarter of an hour.",
        "leaves:      A set lives on until the deadline.",
        "stage 1:     1 of leads: Ben, Caro",
    ]
    assert deadline(cli, name) == "09:30"
    said = cli.jit("approve", extension, by="caro")
    assert said.code == 0
    assert "state:       extended\n" in said.out
    assert deadline(cli, name) == "10:00"


def test_a_refusal_says_what_could_be_had_in_all(cli: CliWorld) -> None:
    name = cli.ask()
    said = cli.jit("extend", name, "--for", "8h", "--because", "all day", by="ana")
    assert said.code == 3
    assert "for:         8h30m in all\n" in said.out
    assert "hint:        This would be allowed within 8h.\n" in said.out
    assert "offered:     1h, 2h, 4h, 8h in all\n" in said.out
    assert said.err.startswith("jitcloud: Request ")
    assert "is denied: No rule lets you have this" in said.err
    assert deadline(cli, name) == "09:30"


def test_json_of_an_extension_and_of_what_it_extends(cli: CliWorld) -> None:
    name = cli.ask()
    asked = cli.jit("extend", name, *BECAUSE, "--ticket", "T-2", "--json", by="ana").json
    shown = cli.jit("show", name, "--json", by="ana").json
    first = {key: shown[key] for key in shown if key in asked}
    first_deadline = "2026-12-01T09:30:00Z"
    assert {key: asked[key] for key in first} == {
        **first,
        "id": asked["id"],
        "state": "extended",
        "duration": 3600,
        "justification": "not done yet",
        "ticket": "T-2",
        "extends": name,
        "lapses_at": first_deadline,
        "extended_by": [],
        "guarantee": None,
        "residual": [],
    }
    assert first["extended_by"] == [asked["id"]]
    assert first["duration"] == 1800
    assert first["window"]["deadline"] == asked["window"]["deadline"] == "2026-12-01T10:00:00Z"
    more = {key: asked[key] for key in asked if key not in first}
    assert more == {"asked": [], "reviewers": [], "hearing": [], "hints": [], "offers": []}


def test_what_it_adds_up_to_is_told_in_whole_minutes(cli: CliWorld) -> None:
    cli.time.forward(microseconds=400_000)  # deadlines are whole seconds, and starts are not
    said = cli.jit("extend", cli.ask(), *BECAUSE, "--json", by="ana").json
    assert said["duration"] == 3600
    assert said["window"]["deadline"] == "2026-12-01T10:00:00Z"
    assert "for:         1h in all\n" in cli.jit("show", said["id"], by="ana").out


def test_lists_show_both(cli: CliWorld) -> None:
    name = cli.ask()
    extension = cli.extend(name)
    lines = cli.jit("list", by="ana").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [[extension, "extended"], [name, "active"]]
    lines = cli.jit("list", "--state", "extended", by="ben").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [extension]


def test_a_ticket_of_the_first_ask_counts_on(cli: CliWorld) -> None:
    name = cli.ask("dev-read", "--ticket", "T-1", "--incident", "I-1")
    assert "ticket:      T-1\nincident:    I-1\n" in cli.jit("extend", name, *BECAUSE, by="ana").out


# ── Typed wrong ──────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_asked_is_said_so_and_records_nothing(cli: CliWorld) -> None:
    name = cli.ask()
    before = cli.recorded()
    for args, message in (
        (("--for", "0s"), "is not a duration from 1s to 30d"),
        (("--for", "-5m"), "is not a duration from 1s to 30d"),
        (("--for", "forever"), "is not a duration from 1s to 30d"),
        (("--id", "x"), "is not a request id"),
        (("--incident", "a\x1bb"), "The incident contains U+001B"),
        (("--break-glass",), "Breaking the glass needs an incident"),
        (("--start", "2026-12-01T10:00:00Z"), "No such option: --start"),
    ):
        said = cli.jit("extend", name, *BECAUSE, *args, by="ana")
        assert (said.code, said.out) == (2, ""), args
        assert message in said.err
        assert said.err.isascii()
    assert cli.recorded() == before


@pytest.mark.parametrize("option", ["--ticket", "--incident"])
def test_an_empty_ticket_is_none_and_not_that_of_the_first_ask(cli: CliWorld, option: str) -> None:
    name = cli.ask("dev-read", option, "X-1")
    said = cli.jit("extend", name, *BECAUSE, option, "", by="ana")
    assert (said.code, said.out) == (2, "")
    assert f"The {option[2:]} is empty; write at least one word." in said.err


def test_a_hostile_reason_is_not_taken(cli: CliWorld) -> None:
    name = cli.ask()
    for text, message in HOSTILE:
        said = cli.jit("extend", name, "--for", "30m", "--because", text, by="ana")
        assert (said.code, said.out) == (2, "")
        assert f"The justification {message}" in said.err
        assert said.err.isascii()
    assert cli.recorded()[0] == 1


def test_markup_in_a_reason_does_nothing(cli: CliWorld) -> None:
    name = cli.ask()
    said = cli.jit("extend", name, "--for", "30m", "--because", MARKUP, by="ana")
    assert f"because:     {MARKUP}\n" in said.out


def test_a_malformed_id_is_said_so(cli: CliWorld) -> None:
    for name in ("x", "", NAME.lower(), "\x1b" * 26):
        said = cli.jit("extend", name, *BECAUSE, by="ana")
        assert (said.code, said.out) == (2, "")
        assert "is not a request id; copy all 26 characters" in said.err
        assert said.err.isascii()


def test_only_ones_own_active_grant_is_extended(cli: CliWorld) -> None:
    active, waiting, over = cli.ask(), cli.ask("prod-write"), cli.ask()
    cli.jit("give-back", over, by="ana")
    before = cli.recorded()
    for name, by, code, message in (
        (NAME, "ana", 4, f"There is no request {NAME}; `jitcloud list` shows yours."),
        (active, "ben", 4, f"You have no request {active}; only the person who asked"),
        (waiting, "ana", 3, f"Request {waiting} is pending, so there is nothing to extend"),
        (over, "ana", 3, f"Request {over} is ended, so there is nothing to extend"),
    ):
        said = cli.jit("extend", name, *BECAUSE, by=by)
        assert (said.code, said.out) == (code, "")
        assert message in said.err
    assert cli.recorded() == before


def test_an_extension_is_not_extended_and_the_refusal_names_the_grant(cli: CliWorld) -> None:
    name = cli.ask()
    said = cli.jit("extend", cli.extend(name), *BECAUSE, by="ana")
    assert (said.code, said.out) == (3, "")
    assert said.err == f"jitcloud: That is an extension itself; extend request {name}.\n"


def test_an_error_is_json_for_a_program(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    said = cli.jit("extend", name, *BECAUSE, "--json", by="ana")
    assert said.error == {
        "kind": "Refused",
        "message": f"Request {name} is pending, so there is nothing to extend; ask anew.",
    }


# ── The same again ───────────────────────────────────────────────────────────────────────────


def test_the_same_id_extends_once(cli: CliWorld) -> None:
    name = cli.ask()
    assert [cli.extend(name, "--id", NAME) for _ in range(3)] == [NAME] * 3
    assert deadline(cli, name) == "10:00"
    assert cli.recorded()[0] == 2


def test_the_same_id_for_something_else_is_a_conflict(cli: CliWorld) -> None:
    name = cli.ask()
    cli.extend(name, "--id", NAME)
    said = cli.jit("extend", name, "--for", "30m", "--because", "another", "--id", NAME, by="ana")
    assert (said.code, said.out) == (5, "")
    assert said.err == f"jitcloud: Request {NAME} exists already and asks for something else.\n"
    assert deadline(cli, name) == "10:00"


def test_the_id_of_the_grant_itself_is_a_conflict(cli: CliWorld) -> None:
    name = cli.ask("dev-read", "--id", NAME)
    said = cli.jit("extend", name, *BECAUSE, "--id", NAME, by="ana")
    assert said.code == 5
    assert cli.recorded()[0] == 1


# ── Waiting ──────────────────────────────────────────────────────────────────────────────────


def test_wait_ends_once_the_extension_is_let_in(cli: CliWorld) -> None:
    name = cli.granted()
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        assert len(naps) < 10, "it never ends"
        if len(naps) == 3:
            cli.approve_elsewhere(cli.now_waiting())

    cli.sleep = nap
    said = cli.jit("extend", name, *BECAUSE, "--wait", by="ana")
    assert said.code == 0
    assert len(naps) == 3
    assert "state:       extended\n" in said.out
    assert said.err == "pending, waits for 1 of leads · lapses in 30m\n"


def test_wait_ends_with_a_no(cli: CliWorld) -> None:
    name = cli.granted()
    cli.sleep = lambda _: _denied_elsewhere(cli)
    said = cli.jit("extend", name, *BECAUSE, "--wait", by="ana")
    assert said.code == 3
    assert "state:       denied: enough is enough\n" in said.out
    assert "stage 1:" not in said.out, "nobody else's yes would help any more"


def _denied_elsewhere(cli: CliWorld) -> None:
    with cli.opener(cli.folder) as jitcloud:
        jitcloud.acting_as("ben").deny(cli.now_waiting(), "enough is enough")


def test_wait_tells_what_a_brake_holds_up(cli: CliWorld) -> None:
    cli.permit('@id("s") permit (principal, action == Action::"stop", resource);')
    name = cli.granted()
    extension = cli.extend(name)
    cli.jit("brake", "stop", "--everything", "--because", "a leak", by="ben")
    said = cli.jit("approve", extension, by="ben")
    assert said.code == 0
    assert "state:       scheduled\nwaits for:   activations to go on\n" in said.out
    assert "stopped:     Activations are stopped for everything: a leak (Ben)\n" in said.out
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        assert len(naps) < 10, "it never ends"
        cli.time.forward(minutes=1)
        if len(naps) == 2:
            with cli.opener(cli.folder) as jitcloud:
                jitcloud.acting_as("ben").resume(Scope(reach=Reach.EVERYTHING), "mended")

    cli.sleep = nap
    again = cli.jit("extend", name, *BECAUSE, "--id", extension, "--wait", by="ana")
    assert again.code == 0
    assert "state:       extended\n" in again.out
    assert again.err == "scheduled, waits for activations to go on · lapses in 1h\n"


def test_wait_ends_when_the_grant_does(cli: CliWorld) -> None:
    name = cli.granted()

    def nap(_: float) -> None:
        with cli.opener(cli.folder) as jitcloud:
            jitcloud.acting_as("ana").give_back(name)
            jitcloud.acting_as("ben").approve(cli.now_waiting())

    cli.sleep = nap
    said = cli.jit("extend", name, *BECAUSE, "--wait", by="ana")
    assert said.code == 3
    assert "The access that this would extend is over; ask for it anew." in said.err


# ── Using it ─────────────────────────────────────────────────────────────────────────────────


def expires(cli: CliWorld, name: str) -> tuple[str, str]:
    shown = cli.jit("credentials", name, by="ana").json
    return shown["AccessKeyId"], shown["Expiration"]


def test_a_kept_set_that_ends_at_the_old_deadline_is_replaced_in_time(cli: CliWorld) -> None:
    name = cli.ask()
    cli.time.forward(minutes=20)
    assert expires(cli, name) == ("AKIA1", "2026-12-01T09:30:00Z")
    cli.extend(name)
    assert expires(cli, name) == ("AKIA1", "2026-12-01T09:30:00Z"), "it still has ten minutes"
    cli.time.forward(minutes=9, seconds=1)
    assert expires(cli, name) == ("AKIA2", "2026-12-01T09:44:01Z")
    cli.time.forward(minutes=30)
    assert expires(cli, name) == ("AKIA3", "2026-12-01T10:00:00Z")


def test_without_an_extension_the_same_set_lasts_to_the_deadline(cli: CliWorld) -> None:
    name = cli.ask()
    cli.time.forward(minutes=20)
    expires(cli, name)
    cli.time.forward(minutes=9, seconds=1)
    assert expires(cli, name) == ("AKIA1", "2026-12-01T09:30:00Z")


def test_the_grant_is_used_past_its_first_deadline(cli: CliWorld) -> None:
    name = cli.ask()
    cli.extend(name)
    cli.time.forward(minutes=31)
    cli.jit("sweep")
    assert cli.state(name) is State.ACTIVE
    assert cli.jit("exec", name, "--", sys.executable, "-c", "", by="ana").code == 0
    assert "AKIA2" in cli.jit("env", name, by="ana").out
    cli.time.forward(minutes=29)
    assert cli.jit("env", name, by="ana").code == 3


@pytest.mark.parametrize("approved", [True, False])
def test_an_extension_has_no_access_of_its_own_and_the_refusal_names_the_grant(
    cli: CliWorld, *, approved: bool
) -> None:
    name = cli.granted()
    extension = cli.extend(name)
    if approved:
        cli.jit("approve", extension, by="ben")
    message = (
        f"Request {extension} has no access of its own: it asks to extend request {name},"
        " so use that one."
    )
    for verb, *more in (
        ("exec", "--", "true"),
        ("env",),
        ("credentials",),
        ("credentials", "--no-cache"),
        ("credentials", "--json"),
    ):
        said = cli.jit(verb, extension, *more, by="ana")
        assert (said.code, said.out) == (3, "")
        assert message in said.err
    assert cli.sessions.issued == 0


def test_anothers_extension_is_not_found(cli: CliWorld) -> None:
    extension = cli.extend(cli.ask())
    said = cli.jit("credentials", extension, by="ben")
    assert (said.code, said.out) == (4, "")
    assert "You have no request" in said.err


def test_ending_the_grant_ends_all_of_it(cli: CliWorld) -> None:
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        cli.jit("approve", name, by=lead)
    extension = cli.extend(name)
    for lead in ("ben", "caro"):
        cli.jit("approve", extension, by=lead)
    cli.time.forward(minutes=45)
    cli.jit("sweep")
    assert cli.cloud.who_can("admin") == {"ana"}
    assert cli.jit("give-back", name, by="ana").code == 0
    assert cli.cloud.who_can("admin") == frozenset()


def test_on_a_terminal_it_is_said_which_credentials_last_longer(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = cli.ask()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    said = cli.jit("extend", name, *BECAUSE, by="ana")
    new = f"for new ones: jitcloud exec {name} -- COMMAND\n"
    assert said.err == f"Credentials from before end when they did; {new}"
