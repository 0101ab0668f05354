"""Stands for every function, where only what leads to it is looked at."""

from __future__ import annotations

import json
import os
from typing import Any


def handler(event: Any, context: Any) -> dict[str, object]:
    name = context.function_name
    if "Records" in event:
        found = [record.get("body") or record["dynamodb"]["Keys"] for record in event["Records"]]
        print(f"{name} was handed {json.dumps(found)}")  # noqa: T201 - it is a log
        return {"batchItemFailures": []}
    if "routeKey" in event:
        told = {"function": name, "route": event["routeKey"]}
        return {"statusCode": 200, "body": json.dumps(told)}
    return {key: value for key, value in os.environ.items() if key.startswith("JITCLOUD_")}
