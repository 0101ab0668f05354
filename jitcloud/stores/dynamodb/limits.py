"""What DynamoDB does not take, and how people are told what fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jitcloud.errors import Refused
from jitcloud.ports import Change
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.expressions import Action, size

MOST_ITEMS = 100
MOST_BYTES = 4 * 1024 * 1024
LARGEST = 400 * 1024
"""What DynamoDB takes: items and bytes of a transaction, bytes of an item.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""


def check(change: Change, actions: Sequence[Action]) -> None:
    """Raise ``Refused`` for a transaction that DynamoDB would not take."""
    _check_names(change)
    _check_count(change, len(actions))
    _check_sizes(actions)


def _check_names(change: Change) -> None:
    for slot in change.slots:
        length = len(slot.key.encode())
        if length > keys.LONGEST_SORT:
            raise Refused(
                f"This place has a name of {length} bytes, and DynamoDB takes at most"
                f" {keys.LONGEST_SORT}. Nothing was written."
            )


def _check_count(change: Change, count: int) -> None:
    if count <= MOST_ITEMS:
        return
    each = _each(change)
    others = count - each * len(change.moves)
    fit = max(0, (MOST_ITEMS - others) // each) if each else 0
    if len(change.moves) > 1 and fit:
        raise Refused(
            f"This is about {len(change.moves)} requests, and DynamoDB writes at most {fit} such"
            f" at once: ask for at most {fit} accounts at a time. Nothing was written."
        )
    raise Refused(
        f"This would write {count} items, and DynamoDB takes at most {MOST_ITEMS} at once."
        " Nothing was written."
    )


def _each(change: Change) -> int:
    """How many items one request costs."""
    eventful = any(move.events for move in change.moves)
    return 2 + len(change.channels) if eventful else 1


def _check_sizes(actions: Sequence[Action]) -> None:
    sizes = list(_sizes(actions))
    if sizes and max(sizes) > LARGEST:
        raise Refused(
            f"This would write an item of {max(sizes) // 1024} KB, and DynamoDB takes at most "
            f"{LARGEST // 1024} KB: write less text. Nothing was written."
        )
    if sum(sizes) > MOST_BYTES:
        raise Refused(
            f"This would write {sum(sizes) // 1024} KB, and DynamoDB takes at most "
            f"{MOST_BYTES // 1024} KB at once: ask for fewer accounts at a time."
            " Nothing was written."
        )


def _sizes(actions: Iterable[Action]) -> Iterator[int]:
    for action in actions:
        ((verb, asked),) = action.items()
        yield size(asked["Item"] if verb == "Put" else asked.get("ExpressionAttributeValues", {}))
