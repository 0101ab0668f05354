"""Reads partitions of an index in order, a page at a time, and only as far as somebody asks."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from jitcloud.stores.dynamodb.keys import Index, Item, Value, text

PAGE = 100
"""How many rows one call reads at most: of several partitions, few are read in vain."""


FILTERED = 1000
"""The same where most of what is read may be passed over: a page of 1 MB holds several thousand."""


class Queries(Protocol):
    """What a client of the SDK does, and whatever else asks DynamoDB for it."""

    @property
    def query(self) -> Callable[..., Mapping[str, Any]]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html."""
        ...


class Bound(NamedTuple):
    """Where a search begins or ends."""

    compares: Literal["<", "<=", ">"]
    value: Value


def rows(  # noqa: PLR0913 - all in which one search differs from another
    client: Queries,
    table: str,
    index: Index,
    partitions: Sequence[str],
    bound: Bound | None = None,
    *,
    most: int,
    newest_first: bool = False,
    begins: str | None = None,
) -> Iterator[Item]:
    """Yield the rows of several partitions of an index, merged in the order of its sort key.

    With ``begins``, of items alone whose own partition's name begins so; others are read in vain.

    ``most`` is how many are wanted, so that no page is read that is longer. An index is eventually
    consistent: a row may be missing, or be there still, for a moment after a commit, which as a
    rule is less than a second.
    """
    condition, values = "#partition = :partition", {}
    if bound is not None:
        condition += f" AND #sort {bound.compares} :bound"
        values[":bound"] = bound.value
    names = {"#partition": index.partition} | ({} if bound is None else {"#sort": index.sort})
    asked: dict[str, Any] = {
        "TableName": table,
        "IndexName": index.name,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ScanIndexForward": not newest_first,
        "Limit": min(most, PAGE),
    }
    if begins is not None:
        values[":begins"] = text(begins)
        names["#pk"] = "pk"
        asked |= {"FilterExpression": "begins_with(#pk, :begins)", "Limit": FILTERED}
    found = [
        _rows(client, asked | {"ExpressionAttributeValues": {":partition": text(each), **values}})
        for each in partitions
    ]
    return heapq.merge(*found, key=lambda row: _order(row, index), reverse=newest_first)


def _rows(client: Queries, asked: Mapping[str, Any]) -> Iterator[Item]:
    after: Mapping[str, Any] = {}
    while True:
        page = client.query(**asked, **after)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        after = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _order(row: Item, index: Index) -> float | str:
    # DynamoDB keeps a row out of an index whose key is of another type than the index says.
    written: str = row[index.sort][index.sort_type]
    return written if index.sort_type == "S" else float(written)
