"""What functions are told in secret: set before the configuration is read, and never quoted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
from botocore.session import get_session

from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Misconfigured
from jitcloud.fleet.environment import secrets
from tests.aws.conftest import ministack as ministack  # noqa: PLC0414 - a fixture

HELD = "tell-nobody"


@pytest.fixture(autouse=True)
def here(ministack: Ministack) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(ministack.environment)
    yield
    os.environ.clear()
    os.environ.update(before)


def kept(text: str) -> None:
    client: Any = get_session().create_client("secretsmanager")
    made = client.create_secret(Name=f"fleet-{token_hex(4)}", SecretString=text)
    os.environ["JITCLOUD_SECRETS"] = made["ARN"]


def test_its_variables_are_set() -> None:
    kept(json.dumps({"JIRA_TOKEN": HELD, "MAIL_PASSWORD": "too"}))
    secrets()
    assert (os.environ["JIRA_TOKEN"], os.environ["MAIL_PASSWORD"]) == (HELD, "too")


@pytest.mark.parametrize("arn", ["", None])
def test_where_none_is_named_nothing_is_asked(arn: str | None) -> None:
    os.environ.pop("JITCLOUD_SECRETS", None)
    if arn is not None:
        os.environ["JITCLOUD_SECRETS"] = arn
    before = dict(os.environ)
    secrets()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "text",
    [
        HELD,
        f'["{HELD}"]',
        f'{{"jira": "{HELD}"}}',
        '{"JIRA_TOKEN": 7}',
        f'{{"AWS_ACCESS_KEY_ID": "{HELD}"}}',
        f'{{"JITCLOUD_TABLE": "{HELD}"}}',
        f'{{"PYTHONPATH": "{HELD}"}}',
        f'{{"LD_PRELOAD": "{HELD}"}}',
        f'{{"PATH": "{HELD}"}}',
    ],
)
def test_what_is_not_understood_sets_nothing_and_is_not_quoted(text: str) -> None:
    kept(text)
    before = dict(os.environ)
    with pytest.raises(Misconfigured) as raised:
        secrets()
    assert HELD not in str(raised.value)
    assert dict(os.environ) == before


def test_one_that_is_not_there_is_told() -> None:
    os.environ["JITCLOUD_SECRETS"] = "arn:aws:secretsmanager:us-east-1:111122223333:secret:gone"
    with pytest.raises(Misconfigured, match="cannot be read"):
        secrets()
