"""Answers in the table that has the record.

Each is one item, written only on the condition that it still is what it was read as. DynamoDB
deletes it by itself some time after ``expires``, if time to live is switched on for that
attribute; until then it counts as gone here as well.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from jitcloud.errors import Tampered, Unavailable
from jitcloud.model import Digest
from jitcloud.ports import Answered, Begun
from jitcloud.stores import answer_rules
from jitcloud.stores.answer_rules import Kept
from jitcloud.stores.dynamodb import expressions, keys
from jitcloud.stores.dynamodb.keys import Item
from jitcloud.stores.dynamodb.reach import Reach
from jitcloud.stores.dynamodb.reading import get
from jitcloud.text import quoted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIME_TO_LIVE = "expires"
"""The attribute, in whole seconds since 1970."""

_UNCHANGED = "#since = :since AND #number = :number"
_UNANSWERED = f"{_UNCHANGED} AND attribute_not_exists(#answer)"
_UNMET = "ConditionalCheckFailedException"


class DynamoAnswers:
    """Keeps answers in one table. Safe for several threads and processes, anywhere."""

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        client: Callable[[], DynamoDBClient] | None = None,
    ) -> None:
        """Remember where the table is, as ``DynamoStore`` does. Connects to nothing yet."""
        self._is_closed = False
        self._reached = Reach(table, region=region, endpoint_url=endpoint_url, client=client)

    def begin(
        self, name: Digest, said: Digest, now: datetime, *, lease: timedelta, keep: timedelta
    ) -> Begun | Answered:
        tries = self._reach.tries()
        item: Item | None = None
        # Most keys are new: that is tried before anything is read.
        while True:
            kept = None if item is None else _read(item)
            found = answer_rules.begin(kept, said, now, lease=lease, keep=keep)
            if isinstance(found, Answered):
                return found
            if self._put(name, found, kept):
                return answer_rules.begun(name, found)
            if not tries.again():
                raise Unavailable(
                    f"Others keep writing the same answer to table {quoted(self._reach.table)}: try"
                    " again shortly."
                )
            item = get(self._reach, _partition(name))

    def finish(self, begun: Begun, answer: str) -> None:
        self._update(begun, "SET #answer = :answer", answer=keys.text(answer))

    def release(self, begun: Begun, now: datetime) -> None:
        self._update(begun, "SET #leased = :leased", leased=keys.instant(now))

    def close(self) -> None:
        self._is_closed = True
        self._reached.close()

    @property
    def _reach(self) -> Reach:
        if self._is_closed:
            raise ValueError("The store is closed.")
        return self._reached

    def _put(self, name: Digest, kept: Kept, before: Kept | None) -> bool:
        """Write it, unless somebody else was first."""
        # A call that got no answer is made again, and may then find what it wrote itself.
        mark = token_hex(8)
        item = _item(name, kept) | {"mark": keys.text(mark)}
        action = (
            expressions.put(self._reach.table, item, expressions.ABSENT)
            if before is None
            else expressions.put(self._reach.table, item, _UNCHANGED, **_attempt(before))
        )
        asked: dict[str, Any] = action["Put"]
        if self._written(lambda client: client.put_item(**asked)):
            return True
        found = get(self._reach, _partition(name))
        return found is not None and found.get("mark") == keys.text(mark)

    def _update(self, begun: Begun, change: str, **values: keys.Value) -> None:
        key = keys.key(_partition(begun.name))
        action = expressions.update(
            self._reach.table, key, change, _UNANSWERED, **values, **_attempt(begun)
        )
        asked: dict[str, Any] = action["Update"]
        self._written(lambda client: client.update_item(**asked))

    def _written(self, write: Callable[[DynamoDBClient], object]) -> bool:
        try:
            self._reach.read(write)
        except ClientError as exc:
            if exc.response["Error"]["Code"] == _UNMET:
                return False
            raise Unavailable(
                f"Others are at the same answer in table {quoted(self._reach.table)}: try again"
                " shortly."
            ) from exc
        return True


def _partition(name: Digest) -> str:
    return f"answer#{name}"


def _attempt(of: Kept | Begun) -> dict[str, keys.Value]:
    return {"since": keys.instant(of.since), "number": keys.number(of.number)}


def _item(name: Digest, kept: Kept) -> Item:
    return (
        keys.key(_partition(name))
        | _attempt(kept)
        | {
            "said": keys.text(kept.said),
            "leased": keys.instant(kept.leased_until),
            "kept": keys.instant(kept.kept_until),
            TIME_TO_LIVE: keys.number(int(kept.kept_until.timestamp()) + 1),
        }
    )


def _read(item: Item) -> Kept:
    """Read what is kept. Raises ``Tampered`` for what none of ours has written."""
    answer = item.get("answer")
    try:
        return Kept(
            said=Digest(item["said"]["S"]),
            since=keys.to_instant(item["since"]),
            number=int(item["number"]["N"]),
            leased_until=keys.to_instant(item["leased"]),
            kept_until=keys.to_instant(item["kept"]),
            answer=None if answer is None else answer["S"],
        )
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise Tampered("An answer in the table is none as jitcloud keeps them.") from exc
