"""Measure, show a table, write ``build/bench.json``; exit with 1 where a limit is exceeded."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.bench import (
    credentials,
    dynamodb_sweeps,
    fleet_calls,
    identity_center,
    imports,
    large_policy,
    overstays,
    policy,
    serverless,
    starts,
    sweeps,
    verifying,
)
from tests.bench.figures import Figure, all_hold, machine, table, write
from tests.bench.timing import Say

BUILD = Path(__file__).parents[2] / "build"

BENCHES: Mapping[str, Callable[[Path, Say], Iterable[Figure]]] = {
    "credentials": credentials.measure,
    "policy": policy.measure,
    "large-policy": large_policy.measure,
    "identity-center": identity_center.measure,
    "imports": imports.measure,
    "starts": starts.measure,
    "sweeps": sweeps.measure,
    "verifying": verifying.measure,
    "dynamodb-sweeps": dynamodb_sweeps.measure,
    "serverless": serverless.measure,
    "fleet-calls": fleet_calls.measure,
    "overstays": overstays.measure,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHES, metavar="NAME", help=", ".join(BENCHES))
    only: str | None = parser.parse_args(arguments).only
    facts = machine()
    figures = [figure for name in BENCHES if only in {None, name} for figure in _measured(name)]
    path = BUILD / ("bench.json" if only is None else f"bench-{only}.json")
    write(path, figures, facts)
    print(table(figures))
    print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
    print(f"written to {path}")
    return 0 if all_hold(figures) else 1


def _measured(name: str) -> list[Figure]:
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"{name} {time.monotonic() - begun:5.1f} s: {what}", file=sys.stderr, flush=True)

    # On the disk of the project: in memory, as /tmp may be, a commit would cost nothing.
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", dir=BUILD) as folder:
        figures = list(BENCHES[name](Path(folder), say))
    say("done")
    return figures


if __name__ == "__main__":
    sys.exit(main())
