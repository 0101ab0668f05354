"""What the tests say of each promise, read from them: nothing of it is written down twice.

* A seeded bug names the promise that it breaks and the tests that catch it.
* The simulation and the model say which promise is broken, in a message that begins with it.
* The docstring of any test, or of what it is made of, may have a paragraph that begins with a
  promise, as in ``P5: the vote of whoever asked never counts.``
"""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.docs.pages import ROOT
from tests.docs.said import VALUE, _told
from tests.mutations import patches
from tests.mutations.patches import PROMISES, Patch

SIMULATION = "tests/simulation"
MODEL = "tests/model"
MODEL_FILES = ("lifecycle_promises.py", "lifecycle_model.py")
"""Those of its files that say what is broken; others say it again, as what they expect."""

_BROKEN = re.compile(r"(?P<promise>P[0-9]+): (?P<how>.+)", re.DOTALL)
_WORDS = re.compile(r"[a-z]{2,}(?: \S+)* [a-z]{2,} ?[a-z]{2,}")
_STANDS_FOR = {
    "_said": "some access",
    "thing": "something",
    "entitlement": "something",
    "person": "somebody",
    "request": "a request",
    "id": "a request",
    "name": "a request",
}
"""What a value is, by what it is called in the message that has it; the first that fits."""

_CLAIMS = re.compile(r'^(?:\s*"""|\s+)P[0-9]+: ', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a test says of a promise in its own words."""

    promise: str
    file: str
    text: str


# ── Seeded bugs ──────────────────────────────────────────────────────────────────────────────


@cache
def bugs() -> Mapping[str, tuple[Patch, ...]]:
    """Every seeded bug, by the promise that it breaks."""
    found: dict[str, list[Patch]] = defaultdict(list)
    for name in patches.names():
        patch = patches.read(name)
        found[patch.promise].append(patch)
    return {promise: tuple(each) for promise, each in found.items()}


def is_there(test: str) -> bool:
    """Whether a test that is named by file, or by file and function, is there."""
    path, *names = test.partition("[")[0].split("::")
    return (ROOT / path).is_file() and set(names) <= _names_in(path)


@cache
def _names_in(path: str) -> frozenset[str]:
    """What is called by a name in a file; a contract's tests stand in files of its own."""
    contracts = (ROOT / "tests" / "contract").glob("*/*.py")
    files = [ROOT / path, *(contracts if path.startswith("tests/contract/") else ())]
    return frozenset(
        node.name
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )


# ── The simulation and the model ─────────────────────────────────────────────────────────────


@cache
def simulated() -> Mapping[str, tuple[str, ...]]:
    """How each promise is broken as far as a simulated lifetime can tell."""
    return _by_promise(sorted((ROOT / SIMULATION).glob("*.py")))


def looked_for_in_the_simulation() -> Mapping[str, tuple[str, ...]]:
    """The same, and what its docstrings claim of a promise."""
    claimed = {
        promise: tuple(each.text for each in said if each.file.startswith(f"{SIMULATION}/"))
        for promise, said in claims().items()
    }
    return {
        promise: simulated().get(promise, ()) + claimed.get(promise, ()) for promise in PROMISES
    }


@cache
def modelled() -> Mapping[str, tuple[str, ...]]:
    """How each promise is broken in the model."""
    return _by_promise([ROOT / MODEL / name for name in MODEL_FILES])


def _by_promise(files: list[Path]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if file.name.startswith("test_"):
            continue
        for node in _told(ast.parse(file.read_text("utf-8"))):
            broken = _BROKEN.fullmatch(_told_of(node))
            if broken is not None and _WORDS.search(broken["how"]):
                found[broken["promise"]].append(broken["how"].rstrip("."))
    return {promise: tuple(dict.fromkeys(each)) for promise, each in found.items()}


def _told_of(node: ast.expr) -> str:
    """A message, with what stands for its values."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=pieces):
            return "".join(map(_told_of, pieces))
        case ast.FormattedValue(value=value):
            named = re.findall(r"\w+", ast.unparse(value))
            return next((text for name, text in _STANDS_FOR.items() if name in named), VALUE)
        case _:
            return VALUE


# ── What tests say of themselves ─────────────────────────────────────────────────────────────


@cache
def claims() -> Mapping[str, tuple[Claim, ...]]:
    """What docstrings of tests say, by promise; by file within one."""
    found: dict[str, list[Claim]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text("utf-8")
        if _CLAIMS.search(text) is None:
            continue
        file = path.relative_to(ROOT).as_posix()
        for promise, said in _said_in(ast.parse(text)):
            found[promise].append(Claim(promise, file, said))
    return {promise: tuple(each) for promise, each in found.items()}


def _said_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        for paragraph in inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n"):
            claimed = _BROKEN.fullmatch(paragraph)
            if claimed is not None:
                said = " ".join(claimed["how"].split()).replace("``", "`")
                yield claimed["promise"], said
