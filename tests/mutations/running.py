"""Runs tests on copies of the tree, bounded in time; nothing of the tree itself is touched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.mutations import patches
from tests.mutations.patches import ROOT, Patch

LIMIT = 60.0
"""How long a bug may take to be caught, in seconds."""

BASELINE_LIMIT = 900.0
"""How long all named tests may take together, in seconds."""

_GRACE = 10.0
"""How long tests that took too long have for ending what they started, in seconds."""

_TREE = ("docs", "functions", "infra", "jitcloud", "tests", "pyproject.toml", "README.md")
_FILES = ("CHANGELOG.md", "LICENSE", "Makefile", "SECURITY.md", "requirements-dev.txt")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis", "node_modules", "*.sock")

_FAILED = 1
"""What pytest exits with where tests failed; whatever else means that they did not run."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of some tests."""

    code: int | None
    """The exit code of pytest; None where it took too long."""
    failed: tuple[str, ...]
    """Which tests failed: the first one only, where they stop there."""
    seconds: float
    said: str
    """What it printed last, where that helps."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bug."""

    patch: Patch
    caught_by: str
    """The test that failed; empty where none did."""
    seconds: float
    trouble: str
    """Why it does not count as caught; empty where it does."""


def copy(to: Path) -> Path:
    """Copy the tree as it stands now: others may be at work in it."""
    to.mkdir(parents=True)
    for name in (*_TREE, *_FILES):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=_LEFT_OUT, symlinks=True)
        elif source.exists():
            shutil.copy2(source, to / name)
    return to


@contextmanager
def mutant(base: Path, patch: Patch, folder: Path) -> Iterator[Path]:
    """Yield a copy of a copy, all hard links, with a bug in it. Raises ``ValueError``."""
    tree = folder / patch.name
    shutil.copytree(base, tree, copy_function=os.link, symlinks=True)
    try:
        for path, text in patches.applied(patch, tree).items():
            # Written beside it and moved there: what is linked to the base stays as it is. Its
            # byte code is of another size or second than before, or else is taken for the same.
            path.unlink()
            path.write_text(text, "utf-8")
            for stale in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                stale.unlink()
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def tried(base: Path, patch: Patch, folder: Path) -> Verdict:
    """Put a bug in, and see whether the tests that it names catch it."""
    try:
        with mutant(base, patch, folder) as tree:
            ran = run(tree, patch.caught_by, "-x", limit=LIMIT)
    except ValueError as exc:
        return Verdict(patch, "", 0.0, f"does not apply: {exc}")
    if ran.code is None:
        return Verdict(patch, "", ran.seconds, f"took over {LIMIT:.0f} s")
    if ran.code == _FAILED and ran.failed:
        return Verdict(patch, ran.failed[0], ran.seconds, "")
    why = "SURVIVES" if ran.code == 0 else f"its tests do not run: {ran.said}"
    return Verdict(patch, "", ran.seconds, why)


def run(tree: Path, tests: Sequence[str], *options: str, limit: float) -> Ran:
    """Run tests in a tree, each process of which takes the tree's code and not the installed."""
    began = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - our own tests
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=line", "-rfE", "--no-header"),
            *("-p", "no:cacheprovider", "-m", "long or not long"),
            *(f"--basetemp={tree}.tmp", *options, *tests),
        ],
        cwd=tree,
        # Before what is installed: `sys.path` has the folder that is edited at its end.
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            said = _end(process)
            code = None
        else:
            code = process.returncode
    shutil.rmtree(f"{tree}.tmp", ignore_errors=True)
    marks = ("FAILED ", "ERROR ")
    lines = [line for line in said.splitlines() if line.strip()]
    failed = [line.split(" ", 1)[1].partition(" - ")[0] for line in lines if line.startswith(marks)]
    return Ran(code, tuple(failed), time.monotonic() - began, " / ".join(lines[-3:]))


def _end(process: subprocess.Popen[str]) -> str:
    """End tests that we started: first so that they end what they started themselves."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=_GRACE)[0]
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]
