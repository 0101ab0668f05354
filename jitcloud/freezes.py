"""The change-freeze calendar: when what is frozen, read from the ``[[freeze]]`` tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from jitcloud.files import parse_table
from jitcloud.local_time import instant, zone_named
from jitcloud.model import Entitlement, Window
from jitcloud.text import did_you_mean, one_line, quoted

MOST = 1000
"""How many freezes there may be: each is looked at in each judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time for which a change freeze was called."""

    name: str
    begins: datetime
    ends: datetime
    """The first instant after it."""
    environments: tuple[str, ...] = ()
    """Where it is on; empty for everywhere."""

    def holds(self, entitlement: Entitlement, window: Window) -> bool:
        """Whether it is on for this entitlement at any instant of the window."""
        if self.environments and entitlement.environment not in self.environments:
            return False
        return self.begins < window.deadline and window.start < self.ends


PERMANENT = Freeze(
    name="a change freeze",
    begins=datetime.min.replace(tzinfo=UTC),
    ends=datetime.max.replace(tzinfo=UTC),
)
"""On everywhere, until it is lifted by hand."""


@dataclass(frozen=True, slots=True)
class Freezes:
    """Every change freeze that was called, in any order."""

    freezes: tuple[Freeze, ...] = ()

    def during(self, entitlement: Entitlement, window: Window) -> str:
        """Return the name of the freeze that is on during a window, or nothing.

        One instant in common is enough. Of several it is the one that begins first.
        """
        on = (freeze for freeze in self.freezes if freeze.holds(entitlement, window))
        first = min(on, key=lambda freeze: freeze.begins, default=None)
        return "" if first is None else first.name

    def unknown_environments(self, known: Iterable[str]) -> Iterator[str]:
        """Yield a sentence for each environment that the catalog lacks: nothing there freezes."""
        known = sorted(set(known))
        for freeze in self.freezes:
            for name in freeze.environments:
                if name not in known:
                    yield (
                        f"{_where(freeze.name)}: environments: the catalog has no environment"
                        f" {quoted(name)}, so nothing there is frozen; correct it or take it"
                        f" out.{did_you_mean(name, known)}"
                    )


def read(tables: object, wrong: list[str]) -> Freezes:
    """Read the tables, or add to ``wrong`` a sentence for each key that is not right."""
    if not isinstance(tables, list | tuple):
        wrong.append(
            "freeze: begin each freeze with the line [[freeze]]; one without an end is"
            " freeze = true under [policy]."
        )
        return Freezes()
    if len(tables) > MOST:
        wrong.append(
            f"freeze: there are {len(tables):,} of them, and {MOST:,} at most are read; take out"
            " those that are over."
        )
        return Freezes()
    entries = (
        parse_table(_Entry, table, _where(_name_in(table) or number), wrong)
        for number, table in enumerate(tables, start=1)
    )
    return Freezes(tuple(entry.freeze() for entry in entries if entry is not None))


def _name(text: str) -> str:
    return one_line(text, "name", limit=200)


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _with_a_time(value: object) -> object:
    if isinstance(value, datetime):
        return value
    raise ValueError("write a date and a time without quotes, such as 2026-12-20T18:00:00.")


def _instant(local: datetime, info: ValidationInfo) -> datetime:
    if "zone" not in info.data:
        return local  # what is wrong with the zone has been said
    if info.data["zone"] is None and local.tzinfo is None:
        raise ValueError(
            'by the clocks of which place? Add a zone, such as zone = "Europe/Berlin", or write'
            " the time with its offset."
        )
    return instant(local, info.data["zone"] or UTC)


def _later(ends: datetime, info: ValidationInfo) -> datetime:
    begins = info.data.get("begins")
    if "zone" in info.data and begins is not None and ends <= begins:
        raise ValueError("this is not after the beginning; write when the freeze is over.")
    return ends


def _some(names: list[str]) -> list[str]:
    if not names:
        raise ValueError("name at least one, or leave the key out: the freeze is everywhere then.")
    return names


_When = Annotated[datetime, BeforeValidator(_with_a_time), AfterValidator(_instant)]


class _Entry(BaseModel):
    """One ``[[freeze]]`` table. Strict: nothing is converted, nothing unknown is skipped."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_name)]
    zone: Annotated[str, AfterValidator(_zone)] | None = None  # before the times that need it
    begins: _When
    ends: Annotated[_When, AfterValidator(_later)]
    environments: Annotated[list[str], AfterValidator(_some)] | None = None

    def freeze(self) -> Freeze:
        return Freeze(
            name=self.name,
            begins=self.begins,
            ends=self.ends,
            environments=tuple(self.environments or ()),
        )


def _where(name: str | int) -> str:
    return f"freeze {quoted(name) if isinstance(name, str) else f'number {name}'}"


def _name_in(table: object) -> str:
    match table:
        case {"name": str(name)}:
            return name
        case _:
            return ""
