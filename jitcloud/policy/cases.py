"""Decision tables: what a policy is meant to say, case by case, in ``cases.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from jitcloud.durations import parse_duration
from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table, read_toml, unknown_key
from jitcloud.local_time import instant
from jitcloud.text import one_line, printable, quoted

UNKNOWN = "unknown"
"""The age of a sign-in that nobody knows of."""

NOBODY = "nobody"
"""Whom an approval waits for once it is met, and who is skipped where nobody could be asked."""

_LATER = re.compile(r"(?P<who>.+?) +after +(?P<time>\S+)")

_NOON = datetime(2030, 1, 8, 12)  # noqa: DTZ001 - on a Tuesday, in the zone of the entitlement


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _age(value: object) -> object:
    return None if value == UNKNOWN else _duration(value)


def _line(text: str) -> str:
    return one_line(text, "text", limit=300)


_OF_ONE_ANSWER = {
    "request": ("approval", "waits_for"),
    "break-glass": ("review", "notify", "skipped"),
    "deny": ("because",),
}

_Line = Annotated[str, AfterValidator(_line)]
_Duration = Annotated[timedelta, BeforeValidator(_duration)]
_Age = Annotated[timedelta | None, BeforeValidator(_age)]


class _Facts(BaseModel):
    """What may be said once for the whole file, and again in a case."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    start: datetime | None = None
    """Without an offset, it is local to the entitlement."""
    mfa: _Age = None
    ticket: bool = False
    incident: bool = False
    freeze: bool = False


class Case(_Facts):
    """One row: an ask, a vote or a brake, and what policy is meant to say to it."""

    says: _Line
    """The row in words; it names the row in messages."""
    who: _Line
    what: _Line | None = None
    duration: _Duration | None = None
    break_glass: bool = False
    approves: _Line | None = None
    """Whose ask it is that ``who`` votes on; ``mfa`` is then the voter's."""
    votes: tuple[_Line, ...] = ()
    """Who has said yes before, in this order, each just signed in; see ``cast``."""
    after: _Duration | None = None
    """How long after the ask it is; else when the last of the votes was given, or at once."""
    stops: _Line | None = None
    """What ``who`` would stop: ``everything``, ``cloud aws``, ``entitlement ID``, ``person ID``."""
    ends: _Line | None = None
    """What ``who`` would end, the same way."""
    expect: Literal["activate", "request", "break-glass", "approve", "stop", "end", "deny"]
    rules: tuple[str, ...] | None = None
    """Every rule that decided; None: whichever."""
    approval: _Line | None = None
    waits_for: _Line | None = None
    """Whose yes is still missing after the votes, or ``nobody``."""
    review: _Line | None = None
    """Who looks at it afterwards, and within what time."""
    notify: _Line | None = None
    """Who hears of it at once."""
    skipped: _Line | None = None
    """Whose yes it goes past, or ``nobody``."""
    because: _Line | None = None
    """Something the person refused is told."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, table: object) -> object:
        # TOML has lists, and strict would want the tuple itself.
        if not isinstance(table, dict):
            return table
        return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wrong = next(_contradictions(self), None)
        if wrong is not None:
            raise ValueError(wrong)
        return self

    @property
    def cast(self) -> tuple[tuple[str, timedelta], ...]:
        """Who has said yes, and how long after the ask: ``petra after 31m``, or with the last."""
        found: list[tuple[str, timedelta]] = []
        at = timedelta()
        for vote in self.votes:
            later = _LATER.fullmatch(vote)
            at = at if later is None else parse_duration(later["time"])
            found.append((vote if later is None else later["who"], at))
        return tuple(found)

    @property
    def waited(self) -> timedelta:
        """How long after the ask it is."""
        return max((self.after or timedelta(), *(at for _, at in self.cast)))

    def start_in(self, zone: str) -> datetime:
        """Return when the window begins, in UTC. Raises ``Invalid``, as ``instant`` does."""
        return instant(self.start or _NOON, zone)


def _contradictions(case: Case) -> Iterator[str]:
    """Yield what of a case does not go together."""
    of_asks = (case.what, case.duration, case.approves, case.after, case.votes, case.break_glass)
    if case.stops is None and case.ends is None:
        if case.what is None or case.duration is None:
            yield "what and duration are missing; add them (only stops and ends go without)"
    elif any(of_asks) or None not in {case.stops, case.ends}:
        yield "stops and ends stand alone, each in a case of its own: nothing is asked for"
    yield from _about_answer(case)
    if (case.votes or case.after) and case.approves is None and case.waits_for is None:
        yield 'votes and after need waits_for: who is still missing then, or "nobody"'
    times = [at for _, at in case.cast]
    if times != sorted(times) or (case.after is not None and case.waited > case.after):
        yield "votes stand in the order in which they are given, and after is not before the last"


def _about_answer(case: Case) -> Iterator[str]:
    for verb, key in (("approve", "approves"), ("stop", "stops"), ("end", "ends")):
        if (getattr(case, key) is not None) != (case.expect == verb) and case.expect != "deny":
            yield f'{key} goes with expect = "{verb}" or "deny", and with no other'
    for verb, keys in _OF_ONE_ANSWER.items():
        if case.expect != verb and any(getattr(case, key) is not None for key in keys):
            yield f'{" and ".join(keys)} go{"es" * (len(keys) == 1)} with expect = "{verb}"'
    if case.expect == "break-glass" and not case.break_glass:
        yield 'expect = "break-glass" goes with break_glass = true'


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of cases."""

    name: str
    cases: tuple[Case, ...]


def read(path: Path) -> Table:
    """Read a decision table. Raises ``Misconfigured`` with all that is wrong, a line each."""
    tables = read_toml(path)
    known = ("case", "defaults")
    wrong = [unknown_key(key, known) for key in tables if key not in known]
    defaults = tables.get("defaults", {})
    if parse_table(_Facts, defaults, "defaults", wrong) is None:
        defaults = {}  # said once, and not again of each case
    rows = tables.get("case", [])
    if not isinstance(rows, list) or not rows:
        wrong.append("it has no case; begin one with the line [[case]].")
        rows = []
    cases = [
        case
        for number, row in enumerate(rows, start=1)
        if (case := parse_table(Case, _filled(row, defaults), _where(number, row), wrong))
    ]
    wrong += _twice(rows)
    if wrong:
        raise Misconfigured("\n".join(f"{printable(path.name)}: {line}" for line in wrong))
    return Table(name=path.name, cases=tuple(cases))


def _filled(row: object, defaults: object) -> object:
    if isinstance(row, dict) and isinstance(defaults, dict):
        return {**defaults, **row}
    return row


def _where(number: int, row: object) -> str:
    said = _said(row)
    return f"case {number}" + (f" ({quoted(said)})" if said else "")


def _twice(rows: list[object]) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        said = _said(row)
        if said and first.setdefault(said, number) != number:
            yield f"{_where(number, row)} says the same as case {first[said]}; reword one of them."


def _said(row: object) -> str:
    match row:
        case {"says": str(said)}:
            return said
        case _:
            return ""
