"""Tables to try the DynamoDB store on, in emulators that share nothing but the API."""

from __future__ import annotations

from functools import cache, partial
from secrets import token_hex
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from jitcloud.emulators.ministack import Ministack
from jitcloud.stores.dynamodb.reach import CONFIG, checked
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.dynamodb.table import definition
from tests.contract.stores import Opener

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "us-east-1"


@cache
def client_of(endpoint_url: str | None, key: str = "test") -> DynamoDBClient:
    """Make a client, once a process: each costs as much as a whole test."""
    made = boto3.Session().client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=key,
        aws_secret_access_key="test",  # noqa: S106 - emulators give it to every root
        config=CONFIG.merge(Config(read_timeout=20)),  # a busy machine is no outage
    )
    return checked(made)


def a_table(client: DynamoDBClient) -> str:
    """Make a table of its own for a test."""
    name = f"jitcloud-{token_hex(6)}"
    client.create_table(**definition(name))
    return name


def record_on(ministack: Ministack) -> Opener:
    """Make a table on an emulator that several processes may share."""
    client = partial(client_of, ministack.endpoint_url, ministack.account)
    return partial(DynamoStore, a_table(client()), client=client)
