"""Measure, show a table, write ``build/bench.json`` and a report; exit with 1 where a limit is
exceeded."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

from tests.bench import (
    costs,
    credentials,
    dynamodb_growth,
    dynamodb_sweeps,
    fleet_calls,
    growth,
    identity_center,
    imports,
    large_policy,
    overstays,
    policy,
    results,
    serverless,
    starts,
    sweeps,
    verifying,
)
from tests.bench.charts import Chart
from tests.bench.figures import Figure, all_hold, hardware, machine, table, versions, write
from tests.bench.results import Measured, NotTheSame, Results
from tests.bench.timing import Say

BUILD = Path(__file__).parents[2] / "build"

Bench = Callable[[Path, Say], Iterable[Figure | Chart]]


def _simulated(name: str, **counts: int) -> Bench:
    """Load it when its turn has come, after all that is timed.

    What it needs has policies remember more of what they said than they do in production.
    """

    def measure(folder: Path, say: Say) -> Iterable[Figure | Chart]:
        measures: Mapping[str, Bench] = vars(import_module("tests.bench.simulated"))
        return partial(measures[name], **counts)(folder, say)

    return measure


BENCHES: Mapping[str, Bench] = {
    "costs": costs.measure,
    "credentials": credentials.measure,
    "policy": policy.measure,
    "large-policy": large_policy.measure,
    "identity-center": identity_center.measure,
    "imports": imports.measure,
    "starts": starts.measure,
    "growth": growth.measure,
    "sweeps": sweeps.measure,
    "verifying": verifying.measure,
    "dynamodb-growth": dynamodb_growth.measure,
    "dynamodb-sweeps": dynamodb_sweeps.measure,
    "serverless": serverless.measure,
    "fleet-calls": fleet_calls.measure,
    "overstays": overstays.measure,
    "simulated-overstay": _simulated("overstay"),
    "simulated-access": _simulated("access"),
    "simulated-calls": _simulated("calls"),
}

FEW_LIVES = 10
FEW, FEWER = (1_000, 10_000, 100_000), (100, 1_000)

QUICK: Mapping[str, Bench] = {
    "costs": costs.measure,
    "policy": partial(policy.measure, pairs=50),
    "starts": partial(starts.measure, pairs=8),
    "growth": partial(growth.measure, counts=FEW, rounds=10),
    "dynamodb-growth": partial(dynamodb_growth.measure, counts=FEWER),
    "simulated-overstay": _simulated("overstay", lives=FEW_LIVES),
    "simulated-access": _simulated("access", lives=FEW_LIVES),
    "simulated-calls": _simulated("calls", lives=FEW_LIVES),
}
"""What takes seconds: less of it, or smaller counts where these are not the point."""


def main(arguments: list[str] | None = None) -> int:
    asked = _arguments().parse_args(arguments)
    benches = QUICK if asked.quick else BENCHES
    only: list[str] = asked.only or list(benches)
    folder: Path | None = asked.report
    if not set(only) <= benches.keys():
        print(f"These are the quick ones: {', '.join(benches)}.", file=sys.stderr)
        return 2
    facts = machine()
    found = Results(
        machine=hardware(),
        versions=versions(),
        seed=results.SEED,
        is_quick=asked.quick,
        measures={name: _measured(name, benches[name]) for name in only},
    )
    figures = [figure for each in found.measures.values() for figure in each.figures]
    these = f"-{'-'.join(only)}" if asked.only else ""
    path = BUILD / f"bench{'-quick' * asked.quick}{these}.json"
    write(path, figures, facts)
    print(table(figures))
    print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
    print(f"written to {path}")
    if folder is not None and not _reported(folder, found, is_whole=not asked.only):
        return 2
    return 0 if all_hold(figures) else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", choices=BENCHES, nargs="+", metavar="NAME", help=", ".join(BENCHES)
    )
    parser.add_argument("--quick", action="store_true", help="in less than two minutes")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="write a page, charts and numbers there; of some measures, beside those there",
    )
    return parser


def _reported(folder: Path, found: Results, *, is_whole: bool) -> bool:
    from tests.bench import report  # noqa: PLC0415 - nobody else needs what draws

    kept = folder / results.FILE
    if not is_whole and kept.exists():
        try:
            found = results.read(kept).joined(found)
        except NotTheSame as exc:
            print(exc, file=sys.stderr)
            return False
    report.write(folder, found)
    print(f"reported in {folder / report.PAGE}")
    return True


def _measured(name: str, bench: Bench) -> Measured:
    begun, load = time.monotonic(), os.getloadavg()[0]

    def say(what: str) -> None:
        print(f"{name} {time.monotonic() - begun:5.1f} s: {what}", file=sys.stderr, flush=True)

    # On the disk of the project: in memory, as /tmp may be, a commit would cost nothing.
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", dir=BUILD) as folder:
        items = list(bench(Path(folder), say))
    say("done")
    seconds = time.monotonic() - begun
    return results.measured(items, on=f"{datetime.now(UTC):%Y-%m-%d}", load=load, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
