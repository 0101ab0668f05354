"""Which rights the store needs, what it says where something is missing, and what it loads."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import boto3
import pytest
from botocore.config import Config

from jitcloud.adapters import store_of
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.model import State
from jitcloud.settings import read_settings
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.dynamodb.table import definition
from jitcloud.stores.sqlite import SqliteStore
from tests.docs.pages import bare
from tests.docs.pages import table as rows_of
from tests.dynamodb_tables import REGION, client_of
from tests.factories import (
    ALICE,
    NOW,
    a_mark,
    a_slot,
    asked,
    controlled,
    request_id,
    slot_key,
    the_request,
    then,
)
from tests.stores_dynamodb.between import Between, answer_emptied, failed

PAGE = "docs/dynamodb.md"
SECRET = "wJalrXUtnFEMI-this-must-not-show"  # noqa: S105 - made up


# ── Rights ───────────────────────────────────────────────────────────────────────────────────


def _rights() -> list[str]:
    return [bare(row["right"]) for row in rows_of(PAGE, "right", "on", "for")]


def _user(ministack: Ministack, table: str, actions: list[str]) -> Any:
    """A client of somebody who may do just that with a table."""
    root: Any = boto3.client(
        "iam",
        endpoint_url=ministack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=ministack.account,
        aws_secret_access_key="test",  # noqa: S106 - ministack gives it to every root
    )
    name = f"store-{token_hex(4)}"
    arn = f"arn:aws:dynamodb:{REGION}:{ministack.account}:table/{table}"
    allowed = {"Effect": "Allow", "Action": actions, "Resource": [arn, f"{arn}/index/*"]}
    root.create_user(UserName=name)
    root.put_user_policy(
        UserName=name,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    key = root.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        "dynamodb",
        endpoint_url=ministack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def _use(store: DynamoStore) -> None:
    """Do everything that a store does."""
    store.commit(replace(asked(1), channels=("notices",), control=controlled()))
    change = then(the_request(asked(1)), state=State.ACTIVE, review_by=NOW)
    resting = replace(change, control_seq=1, unmoved=((slot_key(2), 0),), slots=(a_slot(1),))
    store.commit(replace(resting, channels=("notices",)))
    store.put_mark(a_mark(1, 3))
    calls: list[Callable[[], object]] = [
        lambda: store.request(request_id(1)),
        lambda: store.events(request_id(1)),
        store.controls,
        store.control_events,
        lambda: store.slots([slot_key(1)]),
        lambda: store.due(NOW, 10),
        lambda: store.due_marks(NOW, 10),
        lambda: store.by_person(ALICE, 10),
        lambda: store.by_state(State.ACTIVE, 10),
        lambda: store.unreviewed(10),
        lambda: store.all_slots(10),
        lambda: store.ids(10),
    ]
    for call in calls:
        call()


def test_the_rights_on_the_page_are_enough(ministack: Ministack, table: str) -> None:
    client = _user(ministack, table, _rights())
    _use(DynamoStore(table, client=lambda: client))


@pytest.mark.parametrize(
    "right", [3, *(pytest.param(right, marks=pytest.mark.long) for right in (0, 1, 2, 4, 5))]
)
def test_each_right_on_the_page_is_needed_and_named_where_it_is_missing(
    ministack: Ministack, table: str, right: int
) -> None:
    rights = _rights()
    missing = rights.pop(right)
    assert len(rights) == 5
    client = _user(ministack, table, rights)
    with pytest.raises(Misconfigured, match=f"{missing}.* Give its role that right"):
        _use(DynamoStore(table, client=lambda: client))


def test_the_page_says_which_keys_and_indexes_there_are() -> None:
    rows = rows_of(PAGE, "index", "partition", "sorted by", "holds")
    assert [(bare(row["index"]), bare(row["sorted by"])) for row in rows] == [
        (index.name, index.sort) for index in keys.INDEXES
    ]
    made = definition()
    assert [each["IndexName"] for each in made["GlobalSecondaryIndexes"]] == [
        bare(row["index"]) for row in rows
    ]


# ── What is missing ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No credentials, no region, no files of anybody's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    return monkeypatch


@pytest.mark.usefixtures("bare_environment")
def test_credentials_that_are_missing_are_asked_for() -> None:
    store = DynamoStore("jitcloud", region=REGION, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Misconfigured, match=r"no AWS credentials .*NoCredentialsError"):
        store.request(request_id(1))


@pytest.mark.usefixtures("bare_environment")
def test_a_region_that_is_missing_is_asked_for() -> None:
    with pytest.raises(Misconfigured, match=r"in which region .* write region under"):
        DynamoStore("jitcloud").request(request_id(1))


@pytest.mark.usefixtures("bare_environment")
def test_a_profile_that_is_missing_is_said_to_be() -> None:
    with pytest.raises(Misconfigured, match=r"no AWS credentials .*ProfileNotFound"):
        DynamoStore("jitcloud", region=REGION, profile="nobody").request(request_id(1))


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_credentials_that_are_not_accepted_show_nowhere(
    store: DynamoStore, proxy: Between, code: str
) -> None:
    proxy.on("GetItem", failed(400, code, message=f"signed with {SECRET}"))
    with pytest.raises(Misconfigured, match=f"does not accept .*{code}") as caught:
        store.request(request_id(1))
    assert SECRET not in f"{caught.value} {caught.value.__cause__} {store!r}"
    assert caught.value.__suppress_context__


def test_what_cannot_be_reached_is_unavailable(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    bare_environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        store = DynamoStore("jitcloud", region=REGION, endpoint_url=url, pause=lambda _: None)
        calls: list[Callable[[], object]] = [
            lambda: store.request(request_id(1)),
            lambda: store.commit(asked(1)),
        ]
        for call in calls:
            with pytest.raises(Unavailable, match="cannot be reached for table"):
                call()


@pytest.mark.parametrize("name", ["x", "a b", "evil\x1b[31m"])
def test_a_table_that_cannot_be_one_is_refused(ministack: Ministack, name: str) -> None:
    client = client_of(ministack.endpoint_url, ministack.account)
    store = DynamoStore(name, client=lambda: client)
    with pytest.raises(Misconfigured) as caught:
        store.request(request_id(1))
    assert str(caught.value).isprintable()


# ── What is loaded ───────────────────────────────────────────────────────────────────────────


def test_what_looks_for_what_is_due_loads_neither_pydantic_nor_the_core() -> None:
    code = (
        "import json, sys\n"
        "from jitcloud.stores.dynamodb import due, stream\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(ran.stdout))
    assert not loaded & {"boto3", "botocore", "pydantic", "apsw", "cedarpy", "cryptography"}
    assert {name for name in loaded if name.startswith("jitcloud.")} == {
        "jitcloud.due",
        "jitcloud.stores",
        "jitcloud.stores.dynamodb",
        "jitcloud.stores.dynamodb.due",
        "jitcloud.stores.dynamodb.keys",
        "jitcloud.stores.dynamodb.pages",
        "jitcloud.stores.dynamodb.stream",
    }


# ── As it is configured ──────────────────────────────────────────────────────────────────────


def _settings(folder: Path, text: str) -> Any:
    file = folder / "jitcloud.toml"
    file.write_text(text)
    return read_settings(file)


def test_a_table_is_named_in_the_file_or_by_a_variable(
    ministack: Ministack,
    proxy: Between,
    table: str,
    bare_environment: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in ministack.environment.items():
        bare_environment.setenv(name, value)
    bare_environment.delenv("AWS_ENDPOINT_URL")
    text = f'[store]\nkind = "dynamodb"\nendpoint_url = "{proxy.url}"\n'
    with pytest.raises(Misconfigured, match=r"no table is named; .* JITCLOUD_TABLE"):
        store_of(_settings(tmp_path, text), tmp_path)
    bare_environment.setenv("JITCLOUD_TABLE", table)
    first = store_of(_settings(tmp_path, text), tmp_path)
    first.commit(asked(1))
    bare_environment.setenv("JITCLOUD_TABLE", "nowhere")
    named = f'{text}table = "{table}"\nregion = "{REGION}"\n'
    second = store_of(_settings(tmp_path, named), tmp_path)
    proxy.on("GetItem", answer_emptied)  # which the usual client notices
    assert second.request(request_id(1)) == the_request(asked(1))
    for store in (first, second):
        store.close()
    assert isinstance(store_of(_settings(tmp_path, ""), tmp_path), SqliteStore)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('table = "jitcloud"', "kind sqlite has no use for table"),
        ('kind = "dynamodb"\npath = "x.db"', "kind dynamodb has no use for path"),
        ('kind = "dynamodb"\ntable = "a/b"', "3 to 255 letters"),
        ('kind = "dynamodb"\nregion = "eu-central-1.evil.example"', "name of a region"),
        ('kind = "dynamodb"\nendpoint_url = "https://evil.example"', "emulators on this machine"),
        ('kind = "redis"', "dynamodb"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        _settings(tmp_path, f"[store]\n{text}\n")


def test_opening_a_store_reaches_for_nothing(
    bare_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("somebody connects")

    bare_environment.setattr(socket.socket, "connect", refuse)
    bare_environment.setenv("JITCLOUD_TABLE", "jitcloud")
    store = store_of(_settings(tmp_path, '[store]\nkind = "dynamodb"\n'), tmp_path)
    store.close()
