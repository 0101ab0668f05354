"""Prints what happens as lines a person can follow: when, who, what, and what AWS said to it.

In colour on a terminal and plain elsewhere, never wider than 80 columns.
"""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from jitcloud.text import printable

WIDTH = 80
_WHEN, _WHO, _SAID = 8, 8, 12
_GAP = "  "
_INDENT = " " * (_WHEN + _WHO + 2 * len(_GAP))
_WIDE = WIDTH - len(_INDENT)
_NARROW = _WIDE - len(_GAP) - _SAID

_STYLES = {"ok": "green", "AccessDenied": "red", "No access": "red"}


class Unexpected(Exception):
    """What was measured is not what jitcloud promises."""

    def __init__(self, what: str, *, expected: str, got: str) -> None:
        """Name all three, for whoever has to find out why."""
        super().__init__(f"{what}: expected {expected}, got {got}.")


@dataclass(slots=True)
class Timeline:
    """The lines, and at the end the promises they have shown."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    shown: list[tuple[str, str]] = field(default_factory=list)

    def head(self, title: str) -> None:
        """Name the columns."""
        self._print(Text(title, "bold"))
        self._print(Text())
        self._row("    time", "who", "what happens", "AWS says", "dim")

    def scene(self, title: str) -> None:
        """Begin another part of the story."""
        self._print(Text())
        self._print(Text(title, "bold"))

    def tell(self, who: str, what: str) -> None:
        """Somebody does something."""
        self._row(self._elapsed(), who, what, "", "")

    def truth(self, who: str, what: str, said: str, *, expected: str) -> None:
        """Somebody tries something, and AWS says this to it. Raises ``Unexpected``."""
        self._row(self._elapsed(), who, what, said, "")
        if said != expected:
            raise Unexpected(f"{who} {what}", expected=expected, got=said)

    def quote(self, who: str, sentence: str) -> None:
        """Somebody, or jitcloud, says something."""
        self._row(self._elapsed(), who, f'"{sentence}"', "", "italic")

    def entry(self, at: datetime, who: str, what: str) -> None:
        """Quote one event of a trail."""
        self._row(f"{at:%H:%M:%S}", who, what, "", "")

    def showed(self, promise: str, how: str) -> None:
        """Remember a promise that has just been seen to hold."""
        self.shown.append((promise, how))

    def summary(self) -> None:
        """Say which promises were shown, and how."""
        took = time.monotonic() - self.began
        self.scene(f"Shown in {took:.0f} s, by asking AWS and by reading the record:")
        for promise, how in self.shown:
            self._print(Text(promise))
            self._print(Text(f"    {how}", "green"))

    def failure(self, sentence: str) -> None:
        """Say what was not as promised."""
        self.scene("Not as promised:")
        for line in textwrap.wrap(printable(sentence), WIDTH):
            self._print(Text(line, "red"))

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self.began:6.2f} s"

    def _row(self, when: str, who: str, what: str, said: str, style: str) -> None:
        width = _NARROW if said else _WIDE
        # Ids are copied whole, and so are names with hyphens.
        first, *rest = textwrap.wrap(printable(what), width, break_on_hyphens=False) or [""]
        row = (
            Text()
            .append(f"{when:>{_WHEN}}{_GAP}", "dim")
            .append(f"{who:<{_WHO}}{_GAP}", "bold cyan")
        )
        row.append(f"{first:<{width}}{_GAP}", style)
        row.append(printable(said), _STYLES.get(said, style))
        self._print(row)
        for line in rest:
            self._print(Text(f"{_INDENT}{line}", style))

    def _print(self, text: Text) -> None:
        text.rstrip()
        self.console.print(text, soft_wrap=True)


def ms(length: timedelta) -> str:
    """Write a length of time in milliseconds."""
    return f"{length / timedelta(milliseconds=1):.0f} ms"
