"""What one lifetime in the deployed fleet takes of what AWS is paid for: calls, and invocations.

As the emulated AWS tells it of its own calls. Capacity units: ``docs/dynamodb.md``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jitcloud.clock import utc_now
from jitcloud.emulators.deployed import FUNCTIONS, Deployed
from jitcloud.emulators.fleet import ON_CALL, Fleet
from jitcloud.emulators.surroundings import apart
from tests.bench.figures import Figure
from tests.bench.overheard import Overheard
from tests.bench.timing import Say

LIVES = 4
LASTS = "12s"
QUIET = 3.0
"""Seconds after which nothing more comes of a lifetime."""


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    with ExitStack() as left:
        left.enter_context(apart())
        say("deploying")
        fleet = left.enter_context(Fleet(folder))
        _live(fleet)  # everything is warm
        heard = Overheard(fleet.deployed)
        before, begun = _invocations(fleet.deployed), utc_now()
        for number in range(LIVES):
            say(f"life {number + 1} of {LIVES}")
            _live(fleet)
        calls = Counter(call.name for call in heard.since(begun))
        invocations = _invocations(fleet.deployed) - before
    calls -= Counter({name: count for name, count in calls.items() if not _is_paid(name)})
    yield _figure("invocations-of-a-life", "invocations", invocations)
    yield _figure("calls-of-a-life", "calls of DynamoDB, KMS and SQS", calls)


def _live(fleet: Fleet) -> None:
    asked = fleet.ask("ana", ON_CALL, LASTS)
    path = f"/v1/requests/{asked['requests'][0]['id']}"
    if fleet.call("ben", "POST", f"{path}/approve", {}).status != 200:
        raise AssertionError(path)
    core = fleet.deployed.client("dynamodb")
    fleet.until(lambda: _state(core, fleet, path) == "ended", "the end", 60)
    time.sleep(QUIET)


def _state(core: Any, fleet: Fleet, path: str) -> str:
    # By the account's root: asking the API would be a call more each time.
    name = path.rpartition("/")[2]
    found = core.get_item(
        TableName=fleet.deployed.table,
        Key={"pk": {"S": f"request#{name}"}, "sk": {"S": "snapshot"}},
    )["Item"]
    time.sleep(1)
    return str(found["in_state"]["S"]).partition("#")[0]


def _invocations(deployed: Deployed) -> Counter[str]:
    return Counter(
        {
            name: sum(line.startswith("REPORT ") for line in deployed.logs(name))
            for name in FUNCTIONS
        }
    )


def _is_paid(name: str) -> bool:
    return name.partition(".")[0] in {"dynamodb", "kms", "sqs"}


def _figure(name: str, what: str, counts: Counter[str]) -> Figure:
    each = {key: count / LIVES for key, count in sorted(counts.items()) if count}
    return Figure(
        name=name,
        what=f"{what} of a membership that is asked for, approved, given and ended",
        value=sum(each.values()),
        unit="calls",
        parts=each,
        notes=(
            f"Of {LIVES} lives, one after the other; what is done each minute is among them.",
            "What Lambda itself asks queue and stream for is not.",
            "A grant that lasts longer is woken once more in each 15 minutes.",
        ),
    )
