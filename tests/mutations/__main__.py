"""Put each seeded bug into a copy of the tree, and see that the tests it names catch it.

Exits with 1 if one survives, does not apply, or takes over a minute.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tests.mutations import patches, running
from tests.mutations.patches import Patch
from tests.mutations.running import BASELINE_LIMIT, Verdict

say = partial(print, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (007 is enough)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    options = parser.parse_args(arguments)
    chosen = [patches.read(name) for name in _chosen(options.names)]
    if not chosen:
        say("There is no such bug; --list says which there are.", file=sys.stderr)
        return 1
    if options.list:
        say("\n".join(f"{each.name:<44} {each.promise:<4} {each.bug}" for each in chosen))
        return 0
    with tempfile.TemporaryDirectory(prefix="jitcloud-mutations-") as made:
        folder = Path(made)
        base = running.copy(folder / "base")
        if not _holds(base, chosen, options.jobs):
            return 1
        return _tell(_all(base, chosen, folder, options.jobs))


def _chosen(wanted: Sequence[str]) -> list[str]:
    return [name for name in patches.names() if not wanted or name.startswith(tuple(wanted))]


def _holds(base: Path, chosen: Sequence[Patch], jobs: int) -> bool:
    """Whether the tests pass without any bug: what fails anyway catches nothing."""
    tests = sorted({test for patch in chosen for test in patch.caught_by})
    say(f"{len(tests)} tests of {len(chosen)} bugs, first without a bug ...")
    spread = ("-n", str(jobs)) if jobs > 1 else ()
    ran = running.run(base, tests, *spread, limit=BASELINE_LIMIT)
    if ran.code == 0:
        say(f"pass, in {ran.seconds:.0f} s")
        return True
    say("These fail without any bug:", *(ran.failed or [ran.said]), sep="\n  ")
    return False


def _all(base: Path, chosen: Sequence[Patch], folder: Path, jobs: int) -> list[Verdict]:
    verdicts = []
    with ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(running.tried, base, patch, folder) for patch in chosen]
        try:
            for task in as_completed(tasks):
                verdicts.append(task.result())
                say(_line(verdicts[-1]))
        finally:
            pool.shutdown(cancel_futures=True)  # on Ctrl-C: what is under way is over in a minute
    return verdicts


def _line(verdict: Verdict) -> str:
    patch = verdict.patch
    said = verdict.trouble or verdict.caught_by
    return f"{patch.name:<44} {patch.promise:<4} {verdict.seconds:5.1f} s  {said}"


def _tell(verdicts: Sequence[Verdict]) -> int:
    lost = [verdict for verdict in verdicts if verdict.trouble]
    promised = Counter(verdict.patch.promise for verdict in verdicts if not verdict.trouble)
    told = ", ".join(f"{promise} {promised[promise]}" for promise in patches.PROMISES)
    slowest = max(verdict.seconds for verdict in verdicts)
    say(f"\n{len(verdicts) - len(lost)} of {len(verdicts)} caught, the slowest in {slowest:.0f} s")
    say(f"by promise: {told}")
    for verdict in sorted(lost, key=lambda each: each.patch.name):
        say(f"NOT CAUGHT {_line(verdict)}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
