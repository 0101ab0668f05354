"""Brakes by the command line: each with each scope, typed wrong, and while files are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jitcloud.model import State
from jitcloud.providers.memory import Fault
from tests.cli_world import BRAKES, CATALOG, HOSTILE, MARKUP, POLICY, CliWorld

WHY = ("--because", "a leak")
SCOPES = [
    (("--everything",), "everything", "everything", ""),
    (("--cloud", "aws"), "cloud aws", "cloud", "aws"),
    (("--entitlement", "dev-read"), "entitlement dev-read", "entitlement", "dev-read"),
    (("--person", "ana"), "person ana", "person", "ana"),
    (("--person", "ANA@example.com"), "person ana", "person", "ana"),
]
VERBS = ("stop", "resume", "end")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    world = CliWorld(tmp_path, capsys, monkeypatch)
    world.permit(BRAKES)
    return world


def admin(cli: CliWorld) -> str:
    """Let Ana have a role that only the broker takes away again."""
    name = cli.ask("prod-role")
    for lead in ("ben", "caro"):
        assert cli.jit("approve", name, by=lead).code == 0
    return name


# ── Each brake with each scope ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("scope", "named", "reach", "id_"), SCOPES)
def test_what_is_stopped_is_refused_until_it_is_resumed(
    cli: CliWorld, scope: tuple[str, ...], named: str, reach: str, id_: str
) -> None:
    active = cli.ask()
    said = cli.jit("brake", "stop", *scope, *WHY, by="ben")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"Activations are stopped for {named}.\n"
    refused = cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="ana")
    assert refused.code == 3
    assert f"is denied: Activations are stopped for {named}: a leak (Ben)" in refused.err
    assert "offered:     nothing\n" in refused.out
    assert "stage 1:" not in refused.out
    assert cli.state(active) is State.ACTIVE
    shown = cli.jit("brake", "show", by="ana").out.splitlines()
    assert shown[0].startswith("policy:      number 1, ")
    assert shown[1:] == [f"stopped:     {named}, by Ben (ben) now: a leak"]
    said = cli.jit("brake", "resume", *scope, *WHY, "--json", by="caro")
    done = f"Activations go on for {named}."
    assert (said.code, said.json) == (0, {"done": done, "reach": reach, "id": id_})
    assert cli.jit("brake", "show", by="ana").out.splitlines()[1:] == ["stopped:     nothing"]
    assert cli.ask()
    assert cli.recorded()[1] == ["adopted", "stopped", "resumed"]


@pytest.mark.parametrize(("scope", "named", "reach", "id_"), SCOPES)
def test_what_is_ended_ends_whatever_state_it_is_in(
    cli: CliWorld, scope: tuple[str, ...], named: str, reach: str, id_: str
) -> None:
    active = cli.ask()
    scheduled = cli.ask("dev-read", "--start", "2026-12-01T12:00:00Z")
    said = cli.jit("brake", "end", *scope, *WHY, by="ben")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"Ending {named}: 2 requests.\n"
    assert (cli.state(active), cli.state(scheduled)) == (State.ENDED, State.WITHDRAWN)
    assert cli.now(active).reason == "a leak"
    cli.ask()
    said = cli.jit("brake", "end", *scope, *WHY, "--json", by="ben")
    done = f"Ending {named}: 1 request."
    told = {"done": done, "reach": reach, "id": id_, "requests": 1, "troubles": []}
    assert (said.code, said.json) == (0, told)
    shown = cli.jit("brake", "show", by="ana").out.splitlines()
    assert shown[1:] == ["stopped:     nothing", f"ending:      {named}, by Ben (ben) now: a leak"]
    cli.time.forward(minutes=1)
    assert cli.jit("sweep").code == 0
    assert cli.jit("brake", "show", by="ana").out.splitlines()[1:] == ["stopped:     nothing"]
    assert cli.recorded()[1] == ["adopted", "end-all", "end-all", "all-ending"]


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        (("--everything",), "Nothing was active or waiting."),
        (("--cloud", "gcp"), "Nothing of cloud gcp was active or waiting."),
        (("--person", "caro"), "Nothing of person caro was active or waiting."),
    ],
)
def test_that_there_was_nothing_to_end_is_said(
    cli: CliWorld, scope: tuple[str, ...], sentence: str
) -> None:
    if scope != ("--everything",):
        cli.ask()
    said = cli.jit("brake", "end", *scope, *WHY, by="ben")
    assert (said.code, said.out) == (0, f"{sentence}\n")
    assert cli.recorded()[1] == ["adopted", "end-all"]


def test_what_lies_outside_of_a_brake_goes_on(cli: CliWorld) -> None:
    others = cli.ask(by="caro")
    mine = admin(cli)
    assert cli.cloud.who_can("admin") == {"ana"}
    said = cli.jit("brake", "end", "--person", "ana", *WHY, by="ben")
    assert said.out == "Ending person ana: 1 request.\n"
    assert cli.cloud.who_can("admin") == frozenset()
    assert (cli.state(mine), cli.state(others)) == (State.ENDED, State.ACTIVE)


def test_stopping_twice_is_stopping_once(cli: CliWorld) -> None:
    for reason in ("a leak", "a larger leak"):
        assert cli.jit("brake", "stop", "--everything", "--because", reason, by="ben").code == 0
    assert cli.recorded()[1] == ["adopted", "stopped"]
    assert "Ben (ben) now: a leak\n" in cli.jit("brake", "show", by="ana").out


def test_several_brakes_are_on_at_once_and_each_is_taken_off_by_itself(cli: CliWorld) -> None:
    for scope in ("--cloud=aws", "--person=ana"):
        cli.jit("brake", "stop", scope, *WHY, by="ben")
    cli.jit("brake", "resume", "--cloud", "aws", *WHY, by="ben")
    refused = cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="ana")
    assert "Activations are stopped for person ana" in refused.err
    assert cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="caro").code == 0


def test_json_of_what_is_on_has_the_documented_shape(cli: CliWorld) -> None:
    assert cli.jit("brake", "show", "--json", by="ana").json == {
        "policy": None,
        "stops": [],
        "endings": [],
        "restored_at": None,
        "reconciled_at": None,
    }
    assert cli.jit("brake", "show", by="ana").out.splitlines() == [
        "policy:      none yet",
        "stopped:     nothing",
    ]
    cli.jit("brake", "stop", "--cloud", "aws", *WHY, by="ben")
    shown = cli.jit("brake", "show", "--json", by="ana").json
    assert shown == {
        "policy": {"number": 1, "sha256": shown["policy"]["sha256"]},
        "stops": [
            {
                "reach": "cloud",
                "id": "aws",
                "by": "ben",
                "at": "2026-12-01T09:00:00Z",
                "reason": "a leak",
            }
        ],
        "endings": [],
        "restored_at": None,
        "reconciled_at": None,
    }
    assert len(shown["policy"]["sha256"]) == 64


def test_the_trail_of_the_deployment_tells_each_of_them(cli: CliWorld) -> None:
    cli.ask()
    for verb in VERBS:
        cli.jit("brake", verb, "--person", "ana", *WHY, by="ben")
    cli.time.forward(minutes=1)
    cli.jit("sweep")
    told = cli.jit("audit", "show", "controls")
    assert told.code == 0
    parts = [line.split(": ", 1)[1].split(" [signature")[0] for line in told.out.splitlines()]
    assert parts[0].startswith("policy 1 judges (")
    assert parts[1:] == [
        "activations are stopped for person ana: “a leak”.",
        "activations go on for person ana: “a leak”.",
        "person ana is to end: “a leak”.",
        "all of it is ending: person ana.",
    ]
    assert told.out.count(" holds]") == 4, "only that all of it has begun to end is not signed"


def test_on_a_terminal_it_says_what_each_does_not_do(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    said = cli.jit("brake", "stop", "--everything", *WHY, by="ben")
    assert said.err == "What is active goes on; jitcloud brake end ends it.\n"
    said = cli.jit("brake", "end", "--everything", *WHY, by="ben")
    assert said.err == "Who asks again may get in again; jitcloud brake stop keeps them out.\n"


def test_what_a_cloud_refuses_to_end_is_said_and_ended_later(cli: CliWorld) -> None:
    name = admin(cli)
    cli.cloud.faults.extend([Fault.REFUSED] * 2)
    end = ("brake", "end", "--everything", *WHY, "--json")
    assert cli.jit(*end, by="ben").json["requests"] == 1
    assert cli.state(name) is State.ENDING
    cli.time.forward(minutes=1)
    again = cli.jit(*end, by="ben")
    (trouble,) = again.json["troubles"]
    assert again.code == 1
    assert set(trouble) == {"what", "message"}
    cli.cloud.faults.append(Fault.REFUSED)
    cli.time.forward(minutes=5)
    said = cli.jit(*end[:-1], by="ben")
    assert said.code == 1
    assert said.out == "Nothing was active or waiting.\n"
    refused = trouble["message"].removesuffix(" (overdue for 1m)")
    assert said.err == f"jitcloud: {trouble['what']}: {refused} (overdue for 6m)\n"
    cli.time.forward(minutes=5)
    assert cli.jit("sweep").code == 0
    assert cli.state(name) is State.ENDED


# ── Who may not, and what is typed wrong ─────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", VERBS)
def test_it_takes_a_right_of_its_own(cli: CliWorld, verb: str) -> None:
    active = cli.ask()
    said = cli.jit("brake", verb, "--everything", *WHY, by="ana")
    assert (said.code, said.out) == (3, "")
    right = "end" if verb == "end" else "stop"
    assert said.err == (
        "jitcloud: No rule lets you use this brake; whoever keeps the policy would have to permit"
        f' you Action::"{right}".\n'
    )
    assert cli.state(active) is State.ACTIVE
    assert cli.recorded()[1] == ["adopted"]


NO_SCOPE = [
    ((), 2, "Say one of --everything, --cloud, --entitlement and --person."),
    (("--everything", "--cloud", "aws"), 2, "Say one of --everything"),
    (("--person", "ana", "--entitlement", "dev-read"), 2, "Say one of --everything"),
    (("--cloud", "aws", "--person", "ana", "--everything"), 2, "Say one of --everything"),
    (("--cloud", "aks"), 2, '"aks" is not a cloud; use one of aws, azure, gcp.'),
    (("--cloud", ""), 2, '"" is not a cloud; use one of aws, azure, gcp.'),
    (("--cloud", "\x1b[31m"), 2, '"\\x1b[31m" is not a cloud'),
    (("--person", "zoe"), 4, 'Nobody in the directory has the id or e-mail "zoe".'),
    (("--person", ""), 4, "Nobody in the directory has the id or e-mail"),
    (("--person", "\x1b[31m"), 4, 'Nobody in the directory has the id or e-mail "\\x1b[31m".'),
    (("--entitlement", "dev-reed"), 4, 'Did you mean "dev-read"?'),
    (("--entitlement", ""), 2, "The id is empty"),
    (("--entitlement", "x" * 201), 2, "The id has 201 characters"),
    (("--entitlement", "a\u202eb"), 2, "The id contains U+202E"),
    (("--everything", "ana"), 2, "unexpected extra argument"),
]


@pytest.mark.parametrize("verb", VERBS)
def test_a_scope_that_is_none_is_said_so_and_records_nothing(cli: CliWorld, verb: str) -> None:
    cli.ask()
    before = cli.recorded()
    for scope, code, message in NO_SCOPE:
        said = cli.jit("brake", verb, *scope, *WHY, by="ben")
        assert (said.code, said.out) == (code, ""), scope
        assert message in said.err
        assert said.err.isascii()
    assert cli.recorded() == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_hostile_reason_is_not_taken(cli: CliWorld, verb: str) -> None:
    active = cli.ask()
    before = cli.recorded()
    for text, message in HOSTILE:
        said = cli.jit("brake", verb, "--everything", "--because", text, by="ben")
        assert (said.code, said.out) == (2, "")
        assert f"The reason {message}" in said.err
        assert said.err.isascii()
    assert cli.recorded() == before
    assert cli.state(active) is State.ACTIVE


@pytest.mark.parametrize("verb", VERBS)
def test_a_brake_needs_a_reason(cli: CliWorld, verb: str) -> None:
    said = cli.jit("brake", verb, "--everything", by="ben")
    assert (said.code, said.out) == (2, "")
    assert "Missing option '--because'" in said.err


def test_markup_in_a_reason_does_nothing(cli: CliWorld) -> None:
    cli.jit("brake", "stop", "--everything", "--because", MARKUP, by="ben")
    assert f"by Ben (ben) now: {MARKUP}\n" in cli.jit("brake", "show", by="ana").out
    assert f"everything: {MARKUP} (Ben)" in cli.jit("catalog", by="ana").out


def test_resuming_what_was_never_stopped_is_refused(cli: CliWorld) -> None:
    cli.jit("brake", "stop", "--cloud", "aws", *WHY, by="ben")
    said = cli.jit("brake", "resume", "--everything", *WHY, "--json", by="ben")
    assert (said.code, said.out) == (3, "")
    assert said.error == {
        "kind": "Refused",
        "message": "Nothing is stopped for everything; `jitcloud brake show` says what is.",
    }


# ── While files are broken ───────────────────────────────────────────────────────────────────


def spoilt(name: str) -> Callable[[CliWorld], None]:
    def spoil(cli: CliWorld) -> None:
        path = cli.folder / name
        if path.is_dir():
            for file in path.iterdir():
                file.unlink()
        else:
            path.write_text("this is { not what belongs here")

    return spoil


def without_private_key(cli: CliWorld) -> None:
    (cli.folder / "keys" / "signing-key.pem").unlink()


BROKEN = {
    **{name: spoilt(name) for name in ("people.toml", "catalog.toml", "policy/rules.cedar")},
    "no policy": spoilt("policy"),
    "no keys": spoilt("keys"),
    "no private key": without_private_key,
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_nothing_that_is_broken_keeps_a_brake_from_ending(
    cli: CliWorld, broken: Callable[[CliWorld], None]
) -> None:
    name = admin(cli)
    assert cli.cloud.who_can("admin") == {"ana"}
    broken(cli)
    # Anybody can, as with revoke: who may could not be told.
    said = cli.jit("brake", "end", "--person", "ana", *WHY, by="ana")
    assert (said.code, said.out) == (0, "Ending person ana: 1 request.\n"), said.err
    assert cli.cloud.who_can("admin") == frozenset()
    assert cli.state(name) is State.ENDED


def test_a_policy_that_was_replaced_says_who_may_end_and_stops_nothing(cli: CliWorld) -> None:
    name = admin(cli)
    cli.write("policy/rules.cedar", POLICY)
    cli.ask(by="caro")
    cli.permit(BRAKES)
    assert cli.jit("brake", "stop", "--everything", *WHY, by="ben").code == 6
    assert cli.jit("brake", "end", "--person", "ana", *WHY, by="ana").code == 3
    assert cli.state(name) is State.ACTIVE
    assert cli.jit("brake", "end", "--person", "ana", *WHY, by="ben").code == 0
    assert cli.state(name) is State.ENDED


@pytest.mark.parametrize(
    "scope", [("--everything",), ("--cloud", "aws"), ("--entitlement", "prod-role")]
)
def test_each_scope_is_ended_though_nothing_can_be_looked_up(
    cli: CliWorld, scope: tuple[str, ...]
) -> None:
    name = admin(cli)
    spoilt("people.toml")(cli)
    said = cli.jit("brake", "end", *scope, *WHY, by="ana")
    assert said.code == 0
    assert said.out.endswith(": 1 request.\n")
    assert "jitcloud: only ends go on until this is mended:" in said.err
    assert cli.state(name) is State.ENDED


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_no_other_brake_is_used_on_what_is_broken(
    cli: CliWorld, broken: Callable[[CliWorld], None]
) -> None:
    cli.jit("brake", "stop", "--everything", *WHY, by="ben")
    broken(cli)
    before = cli.recorded()
    for verb in ("stop", "resume"):
        said = cli.jit("brake", verb, "--everything", *WHY, by="ben")
        assert (said.code, said.out) == (6, "")
    assert cli.recorded() == before


@pytest.mark.parametrize("name", ["people.toml", "catalog.toml", "policy/rules.cedar"])
def test_what_is_on_is_shown_though_files_are_broken(cli: CliWorld, name: str) -> None:
    cli.jit("brake", "stop", "--everything", *WHY, by="ben")
    spoilt(name)(cli)
    said = cli.jit("brake", "show", by="ana")
    assert said.code == 0
    assert "stopped:     everything, by ben now: a leak\n" in said.out
    assert "only ends go on until this is mended" in said.err


def test_without_a_directory_somebody_is_known_by_their_id_alone(cli: CliWorld) -> None:
    active = cli.ask()
    spoilt("people.toml")(cli)
    said = cli.jit("brake", "end", "--person", "ana@example.com", *WHY, by="ben")
    assert (said.code, said.out) == (4, "")
    assert (
        'jitcloud: Nobody with the id "ana@example.com" has asked for anything; while the'
        " directory cannot be read, people are known by their ids alone.\n"
    ) in said.err
    assert cli.state(active) is State.ACTIVE
    assert cli.jit("brake", "end", "--person", "ana", *WHY, by="ben").code == 0
    assert cli.state(active) is State.ENDED


def test_hostile_ids_are_not_taken_though_files_are_broken(cli: CliWorld) -> None:
    cli.ask()
    spoilt("people.toml")(cli)
    before = cli.recorded()
    for scope, code, message in (
        (("--person", "\x1b[31m"), 4, 'Nobody with the id "\\x1b[31m" has asked for anything'),
        (("--person", "x" * 10_000), 4, "has asked for anything"),
        (("--entitlement", "\x1b[31m"), 2, "The id contains U+001B"),
    ):
        said = cli.jit("brake", "end", *scope, *WHY, by="ben")
        assert (said.code, said.out) == (code, "")
        assert message in said.err
        assert "\x1b" not in said.err
        assert len(said.err) < 500
    assert cli.recorded() == before


def test_what_left_the_catalog_is_ended_by_its_old_name(cli: CliWorld) -> None:
    active = cli.ask()
    cli.write("catalog.toml", CATALOG.replace('"dev-read"', '"dev-look"'))
    said = cli.jit("brake", "end", "--entitlement", "dev-read", *WHY, by="ben")
    assert (said.code, said.out) == (0, "Ending entitlement dev-read: 1 request.\n")
    assert cli.state(active) is State.ENDED


def test_whoever_left_the_directory_is_ended_by_their_old_id(cli: CliWorld) -> None:
    active = cli.ask()
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('"ana"', '"anne"').replace("ana@", "anne@"))
    said = cli.jit("brake", "end", "--person", "ana", *WHY, by="ben")
    assert (said.code, said.out) == (0, "Ending person ana: 1 request.\n")
    assert cli.state(active) is State.ENDED


def test_what_left_its_file_can_be_let_go_on(cli: CliWorld) -> None:
    cli.ask()
    cli.jit("brake", "stop", "--entitlement", "dev-read", *WHY, by="ben")
    cli.jit("brake", "stop", "--person", "ana", *WHY, by="ben")
    cli.write("catalog.toml", CATALOG.replace('"dev-read"', '"dev-look"'))
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('"ana"', '"anne"').replace("ana@", "anne@"))
    said = cli.jit("brake", "resume", "--entitlement", "dev-read", *WHY, by="ben")
    assert (said.code, said.out) == (0, "Activations go on for entitlement dev-read.\n")
    said = cli.jit("brake", "resume", "--person", "ana", *WHY, by="ben")
    assert (said.code, said.out) == (0, "Activations go on for person ana.\n")
