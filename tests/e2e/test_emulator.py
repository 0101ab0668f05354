"""The emulator has what the starter folder names, and what it tells a new user to type works."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import resources
from pathlib import Path

import boto3
import pytest

import jitcloud
from jitcloud.cli import emulator as command
from jitcloud.emulators import account
from jitcloud.errors import CloudError
from jitcloud.providers.aws.deny_document import MOST_VERSIONS
from tests import deployments
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


def test_what_it_tells_a_new_user_to_type_reaches_that_bucket_and_no_other(
    emulator: Emulator, tmp_path: Path
) -> None:
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
    use = use.replace("REQUEST", request)
    assert "hello.txt" in shell(use, trial).stdout
    elsewhere = machine.run("bash", "-c", use.replace("dev-data", "prod-data"), cwd=trial)
    assert elsewhere.returncode != 0
    assert "AccessDenied" in elsewhere.stderr


def test_a_second_one_says_that_the_port_is_taken(emulator: Emulator) -> None:
    said = emulator.machine.run(*emulator_command(emulator.port))
    assert said.returncode == 6
    assert f"port {emulator.port} already" in said.stderr


@pytest.mark.parametrize(
    "call",
    [
        "iam put-role-policy --role-name jit-dev-read --policy-name p --policy-document {}",
        "iam update-assume-role-policy --role-name jit-dev-read --policy-document {}",
        "s3 ls s3://dev-data",
    ],
)
def test_the_broker_cannot_widen_a_role_nor_use_what_it_reaches(
    emulator: Emulator, warm_commands: Path, call: str
) -> None:
    said = emulator.machine.run(str(warm_commands / "aws"), *call.split())
    assert said.returncode != 0
    assert "AccessDenied" in said.stderr


# ── Each right of the broker is needed ───────────────────────────────────────────────────────

ROLE = "arn:aws:iam::111122223333:role/jit-dev-read"
POLICY = f"arn:aws:iam::111122223333:policy/{command.DOCUMENT}"

NOT_ENFORCED = {"sts:SetSourceIdentity", "sts:TagSession"}
"""The emulator does not ask for these beside AssumeRole; AWS does."""


def lifetime(folder: Path) -> tuple[str, ...]:
    """What becomes of access that is asked for, used and given back by this broker."""
    with jitcloud.load(folder) as deployment:
        ana = deployment.acting_as("ana")
        asked = ana.request("dev-read", "30m", "To look around")
        try:
            ana.credentials(asked)
        except CloudError:
            return (asked.state, "no credentials")
        ana.give_back(asked)
        denial = ana.show(asked).places.denial
        assert denial is not None
        slot = deployment.deployment.ledger.slot_at(denial)
        return (asked.state, asked.plan.early_end if asked.plan else "no plan", slot.trouble)


def test_without_any_one_of_its_rights_something_fails(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"http://127.0.0.1:{emulator.port}"
    root = boto3.Session("111122223333", "test", region_name="us-east-1").client(
        "iam", endpoint_url=endpoint
    )
    for name, value in emulator.machine.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)

    def without(*rights: str) -> tuple[str, ...]:
        statements = account.broker_rights(["arn:aws:iam::111122223333:role/jit-*"], [POLICY])
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        for right in rights:
            assert f'"{right}"' in document
            document = document.replace(f'"{right}"', '"iam:GetUser"')
        root.put_role_policy(
            RoleName=account.BROKER_ROLE, PolicyName="rights", PolicyDocument=document
        )
        folder = tmp_path / f"trial-{len(list(tmp_path.iterdir()))}"
        target = {"role_arn": ROLE, "deny_document": POLICY}
        both = {"dev-read": target, "prod-read": target}
        deployments.make(folder, endpoint_url=endpoint, entitlements=both)
        return lifetime(folder)

    try:
        # IAM keeps five versions of the document: from the fifth on, one must go first.
        working = [without() for _ in range(MOST_VERSIONS)][-1]
        rights = {*account.ASSUMING, *account.LOOKING, *account.DENYING} - NOT_ENFORCED
        # In reverse: without the right to make versions there are soon no five of them.
        for right in sorted(rights, reverse=True):
            assert without(right) != working, right
    finally:
        without()
