from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jitcloud.cli import environment
from jitcloud.model import State
from tests.cli_world import SECRET, CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


SHOW_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_credentials_as_aws_wants_them_of_a_process(cli: CliWorld) -> None:
    said = cli.jit("credentials", cli.granted(), by="ana")
    assert (said.code, said.err) == (0, "")
    assert said.json == {
        "Version": 1,
        "AccessKeyId": "AKIA1",
        "SecretAccessKey": SECRET,
        "SessionToken": "token 1 of 'ana'",
        "Expiration": "2026-12-01T09:15:00Z",
    }


@pytest.mark.parametrize("options", [["--format", "json"], ["--json"]])
def test_credentials_as_json(cli: CliWorld, options: list[str]) -> None:
    name = cli.granted()
    assert cli.jit("credentials", name, *options, by="ana").json == {
        "request": name,
        "access_key_id": "AKIA1",
        "secret_access_key": SECRET,
        "session_token": "token 1 of 'ana'",
        "expires_at": "2026-12-01T09:15:00Z",
    }


@pytest.mark.parametrize("command", [["env"], ["credentials", "--format", "env"]])
def test_a_shell_reads_the_lines_of_env_as_they_were_meant(
    cli: CliWorld, command: list[str]
) -> None:
    lines = cli.jit(*command, cli.granted(), by="ana").out
    script = f"export AWS_PROFILE=mine\n{lines}\nexec {sys.executable} -c {SHOW_ENVIRONMENT!r}"
    shell = ["/bin/sh", "-c", script]
    out = subprocess.run(shell, check=True, capture_output=True).stdout  # noqa: S603 - our own lines
    seen = json.loads(out)
    assert seen["AWS_ACCESS_KEY_ID"] == "AKIA1"
    assert seen["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert "token 1 of 'ana'" == seen["AWS_SESSION_TOKEN"]  # noqa: SIM300 - S105 takes it for one
    assert "AWS_PROFILE" not in seen


def test_secrets_on_a_screen_are_pointed_out(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = cli.granted()
    for command in ("env", "credentials"):
        assert not cli.jit(command, name, by="ana").err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for command in ("env", "credentials"):
        assert "is on your screen" in cli.jit(command, name, by="ana").err


def test_env_as_json(cli: CliWorld) -> None:
    shown = cli.jit("env", cli.granted(), "--json", by="ana").json
    assert sorted(shown) == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]


def test_exec_gives_the_child_these_credentials_and_no_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = CliWorld(tmp_path, capfd, monkeypatch)
    others = dict.fromkeys(environment.OTHERS, "other")
    cli.environment = {**cli.environment, **others, "HOME": "/home/ana", "AWS_REGION": "eu-west-1"}
    name = cli.granted()
    said = cli.jit("exec", name, "--", sys.executable, "-c", SHOW_ENVIRONMENT, by="ana")
    assert said.code == 0
    seen = {key: value for key, value in said.json.items() if key != "LC_CTYPE"}
    assert seen == {
        **{key: cli.environment[key] for key in ("PATH", "HOME", "AWS_REGION")},
        "AWS_ACCESS_KEY_ID": "AKIA1",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "token 1 of 'ana'",
    }
    assert cli.state(name) is State.ACTIVE


def test_exec_ends_as_its_command_does(cli: CliWorld) -> None:
    name = cli.granted()
    for body, code in (("raise SystemExit(0)", 0), ("raise SystemExit(42)", 42)):
        assert cli.jit("exec", name, "--", sys.executable, "-c", body, by="ana").code == code
    body = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert cli.jit("exec", name, "--", sys.executable, "-c", body, by="ana").code == 137


def test_options_of_the_command_are_left_to_it(cli: CliWorld) -> None:
    body = "import sys; raise SystemExit(sys.argv[1:] != ['--json', '--config', 'x'])"
    options = ("--json", "--config", "x")
    args = ("--", sys.executable, "-c", body, *options)
    assert cli.jit("exec", cli.granted(), *args, by="ana").code == 0


def test_exec_says_when_there_is_no_such_command_or_it_cannot_be_run(cli: CliWorld) -> None:
    name = cli.granted()
    said = cli.jit("exec", name, "--", "no-such-command", by="ana")
    assert (said.code, said.err) == (127, "jitcloud: There is no command no-such-command.\n")
    said = cli.jit("exec", name, "--", str(cli.folder), by="ana")
    assert said.code == 126
    assert "cannot be run" in said.err


def test_exec_gives_back_afterwards_if_told_to(cli: CliWorld) -> None:
    name = cli.granted()
    args = ("--give-back", "--", sys.executable, "-c", "raise SystemExit(3)")
    assert cli.jit("exec", name, *args, by="ana").code == 3
    assert cli.state(name) in {State.ENDING, State.ENDED}


def test_exec_needs_dashes_before_the_command(cli: CliWorld) -> None:
    said = cli.jit("exec", cli.granted(), "true", by="ana")
    assert said.code == 2
    assert "Put -- before the command" in said.err


def test_exec_passes_a_termination_on_and_waits_for_the_child(cli: CliWorld) -> None:
    body = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        f"open({str(cli.folder / 'ready')!r}, 'w').close()\n"
        "time.sleep(20)"
    )

    def terminate() -> None:
        while not (cli.folder / "ready").exists():
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    name = cli.granted()
    thread = threading.Thread(target=terminate)
    thread.start()
    code = cli.jit("exec", name, "--", sys.executable, "-c", body, by="ana").code
    thread.join()
    assert code == 5
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_child_is_pointed_at_the_emulator_and_region_of_the_configuration(
    cli: CliWorld,
) -> None:
    endpoint = "http://127.0.0.1:4566"
    cli.write(
        "jitcloud.toml",
        f"""
[trial]
unsafe_act_as_anyone = true

[aws]
region = "eu-central-1"
endpoint_url = "{endpoint}"
""",
    )
    name = cli.granted()
    shown = cli.jit("env", name, "--json", by="ana").json
    assert shown["AWS_REGION"] == shown["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert shown["AWS_ENDPOINT_URL"] == endpoint
    cli.environment["AWS_DEFAULT_REGION"] = "us-west-2"
    assert "AWS_REGION" not in cli.jit("env", name, "--json", by="ana").json
    cli.write("jitcloud.toml", "[trial]\nunsafe_act_as_anyone = true\n[aws]\n")
    assert "AWS_ENDPOINT_URL" not in cli.jit("env", name, "--json", by="ana").json


def test_a_scheduled_start_that_has_come_needs_no_sweep(cli: CliWorld) -> None:
    name = cli.ask("dev-read", "--start", "2026-12-01T09:10:00Z")
    assert cli.jit("credentials", name, by="ana").code == 3
    cli.time.forward(minutes=10)
    assert cli.jit("credentials", name, by="ana").code == 0


def test_no_other_command_shows_a_secret(cli: CliWorld) -> None:
    name = cli.granted()
    cli.jit("credentials", name, by="ana")
    for command in (
        ["show", name],
        ["list"],
        ["audit", "show", name],
        ["audit", "export"],
        ["audit", "verify"],
        ["catalog"],
        ["check"],
        ["sweep"],
        ["give-back", name],
    ):
        for form in ([], ["--json"]):
            said = cli.jit(*command, *form, by="ana")
            assert SECRET not in said.out + said.err
            assert "AKIA1" not in said.out + said.err
