"""What is asked of every parser, whatever it is handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from jitcloud.errors import JitError
from jitcloud.text import is_unsafe
from tests.hostile.mangling import Mangled

LONGEST = timedelta(days=3660)
"""Nothing that is read may last longer: what does is as good as forever (P13)."""

LONGEST_LINE = 1200
"""Characters of a line of a message. A line names what is wrong; it does not repeat a file."""


@dataclass(frozen=True, kw_only=True)
class Parser:
    """One place where foreign text or bytes become values."""

    name: str
    read: Callable[[Any], object]
    valid: tuple[Any, ...]
    """What it reads, or did; from this comes what is nearly so."""
    mangled: Mangled
    also: tuple[Any, ...] = ()
    """What is well-formed, and says no."""
    raises: tuple[type[JitError], ...] = ()
    """All it may raise; nothing where it says by a value that it could not read."""
    written: Callable[[Any], Any] | None = None
    """Writes what was read, where there is a writer: what it writes is read as the same again.

    None for what it refuses to write.
    """
    found: tuple[tuple[Any, str], ...] = ()
    """What it once stumbled over, and how."""
    handed_over: str = ""
    """Why what was found is not mended yet: then that alone is tried, and fails."""
    several_lines: bool = False
    """Whether it says all that is wrong, a line each."""
    no_zone: str = ""
    """Why instants may come of it that have no zone, or are none in UTC."""
    longest: timedelta = LONGEST
    longer: str = ""
    """Why a time that lasts longer than ``LONGEST`` may come of it."""
    longest_line: int = LONGEST_LINE
    most: int = 1024 * 1024
    """How many characters whoever calls it lets in."""

    @property
    def near(self) -> st.SearchStrategy[Any]:
        return self.mangled.near((*self.valid, *self.also))

    def holds(self, given: Any) -> None:
        """Hand it something: it reads that, or says no as it should."""
        try:
            value = self.read(given)
        except self.raises as exc:
            self._is_fit_to_show(str(exc))
            return
        except Exception as exc:
            exc.add_note(f"{self.name} was handed {ascii(given)[:1000]}")
            raise
        for leaf in leaves(value):
            self._has_an_end(leaf)
        again = None if self.written is None or value is None else self.written(value)
        if again is not None:
            assert self.read(again) == value

    def _is_fit_to_show(self, message: str) -> None:
        assert message.strip()
        for line in message.split("\n") if self.several_lines else [message]:
            is_fit_to_show(line, self.longest_line)

    def _has_an_end(self, leaf: object) -> None:
        if isinstance(leaf, timedelta) and not self.longer:
            assert timedelta() <= leaf <= self.longest, leaf
        if isinstance(leaf, float):
            assert isfinite(leaf), leaf
        if isinstance(leaf, datetime):
            assert leaf.tzinfo is not None or self.no_zone, leaf
            if not self.no_zone:
                leaf.astimezone(UTC)


def is_fit_to_show(line: str, longest: int = LONGEST_LINE) -> None:
    """Nothing of it acts on a terminal, ends a line, or goes on without end."""
    assert len(line) <= longest, f"{len(line)} characters: {line[:200]!a}"
    assert not any(map(is_unsafe, line)), ascii(line)


def leaves(value: object, depth: int = 0) -> Iterator[object]:
    """All that is in what was read; as deep as a noun of ours is."""
    if depth > 12:
        return
    inside: list[object]
    if is_dataclass(value) and not isinstance(value, type):
        inside = [getattr(value, each.name) for each in fields(value)]
    elif isinstance(value, BaseModel):
        inside = list(value.__dict__.values())
    elif isinstance(value, Mapping):
        inside = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        inside = list(value)
    else:
        yield value
        return
    for each in inside:
        yield from leaves(each, depth + 1)
