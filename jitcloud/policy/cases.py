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


class _Row(_Facts):
    """What every row says."""

    says: _Line
    """The row in words; it names the row in messages."""
    who: _Line
    rules: tuple[str, ...] | None = None
    """Every rule that decided; None: whichever."""
    because: _Line | None = None
    """Something the person refused is told."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, table: object) -> object:
        # TOML has lists, and strict would want the tuple itself.
        if not isinstance(table, dict):
            return table
        return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}


class BrakeCase(_Row):
    """One row: a brake, and what policy is meant to say to whoever uses it."""

    stops: _Line | None = None
    """What is stopped: ``everything``, ``cloud aws``, ``entitlement ID`` or ``person ID``."""
    ends: _Line | None = None
    """What is ended, the same way."""
    expect: Literal["stop", "end", "deny"]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if None not in {self.stops, self.ends}:
            raise ValueError("stops and ends are two cases; write one for each")
        if self.expect not in {self.verb, "deny"}:
            raise ValueError(f'{self.verb}s goes with expect = "{self.verb}" or "deny"')
        if self.because is not None and self.expect != "deny":
            raise ValueError('because goes with expect = "deny"')
        return self

    @property
    def verb(self) -> Literal["stop", "end"]:
        """Which brake it is."""
        return "end" if self.stops is None else "stop"


class Case(_Row):
    """One row: an ask or a vote, and what policy is meant to say to it."""

    what: _Line
    duration: _Duration
    break_glass: bool = False
    approves: _Line | None = None
    """Whose ask it is that ``who`` votes on; ``mfa`` is then the voter's."""
    votes: tuple[_Line, ...] = ()
    """Who has said yes before, in this order, each just signed in; see ``cast``."""
    after: _Duration | None = None
    """How long after the ask it is; else when the last of the votes was given, or at once."""
    expect: Literal["activate", "request", "break-glass", "approve", "deny"]
    approval: _Line | None = None
    waits_for: _Line | None = None
    """Whose yes is still missing after the votes, or ``nobody``."""
    review: _Line | None = None
    """Who looks at it afterwards, and within what time."""
    notify: _Line | None = None
    """Who hears of it at once."""
    skipped: _Line | None = None
    """Whose yes it goes past, or ``nobody``."""

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
    if (case.approves is not None) != (case.expect == "approve") and case.expect != "deny":
        yield 'approves goes with expect = "approve" or "deny", and with no other'
    if case.expect == "break-glass" and not case.break_glass:
        yield 'expect = "break-glass" goes with break_glass = true'
    for verb, keys in _OF_ONE_ANSWER.items():
        if case.expect != verb and any(getattr(case, key) is not None for key in keys):
            yield f'{" and ".join(keys)} go{"es" * (len(keys) == 1)} with expect = "{verb}"'
    if (case.votes or case.after) and case.approves is None and case.waits_for is None:
        yield 'votes and after need waits_for: who is still missing then, or "nobody"'
    times = [at for _, at in case.cast]
    if times != sorted(times) or (case.after is not None and case.waited > case.after):
        yield "votes stand in the order in which they are given, and after is not before the last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of cases."""

    name: str
    cases: tuple[Case | BrakeCase, ...]


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
        if (case := _case(_filled(row, defaults), _where(number, row), wrong))
    ]
    wrong += _twice(rows)
    if wrong:
        raise Misconfigured("\n".join(f"{printable(path.name)}: {line}" for line in wrong))
    return Table(name=path.name, cases=tuple(cases))


def _case(row: object, where: str, wrong: list[str]) -> Case | BrakeCase | None:
    if isinstance(row, dict) and not row.keys().isdisjoint({"stops", "ends"}):
        return parse_table(BrakeCase, row, where, wrong)
    return parse_table(Case, row, where, wrong)


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
