from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from jitcloud import system_keyring
from tests.cli_world import CliWorld, MemoryKeyring


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def key_id(cli: CliWorld, name: str, *more: str, by: str = "ana") -> str:
    shown: str = cli.jit("credentials", name, *more, by=by).json["AccessKeyId"]
    return shown


def held(cli: CliWorld) -> dict[tuple[str, str], str]:
    assert cli.keyring is not None
    return cli.keyring.held


def test_a_set_is_kept_and_handed_out_again(cli: CliWorld) -> None:
    name = cli.granted()
    assert [key_id(cli, name) for _ in range(3)] == ["AKIA1"] * 3
    assert cli.sessions.issued == 1
    assert cli.now(name).issued == 1
    ((service, username),) = held(cli)
    assert service == "jitcloud"
    assert username.startswith(f"{name}@")


def test_a_set_is_renewed_when_it_has_less_than_a_minute_left(cli: CliWorld) -> None:
    name = cli.granted()
    key_id(cli, name)
    cli.time.forward(minutes=14)
    assert key_id(cli, name) == "AKIA1"
    cli.time.forward(seconds=1)
    assert key_id(cli, name) == "AKIA2"
    assert len(held(cli)) == 1


def test_a_set_that_lasts_until_the_deadline_is_handed_out_to_the_end(cli: CliWorld) -> None:
    name = cli.granted()
    cli.time.forward(minutes=20)
    key_id(cli, name)
    cli.time.forward(minutes=9, seconds=59)
    assert key_id(cli, name) == "AKIA1"


def test_after_the_deadline_nothing_is_handed_out_and_nothing_kept(cli: CliWorld) -> None:
    name = cli.granted()
    cli.time.forward(minutes=20)
    key_id(cli, name)
    cli.time.forward(minutes=10)
    said = cli.jit("credentials", name, by="ana")
    assert (said.code, said.out) == (3, "")
    assert not held(cli)


@pytest.mark.parametrize("command", [("give-back",), ("revoke", "--because", "leak")])
def test_an_early_end_forgets_the_set(cli: CliWorld, command: tuple[str, ...]) -> None:
    name = cli.granted()
    key_id(cli, name)
    verb, *more = command
    assert cli.jit(verb, name, *more, by="ana").code == 0
    assert not held(cli)


def test_a_set_is_not_handed_out_once_another_machine_has_ended_the_grant(cli: CliWorld) -> None:
    name = cli.granted()
    key_id(cli, name)
    kept = dict(held(cli))
    cli.jit("revoke", name, "--because", "leak", by="caro")
    held(cli).update(kept)
    said = cli.jit("credentials", name, by="ana")
    assert (said.code, said.out) == (3, "")
    assert not held(cli)


def test_a_set_is_handed_to_its_holder_alone(cli: CliWorld) -> None:
    name = cli.granted()
    key_id(cli, name)
    said = cli.jit("credentials", name, by="ben")
    assert (said.code, said.out) == (4, "")
    assert held(cli)


def test_a_set_is_not_handed_to_who_was_disabled_since(cli: CliWorld) -> None:
    name = cli.granted()
    key_id(cli, name)
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('id = "ana"', 'id = "ana"\ndisabled = true'))
    said = cli.jit("credentials", name, by="ana")
    assert (said.code, said.out) == (3, "")


def test_no_cache_leaves_the_keyring_alone(cli: CliWorld) -> None:
    name = cli.granted()
    assert key_id(cli, name, "--no-cache") == "AKIA1"
    assert not held(cli)
    assert key_id(cli, name) == "AKIA2"
    assert key_id(cli, name, "--no-cache") == "AKIA3"


def test_only_sets_for_a_process_are_kept(cli: CliWorld) -> None:
    name = cli.granted()
    cli.jit("credentials", name, "--format", "json", by="ana")
    cli.jit("env", name, by="ana")
    cli.jit("exec", name, "--", "true", by="ana")
    assert not held(cli)


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"expires_at": 5}'])
def test_a_kept_set_that_cannot_be_read_is_made_anew(cli: CliWorld, text: str) -> None:
    name = cli.granted()
    key_id(cli, name)
    held(cli).update(dict.fromkeys(held(cli), text))
    assert key_id(cli, name) == "AKIA2"


class BrokenKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> NoReturn:
        raise RuntimeError(service, username)

    def set_password(self, service: str, username: str, password: str) -> NoReturn:
        raise RuntimeError(service, username, password)


def test_without_a_keyring_a_set_is_made_each_time(cli: CliWorld) -> None:
    cli.keyring = None
    name = cli.granted()
    assert [key_id(cli, name), key_id(cli, name)] == ["AKIA1", "AKIA2"]
    assert cli.jit("give-back", name, by="ana").code == 0


def test_a_keyring_that_fails_costs_a_set_and_no_more(cli: CliWorld) -> None:
    cli.keyring = BrokenKeyring()
    name = cli.granted()
    assert [key_id(cli, name), key_id(cli, name)] == ["AKIA1", "AKIA2"]
    said = cli.jit("give-back", name, by="ana")
    assert (said.code, said.err) == (0, "")


def test_two_deployments_on_one_machine_do_not_mix(
    cli: CliWorld,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = CliWorld(tmp_path_factory.mktemp("other"), capsys, monkeypatch, keyring=cli.keyring)
    name = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
    for world in (cli, other):
        world.ask("dev-read", "--id", name)
        key_id(world, name)
    assert len(held(cli)) == 2


# ── Which keyring ────────────────────────────────────────────────────────────────────────────


def backend(module: str) -> object:
    return type("Keyring", (), {"__module__": module})()


@pytest.mark.parametrize(
    ("module", "fits"),
    [
        ("keyring.backends.SecretService", True),
        ("keyring.backends.libsecret", True),
        ("keyring.backends.kwallet", True),
        ("keyring.backends.macOS", True),
        ("keyring.backends.null", False),
        ("keyring.backends.fail", False),
        ("keyrings.alt.file", False),
        ("keyring.backends.macOSlookalike", False),
        ("keyrings.cryptfile.cryptfile", False),
    ],
)
def test_only_the_keyrings_of_operating_systems_are_used(
    monkeypatch: pytest.MonkeyPatch, module: str, *, fits: bool
) -> None:
    one = backend(module)
    monkeypatch.setattr("keyring.get_keyring", lambda: one)
    assert system_keyring.os_keyring() is (one if fits else None)


def test_of_several_keyrings_the_first_safe_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    file, system = backend("keyrings.alt.file"), backend("keyring.backends.kwallet")
    chain = backend("keyring.backends.chainer")
    monkeypatch.setattr(chain, "backends", [file, system], raising=False)
    monkeypatch.setattr("keyring.get_keyring", lambda: chain)
    assert system_keyring.os_keyring() is system


def test_a_machine_without_a_keyring_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> NoReturn:
        raise RuntimeError

    monkeypatch.setattr("keyring.get_keyring", fails)
    assert system_keyring.os_keyring() is None
