from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.model import State
from tests.cli_world import CliWorld
from tests.world import START


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def test_what_policy_allows_at_once_is_active_at_once(cli: CliWorld) -> None:
    said = cli.jit("request", "dev-read", "--for", "30m", "--because", "INC-7", by="ana")
    assert said.code == 0
    assert "state:       active" in said.out
    assert "ends:        2026-12-01T09:30:00Z (in 30m)" in said.out
    assert "ended by:    the cloud itself, even if jitcloud is dead" in said.out
    assert "leaves:      A set lives on until the deadline." in said.out
    assert not said.err


def test_a_request_waits_for_its_approvers_and_a_yes_lets_it_in(cli: CliWorld) -> None:
    said = cli.jit("request", "prod-write", "--for", "1h", "--because", "INC-7", by="ana")
    assert said.code == 0
    assert "waits for:   1 of leads" in said.out
    name = cli.jit("list", "--json", by="ana").json["requests"][0]["id"]
    said = cli.jit("approve", name, "--because", "go on", by="ben")
    assert said.code == 0
    assert "state:       active" in said.out
    assert "yes:         Ben (ben) now: go on" in said.out


def test_a_denied_request_is_shown_and_is_an_error_of_its_own(cli: CliWorld) -> None:
    said = cli.jit("request", "dev-read", "--for", "9h", "--because", "INC-7", by="ana")
    assert said.code == 3
    assert "state:       denied: No rule lets you have this" in said.out
    assert said.err.startswith("jitcloud: Request ")
    assert said.err.count("\n") == 1


def test_json_of_a_request_has_the_documented_shape(cli: CliWorld) -> None:
    args = ("--for", "30m", "--because", "INC-7", "--ticket", "T-1", "--incident", "I-2")
    shown = cli.jit("request", "prod-write", *args, "--json", by="ana").json
    name = shown["id"]
    assert shown == {
        "id": name,
        "state": "pending",
        "reason": "",
        "person": "ana",
        "entitlement": {
            "id": "prod-write",
            "title": "Write in production",
            "cloud": "aws",
            "mechanism": "memory.session",
            "privilege": "write",
            "environment": "prod",
            "owner": "leads",
            "labels": [],
        },
        "part": None,
        "duration": 1800,
        "justification": "INC-7",
        "ticket": "T-1",
        "incident": "I-2",
        "break_glass": False,
        "extends": None,
        "together": [],
        "asked_at": "2026-12-01T09:00:00Z",
        "start": None,
        "updated_at": "2026-12-01T09:00:00Z",
        "lapses_at": "2026-12-02T09:00:00Z",
        "decision": {
            "kind": "needs-approval",
            "rules": ["prod-write"],
            "approval": [
                [
                    {
                        "count": 1,
                        "approvers": [{"kind": "group", "id": "leads"}],
                        "escalation": None,
                    }
                ]
            ],
        },
        "policy_sha256": shown["policy_sha256"],
        "policy_number": 1,
        "votes": [],
        "escalated": [],
        "extended_by": [],
        "review_by": None,
        "review_missed": False,
        "reviews": [],
        "window": None,
        "plan": {
            "guarantee": "cloud",
            "early_end": "Giving back ends nothing early here.",
            "residual": ["A set lives on until the deadline."],
            "notes": ["A set lives a quarter of an hour."],
            "problems": [],
        },
        "guarantee": None,
        "residual": [],
        "issued": 0,
        "cause": None,
        "evidence": None,
        "asked": [
            {
                "stage": 0,
                "need": "1 of leads",
                "people": [{"id": "ben", "name": "Ben"}, {"id": "caro", "name": "Caro"}],
                "joining_after": None,
                "joining": [],
                "escalates_to": None,
            }
        ],
        "reviewers": [],
        "hearing": [],
        "hints": [],
        "offers": shown["offers"],
    }
    assert shown["offers"][0] == {"duration": 900, "kind": "needs-approval"}
    shown = cli.jit("approve", name, "--json", by="ben").json
    assert shown["votes"] == [{"by": "ben", "stage": 0, "at": "2026-12-01T09:00:00Z", "reason": ""}]
    assert shown["window"] == {"start": "2026-12-01T09:00:00Z", "deadline": "2026-12-01T09:30:00Z"}
    assert shown["guarantee"] == "cloud"


def test_the_same_id_asks_only_once(cli: CliWorld) -> None:
    name = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
    assert cli.ask("dev-read", "--id", name) == name
    assert cli.ask("dev-read", "--id", name) == name
    assert len(cli.jit("list", "--json", by="ana").json["requests"]) == 1


@pytest.mark.parametrize("start", ["2026-12-01T12:00:00+02:00", "2026-12-01T11:00[Europe/Berlin]"])
def test_an_asked_start_is_kept_in_utc(cli: CliWorld, start: str) -> None:
    name = cli.ask("dev-read", "--start", start)
    assert cli.state(name) is State.SCHEDULED
    shown = cli.jit("show", name, by="ana").out
    assert "start:       2026-12-01T10:00:00Z (in 1h)" in shown
    assert "waits for:   its start" in shown


def test_deny_tells_the_requester_why_and_is_no_failure_of_the_command(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    said = cli.jit("deny", name, "--because", "not today", by="caro")
    assert (said.code, said.err) == (0, "")
    assert "state:       denied: not today" in said.out


def test_withdraw_give_back_and_revoke_end_what_they_should(cli: CliWorld) -> None:
    waiting, active, another = cli.ask("prod-write"), cli.ask(), cli.ask()
    assert cli.jit("withdraw", waiting, by="ana").code == 0
    assert cli.jit("give-back", active, "--because", "done", by="ana").code == 0
    assert cli.jit("revoke", another, "--because", "leak", by="caro").code == 0
    assert cli.state(waiting) is State.WITHDRAWN
    assert cli.state(active) is State.ENDED
    assert cli.state(another) is State.ENDED
    shown = cli.jit("show", another, by="ana")
    assert "state:       ended: leak" in shown.out
    assert "known by:    nothing was ever handed out" in shown.out


def test_wait_returns_once_a_colleague_says_yes(cli: CliWorld) -> None:
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            name = cli.now_waiting()
            cli.approve_elsewhere(name)

    cli.sleep = nap
    because = ("--for", "30m", "--because", "testing", "--wait")
    said = cli.jit("request", "prod-write", *because, by="ana")
    assert said.code == 0
    assert len(naps) == 3
    assert "state:       active" in said.out
    assert said.err == "pending, waits for 1 of leads · lapses in 1d\n"


def test_a_yes_that_policy_no_longer_takes_is_an_error(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    policy = (cli.folder / "policy" / "rules.cedar").read_text()
    cli.write("policy/rules.cedar", policy.replace('"4h"', '"5m"'))
    said = cli.jit("approve", name, by="ben")
    assert said.code == 3
    assert "state:       denied" in said.out
    assert "is denied" in said.err


def test_wait_tells_a_program_the_outcome_alone(cli: CliWorld) -> None:
    cli.sleep = lambda _: cli.approve_elsewhere(cli.now_waiting())
    because = ("--for", "30m", "--because", "testing", "--wait", "--json")
    said = cli.jit("request", "prod-write", *because, by="ana")
    assert (said.code, said.err) == (0, "")
    assert said.json["state"] == "active"


def test_wait_ends_with_a_lapse(cli: CliWorld) -> None:
    def nap(_: float) -> None:
        cli.time.forward(hours=13)

    cli.sleep = nap
    because = ("--for", "30m", "--because", "testing", "--wait")
    said = cli.jit("request", "prod-write", *because, by="ana")
    assert said.code == 3
    assert "is lapsed" in said.err


def test_ctrl_c_while_waiting_leaves_the_request_as_it_is_and_says_so(cli: CliWorld) -> None:
    def nap(_: float) -> None:
        raise KeyboardInterrupt

    cli.sleep = nap
    because = ("--for", "30m", "--because", "testing", "--wait")
    said = cli.jit("request", "prod-write", *because, by="ana")
    assert said.code == 130
    assert "is left as it is, pending" in said.err
    assert cli.state(cli.now_waiting()) is State.PENDING
    assert cli.now(cli.now_waiting()).updated_at - START < timedelta(seconds=1)


def test_on_a_terminal_wait_shows_a_line_that_changes(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    cli.sleep = lambda _: cli.approve_elsewhere(cli.now_waiting())
    because = ("--for", "30m", "--because", "testing", "--wait")
    said = cli.jit("request", "prod-write", *because, by="ana")
    assert said.code == 0
    assert "state:       active" in said.out
    assert "jitcloud exec" in said.err  # what to type next


def test_names_are_shown_and_markup_and_escapes_in_them_do_nothing(cli: CliWorld) -> None:
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('name = "Ana"', 'name = "[red]Ana[/red] :boom:"'))
    name = cli.ask("prod-write")
    assert "who:         [red]Ana[/red] :boom: (ana)" in cli.jit("show", name, by="ben").out
