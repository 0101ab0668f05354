"""Puts results on the screen: JSON for programs, text for people, errors on stderr.

Foreign text is escaped here and nowhere else, so none can steer a terminal. Rich is loaded only
where there is a terminal to be rich on, and its markup is never read from any text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from jitcloud.text import printable

Json = Mapping[str, object]


def as_json(value: Json) -> None:
    """Write one JSON document: on one line for a program, spread out on a terminal."""
    # Pure ASCII: nothing in it can act on a terminal, and no encoding can spoil it.
    print(json.dumps(value, indent=2 if sys.stdout.isatty() else None))  # noqa: T201 - printing is what this is for


def line(text: str = "") -> None:
    """Write one line for a person."""
    print(printable(text))  # noqa: T201 - printing is what this is for


def verbatim(text: str) -> None:
    """Write what a program will read, as it is."""
    print(text)  # noqa: T201 - printing is what this is for


def aside(text: str) -> None:
    """Write one line that is not the result: progress, a warning."""
    _on_stderr(printable(text))


def hint(text: str) -> None:
    """Write what a person might do next, where a person is looking."""
    if sys.stderr.isatty():
        aside(text)


def error(kind: str, message: str, *, for_program: bool) -> None:
    """Say what went wrong: a sentence, or a list of them where several things did."""
    if for_program:
        _on_stderr(json.dumps({"error": {"kind": kind, "message": message}}))
        return
    first, *rest = message.splitlines() or [kind]
    aside(f"jitcloud: {first}")
    for further in rest:
        aside(f"  {further}")


def _on_stderr(text: str) -> None:
    """Write after what was written before, also where both streams lead to one file."""
    with suppress(OSError):  # what is wrong with the output is said when all of it is written
        sys.stdout.flush()
    print(text, file=sys.stderr)  # noqa: T201 - printing is what this is for


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Write what is known of one thing: a label and what is so, a line each."""
    for label, text in pairs:
        line(f"{label + ':':<12} {text}")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows in columns: folded to fit a terminal, whole and on one line anywhere else."""
    safe = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(headings, safe)
        return
    widths = [max(map(len, column)) for column in zip(headings, *safe, strict=True)]
    for row in (headings, *safe):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())  # noqa: T201 - printing is what this is for


def _rich_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.table import Table  # noqa: PLC0415 - loaded only when it is needed
    from rich.text import Text  # noqa: PLC0415 - loaded only when it is needed

    drawn = Table(box=None, pad_edge=False)
    for heading in headings:
        drawn.add_column(Text(heading), no_wrap=heading == headings[0])  # an id is copied whole
    for row in rows:
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console(markup=False, highlight=False, emoji=False).print(drawn)
