"""The table itself: what ``infra/template.yaml`` makes on AWS, and tests on an emulator."""

from __future__ import annotations

from typing import Any

from jitcloud.stores.dynamodb import keys


def definition(name: str = "jitcloud") -> dict[str, Any]:
    """Return the table as ``CreateTable`` takes it.

    Point-in-time recovery, protection against deletion and the key that encrypts it are not the
    store's to know: whoever deploys the table switches them on.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    """
    indexed = {index.partition: "S" for index in keys.INDEXES}
    indexed |= {index.sort: index.sort_type for index in keys.INDEXES}
    attributes = {"pk": "S", "sk": "S"} | indexed
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": type_}
            for attribute, type_ in attributes.items()
        ],
        "KeySchema": _keyed_by("pk", "sk"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.name,
                "KeySchema": _keyed_by(index.partition, index.sort),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in keys.INDEXES
        ],
        # Whoever reads the stream learns from it when to wake what, without a read of the table.
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    }


def _keyed_by(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
