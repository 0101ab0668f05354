from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.errors import CloudRefused
from jitcloud.model import Entitlement, Plan
from tests.cli_world import CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


# ── check ────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_configuration_is_summed_up(cli: CliWorld) -> None:
    said = cli.jit("check")
    assert (said.code, said.err) == (0, "")
    assert "risk: unsafe_act_as_anyone is on" in said.out
    assert "3 entitlements, 6 rules with those that come with jitcloud" in said.out
    assert "granted by memory.assignment, memory.session." in said.out


def test_check_as_json(cli: CliWorld) -> None:
    shown = cli.jit("check", "--json").json
    assert shown["ok"] is True
    assert shown["findings"] == []
    assert len(shown["risks"]) == 1
    assert shown["summary"].startswith("3 entitlements")


def test_every_finding_is_told_on_a_line(cli: CliWorld) -> None:
    catalog = (cli.folder / "catalog.toml").read_text()
    cli.write("catalog.toml", catalog.replace("title =", "titel =").replace('"read"', '"look"'))
    said = cli.jit("check")
    assert said.code == 1
    assert said.out.count("\n") >= 4
    assert "titel" in said.out
    assert said.err.endswith("things to fix.\n")
    shown = cli.jit("check", "--json").json
    assert shown["ok"] is False
    assert len(shown["findings"]) >= 4


def test_one_file_that_is_wrong_does_not_hide_the_next(cli: CliWorld) -> None:
    catalog = (cli.folder / "catalog.toml").read_text()
    cli.write("catalog.toml", catalog.replace("title =", "titel ="))
    cli.write("people.toml", "persons = 5")
    (cli.folder / "keys" / "signing-key.pem").unlink()
    findings = cli.jit("check", "--json").json["findings"]
    for wrong in ("titel", "There is no signing key"):
        assert [line for line in findings if wrong in line]
    assert len(findings) == len(set(findings))
    (cli.folder / "jitcloud.toml").unlink()
    (finding,) = cli.jit("check", "--json").json["findings"]
    assert finding.startswith("jitcloud.toml cannot be read")


def test_files_that_others_may_write_are_a_risk(cli: CliWorld) -> None:
    cli.jit("check")  # makes the record
    (cli.folder / "catalog.toml").chmod(0o666)
    (cli.folder / "policy" / "rules.cedar").chmod(0o664)
    (cli.folder / "jitcloud.db").chmod(0o644)
    risks = cli.jit("check", "--json").json["risks"]
    assert [risk for risk in risks if "catalog.toml can be written by others" in risk]
    assert [risk for risk in risks if "rules.cedar can be written by others" in risk]
    assert [risk for risk in risks if "the record, is open to others" in risk]


def test_an_emulator_and_a_freeze_are_pointed_out(cli: CliWorld) -> None:
    emulator = '[aws]\nendpoint_url = "http://localhost:1"\n[policy]\nfreeze = true\n'
    cli.write("jitcloud.toml", emulator)
    risks = cli.jit("check", "--json").json["risks"]
    assert "endpoint_url is set: AWS is an emulator at http://localhost:1." in risks
    assert "freeze is on: rules see a change freeze." in risks


def test_an_emulated_identity_center_is_pointed_out(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", '[aws]\nidentity_center_url = "http://localhost:1"\n')
    risks = cli.jit("check", "--json").json["risks"]
    assert "identity_center_url is set: Identity Center is an emulator at http://localhost:1." in (
        risks
    )


def test_a_python_it_was_not_tried_with_is_a_risk(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.cli.checking.TRIED", ((3, 9), (3, 10)))
    (risk, *_) = cli.jit("check", "--json").json["risks"]
    assert risk.endswith("jitcloud is tried with 3.9 to 3.10.")


def test_a_sqlite_that_is_not_its_own_is_a_risk(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apsw.apsw_version", lambda: "3.99.0.0")
    (risk, *_) = cli.jit("check", "--json").json["risks"]
    assert risk.startswith("apsw 3.99.0.0 runs on SQLite")


def test_clouds_are_asked_only_when_told_to(cli: CliWorld) -> None:
    assert "would leave" not in cli.jit("check").out
    said = cli.jit("check", "--clouds")
    assert said.code == 0
    left = [line for line in said.out.splitlines() if line.endswith("until the deadline.")]
    assert left == ["risk: dev-read, prod-write would leave: A set lives on until the deadline."]
    assert "risk: dev-read, prod-write: A set lives a quarter of an hour." in said.out


def test_what_would_fail_in_a_cloud_is_a_finding(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = cli.jit("check", "--clouds", "--for", "7h")
    assert said.code == 1
    assert "dev-read: The role gives 6h at most; ask for less." in said.out

    def refuses(thing: Entitlement, duration: timedelta, now: object) -> Plan:
        raise CloudRefused(f"No {thing.id} for {duration} at {now}.")

    monkeypatch.setattr(cli.sessions, "plan", refuses)
    assert "dev-read: No dev-read for 1:00:00" in cli.jit("check", "--clouds").out


# ── init ─────────────────────────────────────────────────────────────────────────────────────


def jit(*args: str) -> int:
    return run(args, Program(environment={}))


def test_what_init_writes_passes_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"
    assert jit("init", str(folder)) == 0
    written = capsys.readouterr().out
    assert f"wrote {folder}/jitcloud.toml" in written
    assert f"wrote {folder}/keys/signing-key.pem" in written
    assert (folder / "keys" / "signing-key.pem").stat().st_mode & 0o777 == 0o600
    assert "signing-key.pem" in (folder / ".gitignore").read_text()
    assert jit("--config", str(folder), "check") == 0
    assert "2 entitlements" in capsys.readouterr().out
    assert not [path for path in folder.rglob("*") if path.name.startswith("_")]


def test_the_starter_policy_does_what_its_comments_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jit("init", str(tmp_path / "new"))
    capsys.readouterr()
    assert jit("--config", str(tmp_path / "new"), "--unsafe-act-as", "ana", "catalog") == 0
    out = capsys.readouterr().out
    assert "at once [dev-read]" in out
    assert "after a yes from 1 of sre [prod-read]" in out


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "people.toml").write_text("mine")
    assert jit("init", str(tmp_path)) == 2
    assert "has people.toml already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["people.toml"]
    assert (tmp_path / "people.toml").read_text() == "mine"


def test_init_follows_no_link_out_of_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "people.toml").symlink_to(outside)
    assert jit("init", str(folder)) == 6
    assert "people.toml cannot be written" in capsys.readouterr().err
    assert not outside.exists()


def test_init_makes_a_key_alone_where_the_configuration_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jitcloud.toml").write_text('[signing]\nfolder = "secret"\n')
    assert jit("init", str(tmp_path), "--key") == 0
    assert (tmp_path / "secret" / "signing-key.pem").exists()
    assert jit("init", str(tmp_path), "--key") == 6
    assert "already; it is not overwritten" in capsys.readouterr().err


def test_init_says_what_it_wrote_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert jit("init", str(tmp_path / "new"), "--json", "--key") == 0
    told = f'{{"folder": "{tmp_path}/new", "written": ["keys/signing-key.pem"]}}\n'
    assert capsys.readouterr().out == told


def test_the_python_that_runs_this_is_one_it_was_tried_with() -> None:
    from jitcloud.cli.checking import TRIED  # noqa: PLC0415 - beside what it is compared with

    first, last = TRIED
    assert first <= sys.version_info[:2] <= last


SHARED = """
[[entitlement]]
id = "support"
title = "The support tools"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "read"
environment = "dev"
owner = "sre"

[entitlement.target]
group_arn = "arn:aws:iam::111122223333:group/support"
users = { ana = "arn:aws:iam::111122223333:user/ana" }
exclusive = false
"""


def test_what_others_give_too_is_a_risk_where_nothing_notes_what_is_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jit("init", str(tmp_path / "new"))
    for name, text in (("catalog.toml", SHARED), ("jitcloud.toml", '[journal]\npath = "places"\n')):
        with (tmp_path / "new" / name).open("a") as file:
            file.write(text)
        capsys.readouterr()
        assert jit("--config", str(tmp_path / "new"), "check") == 0
        told = "risk: support: others give access there too" in capsys.readouterr().out
        assert told == (name == "catalog.toml")
