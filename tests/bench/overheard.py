"""What an emulated AWS tells of the calls that it was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any, NamedTuple

from jitcloud.emulators.deployed import Deployed

PAGE = 50
"""How many calls it tells at once."""

MOST = 10_000
"""How many it remembers."""


class Call(NamedTuple):
    """One call."""

    name: str
    """Such as ``dynamodb.GetItem``."""
    at: datetime
    arguments: Mapping[str, Any]


class Overheard:
    """Has it take note of all calls from now on, but for those of the account's root."""

    def __init__(self, deployed: Deployed) -> None:
        self._root = deployed.aws.access_key_id
        self._client = deployed.client("cloudtrail")
        connection = HTTPConnection(deployed.aws.endpoint_url.removeprefix("http://"), timeout=10)
        said = json.dumps({"cloudtrail._recording_enabled": "true"})
        connection.request("POST", "/_ministack/config", said)
        answer = connection.getresponse()
        connection.close()
        if answer.status != 200:
            raise AssertionError(answer.status)

    def since(self, begun: datetime) -> Iterator[Call]:
        """Yield what it was called since, the latest first."""
        until: datetime | None = None
        known: set[str] = set()
        for _ in range(MOST // PAGE * 2):
            limits = {"StartTime": begun} | ({} if until is None else {"EndTime": until})
            found = self._client.lookup_events(**limits, MaxResults=PAGE)["Events"]
            fresh = [event for event in found if event["EventId"] not in known]
            for event in fresh:
                known.add(event["EventId"])
                if event["AccessKeyId"] != self._root:
                    yield _call(event)
            if not fresh:
                return
            until = fresh[-1]["EventTime"] + timedelta(microseconds=1)


def _call(event: Mapping[str, Any]) -> Call:
    service = event["EventSource"].partition(".")[0]
    said = json.loads(event["CloudTrailEvent"])["requestParameters"] or {}
    name = said.get("Action", event["EventName"])  # IAM and STS name it among the arguments
    return Call(f"{service}.{name}", event["EventTime"].astimezone(UTC), said)
