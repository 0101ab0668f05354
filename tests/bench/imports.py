"""What ``import jitcloud`` costs beyond starting Python. What it loads: tests/unit/test_imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.timing import MILLI, Say, by_turns

NOTHING = "pass"
STATEMENT, ALONE = "with the statement", "Python alone"
STATEMENTS = ("import jitcloud", "from jitcloud import Request", "from jitcloud import load")


def measure(folder: Path, say: Say) -> Iterable[Figure | Chart]:
    times: dict[str, list[float]] = {STATEMENT: [], ALONE: []}
    for statement in STATEMENTS:
        say(statement)
        pairs = by_turns(_python(statement, folder), _python(NOTHING, folder), pairs=20, seconds=10)
        ours, bare = median(pairs.ours) * MILLI, median(pairs.bare) * MILLI
        times[STATEMENT].append(ours)
        times[ALONE].append(bare)
        yield Figure(
            name=statement,
            what=f"python -c '{statement}' / python -c '{NOTHING}'",
            value=pairs.ratio,
            unit="x",
            parts={"ours (ms)": ours, "bare (ms)": bare, "more (ms)": ours - bare},
        )
    yield Chart(
        name="imports",
        title="Until Python has run one statement",
        x="statement",
        y="milliseconds, as a median",
        labels=STATEMENTS,
        lines={line: tuple(each) for line, each in times.items()},
    )


def _python(code: str, folder: Path) -> Callable[[], None]:
    def run() -> None:
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)  # noqa: S603 - our own text

    return run
