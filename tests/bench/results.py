"""What was measured, kept as JSON: the numbers from which the report is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.charts import Chart
from tests.bench.figures import Figure

FILE = "results.json"

SEED = 1
"""Of all that is simulated."""

DIGITS = 6
"""Significant ones, of each number that is kept."""


class NotTheSame(Exception):
    """What is kept was measured elsewhere, or by other versions: it cannot be added to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one measure found."""

    on: str
    """The day, in UTC."""
    load: float
    """What else the machine had to do when it began: how many wanted a processor, a minute long."""
    seconds: int
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A report's worth of it."""

    machine: Mapping[str, object]
    versions: Mapping[str, str]
    seed: int
    measures: Mapping[str, Measured]
    is_quick: bool = False
    """Whether it is of the smaller counts."""

    def joined(self, more: Results) -> Results:
        """Put what was measured anew in the place of what was there. Raises ``NotTheSame``."""
        if replace(self, measures={}) != replace(more, measures={}):
            raise NotTheSame(
                "The report there is of another machine, of other versions, or of other counts: "
                "measure all of it."
            )
        return replace(self, measures={**self.measures, **more.measures})


def measured(items: Iterable[Figure | Chart], *, on: str, load: float, seconds: float) -> Measured:
    found = tuple(items)
    return Measured(
        on=on,
        load=round(load, 1),
        seconds=round(seconds),
        figures=tuple(each for each in found if isinstance(each, Figure)),
        charts=tuple(each for each in found if isinstance(each, Chart)),
    )


def text(results: Results) -> str:
    """Write them as JSON."""
    told = _rounded(asdict(results))
    for name, each in results.measures.items():
        for figure, one in zip(told["measures"][name]["figures"], each.figures, strict=True):
            figure["holds"] = one.holds
    return f"{json.dumps(told, indent=2, ensure_ascii=False)}\n"


def read(path: Path) -> Results:
    """Read them again."""
    told = json.loads(path.read_text())
    return Results(
        **{
            **told,
            "measures": {name: _measured(each) for name, each in told["measures"].items()},
        }
    )


def _measured(told: Mapping[str, Any]) -> Measured:
    figures = ({k: v for k, v in each.items() if k != "holds"} for each in told["figures"])
    return Measured(
        **{
            **told,
            "figures": tuple(Figure(**_with_tuples(each)) for each in figures),
            "charts": tuple(Chart(**_with_tuples(each)) for each in told["charts"]),
        }
    )


def _with_tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuples(value) for key, value in told.items()}


def _tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _tuples(each) for key, each in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case _:
            return value
