from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from jitcloud import cli as command_line
from jitcloud.cli.exits import HELP, ExitCode, code_of
from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.errors import (
    CloudRefused,
    Conflict,
    Invalid,
    JitError,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Refused,
    Tampered,
    Throttled,
    Unavailable,
)
from tests.cli_world import CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


# ── What an end means ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid, 2),
        (Refused, 3),
        (NotFound, 4),
        (Conflict, 5),
        (Misconfigured, 6),
        (Unavailable, 6),
        (Tampered, 7),
        (CloudRefused, 8),
        (Throttled, 8),
        (OutcomeUnknown, 8),
        (JitError, 70),
    ],
)
def test_every_error_has_its_exit_code_a_sentence_and_a_kind(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch, error: type[JitError], code: int
) -> None:
    def fails(*_: object) -> NoReturn:
        raise error("It went \x1b[31mwrong; mend it.")

    monkeypatch.setattr("jitcloud.library.Jitcloud.acting_as", fails)
    assert code_of(error()) == code
    said = cli.jit("list", by="ana")
    assert (said.code, said.out) == (code, "")
    assert said.err == "jitcloud: It went \\x1b[31mwrong; mend it.\n"
    said = cli.jit("list", "--json", by="ana")
    assert (said.code, said.out) == (code, "")
    assert said.error == {"kind": error.__name__, "message": "It went \x1b[31mwrong; mend it."}
    assert "\x1b" not in said.err


def test_several_findings_are_told_a_line_each(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> NoReturn:
        raise Misconfigured("One.\nTwo.")

    monkeypatch.setattr("jitcloud.library.Jitcloud.acting_as", fails)
    assert cli.jit("list", by="ana").err == "jitcloud: One.\n  Two.\n"


def test_every_exit_code_is_in_the_help(cli: CliWorld) -> None:
    shown = " ".join(cli.jit("--help").out.split())
    assert " ".join(HELP.split()[:8]) in shown
    for code in ExitCode:
        assert f"{code.value}" in HELP


def test_a_defect_is_said_in_a_sentence_and_shown_only_when_asked_for(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> NoReturn:
        credential = "s3cr3t of a local variable"
        raise KeyError(len(credential))

    monkeypatch.setattr("jitcloud.library.Jitcloud.acting_as", fails)
    said = cli.jit("list", by="ana")
    assert (said.code, said.out) == (70, "")
    assert said.err == (
        "jitcloud: This is a defect in jitcloud (KeyError); run it again with --debug, and report"
        " what that shows.\n"
    )
    said = cli.jit("list", "--debug", by="ana")
    assert said.code == 70
    assert "Traceback" in said.err
    assert "of a local variable" not in said.err.replace(
        'credential = "s3cr3t of a local variable"', ""
    )


def test_the_system_saying_no_is_no_defect(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jitcloud.library.Jitcloud.acting_as", fails)
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert said.err == "jitcloud: The system does not let this happen: No space left on device.\n"


def test_ctrl_c_ends_quietly(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("jitcloud.library.Jitcloud.acting_as", interrupted)
    said = cli.jit("list", by="ana")
    assert (said.code, said.out, said.err) == (130, "", "")


def test_a_reader_that_has_read_enough_is_no_trouble(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run(["--version"], Program()) == 1
        assert run(["--version"], Program()) == 0  # what is written from now on goes nowhere
    assert not capsys.readouterr().err


# ── What was typed wrong ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["requst"], "No such command 'requst'. Did you mean 'request'? See `jitcloud --help`."),
        (["audit", "verfy"], "Did you mean 'verify'? See `jitcloud audit --help`."),
        (["request"], "Missing argument 'ENTITLEMENT...'. See `jitcloud request --help`."),
        (["request", "x", "--for", "1h"], "Missing option '--because'."),
        (["request", "x", "--four", "1h"], "No such option: --four"),
        (["request", "x", "--for"], "Option '--for' requires an argument."),
        (["list", "--limit", "many"], "Invalid value for '--limit'"),
        (["list", "--limit", "0"], "--limit must be from 1 to 1000."),
        (["list", "--limit", "1001"], "--limit must be from 1 to 1000."),
        (["list", "--state", "actve"], 'Did you mean "active"?'),
        (
            ["list", "--waiting", "--state", "active"],
            "--waiting, --to-review, --unreviewed and --state",
        ),
        (["list", "--after", "x"], '"x" is not a request id'),
        (["show", "x", "y"], "Got unexpected extra argument"),
        (["credentials", "x", "--format", "xml"], "Invalid value for '--format'"),
        (["\x1b[31m"], "No such command"),
        (["exec", "x", "--"], "Missing argument"),
        (["--config"], "Option '--config' requires an argument."),
    ],
)
def test_what_was_typed_wrong_is_said_in_a_sentence(
    cli: CliWorld, args: list[str], message: str
) -> None:
    said = cli.jit(*args, by="ana")
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err
    said = cli.jit(*args[:1], "--json", *args[1:], by="ana")
    assert said.code == 2
    assert said.error["kind"] == "Invalid"


def test_nothing_typed_shows_the_help(cli: CliWorld) -> None:
    cli.capsys.readouterr()
    assert run([], Program()) == 2
    out, err = cli.capsys.readouterr()
    assert "Usage: jitcloud" in out
    assert not err


def test_who_speaks_must_be_said(cli: CliWorld) -> None:
    said = cli.jit("list")
    assert said.code == 2
    assert "--unsafe-act-as" in said.err
    cli.environment["JITCLOUD_UNSAFE_ACT_AS"] = "ana"
    assert cli.jit("list").code == 0


def test_acting_as_anybody_is_refused_unless_configured(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", "")
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert "unsafe_act_as_anyone = true under [trial]" in said.err
    cli.environment["JITCLOUD_UNSAFE_ACT_AS"] = "ana"
    assert cli.jit("list").code == 6


# ── Options that may stand anywhere ──────────────────────────────────────────────────────────


def test_options_for_every_command_stand_before_it_or_after(
    cli: CliWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--config", str(cli.folder), "--unsafe-act-as", "ana", "--json"]
    for args in ([*told, "list"], ["list", *told], [*told[:2], "list", *told[2:]]):
        assert run(args, Program(open_deployment=cli.opener, environment={})) == 0
        assert json.loads(capsys.readouterr().out) == {"requests": [], "after": None}


def test_the_nearest_option_wins_and_the_environment_comes_last(
    cli: CliWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"JITCLOUD_CONFIG": "/nowhere", "JITCLOUD_UNSAFE_ACT_AS": "nobody"}
    args = ["--config", "/elsewhere", "list", "--config", str(cli.folder)]
    program = Program(open_deployment=cli.opener, environment=environment)
    assert run([*args, "--unsafe-act-as", "ana"], program) == 0
    program = Program(open_deployment=cli.opener, environment=environment)
    assert run(["list"], program) == 6
    assert "/nowhere" in capsys.readouterr().err
    environment = {"JITCLOUD_CONFIG": str(cli.folder), "JITCLOUD_UNSAFE_ACT_AS": "ana"}
    assert run(["list"], Program(open_deployment=cli.opener, environment=environment)) == 0


def test_a_configuration_is_a_file_or_its_folder(cli: CliWorld) -> None:
    for path in (cli.folder, cli.folder / "jitcloud.toml"):
        program = Program(open_deployment=cli.opener, environment={})
        assert run(["--config", str(path), "catalog"], program) == 0


def test_the_version_is_that_of_the_package(cli: CliWorld) -> None:
    said = cli.jit("--version")
    assert said.code == 0
    assert said.out[0].isdigit()


# ── What it loads ────────────────────────────────────────────────────────────────────────────

HEAVY = {"apsw", "boto3", "botocore", "cedarpy", "cryptography", "keyring"}


@pytest.mark.parametrize(
    ("environment", "args"),
    [
        ({}, ["--help"]),
        ({}, ["request", "--help"]),
        ({}, ["--version"]),
        (
            {"_JITCLOUD_COMPLETE": "complete_bash", "COMP_WORDS": "jitcloud re", "COMP_CWORD": "1"},
            [],
        ),
    ],
    ids=["help", "help of a command", "version", "completion"],
)
def test_help_and_completion_load_nothing_heavy(
    environment: dict[str, str], args: list[str]
) -> None:
    script = f"""
import atexit, os, sys
os.environ.update({environment!r})
sys.argv[1:] = {args!r}
atexit.register(lambda: print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr))
from jitcloud.cli import main
main()
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("jitcloud requ", "request"),
        ("jitcloud audit ver", "verify"),
        ("jitcloud list --wai", "--waiting"),
        ("jitcloud credentials X --format pr", "process"),
        ("jitcloud request prod-w", "prod-write"),
    ],
)
def test_a_shell_completes(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch, words: str, wanted: str
) -> None:
    monkeypatch.setenv("_JITCLOUD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    cli.capsys.readouterr()
    with pytest.raises(SystemExit):
        run([], Program(environment={"JITCLOUD_CONFIG": str(cli.folder)}))
    assert cli.capsys.readouterr().out.split() == [wanted]


@pytest.mark.parametrize("catalog", ["not TOML", "entitlement = 5", "[[entitlement]]\nid = 5"])
def test_a_broken_catalog_completes_to_nothing(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch, catalog: str
) -> None:
    cli.write("catalog.toml", catalog)
    monkeypatch.setenv("_JITCLOUD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "jitcloud request ")
    monkeypatch.setenv("COMP_CWORD", "2")
    cli.capsys.readouterr()
    with pytest.raises(SystemExit):
        run([], Program(environment={"JITCLOUD_CONFIG": str(cli.folder)}))
    assert cli.capsys.readouterr().out.split() == []


def test_without_its_packages_the_command_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    assert command_line.main([]) == 6
    assert "pip install 'jitcloud[cli]'" in capsys.readouterr().err


def test_main_runs_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["jitcloud", "--version"])
    assert command_line.main() == 0
    assert capsys.readouterr().out


def test_demo_and_emulator_are_loaded_only_to_run_them(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, tuple[object, ...]]] = []

    class Loaded:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, *args: object) -> int:
            ran.append((self.name, args))
            return 1

    monkeypatch.setattr("jitcloud.cli.app.import_module", Loaded)
    assert cli.jit("demo").code == 1
    assert cli.jit("emulator").code == 1
    assert cli.jit("emulator", "--port", "4999").code == 1
    assert cli.jit("emulator", "--port", "0").code == 2
    assert ran == [
        ("jitcloud.cli.demo", (None,)),
        ("jitcloud.cli.emulator", (None,)),
        ("jitcloud.cli.emulator", (4999,)),
    ]


def test_a_module_of_our_own_that_is_missing_is_a_defect(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> NoReturn:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("jitcloud.cli.app.import_module", missing)
    assert cli.jit("demo").code == 70


def test_the_demo_says_what_it_needs(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> NoReturn:
        raise ModuleNotFoundError(name=name.rpartition(".")[2])

    monkeypatch.setattr("jitcloud.cli.app.import_module", missing)
    for command in ("demo", "emulator"):
        said = cli.jit(command)
        assert said.code == 6
        assert "pip install 'jitcloud[aws,emulators]'" in said.err
