"""``judge`` and ``advance`` in this process, which may die before any of their calls of AWS."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.client import BaseClient

from jitcloud.clock import utc_now
from tests.faults import Killed
from tests.fleet.test_hostile_events import Context
from tests.fleet.wired import Life, Wired

REQUESTED = ("request", "slot")


@dataclass
class Functions:
    """Both of them, on a fleet whose own are handed nothing meanwhile."""

    fleet: Wired
    dies_at: int = 0
    """Before which call; 0: before none."""
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._judge = importlib.reload(importlib.import_module("functions.judge")).handler
        self._advance = importlib.reload(importlib.import_module("functions.advance")).handler
        # What is loaded and made once a process is no call of a lifetime's.
        self._judge({"take_up": True}, Context())

    def before(self, name: str) -> None:
        self.calls.append(name)
        if 0 < self.dies_at <= len(self.calls):
            raise Killed  # and whatever would still be done on the way out is not

    def run(self, step: Callable[[], object], dies_at: int = 0) -> int:
        """Do a step, or half of it; return how many calls it took."""
        self.calls, self.dies_at = [], dies_at
        try:
            step()
        except Killed:
            pass
        finally:
            self.dies_at = 0
        return len(self.calls)

    def ask(self, life: Life) -> bool:
        """Ask; return whether the judge says that it is on record."""
        said = {"entitlements": [life.group], "duration": "30m", "justification": "a trial"}
        answer = self._told(life.person, "ask", said, f"crash-{life.person}-{life.group}")
        if answer["status"] != 201:
            return False
        life.name = answer["body"]["requests"][0]["id"]
        return True

    def give_back(self, life: Life) -> bool:
        answer = self._told(life.person, "give-back", {"request": life.name}, None)
        return bool(answer["status"] == 200)

    def state(self, life: Life) -> str:
        answer = self._told(life.person, "show", {"request": life.name}, None)
        return str(answer["body"]["state"])

    def wakes(self, life: Life) -> None:
        """Have ``advance`` look at one request."""
        self.wake("request", life.name)

    def wake(self, kind: str, name: str) -> None:
        """Hand ``advance`` one message."""
        body = {"v": 1, "kind": kind, "id": name, "at": datetime.now(UTC).isoformat()}
        record = {"eventSource": "aws:sqs", "messageId": name, "body": json.dumps(body)}
        self._advance({"Records": [record]}, Context())

    def wake_all(self, due: Callable[[datetime, int], Any]) -> None:
        """Hand ``advance`` whatever is due, as the schedule would have it done."""
        for item in due(utc_now(), 1000):
            if item.kind in REQUESTED:
                self.wake(item.kind, item.id)

    def _told(self, who: str, command: str, said: object, key: str | None) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._judge(
            {
                "command": command,
                "arguments": said,
                "presented": {"kind": "oidc", "text": self.fleet.token(who)},
                "key": key,
                "trace": "t",
            },
            Context(),
        )
        return answer


@contextmanager
def functions(fleet: Wired) -> Iterator[Functions]:
    """Have them in this process, as the account's root; each of their calls is counted."""
    deployed = fleet.deployed
    told = {
        "JITCLOUD_CONFIG": str(fleet.folder),
        "JITCLOUD_QUEUE": deployed.client("sqs").create_queue(QueueName="aside")["QueueUrl"],
        "JITCLOUD_LOOK": deployed.name("look"),
    }
    original: Any = BaseClient._make_api_call  # type: ignore[attr-defined] # noqa: SLF001 - there all calls pass
    with fleet.as_root(), pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setitem(os.environ, name, value)
        made = Functions(fleet)

        def counted(client: Any, operation: str, arguments: Any) -> Any:
            made.before(operation)
            return original(client, operation, arguments)

        patch.setattr(BaseClient, "_make_api_call", counted)
        yield made
