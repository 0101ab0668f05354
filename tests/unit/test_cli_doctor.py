"""``jitcloud doctor aws``: what it says, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.emulators.account import Account
from jitcloud.emulators.ministack import Ministack
from jitcloud.emulators.surroundings import apart
from jitcloud.model import Privilege
from tests import deployments
from tests.aws.fake_aws import FakeAws, faking, says
from tests.cli_world import CliWorld, Said

NASTY = "&#x202e;gpj"
"""In XML: a character that reverses what follows it."""


@dataclass
class Folder:
    """A deployment in a folder, and the command line."""

    path: Path
    capsys: pytest.CaptureFixture[str]

    def doctor(self, *args: str) -> Said:
        self.capsys.readouterr()
        code = run(["--config", str(self.path), "doctor", "aws", *args], Program(environment={}))
        out, err = self.capsys.readouterr()
        return Said(int(code), out, err)


@pytest.fixture(scope="module")
def aws() -> Iterator[Ministack]:
    with Ministack() as running:
        yield running


@pytest.fixture(scope="module")
def account(aws: Ministack) -> Account:
    """An account in which ``bound`` can be ended early, and ``loose`` cannot."""
    with apart():
        account = Account(aws)
    document = account.deny_document("denies")
    roles = [account.arn("role", name) for name in ("bound", "loose")]
    account.broker_role(roles, [document])
    account.target_role("bound", Privilege.READ, "bucket", document)
    account.target_role("loose", Privilege.READ, "bucket", None)
    return account


@pytest.fixture
def folder(
    tmp_path: Path,
    aws: Ministack,
    account: Account,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Folder:
    for name, value in account.environment(account.broker()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    document = account.arn("policy", "denies")
    targets = {
        name: {"role_arn": account.arn("role", role), "deny_document": document}
        for name, role in (("dev-bound", "bound"), ("prod-loose", "loose"))
    }
    deployments.make(tmp_path, endpoint_url=aws.endpoint_url, entitlements=targets)
    return Folder(tmp_path, capsys)


def test_nothing_wrong_ends_with_zero_though_there_is_something_to_know(folder: Folder) -> None:
    said = folder.doctor("--entitlement", "dev-bound")
    assert said.code == 0, said.out
    assert "notice: the broker: Whether it may do what it must, and no more," in said.out
    last = said.out.splitlines()[-1]
    assert last.startswith("Nothing is wrong: 1 entitlement looked at, in ")


def test_something_wrong_is_told_with_its_cost_and_its_cure_and_ends_with_one(
    folder: Folder,
) -> None:
    said = folder.doctor()
    assert (said.code, said.err) == (1, "")
    what, costs, cure, *_ = said.out.splitlines()
    assert what.startswith("harm: role arn:aws:iam::111122223333:role/loose (prod-loose): Its")
    assert costs.startswith("  costs: Sessions of it that are given back")
    assert cure.startswith("  do: Attach arn:aws:iam::111122223333:policy/denies to it")
    assert said.out.splitlines()[-1].startswith("There is something to do: 2 entitlements")


def test_programs_are_told_the_same(folder: Folder) -> None:
    said = folder.doctor("--json")
    assert said.code == 1
    assert said.json["ok"] is False
    assert said.json["entitlements"] == 2
    assert said.json["calls"] > 5
    assert set(said.json["findings"][0]) == {"grade", "about", "what", "costs", "remedy"}
    assert [one["grade"] for one in said.json["findings"]] == ["harm", "notice"]
    assert folder.doctor("--json", "--entitlement", "dev-bound").json["ok"] is True


def test_only_what_the_catalog_has_can_be_named(folder: Folder) -> None:
    said = folder.doctor("--entitlement", "dev-bond")
    assert said.code == 4
    assert 'Did you mean "dev-bound"?' in said.err


def test_without_aws_there_is_nothing_to_look_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = CliWorld(tmp_path, capsys, monkeypatch).jit("doctor", "aws")
    assert said.code == 6
    assert "Nothing in jitcloud.toml reaches AWS; add a table [aws] there." in said.err


@pytest.fixture
def fake() -> Iterator[FakeAws]:
    with faking() as server:
        yield server


def test_nothing_that_aws_says_acts_on_a_terminal(folder: Folder, fake: FakeAws) -> None:
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult><Arn>arn:aws:iam::1:user/{NASTY}</Arn>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    fake.answers += [says(200, body), *(says(400, NASTY) for _ in range(30))]
    settings = (folder.path / "jitcloud.toml").read_text()
    start = settings.index("http://")
    end = settings.index('"', start)
    (folder.path / "jitcloud.toml").write_text(settings[:start] + fake.url + settings[end:])
    said = folder.doctor()
    assert said.code == 1
    assert "\\u202egpj" in said.out
    assert "\u202e" not in said.out


def test_the_boundary_to_check_stands_in_the_help_of_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["doctor", "aws", "--help"], Program(environment={})) == 0
    assert "check" in capsys.readouterr().out
    assert run(["check", "--help"], Program(environment={})) == 0
    assert "doctor" in capsys.readouterr().out
