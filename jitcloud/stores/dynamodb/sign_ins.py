"""Sign-ins in the table that has the record.

What a token said of somebody is one item, and counts. Beside it there is an item for each group,
by which its people are found: one that is out of date names somebody whose own item no longer
does, and nothing follows from that. So nothing has to be deleted, and no more has to be written
at once than DynamoDB can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from jitcloud import sign_ins
from jitcloud.errors import Unavailable
from jitcloud.model import GroupId, PersonId, SignedIn
from jitcloud.ports import MOST_SIGNED_IN
from jitcloud.stores.dynamodb import expressions, keys
from jitcloud.stores.dynamodb.expressions import Action
from jitcloud.stores.dynamodb.keys import Item
from jitcloud.stores.dynamodb.reach import Reach
from jitcloud.stores.dynamodb.reading import get, get_many
from jitcloud.stores.sign_in_rules import check_count
from jitcloud.text import quoted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

MOST_AT_ONCE = 100
"""How many actions a transaction takes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

_NO_LATER = f"{expressions.ABSENT} OR #at <= :at"
_UNMET = "ConditionalCheckFailed"


class DynamoSignIns:
    """Keeps sign-ins in one table. Safe for several threads and processes, anywhere."""

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        client: Callable[[], DynamoDBClient] | None = None,
    ) -> None:
        """Remember where the table is, as ``DynamoStore`` does. Connects to nothing yet."""
        self._is_closed = False
        self._reached = Reach(
            table, region=region, profile=profile, endpoint_url=endpoint_url, client=client
        )

    def put(self, signed_in: SignedIn) -> None:
        reach = self._reach
        actions = [
            *(
                expressions.put(reach.table, _member(group, signed_in))
                for group in signed_in.groups
            ),
            expressions.put(
                reach.table, _kept(signed_in), _NO_LATER, at=keys.instant(signed_in.at)
            ),
        ]
        # The groups first: whoever finds a name there asks the person's own item, which is last.
        first = len(actions) % MOST_AT_ONCE or MOST_AT_ONCE
        self._write(actions[:first])
        for start in range(first, len(actions), MOST_AT_ONCE):
            self._write(actions[start : start + MOST_AT_ONCE])

    def of(self, person: PersonId) -> SignedIn | None:
        item = get(self._reach, _person(person))
        return None if item is None else _read(item)

    def members(self, group: GroupId, now: datetime) -> tuple[SignedIn, ...]:
        people = list(self._people(group, now))
        check_count(group, len(people))
        found = map(_read, get_many(self._reach, map(_person, people)).values())
        return tuple(
            one for one in found if one is not None and group in one.groups and now < one.until
        )

    def close(self) -> None:
        self._is_closed = True
        self._reached.close()

    @property
    def _reach(self) -> Reach:
        if self._is_closed:
            raise ValueError("The store is closed.")
        return self._reached

    def _people(self, group: GroupId, now: datetime) -> Iterator[PersonId]:
        asked: dict[str, Any] = {
            "TableName": self._reach.table,
            "KeyConditionExpression": "#pk = :group",
            "FilterExpression": "#until > :now",
            "ExpressionAttributeNames": {"#pk": "pk", "#until": "until"},
            "ExpressionAttributeValues": {
                ":group": keys.text(_group(group)),
                ":now": keys.instant(now),
            },
            "ConsistentRead": True,
        }
        count = 0
        while count <= MOST_SIGNED_IN:
            page = self._reach.query(**asked)
            for item in cast("Sequence[Item]", page["Items"]):
                yield PersonId(item["sk"]["S"])
                count += 1
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _write(self, actions: Sequence[Action]) -> None:
        """Write some items together, again if need be: what is written twice is written once."""
        tries = self._reach.tries()
        while True:
            try:
                self._reach.read(
                    lambda client: client.transact_write_items(
                        TransactItems=cast("Sequence[TransactWriteItemTypeDef]", actions)
                    )
                )
            except ClientError as exc:
                reasons = exc.response.get("CancellationReasons", ())
                if any(reason.get("Code") == _UNMET for reason in reasons):
                    return  # something newer is known
                if not tries.again():
                    raise Unavailable(
                        f"Others keep writing the same sign-in to table {quoted(self._reach.table)}"
                        ": try again shortly."
                    ) from exc
            else:
                return


def _person(person: PersonId) -> str:
    return f"person#{person}"


def _group(group: GroupId) -> str:
    return f"group#{group}"


def _kept(signed_in: SignedIn) -> Item:
    return keys.key(_person(signed_in.person)) | {
        "at": keys.instant(signed_in.at),
        "body": keys.text(sign_ins.encode(signed_in)),
    }


def _member(group: GroupId, signed_in: SignedIn) -> Item:
    until = {"until": keys.instant(signed_in.until)}
    return keys.key(_group(group), signed_in.person) | until


def _read(item: Item) -> SignedIn | None:
    body = item.get("body", {}).get("S")
    return sign_ins.decode(body) if isinstance(body, str) else None
