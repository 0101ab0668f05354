"""How many small changes to the core its quick tests notice: a score, and what they do not notice.

    python -m tests.mutations.score [--seed 1] [--each 80] [--minutes 14] [MODULE ...]

All quick tests are loaded once. In a process forked from that they run without a change, and it
is noted which lines of the core each of them reaches. For each change another process is forked,
which runs the tests that reach it, the quickest first, until one fails. A change takes some tenths
of a second so. What mutation tools there are start the tests anew for each change (cosmic-ray), or
need a copy of the tree with all changes in it at once, imported from where they put it (mutmut 3);
neither goes with tests that are imported by their paths and load the core in two seconds.

A change that hangs counts as noticed, and is told apart. One that a person has looked at and found
to change nothing (``equivalent.toml``) does not count at all.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest
from coverage import Coverage

from tests.mutations import mutants
from tests.mutations.mutants import Mutant
from tests.mutations.patches import FOLDER, ROOT

TESTS = (
    *(
        f"tests/core/test_{name}.py"
        for name in (
            *("brakes", "break_glass", "escalation", "extension", "forgery", "issuing"),
            *("lifetime", "not_believed", "slots_shared", "voting"),
        )
    ),
    *(
        "tests/unit/test_approval.py",
        "tests/unit/test_approval_edges.py",
        "tests/unit/test_windows.py",
        "tests/unit/test_freezes.py",
    ),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/unit").glob("test_policy*.py")),
    "tests/unit/test_lifecycle.py",
    *("tests/unit/test_slots.py", "tests/unit/test_slots_order.py"),
)
"""Where quick tests of the core are."""

MODULES = (
    "jitcloud/lifecycle.py",
    "jitcloud/approval.py",
    "jitcloud/slots.py",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "jitcloud/policy").glob("*.py")),
)

QUICK = 0.5
"""A test that takes longer, in seconds, is left out: it is for the seeded bugs."""

PATIENCE, AT_WORK = 120.0, 20
"""A change hangs after so many seconds, or so many seconds of the processor's: others may be at it
as well, and what is merely slow must not count as noticed."""

EQUIVALENT = FOLDER / "equivalent.toml"

_BROKEN = 3
"""What a process exits with that could not so much as make its change: nobody has noticed that."""

say = partial(print, flush=True)


def equivalents() -> Mapping[str, str]:
    """Return the changes that change nothing, by name, and why."""
    known = tomllib.loads(EQUIVALENT.read_text("utf-8"))
    return {each["change"]: each["because"] for each in known.get("equivalent", [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What each test does without a change."""

    seconds: Mapping[str, float]
    """Of those that pass and are quick."""
    reached: Mapping[tuple[str, int], set[str]]
    """By module and line: which tests run it."""
    failed: Sequence[str]


@dataclass(slots=True)
class Trial:
    """One change, being tried in a process of its own."""

    mutant: Mutant
    process: int
    folder: Path
    began: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Score:
    """A plugin of pytest: in place of running all tests once, it runs some for each change."""

    modules: Sequence[str]
    each: int
    seed: int
    minutes: float
    jobs: int
    out: TextIO
    folder: Path
    failures: list[str] = field(default_factory=list)
    results: dict[Mutant, str] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    left: int = 0

    def pytest_configure(self) -> None:
        from hypothesis import settings  # noqa: PLC0415 - loaded by pytest, which rewrites it

        # The same examples each time, and none that a change brought up is kept.
        settings.register_profile("mutations", deadline=None, database=None, derandomize=True)
        settings.load_profile("mutations")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        gc.freeze()
        base = self._baseline(session, list(items.values()))
        if base.failed:
            self._say("These fail without any change:", *base.failed)
            session.shouldfail = "tests fail without any change"
            return True
        self._say(f"{len(base.seconds)} quick tests, {sum(base.seconds.values()):.0f} s together")
        self._try_all(session, items, base, self._chosen())
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failures.append(report.nodeid)

    # ── Without a change ─────────────────────────────────────────────────────────────────────

    def _baseline(self, session: pytest.Session, items: Sequence[pytest.Item]) -> Baseline:
        told = self.folder / "baseline"

        def run() -> int:
            told.write_bytes(pickle.dumps(self._measured(items)))
            return 0

        child = self._fork(session, self.folder / "first", run)
        os.waitpid(child, 0)
        found: Baseline = pickle.loads(told.read_bytes())  # noqa: S301 - our own
        return found

    def _measured(self, items: Sequence[pytest.Item]) -> Baseline:
        seconds: dict[str, float] = {}
        lines = Coverage(
            data_file=None, config_file=False, include=[str(ROOT / each) for each in self.modules]
        )
        with lines.collect():
            for item in items:
                lines.switch_context(item.nodeid)
                took = _run([item])
                if took < QUICK:
                    seconds[item.nodeid] = took
        found = lines.get_data()
        reached = {
            (module, line): seconds.keys() & set(tests)
            for module in self.modules
            for line, tests in found.contexts_by_lineno(str(ROOT / module)).items()
        }
        return Baseline(seconds=seconds, reached=reached, failed=tuple(self.failures))

    # ── With one ─────────────────────────────────────────────────────────────────────────────

    def _chosen(self) -> list[Mutant]:
        """Draw as many of each module; the same for the same seed and the same code."""
        known, chosen = equivalents(), []
        for module in self.modules:
            every = [one for one in mutants.of(ROOT, module) if one.name not in known]
            self.made[module] = len(every)
            every.sort(key=lambda one: one.name)
            random.Random(f"{self.seed} {module}").shuffle(every)  # noqa: S311 - no secret
            chosen += every[: self.each]
        return chosen

    def _try_all(
        self,
        session: pytest.Session,
        items: Mapping[str, pytest.Item],
        base: Baseline,
        chosen: Sequence[Mutant],
    ) -> None:
        give_up = time.monotonic() + self.minutes * 60
        running: list[Trial] = []
        waiting = list(reversed(chosen))
        while waiting or running:
            while waiting and len(running) < self.jobs and time.monotonic() < give_up:
                mutant = waiting.pop()
                names = {name for line in mutant.lines for name in _of(base, mutant.path, line)}
                tests = [items[name] for name in sorted(names, key=base.seconds.__getitem__)]
                if tests:
                    running.append(self._begin(session, mutant, tests, len(self.results)))
                else:
                    self._note(mutant, "not reached")
            if not running:
                break
            running = [trial for trial in running if not self._is_over(trial)]
            time.sleep(0.005)
        self.left = len(waiting)

    def _begin(
        self, session: pytest.Session, mutant: Mutant, tests: Sequence[pytest.Item], number: int
    ) -> Trial:
        module = sys.modules[mutant.path.removesuffix(".py").replace("/", ".")]
        folder = self.folder / f"m{number}-{time.monotonic_ns()}"

        def run() -> int:
            resource.setrlimit(resource.RLIMIT_CPU, (AT_WORK, AT_WORK))
            mutant.enter(module)
            _run(tests, until=lambda: bool(self.failures))
            return 1 if self.failures else 0

        return Trial(mutant, self._fork(session, folder, run), folder)

    def _is_over(self, trial: Trial) -> bool:
        process, status = os.waitpid(trial.process, os.WNOHANG)
        if process:
            code = os.waitstatus_to_exitcode(status)
            known = {0: "survived", 1: "noticed", _BROKEN: "broken"}
            self._note(trial.mutant, known.get(code, "hung"))
        elif time.monotonic() - trial.began > PATIENCE:
            with suppress(ProcessLookupError):
                os.kill(trial.process, signal.SIGKILL)
            os.waitpid(trial.process, 0)
            self._note(trial.mutant, "hung")
        else:
            return False
        shutil.rmtree(trial.folder, ignore_errors=True)
        return True

    def _note(self, mutant: Mutant, result: str) -> None:
        self.results[mutant] = result
        if result != "noticed":
            self._say(f"{result}: {mutant.path}:{mutant.lines[0]} {mutant.name}")

    def _fork(self, session: pytest.Session, folder: Path, run: Callable[[], int]) -> int:
        """Run something in a process forked from this one; return its id."""
        child = os.fork()
        if child:
            return child
        code = (
            3  # told apart, for a defect of this very program looks like a change that is noticed
        )
        try:
            factory: Any = session.config._tmp_path_factory  # type: ignore[attr-defined] # noqa: SLF001 - each child in a folder of its own
            factory._given_basetemp = folder  # noqa: SLF001 - the same
            factory._basetemp = None  # noqa: SLF001 - the same
            code = run()
        finally:
            os._exit(code)

    def _say(self, *lines: str) -> None:
        self.out.write("".join(f"{line}\n" for line in lines))
        self.out.flush()


def _of(base: Baseline, path: str, line: int) -> set[str]:
    return base.reached.get((path, line), set())


def _run(items: Sequence[pytest.Item], until: Callable[[], bool] = lambda: False) -> float:
    """Run tests one after the other; return how long that took, in seconds."""
    began = time.monotonic()
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if until():
            break
    return time.monotonic() - began


# ── What it comes to ─────────────────────────────────────────────────────────────────────────


def _table(score: Score) -> Iterator[str]:
    """Yield a line a module, with all of ``policy`` as one."""
    yield (
        f"{'module':<28}{'changes':>8}{'tried':>7}{'noticed':>9}{'hung':>6}"
        f"{'survived':>10}{'score':>8}"
    )
    for name, paths in _grouped(score.modules).items():
        results = [result for mutant, result in score.results.items() if mutant.path in paths]
        hung, made = results.count("hung"), sum(score.made[path] for path in paths)
        noticed = results.count("noticed") + hung
        if results:
            yield (
                f"{name:<28}{made:>8}{len(results):>7}{noticed:>9}{hung:>6}"
                f"{len(results) - noticed:>10}{100 * noticed / len(results):>7.1f}%"
            )


def _grouped(modules: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in modules:
        name = "jitcloud/policy/" if path.startswith("jitcloud/policy/") else path
        found.setdefault(name, []).append(path)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations.score",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="only these, by their paths")
    parser.add_argument("--seed", type=int, default=1, help="which changes are drawn")
    parser.add_argument("--each", type=int, default=80, help="how many of a module at the most")
    parser.add_argument("--minutes", type=float, default=13.0, help="how long to go on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    options = parser.parse_args(arguments)
    modules = options.modules or MODULES
    for module in modules:
        importlib.import_module(module.removesuffix(".py").replace("/", "."))
    with (
        os.fdopen(os.dup(1), "w") as out,
        tempfile.TemporaryDirectory(prefix="jitcloud-score-") as made,
    ):
        score = Score(
            modules=modules,
            each=options.each,
            seed=options.seed,
            minutes=options.minutes,
            jobs=options.jobs,
            out=out,
            folder=Path(made),
        )
        code = pytest.main(
            [
                *("-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:xdist"),
                f"--rootdir={ROOT}",
                *TESTS,
            ],
            plugins=[score],
        )
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} or not score.results:
        return 1
    say("", *_table(score), sep="\n")
    if "broken" in score.results.values():
        say("Some changes could not be made at all; see above.")
        return 1
    if score.left:
        say(f"{score.left} more were drawn, and there was no time for them.")
    say(f"seed {options.seed}; {len(equivalents())} are known to change nothing.")
    told = {mutant.name: result for mutant, result in score.results.items()}
    path = ROOT / "build" / "mutation-score.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1, sort_keys=True), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
