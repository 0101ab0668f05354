"""How fast functions start, against boto3 and one client: what any function that uses AWS pays.

What each of them loads: ``tests/fleet/test_functions``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from jitcloud.packaging import ROOT
from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.timing import MILLI, Say, by_turns

BARE = "import boto3; boto3.client('dynamodb')"
NOTHING = "pass"

QUEUES = json.dumps({"aws": "https://sqs.us-east-1.amazonaws.com/111122223333/jitcloud"})
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "JITCLOUD_DEAD": QUEUES,
    "JITCLOUD_JUDGE": "jitcloud-judge",
    "JITCLOUD_QUEUE": QUEUES,
    "JITCLOUD_TABLE": "jitcloud",
    "PATH": os.environ["PATH"],
}
"""As the template sets them. Nothing is called: a client connects when it is first asked."""

FUNCTIONS = {
    "expire": (
        "import functions.expire as it; it._expiring()",
        "loaded, with its two clients made",
        1.2,
    ),
    "request": (
        "import functions.request as it; it._api()",
        "loaded, with its routes made",
        1.7,
    ),
}

PAIRS = 25

OURS, BARE_TOO, ALONE = "all of it", "boto3 and one client", "Python alone"


def measure(folder: Path, say: Say, pairs: int = PAIRS) -> Iterable[Figure | Chart]:  # noqa: ARG001 - it needs no file
    times: dict[str, list[float]] = {OURS: [], BARE_TOO: [], ALONE: []}
    for name, (code, what, limit) in FUNCTIONS.items():
        say(name)
        both = by_turns(_python(code), _python(BARE), pairs=pairs, seconds=25)
        nothing = by_turns(_python(NOTHING), _python(NOTHING), pairs=10, seconds=5)
        ours, bare = median(both.ours) * MILLI, median(both.bare) * MILLI
        for line, each in ((OURS, both.ours), (BARE_TOO, both.bare), (ALONE, nothing.ours)):
            times[line].append(median(each) * MILLI)
        yield Figure(
            name=f"start-of-{name}",
            what=f"a process with functions.{name} {what} / one with boto3 and one client",
            value=both.ratio,
            unit="x",
            limit=limit,
            parts={
                "ours (ms)": ours,
                "bare (ms)": bare,
                "Python alone (ms)": median(nothing.ours) * MILLI,
                "in the quietest tenth (x)": both.quiet_ratio,
            },
            notes=(f"{both.middle_half}. Each in a process of its own, compiled before.",),
        )
    yield Chart(
        name="start-up",
        title="Until a process is ready",
        x="what it is for",
        y="milliseconds, as a median",
        labels=tuple(f"functions.{name}" for name in FUNCTIONS),
        lines={line: tuple(each) for line, each in times.items()},
        notes=("Whatever uses AWS loads boto3 and makes a client; both are started by turns.",),
    )


def _python(code: str) -> Callable[[], None]:
    def run() -> None:
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, check=True)  # noqa: S603 - our own text

    return run
