"""The emulator has what the starter folder names, and what it tells a new user to type works."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from jitcloud.cli import emulator as command
from tests.e2e.conftest import Emulator, emulator_command

STARTER = resources.files("jitcloud") / "starter"


def test_everything_the_starter_names_is_there() -> None:
    named = re.findall(
        r"arn:aws:iam::111122223333:(role|policy)/([\w-]+)", (STARTER / "catalog.toml").read_text()
    )
    assert {name for kind, name in named if kind == "role"} == set(command.ROLES)
    assert {name for kind, name in named if kind == "policy"} <= {command.DOCUMENT}


def test_the_starter_names_the_port() -> None:
    text = (STARTER / "jitcloud.toml").read_text()
    assert f'endpoint_url = "http://127.0.0.1:{command.PORT}"' in text


def test_what_it_tells_a_new_user_to_type_works(emulator: Emulator, tmp_path: Path) -> None:
    machine = emulator.machine
    typed = [line.strip() for line in emulator.said.splitlines() if "  jitcloud " in line]
    start, ask, use = typed

    def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
        said = machine.run("bash", "-c", line, cwd=folder)
        assert said.returncode == 0, said.stderr
        return said

    assert "2 entitlements" in shell(start, tmp_path).stdout
    trial = tmp_path / "trial"
    asked = shell(f"{ask} --json", trial).stdout
    request = json.loads(asked)["id"]
    assert "hello.txt" in shell(use.replace("REQUEST", request), trial).stdout


def test_the_roles_reach_their_own_bucket_alone(emulator: Emulator, tmp_path: Path) -> None:
    machine = emulator.machine
    assert machine.run("jitcloud", "init", str(tmp_path / "trial")).returncode == 0
    ask = ("request", "dev-read", "--for", "30m", "--because", "To look around", "--json")
    acting = ("jitcloud", "--config", str(tmp_path / "trial"), "--unsafe-act-as", "ana")
    request = json.loads(machine.run(*acting, *ask).stdout)["id"]
    use = machine.run(*acting, "exec", request, "--", "aws", "s3", "ls", "s3://prod-data")
    assert use.returncode != 0
    assert "AccessDenied" in use.stderr


def test_a_second_one_says_that_the_port_is_taken(emulator: Emulator) -> None:
    said = emulator.machine.run(*emulator_command(emulator.port))
    assert said.returncode == 6
    assert f"port {emulator.port} already" in said.stderr


@pytest.mark.parametrize("name", sorted(command.ROLES))
def test_the_broker_may_do_nothing_but_hand_out_roles(emulator: Emulator, name: str) -> None:
    for forbidden in (
        (
            "iam",
            "put-role-policy",
            "--role-name",
            name,
            "--policy-name",
            "p",
            "--policy-document",
            "{}",
        ),
        ("iam", "create-access-key", "--user-name", "x"),
        ("s3", "ls", f"s3://{command.ROLES[name][1]}"),
    ):
        said = emulator.machine.run("aws", *forbidden)
        assert said.returncode != 0
        assert "AccessDenied" in said.stderr
