"""Which deployment a command is about: one by its API, or the one in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jitcloud.cli.exits import ExitCode
from tests.cli_world import CliWorld, MemoryKeyring
from tests.remote.between import Reply, answering
from tests.remote.remote_world import AtHome

ME = (
    b'{"id": "ana", "name": "Ana", "emails": [], "groups": [], "rotations": [], "token": "oidc",'
    b' "signed_in_at": null}'
)


@pytest.fixture
def home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[AtHome]:
    """A person's home and a folder with a deployment, and an API that knows one answer."""
    (tmp_path / "here").mkdir()
    CliWorld(tmp_path / "here", capsys, monkeypatch)
    monkeypatch.chdir(tmp_path / "here")
    home = AtHome(tmp_path / "home", capsys, MemoryKeyring)
    with answering(lambda _: Reply(200, ME)) as url:
        home.settle(url, "http://127.0.0.1:9", "jitcloud")
        yield home


API = {"JITCLOUD_TOKEN": "a.b.c"}
HERE = {"JITCLOUD_UNSAFE_ACT_AS": "ben"}


def who(home: AtHome, *args: str, **environment: str) -> str:
    said = home.jit(*args, "whoami", "--json", **{**API, **environment})
    assert said.code == ExitCode.OK, said.err
    name: str = said.json["id"]
    return name


def test_without_client_toml_commands_work_here(home: AtHome) -> None:
    home.file.unlink()
    assert who(home, **HERE) == "ben"
    assert home.jit("catalog").code == ExitCode.OK
    assert home.jit("login").code == ExitCode.INVALID


def test_what_is_nearer_counts(home: AtHome) -> None:
    assert who(home) == "ana"
    assert who(home, **HERE) == "ben"
    assert who(home, "--unsafe-act-as", "caro") == "caro"
    assert who(home, "--config", ".", JITCLOUD_UNSAFE_ACT_AS="caro") == "caro"
    assert who(home, "--api", home.url, **HERE) == "ana"
    assert who(home, JITCLOUD_API=home.url) == "ana"
    assert who(home, "--unsafe-act-as", "caro", JITCLOUD_API=home.url) == "caro"


@pytest.mark.parametrize(
    ("args", "environment", "named"),
    [
        (("--api", "http://127.0.0.1:9", "--config", "."), {}, "--config"),
        (("--api", "http://127.0.0.1:9", "--unsafe-act-as", "ben"), {}, "--unsafe-act-as"),
        ((), {"JITCLOUD_API": "http://127.0.0.1:9", "JITCLOUD_CONFIG": "."}, "JITCLOUD_CONFIG"),
    ],
)
def test_two_that_contradict_each_other_are_an_error(
    args: tuple[str, ...], environment: dict[str, str], named: str, home: AtHome
) -> None:
    said = home.jit(*args, "list", **environment)
    assert said.code == ExitCode.INVALID
    assert named in said.err
    assert "leave one of them out" in said.err


def test_what_operates_a_deployment_stays_here(
    home: AtHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert home.jit("sweep").code == ExitCode.OK
    assert home.jit("audit", "verify").code == ExitCode.OK
    assert "leave --api out" in home.jit("--api", home.url, "sweep").err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for command in (["sweep"], ["reconcile"], ["metrics"], ["audit", "verify"], ["doctor", "aws"]):
        said = home.jit(*command)
        assert said.code == ExitCode.MISCONFIGURED
        assert f"leave it to whoever operates {home.url}" in said.err


def test_a_token_stands_in_no_error_and_in_no_traceback(home: AtHome) -> None:
    token, no = "very.secret.token", b'{"error": "Refused", "detail": "No."}'
    with answering(lambda _: Reply(403, no)) as url:
        home.settle(url, "http://127.0.0.1:9", "jitcloud")
        said = home.jit("--debug", "list", JITCLOUD_TOKEN=token)
    assert said.code == ExitCode.REFUSED
    assert "Traceback" in said.err
    assert token not in said.err
