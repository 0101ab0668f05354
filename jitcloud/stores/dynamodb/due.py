"""What is due, from one sparse index: as the store reads it, and ``expire`` every minute.

Loads neither pydantic nor the SDK: whoever starts every minute should start fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from jitcloud.due import Due
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.keys import Item
from jitcloud.stores.dynamodb.pages import Bound, Queries, rows

_KINDS: dict[str, Literal["request", "slot", "mark"]] = {
    "request": "request",
    "slot": "slot",
    keys.MARKS: "mark",
}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def due(
    client: Queries,
    table: str,
    until: datetime,
    *,
    most: int,
    clouds: Sequence[str] = keys.CLOUDS,
) -> Iterator[tuple[str, Due]]:
    """Yield requests and slots with ``wake_at <= until`` and whose cloud they are of, oldest first.

    The index may lag behind a commit for a moment: what has just become due is found the next
    time, and what no longer is shows to be so when it is loaded. Reads nothing else, and raises
    what the client raises.
    """
    partitions = [shard for cloud in clouds for shard in keys.shards(cloud)]
    return _due(client, table, partitions, until, most)


def due_marks(
    client: Queries, table: str, until: datetime, *, most: int, channel: str | None = None
) -> Iterator[Due]:
    """Yield marks with ``wake_at <= until``, oldest first; as ``due`` else.

    Of one channel, if it is named: those of others are passed over where they are, and paid for.
    """
    begins = None if channel is None else keys.mark(channel, "")
    found = _due(client, table, keys.shards(keys.MARKS), until, most, begins)
    return (item for _, item in found)


def read(item: Item) -> tuple[str, Due] | None:
    """Say which cloud's an item is that may have to be woken, and when; None where it is not.

    ``item`` is a row of the index, or a whole item as the table's stream has it.
    """
    kind, _, name = str(item.get("pk", {}).get("S", "")).partition("#")
    partition = item.get("due", {}).get("S")
    if not isinstance(partition, str) or kind not in _KINDS or "wake" not in item:
        return None
    try:
        wake_at = keys.to_instant(item["wake"])
    except ValueError:
        wake_at = _LONG_AGO  # nobody of ours wrote that; whoever loads it will say more
    return partition.partition("#")[0], Due(kind=_KINDS[kind], id=name, wake_at=wake_at)


def _due(  # noqa: PLR0913, PLR0917 - all in which one search differs from another
    client: Queries,
    table: str,
    partitions: Sequence[str],
    until: datetime,
    most: int,
    begins: str | None = None,
) -> Iterator[tuple[str, Due]]:
    bound = Bound("<=", keys.instant(until))
    found = rows(client, table, keys.DUE, partitions, bound, most=most, begins=begins)
    read_ = (item for item in map(read, found) if item is not None)
    return islice(read_, most)
