"""How a configuration says who is passed what was committed, and what is wrong with it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from jitcloud import config
from jitcloud.adapters import publishers_of
from jitcloud.envelopes import MOST_TEXT, TYPES, VERSION
from jitcloud.errors import Misconfigured
from jitcloud.model import RequestId, State
from jitcloud.publish_settings import (
    MOST_RECEIVERS,
    EventBridgeSettings,
    SnsSettings,
    WebhookSettings,
    channels_to_end,
)
from jitcloud.settings import Settings, read_settings
from tests.cli_world import CONFIG, CliWorld
from tests.contract.publishers.hook import KEYS, SECRETS, receiving, says
from tests.docs.pages import bare, blocks, table
from tests.factories import NOW

PAGE = "docs/publishing.md"

HOOK = '[[publish.webhook]]\nname = "siem"\nurl = "https://siem.example.com/hook"\n'
BUS = '[[publish.eventbridge]]\nname = "bus"\nbus = "security"\n'
TOPIC = (
    '[[publish.sns]]\nname = "topic"\ntopic = "arn:aws:sns:eu-central-1:111122223333:jit.fifo"\n'
)
ENV = 'secret_env = "SIEM_SECRET"\n'


def read(folder: Path, text: str) -> Settings:
    (folder / "jitcloud.toml").write_text(text)
    return read_settings(folder / "jitcloud.toml")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def test_nothing_is_passed_on_unless_it_is_said(tmp_path: Path) -> None:
    assert publishers_of(Settings(), tmp_path, lambda: NOW) == ()


def test_each_has_a_channel_of_its_own_and_what_it_is_given(tmp_path: Path) -> None:
    some = 'types = ["request.ended"]\n'
    settings = read(tmp_path, f"{BUS}{TOPIC}{some}{HOOK}{ENV}")
    found = publishers_of(settings, tmp_path, lambda: NOW)
    assert [each.channel for each in found] == ["publish-bus", "publish-topic", "publish-siem"]
    assert [each.types for each in found] == [set(TYPES), {"request.ended"}, set(TYPES)]
    assert settings.publish is not None
    assert settings.publish.channels == tuple(each.channel for each in found)


WRONG = {
    HOOK: "say where its secret is",
    f"{HOOK}{ENV}secret_file = ['a', 'b', 'c']": "3 at most",
    f"{HOOK}secret_env = 'hunter2'": "write the name of a variable",
    f"{HOOK}secret = 'hunter2'": 'there is no key "secret"',
    f"{HOOK}{ENV}timeout = '31s'": "write at most 30s",
    f"{HOOK}{ENV}types = []": "nothing would be passed on",
    f"{HOOK}{ENV}types = ['request.approve']": 'Did you mean "request.approved"?',
    f"{HOOK}{ENV}".replace("siem", "Siem 1", 1): "write lower-case letters",
    f"{HOOK}{ENV}".replace("https://", "http://"): "write https://",
    f"{HOOK}{ENV}".replace("/hook", "/hook?token=hunter2"): "take user name, password",
    BUS.replace("security", "a b"): "write the name of a bus",
    f"{BUS}endpoint_url = 'https://example.com'": "for emulators on this machine",
    TOPIC.replace("sns", "sqs").replace("publish.sqs", "publish.sns"): "write the ARN of a topic",
    f"{BUS}{TOPIC}".replace('"topic"', '"bus"'): "give each another name",
    "".join(BUS.replace('"bus"', f'"bus-{letter}"') for letter in "abcdef"): "write at most 5",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_without_any_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match=WRONG[text]) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("jitcloud.toml")
    assert "hunter2" not in str(caught.value)


# ── A deployment ─────────────────────────────────────────────────────────────────────────────


def test_a_deployment_passes_on_what_happens_to_a_receiver(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cli.folder / "siem").write_text(SECRETS[1])
    monkeypatch.setenv("SIEM_SECRET", SECRETS[0])
    with receiving() as hook:
        where = HOOK.replace("https://siem.example.com/hook", hook.url)
        cli.write("jitcloud.toml", f"{CONFIG}\n{where}{ENV}secret_file = 'siem'\n")
        name = cli.granted()
        assert hook.got == [], "a command does not wait for any receiver"
        assert cli.jit("sweep").code == 0
        sent = [json.loads(post.body) for post in hook.got]
        assert [each["type"] for each in sent][:2] == ["request.asked", "request.decided"]
        assert {each["request"] for each in sent} == {name}
        assert all(post.is_signed_by(key) for post in hook.got for key in KEYS)
        hook.answers += [says(500)] * 2
        cli.jit("give-back", name, "--because", "done", by="ana")
        cli.jit("sweep")
        cli.time.forward(minutes=1)
        said = cli.jit("sweep")
        assert said.code != 0
        assert f"publish-siem/{name}" in said.out + said.err
        assert "answered with status 500" in said.out + said.err


def test_while_the_configuration_is_broken_ends_are_marked_to_be_passed_on_later(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIEM_SECRET", SECRETS[0])
    with receiving() as hook:
        where = HOOK.replace("https://siem.example.com/hook", hook.url)
        good = f"{CONFIG}\n{where}{ENV}"
        cli.write("jitcloud.toml", good)
        name = cli.granted()
        cli.jit("sweep")
        count = len(hook.got)
        cli.write("jitcloud.toml", f"{good}tipes = 1\n")
        cli.time.forward(hours=1)
        cli.jit("sweep")
        cli.time.forward(minutes=1)
        cli.jit("sweep")
        assert cli.state(name) is State.ENDED
        assert len(hook.got) == count
        cli.write("jitcloud.toml", good)
        cli.jit("sweep")
        told = [json.loads(post.body)["type"] for post in hook.got[count:]]
    assert told == ["request.ending", "request.ended"]


@pytest.mark.parametrize(
    ("table_", "channels"),
    [
        (None, ()),
        ("text", ()),
        ({"webhook": "text"}, ()),
        ({"webhook": [{"name": 7}, {"name": "Bad One"}, {}, "text", {"name": "siem"}]}, ("siem",)),
        ({"sns": [{"name": "a"}], "other": [{"name": "a"}, {"name": "b"}]}, ("a", "b")),
        ({"sns": [{"name": f"a{'b' * n}"} for n in range(50)]}, 5),
    ],
)
def test_channels_are_named_though_the_rest_is_broken(table_: Any, channels: Any) -> None:
    found = channels_to_end(table_)
    if isinstance(channels, int):
        assert len(found) == MOST_RECEIVERS == channels
    else:
        assert found == tuple(f"publish-{name}" for name in channels)


def test_who_only_records_loads_no_receiver(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", f"{CONFIG}\n{HOOK}{ENV}")
    with config.load(cli.folder, cli.time) as deployment:
        assert deployment.ledger.channels == ("publish-siem",)
        assert deployment.outbox is not None
        assert deployment.ledger.store.mark("publish-siem", RequestId("01J")) is None
    assert deployment.outbox._stop.is_set()  # noqa: SLF001 - it begins nothing once that is closed


# ── The page ─────────────────────────────────────────────────────────────────────────────────


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    common = [bare(row["key of all"]) for row in table(PAGE, "key of all", "unless said", "is")]
    for name, model in (
        ("eventbridge", EventBridgeSettings),
        ("sns", SnsSettings),
        ("webhook", WebhookSettings),
    ):
        column = f"key of `[[publish.{name}]]`"
        own = [bare(row[column]) for row in table(PAGE, column, "unless said", "is")]
        assert [*common, *own] == list(model.model_fields)


def test_what_the_page_shows_is_accepted() -> None:
    (shown,) = (b.text for b in blocks(PAGE) if b.text.startswith("[[publish.eventbridge]]"))
    settings = Settings.model_validate(tomllib.loads(shown))
    assert settings.publish is not None
    assert len(settings.publish.channels) == 3


def test_the_types_on_the_page_are_those_there_are() -> None:
    rows = table(PAGE, "type", "means", "details")
    assert [bare(row["type"]) for row in rows] == list(TYPES)


def test_the_page_shows_an_envelope_as_it_is() -> None:
    example, schema, *_ = (json.loads(b.text) for b in blocks(PAGE) if b.language == "json")
    assert sorted(example) == sorted(schema["required"])
    assert example["version"] == schema["properties"]["version"]["const"] == VERSION
    assert schema["properties"]["texts"]["additionalProperties"]["maxLength"] == MOST_TEXT
    assert set(schema["properties"]["state"]["enum"]) == {state.value for state in State}
    assert example["id"] == f"{example['request']}-{example['seq']}-{example['hash'][:8]}"
