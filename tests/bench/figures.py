"""What a measurement found, held to its limit, shown as a table and written as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import wrap

import apsw

PACKAGES = ("apsw", "boto3", "botocore", "cedarpy", "cryptography", "ministack", "pydantic")

WIDTH = 100

_HEADINGS = ("figure", "measured", "limit", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing measured, and how much it may be at most."""

    name: str
    what: str
    value: float
    unit: str
    limit: float | None = None
    """None: told, not judged."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What it is made of: the unit is part of the name."""
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.limit is None or self.value <= self.limit

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return "told, not judged"
        if self.limit == 0:
            return "holds" if self.holds else "EXCEEDED"
        room = 1 - self.value / self.limit
        return f"holds, {room:.0%} room" if self.holds else f"EXCEEDED by {-room:.0%}"


def all_hold(figures: Sequence[Figure]) -> bool:
    return all(figure.holds for figure in figures)


def table(figures: Sequence[Figure]) -> str:
    rows = [_HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    for figure in figures:
        lines += ["", f"{figure.name}: {figure.what}", *_told(figure)]
    return "\n".join(lines)


def _told(figure: Figure) -> Iterator[str]:
    parts = ", ".join(f"{name} {_number(value)}" for name, value in figure.parts.items())
    for paragraph in (parts, *figure.notes):
        yield from wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _row(figure: Figure) -> tuple[str, str, str, str]:
    limit = "-" if figure.limit is None else f"{figure.limit:g} {figure.unit}"
    return figure.name, f"{_number(figure.value)} {figure.unit}", limit, figure.verdict


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def write(path: Path, figures: Sequence[Figure], machine: Mapping[str, object]) -> None:
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "holds": all_hold(figures),
        "machine": machine,
        "figures": [{**asdict(figure), "holds": figure.holds} for figure in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def machine() -> dict[str, object]:
    """What the numbers depend on. Others at work on the machine show in its load."""
    load = [round(load, 2) for load in os.getloadavg()]
    return {**hardware(), "load": load, **versions()}


def hardware() -> dict[str, object]:
    """What it is measured on, in words that fit many a machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "processors": os.cpu_count(),
        "memory (GB)": round(memory / 1e9),
        "system": f"{platform.system()} {kernel}, {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """What it is measured with."""
    return {"sqlite": apsw.sqlite_lib_version(), **{name: version(name) for name in PACKAGES}}
