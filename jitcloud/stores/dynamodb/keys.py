"""What items of the table are called, and in which partition an index has them.

None of this may ever change for a table that is in use: what is stored under an old name is not
found under a new one.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

Value = dict[str, Any]
"""One attribute as DynamoDB writes it: ``{"S": "text"}``, ``{"N": "7"}``."""

Item = dict[str, Value]
"""All attributes of an item, or those of its key."""

SNAPSHOT = "snapshot"
"""The sort key of whatever is overwritten in place; events have sort keys of their own."""

CONTROLS = "controls"
"""The partition of the deployment's own trail."""

FENCES = 16
"""How many copies there are of where the deployment's own trail stands.

A commit that rests on it checks one of them. DynamoDB lets no two transactions touch one item at
once, not even to check it, so that a single copy would make every activation wait for the others.
"""

SHARDS = 2
"""Over how many partitions an index spreads what is alike.

A partition takes 1,000 writes a second for good, and far more for minutes; a commit costs it two.
So two of them outrun whatever drives one cloud, while each more costs every search a call more.
"""

CLOUDS = ("aws", "azure", "gcp", "other")
"""Whose drivers wake requests and slots; what no cloud is known for is with ``other``."""

MARKS = "mark"
"""Whose partitions hold marks that are due, apart from what ends access."""


LONGEST = 2048
LONGEST_SORT = 1024
"""How many bytes the two parts of a key have at most, in the table and in its indexes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""


class Index(NamedTuple):
    """A sparse index: it holds the items that have both attributes, and of these the keys alone."""

    name: str
    partition: str
    sort: str
    sort_type: Literal["S", "N"]


DUE = Index("due", "due", "wake", "N")
BY_PERSON = Index("by-person", "person", "id", "S")
BY_STATE = Index("by-state", "in_state", "id", "S")
BY_REVIEW = Index("by-review", "review", "review_by", "N")
BY_REVIEWED = Index("by-reviewed", "reviewed", "review_by", "N")
LISTING = Index("listing", "listing", "id", "S")

INDEXES = (DUE, BY_PERSON, BY_STATE, BY_REVIEW, BY_REVIEWED, LISTING)


def key(partition: str, sort: str = SNAPSHOT) -> Item:
    """Name an item."""
    return {"pk": text(partition), "sk": text(sort)}


def fits(partition: str) -> bool:
    """Whether anything can be stored under this name."""
    return 0 < len(partition.encode()) <= LONGEST


def request(id_: str) -> str:
    """Name the partition of a request: its snapshot and its events."""
    return f"request#{id_}"


def slot(name: str) -> str:
    """Name the partition of a slot."""
    return f"slot#{name}"


def mark(channel: str, request_: str) -> str:
    """Name the partition of a mark."""
    return f"{MARKS}#{channel}/{request_}"


def fence(number: int) -> str:
    """Name the partition of one copy of where the deployment's own trail stands."""
    return f"fence#{number}"


def fence_of(id_: str) -> str:
    """Choose the copy that a commit checks: always the same for what it is about."""
    return fence(zlib.crc32(id_.encode()) % FENCES)


def events(first: int, commit: str) -> str:
    """Name what one commit adds to a trail. Sorts by sequence, and no two commits share a name."""
    return f"{EVENTS}{first:010d}#{commit}"


EVENTS = "events#"


def spread(what: str, name: str) -> str:
    """Name the index partition of something: one of a few, always the same for the same name."""
    return f"{what}#{zlib.crc32(name.encode()) % SHARDS}"


def shards(what: str) -> tuple[str, ...]:
    """Name all index partitions over which something is spread."""
    return tuple(f"{what}#{number}" for number in range(SHARDS))


def cloud_of(kind: str) -> str:
    """Name the cloud of a mechanism or of a kind of slot, such as ``aws.iam-group``."""
    cloud = kind.partition(".")[0]
    return cloud if cloud in CLOUDS else CLOUDS[-1]


# ── Values ───────────────────────────────────────────────────────────────────────────────────

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: str) -> Value:
    return {"S": value}


def number(value: int) -> Value:
    return {"N": str(value)}


def instant(value: datetime) -> Value:
    """Write an instant as microseconds since 1970, which sort as numbers."""
    return number((value - _EPOCH) // timedelta(microseconds=1))


def to_instant(value: Value) -> datetime:
    """Read an instant. Raises ``ValueError`` for what ``instant`` does not write."""
    written = value.get("N")
    if not isinstance(written, str):
        raise ValueError("no number")  # noqa: TRY004 - whoever wrote it is not our caller
    try:
        return _EPOCH + timedelta(microseconds=int(written))
    except OverflowError as exc:
        raise ValueError("no instant") from exc
