"""A matrix as a file: written for review, read back, and compared with what holds now."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Misconfigured
from jitcloud.files import read_text
from jitcloud.policy.matrix import FEWER, Row, untold
from jitcloud.text import printable

_LEFT = ("person", "name", "entitlement", "with")
_LIMIT = 256 * 1024 * 1024
# What a spreadsheet would take for the beginning of a formula, and what keeps it from that.
_FORMULA = ("=", "+", "-", "@", "'")
_QUOTE = "'"

Kind = Literal["gains", "loses", "changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A matrix that was written to a file."""

    durations: tuple[timedelta, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What somebody could get and now cannot, or the other way round."""

    kind: Kind
    person: str
    name: str
    entitlement: str
    having: str
    durations: tuple[timedelta, ...]
    """For which it is so."""
    before: str
    now: str


def lines(durations: Iterable[timedelta], rows: Iterable[Row]) -> Iterator[str]:
    """Yield a matrix as lines of CSV, the heading first."""
    yield _line([*_LEFT, *map(format_duration, durations)])
    for row in rows:
        yield _line([row.person, row.name, row.entitlement, row.having, *row.outcomes])


def read(path: Path) -> Golden:
    """Read a matrix back. Raises ``Misconfigured``."""
    name = printable(path.name)
    text = read_text(path, limit=_LIMIT)
    other = Misconfigured(
        f"{name} is not a matrix; write one with `jitcloud policy matrix > {name}`."
    )
    try:
        heading, *body = csv.reader(io.StringIO(text, newline=""), strict=True)
        durations = tuple(map(parse_duration, heading[len(_LEFT) :]))
    except (csv.Error, ValueError) as exc:  # Invalid is a ValueError too
        raise other from exc
    if tuple(heading[: len(_LEFT)]) != _LEFT or not durations:
        raise other
    rows = []
    for number, cells in enumerate(body, start=2):
        if len(cells) != len(heading) or cells[3] not in FEWER:
            message = f"{name}: line {number} is not one of a matrix; write the file anew."
            raise Misconfigured(message)
        person, shown, entitlement, having, *outcomes = map(_read_cell, cells)
        rows.append(
            Row(
                person=person,
                name=shown,
                entitlement=entitlement,
                having=having,
                outcomes=tuple(outcomes),
            )
        )
    return Golden(durations=durations, rows=tuple(rows))


def differences(golden: Golden, now: Iterable[Row]) -> Iterator[Difference]:
    """Compare; the same change with more at hand is told once."""
    old, new = _by_pair(golden.rows), _by_pair(now)
    for pair in sorted(old.keys() | new.keys()):
        yield from _of_pair(old.get(pair, {}), new.get(pair, {}), golden.durations)


def _of_pair(
    old: Mapping[str, Row], new: Mapping[str, Row], durations: Sequence[timedelta]
) -> Iterator[Difference]:
    some = next(iter([*new.values(), *old.values()]))
    told: dict[str, tuple[tuple[str, str], ...]] = {}
    for having, fewer in FEWER.items():
        before, after = (_outcomes(rows, having, durations) for rows in (old, new))
        changes = told[having] = tuple(zip(before, after, strict=True))
        if changes in [told[each] for each in fewer]:
            continue
        lasting: dict[tuple[str, str], list[timedelta]] = defaultdict(list)
        for duration, change in zip(durations, changes, strict=True):
            if change[0] != change[1]:
                lasting[change].append(duration)
        for (was, is_), together in lasting.items():
            yield Difference(
                kind=_kind(was, is_),
                person=some.person,
                name=some.name,
                entitlement=some.entitlement,
                having=having,
                durations=tuple(together),
                before=was,
                now=is_,
            )


def _outcomes(
    rows: Mapping[str, Row], having: str, durations: Sequence[timedelta]
) -> tuple[str, ...]:
    told = {name: row.outcomes for name, row in rows.items()}
    return untold(told, having, tuple("" for _ in durations))


def _kind(before: str, now: str) -> Kind:
    was, is_ = _worth(before), _worth(now)
    if was == is_:
        return "changes"
    return "gains" if is_ > was else "loses"


def _worth(outcome: str) -> int:
    """Weigh an outcome: at once is more than at once with a review, that more than after a yes."""
    weights = {"request": 1, "break-glass": 2, "activate": 4}
    return sum(weights.get(part.partition(":")[0], 0) for part in outcome.split("; "))


def _by_pair(rows: Iterable[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    found: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        found[row.person, row.entitlement][row.having] = row
    return found


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([_cell(cell) for cell in cells])
    return written.getvalue()


def _cell(text: str) -> str:
    shown = printable(text)
    return f"{_QUOTE}{shown}" if shown.startswith(_FORMULA) else shown


def _read_cell(text: str) -> str:
    return text.removeprefix(_QUOTE)
