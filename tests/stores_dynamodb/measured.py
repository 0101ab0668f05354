"""A client that has DynamoDB say what each call costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from jitcloud.emulators.ministack import Ministack
from tests.dynamodb_tables import REGION


@dataclass
class Cost:
    """What some calls have cost: how many there were, and capacity units in halves."""

    calls: Counter[str] = field(default_factory=Counter)
    reads: float = 0.0
    writes: float = 0.0
    rows: int = 0
    """How many items queries have looked at."""


class Meter:
    """Counts what one client does while somebody measures."""

    def __init__(self, ministack: Ministack) -> None:
        client: Any = boto3.Session().client(
            "dynamodb",
            region_name=REGION,
            endpoint_url=ministack.endpoint_url,
            aws_access_key_id=ministack.account,
            aws_secret_access_key="test",  # noqa: S106 - ministack gives it to every root
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("provide-client-params.dynamodb.*", self._ask)
        client.meta.events.register("after-call.dynamodb.*", self._count)
        self.client = client
        self._cost = Cost()

    @contextmanager
    def measuring(self) -> Iterator[Cost]:
        self._cost = Cost()
        yield self._cost

    def _ask(self, params: dict[str, Any], **_: object) -> dict[str, Any]:
        return params | {"ReturnConsumedCapacity": "INDEXES"}

    def _count(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        cost, told = self._cost, parsed.get("ConsumedCapacity", [])
        cost.calls[model.name] += 1
        cost.rows += parsed.get("ScannedCount", 0)
        for used in told if isinstance(told, list) else [told]:
            if model.name in {"PutItem", "TransactWriteItems", "UpdateItem"}:
                cost.writes += used["CapacityUnits"]
            else:
                cost.reads += used["CapacityUnits"]
