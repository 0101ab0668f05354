from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jitcloud.cli.run import run
from tests.aws.rights_world import Allowed, flat

READ = "arn:aws:iam::111122223333:role/jit-dev-read"
BUILD = "arn:aws:iam::111122223333:role/build"
BOUNDARY = "arn:aws:iam::111122223333:policy/jitcloud-boundary"

WRITES = f"""
[[entitlement]]
id = "deploy-by-hand"
title = "Write releases from the build role"
cloud = "aws"
mechanism = "aws.iam-policy"
privilege = "write"
environment = "prod"
owner = "sre"

[entitlement.target]
role_arn = "{BUILD}"

[entitlement.target.policy]
Version = "2012-10-17"
Statement = [{{ Effect = "Allow", Action = "s3:PutObject", Resource = "*" }}]
"""

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    assert run(["init", str(made)]) == 0
    return made


@pytest.fixture
def rights(folder: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    def said(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["infra", "rights", "--config", str(folder), *args])
        return code, *capsys.readouterr()

    return said


def add(folder: Path, text: str) -> None:
    with (folder / "catalog.toml").open("a") as catalog:
        catalog.write(text)


def printed(told: tuple[int, str, str]) -> dict[str, set[Allowed]]:
    code, out, err = told
    assert (code, err) == (0, "")
    (aws,) = json.loads(out).values()
    policies: dict[str, Any] = aws
    return {whose: flat(documents) for whose, documents in policies.items()}


def test_the_rights_of_the_catalog_are_printed_as_json(rights: Said) -> None:
    allowed = printed(rights())
    assert allowed.keys() == {"broker"}
    assert Allowed("sts:AssumeRole", READ) in allowed["broker"]


def test_they_need_neither_a_key_nor_people_nor_rules(folder: Path, rights: Said) -> None:
    before = rights()
    (folder / "keys" / "signing-key.pem").unlink()
    (folder / "people.toml").unlink()
    for rule in (folder / "policy").iterdir():
        rule.unlink()
    assert rights() == before
    assert not (folder / "jitcloud.db").exists()


def test_to_end_nothing_is_printed_that_grants(folder: Path, rights: Said) -> None:
    add(folder, WRITES)
    actions = {one.action for one in printed(rights("--for", "end"))["broker"]}
    assert "iam:DeleteRolePolicy" in actions
    assert not actions & {"sts:AssumeRole", "iam:PutRolePolicy"}


def test_writing_policies_without_a_boundary_is_refused(folder: Path, rights: Said) -> None:
    add(folder, WRITES)
    code, out, err = rights()
    assert (code, out) == (6, "")
    assert err.startswith("jitcloud: deploy-by-hand names no permissions_boundary")
    text = (folder / "catalog.toml").read_text()
    named = text.replace(f'"{BUILD}"', f'"{BUILD}"\npermissions_boundary = "{BOUNDARY}"')
    (folder / "catalog.toml").write_text(named)
    assert Allowed("iam:PutRolePolicy", BUILD, BOUNDARY) in printed(rights())["broker"]


def test_what_does_not_fit_into_one_policy_is_said_beside_it(folder: Path, rights: Said) -> None:
    entry = (folder / "catalog.toml").read_text().split("[[entitlement]]")[1]
    for number in range(200):
        one = entry.replace('"dev-read"', f'"dev-{number}"').replace(READ, f"{READ}-{number}")
        add(folder, f"\n[[entitlement]]{one}")
    code, out, err = rights()
    assert code == 0
    policies = json.loads(out)["aws"]["broker"]
    assert len(policies) > 1
    assert f"jitcloud: The rights of the broker itself are {len(policies)} policies" in err


def test_without_aws_there_is_nothing_to_print(folder: Path, rights: Said) -> None:
    settings = (folder / "jitcloud.toml").read_text()
    (folder / "jitcloud.toml").write_text(settings.replace('[aws]\nregion = "us-east-1"\n', ""))
    code, out, err = rights()
    assert (code, out) == (6, "")
    assert "aws.sts-session" in err


@pytest.mark.parametrize("purpose", ["", "ending", "END "])
def test_nobody_knows_another_purpose(rights: Said, purpose: str) -> None:
    code, out, err = rights("--for", purpose)
    assert (code, out) == (2, "")
    assert "'everything', 'end'" in err
