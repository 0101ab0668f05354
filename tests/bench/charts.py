"""Numbers to be looked at together, and how a number is written. ``drawing`` draws them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

_NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Some numbers to be looked at together; they stand in the report as a table, too."""

    name: str
    """Also that of its file: small letters, digits and hyphens."""
    title: str
    x: str
    """What the labels are."""
    y: str
    """What the numbers are, and their unit."""
    labels: tuple[str, ...]
    lines: Mapping[str, tuple[float | None, ...]]
    """By the legend: a number for each label, or None where there is none."""
    form: Literal["bars", "lines"] = "bars"
    logarithmic: bool = False
    notes: tuple[str, ...] = ()
    others: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """What stands in the table alone."""

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(repr(self.name))
        for line in (*self.lines.values(), *self.others.values()):
            if len(line) != len(self.labels):
                raise ValueError(f"{self.name}: not a number for each label")


def number(value: float | None) -> str:
    """Write a number as people read it."""
    if value is None:
        return "-"
    if value and abs(value) < 0.01:
        return f"{value:.2g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value % 1 else f"{value:.0f}"
