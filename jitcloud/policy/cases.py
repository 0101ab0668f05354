"""Decision tables: what a policy is meant to say, case by case, in ``cases.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from jitcloud.durations import parse_duration
from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table, read_toml, unknown_key
from jitcloud.text import one_line, printable, quoted

UNKNOWN = "unknown"
"""The age of a sign-in that nobody knows of."""

NOBODY = "nobody"
"""Whom an approval waits for once it is met."""

_NOON = datetime(2030, 1, 8, 12)  # noqa: DTZ001 - on a Tuesday, in the zone of the entitlement


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _age(value: object) -> object:
    return None if value == UNKNOWN else _duration(value)


def _line(text: str) -> str:
    return one_line(text, "text", limit=300)


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
    """One row: an ask or a vote, and what policy is meant to say to it."""

    says: _Line
    """The row in words; it names the row in messages."""
    who: _Line
    what: _Line
    duration: _Duration
    approves: _Line | None = None
    """Whose ask it is that ``who`` votes on; ``mfa`` is then the voter's."""
    votes: tuple[_Line, ...] = ()
    """Who has said yes before, in this order, each just signed in."""
    expect: Literal["activate", "request", "approve", "deny"]
    rules: tuple[str, ...] | None = None
    """Every rule that decided; None: whichever."""
    approval: _Line | None = None
    waits_for: _Line | None = None
    """Whose yes is still missing after the votes, or ``nobody``."""
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
        if (self.approves is not None) != (self.expect == "approve") and self.expect != "deny":
            raise ValueError('approves goes with expect = "approve" or "deny", and with no other')
        if self.expect != "request" and (self.approval is not None or self.waits_for is not None):
            raise ValueError('approval and waits_for go with expect = "request"')
        if self.because is not None and self.expect != "deny":
            raise ValueError('because goes with expect = "deny"')
        if self.votes and self.approves is None and self.waits_for is None:
            raise ValueError('votes need waits_for: who is still missing then, or "nobody"')
        return self

    def start_in(self, zone: str) -> datetime:
        """Return when the window begins. Raises ``ValueError`` for an hour that a zone skips."""
        start = self.start or _NOON
        if start.tzinfo is not None:
            return start.astimezone(UTC)
        local = ZoneInfo(zone)
        found = start.replace(tzinfo=local)
        if found.utcoffset() != found.replace(fold=1).utcoffset():
            raise ValueError(
                f"In {zone} the clock is changed at {start}; write the start with its offset."
            )
        return found.astimezone(UTC)


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
