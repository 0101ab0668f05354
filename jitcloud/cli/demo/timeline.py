"""Prints what happens as lines a person can follow: when, who, what, and what AWS said to it.

In colour on a terminal and plain elsewhere, never wider than 80 columns.
"""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from jitcloud.text import printable

WIDTH = 80
_WHO = 8
_SAID = 13
_WHAT = WIDTH - 18 - _WHO - _SAID
_INDENT = " " * (WIDTH - _WHAT - _SAID - 2)

_STYLES = {"ok": "green", "AccessDenied": "red"}


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

    def note(self, what: str) -> None:
        """Explain the line before."""
        self._row("", "", what, "", "dim")

    def plain(self, line: str, style: str = "") -> None:
        """Print a line of its own form."""
        self._print(Text(printable(line)[:WIDTH], style))

    def showed(self, promise: str, how: str) -> None:
        """Remember a promise that has just been seen to hold."""
        self.shown.append((promise, how))

    def summary(self) -> None:
        """Say which promises were shown, and how."""
        self.scene(f"Shown in {time.monotonic() - self.began:.0f} s, each by asking AWS or reading")
        self.plain("the record, none by taking jitcloud's word for it:", "bold")
        for promise, how in self.shown:
            for number, line in enumerate(textwrap.wrap(promise, WIDTH - 4)):
                self.plain(f"{'  ' if number else '* '}{line}")
            for line in textwrap.wrap(how, WIDTH - 4):
                self.plain(f"    {line}", "green")

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self.began:6.2f} s"

    def _row(self, when: str, who: str, what: str, said: str, style: str) -> None:
        lines = textwrap.wrap(printable(what), _WHAT) or [""]
        row = Text(f"{when:>8}  ", "dim").append(f"{who:<{_WHO}}  ", "bold cyan")
        row.append(f"{lines[0]:<{_WHAT}}" if said else lines[0], style)
        if said:
            row.append(f"  {printable(said)}", _STYLES.get(said, style))
        self._print(row)
        for line in lines[1:]:
            self._print(Text(f"{_INDENT}{line}", style))

    def _print(self, text: Text) -> None:
        text.rstrip()
        self.console.print(text, soft_wrap=True, highlight=False)
