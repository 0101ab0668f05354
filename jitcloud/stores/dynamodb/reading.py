"""Reads items by their names: always as last committed, never as an index or a replica has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from jitcloud.errors import Tampered, Unavailable
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.expressions import BEGINNING
from jitcloud.stores.dynamodb.keys import Item, text
from jitcloud.stores.dynamodb.reach import Reach
from jitcloud.text import quoted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef

BATCH = 100
"""How many items ``BatchGetItem`` takes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

LONGEST = 1_000
"""How many pages of 1 MB of a trail are read: more than any that we write."""


def get(reach: Reach, partition: str) -> Item | None:
    """Read the snapshot of a partition."""
    if not keys.fits(partition):
        return None
    asked: Any = {"TableName": reach.table, "Key": keys.key(partition), "ConsistentRead": True}
    found: Any = reach.read(lambda client: client.get_item(**asked))
    item: Item | None = found.get("Item")
    return item


def get_many(reach: Reach, partitions: Iterable[str]) -> dict[str, Item]:
    """Read the snapshots of many partitions; what is not stored is left out.

    Each is as last committed, but not all as of one moment.
    """
    left, found = filter(keys.fits, partitions), {}
    while batch := list(islice(left, BATCH)):
        for item in _batch(reach, batch):
            found[item["pk"]["S"]] = item
    return found


def _batch(reach: Reach, partitions: Sequence[str]) -> Iterator[Item]:
    asked: Mapping[str, Any] = {
        reach.table: {"Keys": [keys.key(each) for each in partitions], "ConsistentRead": True}
    }
    tries = reach.tries()
    while asked:
        answer = reach.read(
            lambda client, asked=asked: client.batch_get_item(  # type: ignore[misc] # bound on purpose
                RequestItems=cast("Mapping[str, KeysAndAttributesTypeDef]", asked)
            )
        )
        found = cast("Sequence[Item]", answer["Responses"].get(reach.table, ()))
        yield from found
        # What is too large for one answer, or for what the table allows just now.
        asked = answer["UnprocessedKeys"]
        if asked and not found and not tries.again():
            raise Unavailable(
                f"DynamoDB limits the rate at which table {quoted(reach.table)} is read: try again"
                " shortly, and see what has become so busy."
            )


def trail(reach: Reach, partition: str) -> Iterator[Item]:
    """Read what each commit has added to a trail, oldest first."""
    asked: dict[str, Any] = {
        "TableName": reach.table,
        "KeyConditionExpression": BEGINNING,
        "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
        "ExpressionAttributeValues": {":pk": text(partition), ":sk": text(keys.EVENTS)},
        "ConsistentRead": True,
    }
    for _ in range(LONGEST):
        page = reach.query(**asked)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    raise Tampered(
        f"The trail of {quoted(partition)} is longer than any that jitcloud writes: see what"
        " else writes to the table."
    )
