"""What ``make package`` writes is what runs, and holds nothing that nobody else may see."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from jitcloud import function_rights, packaging
from jitcloud.audit import keys
from jitcloud.errors import Misconfigured
from jitcloud.packaging import package
from tests.infra import fleets
from tests.infra.fleets import SETTINGS
from tests.infra.text import ROOT, functions, parsed

IMPORT = """
import importlib, sys
sys.path = [sys.argv[1], *(path for path in sys.path if path != sys.argv[2])]
for name in sys.argv[3:]:
    importlib.import_module(name)
import jitcloud
print(jitcloud.__file__)
"""
LINE = re.compile(r"^([\w.-]+)==([\w.]+)")


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    return fleets.folder(tmp_path / "deployment")


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


# ── Code ─────────────────────────────────────────────────────────────────────────────────────


def test_the_code_runs_where_nothing_else_of_ours_is(deployment: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    package(deployment, build)
    for folder in packaging.NOT_DEPLOYED:
        assert not (build / "code" / "jitcloud" / folder).exists()
    handlers = [made["Handler"].rpartition(".")[0] for made in functions(parsed()).values()]
    here = [name for name in handlers if (ROOT / f"{name.replace('.', '/')}.py").exists()]
    # As Lambda does: the folder first, and not the checkout that a .pth file of ours names.
    said = subprocess.run(  # noqa: S603 - our own interpreter and text
        [
            sys.executable,
            "-c",
            IMPORT,
            str(build / "code"),
            str(ROOT),
            *here,
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == str(build / "code" / "jitcloud" / "__init__.py")


def test_what_was_packaged_before_is_gone(deployment: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    package(deployment, build)
    for part in ("code", "configuration/jitcloud"):
        (build / part / "stale.py").touch()
    package(deployment, build)
    assert not [name for name in _files(build) if name.endswith("stale.py")]


def test_without_a_checkout_it_says_so(deployment: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="run this in a checkout of jitcloud"):
        package(deployment, tmp_path / "build", tmp_path)


# ── Configuration ────────────────────────────────────────────────────────────────────────────


def test_the_layer_holds_the_folder_and_what_is_hidden_stays(
    deployment: Path, tmp_path: Path
) -> None:
    (deployment / ".git").mkdir()
    (deployment / ".git" / "config").write_text("secret")
    (deployment / ".env").write_text("secret")
    package(deployment, tmp_path / "build")
    assert _files(tmp_path / "build" / "configuration") == {
        "jitcloud/jitcloud.toml",
        "jitcloud/catalog.toml",
        "jitcloud/people.toml",
        "jitcloud/policy/rules.cedar",
    }


def test_a_program_that_names_people_can_still_be_run(deployment: Path, tmp_path: Path) -> None:
    program = deployment / "people"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    package(deployment, tmp_path / "build")
    assert os.access(tmp_path / "build" / "configuration" / "jitcloud" / "people", os.X_OK)


def _private_key(folder: Path) -> None:
    keys.create(folder / "keys")


def _database(folder: Path) -> None:
    with sqlite3.connect(folder / "record") as made:
        made.execute("create table t (x)")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a private key": (_private_key, "keys/signing-key.pem holds a private key"),
    "a record": (lambda folder: (folder / "jitcloud.db-wal").touch(), "jitcloud.db-wal is the rec"),
    "a record of another name": (_database, "record is a database"),
    "a link": (
        lambda folder: (folder / "link.toml").symlink_to("/etc/hosts"),
        "link.toml is a symbolic link",
    ),
    "a link to a folder": (
        lambda folder: (folder / "more").symlink_to("/etc"),
        "more is a symbolic link",
    ),
}


@pytest.mark.parametrize(("leave", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_must_not_be_in_a_layer_is_refused(
    deployment: Path, tmp_path: Path, leave: Callable[[Path], object], said: str
) -> None:
    leave(deployment)
    with pytest.raises(Misconfigured, match=re.escape(said)):
        package(deployment, tmp_path / "build")
    assert not (tmp_path / "build").exists()


def test_public_keys_of_former_signers_go_along(deployment: Path, tmp_path: Path) -> None:
    _private_key(deployment)
    (deployment / "keys" / "signing-key.pem").unlink()
    package(deployment, tmp_path / "build")
    (public,) = (tmp_path / "build" / "configuration" / "jitcloud" / "keys").iterdir()
    assert public.name.endswith(".pub.pem")


def test_too_much_is_refused_before_it_is_read_whole(
    deployment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaging, "MOST_FILES", 3)
    with pytest.raises(Misconfigured, match="more than 3 files or 50 MiB"):
        package(deployment, tmp_path / "build")


MAIL = """
[mail]
host = "mail.example.com"
from_address = "jitcloud@example.com"
username = "jitcloud"
password_file = "secrets/mail"
[aws]"""
WEBHOOK = """
[[publish.webhook]]
name = "siem"
url = "https://siem.example.com/"
secret_file = ["secrets/new", "secrets/old"]
[aws]"""
UNFIT = {
    "a record of one machine": ('kind = "dynamodb"', "", 'store: .* write kind = "dynamodb"'),
    "a key in a file": ('kind = "kms"', "", 'signing: .* write kind = "kms"'),
    "nobody signs in": (SETTINGS[SETTINGS.index("[[") : SETTINGS.index("[aws]")], "", "sign_in: "),
    "a trial": ("[aws]", "[trial]\nunsafe_act_as_anyone = true\n[aws]", "trial.unsafe_act_as"),
    "a password": ("[aws]", MAIL, "mail.password_file: whoever may read"),
    "secrets of webhooks": ("[aws]", WEBHOOK, "publish.webhook.secret_file: whoever may read"),
    "anchors on a disk": ("[aws]", '[anchors]\npath = "x"\n[aws]', "anchors: .* name a bucket"),
    "a journal on a disk": ("[aws]", '[journal]\npath = "x"\n[aws]', "journal: .* name a bucket"),
}


@pytest.mark.parametrize(("old", "new", "said"), UNFIT.values(), ids=UNFIT.keys())
def test_what_functions_cannot_work_with_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    deployment = fleets.folder(tmp_path / "deployment", SETTINGS.replace(old, new))
    with pytest.raises(Misconfigured, match=f"jitcloud.toml: {said}"):
        package(deployment, tmp_path / "build")


# ── Rights ───────────────────────────────────────────────────────────────────────────────────

DENIES = "arn:aws:iam::111122223333:policy/denies"
DEV_READ = "arn:aws:iam::111122223333:role/dev-read"
AWAY = "arn:aws:iam::222233334444:role/jitcloud-account"
LOOKING = {
    ("iam:GetPolicy", DENIES),
    ("iam:GetPolicyVersion", DENIES),
    ("iam:GetRole", DEV_READ),
    ("sts:AssumeRole", AWAY),
}


def test_each_function_gets_its_part_of_the_rights(deployment: Path, tmp_path: Path) -> None:
    package(deployment, tmp_path / "build")
    stack: dict[str, Any] = json.loads((tmp_path / "build" / "rights.json").read_text())
    assert _allowed(stack) == {
        "IssueRights": {
            (f"sts:{verb}", DEV_READ) for verb in ("AssumeRole", "SetSourceIdentity", "TagSession")
        },
        "LookRights": LOOKING,
        "ReconcileRights": {("sts:AssumeRole", AWAY)},
        "AdvanceAwsRights": {
            *LOOKING,
            ("iam:ListEntitiesForPolicy", DENIES),
            ("iam:ListPolicyVersions", DENIES),
            ("iam:CreatePolicyVersion", DENIES),
            ("iam:DeletePolicyVersion", DENIES),
        },
    }
    assert set(stack["Outputs"]) <= set(parsed()["Parameters"])


def _allowed(stack: dict[str, Any]) -> dict[str, set[tuple[str, str]]]:
    return {
        name: {
            (action, thing)
            for part in output["Value"]["Fn::Join"][1]
            for each in stack["Resources"][part["Ref"]]["Properties"]["PolicyDocument"]["Statement"]
            for action in each["Action"]
            for thing in each["Resource"]
        }
        for name, output in stack["Outputs"].items()
    }


@pytest.mark.parametrize("rights", [{}, {"broker": []}, {AWAY: [{"Statement": []}]}])
def test_without_rights_at_aws_there_is_a_stack_all_the_same(rights: dict[str, Any]) -> None:
    stack = function_rights.stack(rights)
    assert "Outputs" not in stack
    assert stack["Resources"] == {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}


# ── Libraries ────────────────────────────────────────────────────────────────────────────────


def _pinned(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines()
    return {found[1]: found[2] for line in lines if (found := LINE.match(line))}


def test_the_libraries_are_those_that_are_tested_here_and_no_others() -> None:
    deployed = _pinned(ROOT / "functions" / "requirements.txt")
    here = _pinned(ROOT / "requirements-dev.txt")
    assert deployed.items() <= here.items()
    assert set(deployed) == _needed("jitcloud", frozenset({"api", "aws"})) - {"jitcloud"}


def test_every_library_has_a_hash_and_no_index_is_named() -> None:
    text = (ROOT / "functions" / "requirements.txt").read_text()
    assert "http" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert all(LINE.match(entry) for entry in entries)


def _needed(name: str, extras: frozenset[str], seen: set[str] | None = None) -> set[str]:
    """What a package needs on Lambda, directly or not, by what is installed here."""
    seen = set() if seen is None else seen
    name = re.sub(r"[-_.]+", "-", name).lower()
    seen.add(name)
    for line in requires(name) or ():
        requirement = Requirement(line)
        wanted = {"extra": "", "sys_platform": "linux", "platform_system": "Linux"}
        environments: list[dict[str, str]] = [wanted, *({**wanted, "extra": e} for e in extras)]
        is_needed = requirement.marker is None or any(
            map(requirement.marker.evaluate, environments)
        )
        if is_needed and re.sub(r"[-_.]+", "-", requirement.name).lower() not in seen:
            _needed(requirement.name, frozenset(requirement.extras), seen)
    return seen


# ── As it is called ──────────────────────────────────────────────────────────────────────────


def test_what_is_wrong_is_said_and_nothing_is_left_half_done(
    deployment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = deployment.parent / "root" / "build"
    monkeypatch.setattr(packaging, "ROOT", build.parent)
    _private_key(deployment)
    assert packaging.main([str(deployment)]) == 1
    assert capsys.readouterr().err.startswith("jitcloud: keys/signing-key.pem holds a private key")
    assert packaging.main([]) == 2
    assert "say which folder" in capsys.readouterr().err
    assert not build.exists()
    (deployment / "keys" / "signing-key.pem").unlink()
    assert packaging.main([str(deployment)]) == 0
    assert {path.name for path in build.iterdir()} == {"code", "configuration", "rights.json"}
