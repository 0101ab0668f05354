"""Seeded bugs: read from their files, and put into a tree.

A patch is found by its words and not by its line numbers, so edits elsewhere in a file do it no
harm: what it replaces must stand there exactly once. Each is a unified diff, so that
``git apply`` takes it as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

PROMISES = tuple(f"P{number}" for number in range(1, 14))
"""Those of the design; see docs/guarantees.md."""

LARGEST = 5
"""How many lines a bug may take out, or put in: what is larger is no slip but another program."""

_NAME = re.compile(r"[0-9]{3}-[a-z0-9]+(-[a-z0-9]+)*")
_FIELDS = ("Bug", "Harm", "Promise", "Caught by")


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place that a bug changes."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Patch:
    """One seeded bug."""

    name: str
    bug: str
    """What is wrong in the code."""
    harm: str
    """What somebody would suffer by it."""
    promise: str
    caught_by: tuple[str, ...]
    """Test files, or ids of tests, each of which fails with it."""
    hunks: tuple[Hunk, ...]


def names() -> tuple[str, ...]:
    """Return the names of all bugs, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.patch")))


def read(name: str) -> Patch:
    """Read one bug. Raises ``ValueError`` saying what is wrong with its file."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name}: call it by a number and words, as in 007-slot-left-early")
    text = (FOLDER / f"{name}.patch").read_text("utf-8")
    head, found, diff = text.partition("\n--- ")
    if not found:
        raise ValueError(f"{name}: there is no diff in it")
    try:
        fields, hunks = _fields(head), tuple(_hunks(f"--- {diff}"))
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from None
    promise = fields["Promise"]
    if promise not in PROMISES:
        raise ValueError(f"{name}: {promise} is no promise")
    tests = tuple(fields["Caught by"].split())
    return Patch(name, fields["Bug"], fields["Harm"], promise, tests, hunks)


def _fields(head: str) -> Mapping[str, str]:
    """Read ``Name: text`` lines; an indented line goes on with the one before."""
    found: dict[str, str] = {}
    for line in head.splitlines():
        if line.startswith(" ") and found:
            last = next(reversed(found))
            found[last] = f"{found[last]} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if not colon or name not in _FIELDS or name in found:
            raise ValueError(f"its head has a line that means nothing: {line!r}")
        found[name] = value.strip()
    lacking = [name for name in _FIELDS if not found.get(name)]
    if lacking:
        raise ValueError(f"its head does not say: {', '.join(lacking)}")
    return found


def _hunks(diff: str) -> Iterator[Hunk]:
    path, found = "", False
    body: list[str] = []
    for line in [*diff.splitlines(), "@@"]:
        if line.startswith(("@@", "--- ")):
            if body:
                yield _hunk(path, body)
                found = True
            body = []
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
        elif line[:1] in {" ", "-", "+"}:
            body.append(line)
        else:
            raise ValueError(f"its diff has a line that means nothing: {line!r}")
    if not found:
        raise ValueError("its diff changes nothing")


def _hunk(path: str, lines: Sequence[str]) -> Hunk:
    if max(sum(line[0] == sign for line in lines) for sign in "-+") > LARGEST:
        raise ValueError(f"it changes more than {LARGEST} lines")
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    return Hunk(path, before, after)


def applied(patch: Patch, root: Path = ROOT) -> dict[Path, str]:
    """Return the texts that a tree has with a bug in it. Raises ``ValueError`` if it does not fit.

    What is no longer Python would be caught by no test, but by the first import.
    """
    texts: dict[Path, str] = {}
    for hunk in patch.hunks:
        path = root / hunk.path
        if not hunk.path.startswith(("jitcloud/", "functions/", "infra/")) or not path.is_file():
            raise ValueError(f"{patch.name}: {hunk.path} is no file of the product")
        text = texts.get(path) or path.read_text("utf-8")
        count = text.count(f"\n{hunk.before}")
        if count != 1:
            raise ValueError(
                f"{patch.name}: what it replaces in {hunk.path} stands there {count} times"
            )
        texts[path] = text.replace(f"\n{hunk.before}", f"\n{hunk.after}")
    for path, text in texts.items():
        if path.suffix == ".py":
            ast.parse(text, str(path))
    return texts
