"""What DynamoDB is asked to write, and on which conditions."""

from __future__ import annotations

import re
from typing import Any

from jitcloud.stores.dynamodb.keys import Item, Value

Action = dict[str, Any]
"""One of ``TransactItems``, or what ``PutItem`` takes."""

_NAME = re.compile(r"#(\w+)")

ABSENT = "attribute_not_exists(#pk)"
BEGINNING = "#pk = :pk AND begins_with(#sk, :sk)"


def put(table: str, item: Item, condition: str = "", **values: Value) -> Action:
    """Write an item whole."""
    return {"Put": {"TableName": table, "Item": item, **_conditioned(condition, "", values)}}


def update(table: str, key: Item, change: str, condition: str = "", **values: Value) -> Action:
    """Write some attributes of an item."""
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": change,
            **_conditioned(condition, change, values),
        }
    }


def check(table: str, key: Item, condition: str, **values: Value) -> Action:
    """Write nothing, and have nothing written unless a condition holds."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": key,
            **_conditioned(condition, "", values),
        }
    }


def _conditioned(condition: str, change: str, values: dict[str, Value]) -> Action:
    """Spell out ``#name`` and ``:value``: many a good name is a reserved word of DynamoDB."""
    asked: Action = {}
    if condition:
        asked["ConditionExpression"] = condition
        asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    names = _NAME.findall(f"{condition} {change}")
    if names:
        asked["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        asked["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return asked


def size(item: Item) -> int:
    """Count the bytes of an item as DynamoDB does, or a few more.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:
    match value:
        case {"S": str(written)} | {"N": str(written)}:
            return len(written.encode()) + 1
        case {"B": bytes(packed)}:
            return len(packed) + 1
        case {"M": dict(inner)}:
            return 3 + sum(1 + len(name.encode()) + _size(each) for name, each in inner.items())
        case {"L": list(inner)}:
            return 3 + sum(1 + _size(each) for each in inner)
        case _:
            return 1
