"""Writes many requests into a table, fast: what one commit leaves, again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from jitcloud.model import RequestId
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.keys import Item
from tests.factories import request_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 25
"""How many items ``BatchWriteItem`` takes."""

SPREAD = ("due", "in_state", "listing")
"""What names a partition of an index, by the request's name."""


def fill(
    client: DynamoDBClient, table: str, items: Sequence[Item], of: RequestId, numbers: Iterable[int]
) -> None:
    """Write all items of one request again, each time under another name."""
    rows = _rows(items, of, numbers)
    while batch := list(islice(rows, BATCH)):
        asked: Any = {table: [{"PutRequest": {"Item": item}} for item in batch]}
        while asked:
            asked = client.batch_write_item(RequestItems=asked)["UnprocessedItems"]


def _rows(items: Sequence[Item], of: RequestId, numbers: Iterable[int]) -> Iterator[Item]:
    for number in numbers:
        name = request_id(number)
        for item in items:
            row = {key: _renamed(value, of, name) for key, value in item.items()}
            for key in SPREAD:
                if key in row:
                    what = row[key]["S"].partition("#")[0]
                    row[key] = keys.text(keys.spread(what, name))
            yield row


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: _renamed(each, old, new) for key, each in value.items()}
    return [_renamed(each, old, new) for each in value] if isinstance(value, list) else value
