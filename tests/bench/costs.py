"""What a deployment costs, as more is asked for: by counts and prices of ``docs/deploy.md``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.timing import Say
from tests.docs.pages import prose, table

PAGE = "docs/deploy.md"
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
THOUSAND = 1_000

_AMOUNT = re.compile(r"(?P<number>[\d,.]+)(?: (?P<unit>\S.*))?")
_PRICE = re.compile(r"\$(?P<dollars>[\d.]+)(?: (?:a|for) (?P<per>\S+))?")
_STORED = re.compile(r"(?P<mb>\d+) MB in the table, at \$(?P<dollars>[\d.]+) a GB and month")
_PER = {None: 1.0, "million": 1e6, "10,000": 1e4, "GB": 1e3}
"""How many a price is for; amounts in MB are priced by the GB."""

_TOGETHER = "**together**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One line of a bill."""

    what: str
    dollars: float
    said: float
    """What the page says it is, to the cent."""


def of_use() -> tuple[Priced, ...]:
    """What a thousand grants cost."""
    return _priced("how much for 1,000")


def of_a_month() -> tuple[Priced, ...]:
    """What a month costs in which nobody asks for anything."""
    return _priced("how much")


def of_keeping() -> float:
    """What it costs to keep a thousand grants on record for a month."""
    found = _STORED.search(prose(PAGE))
    if found is None:
        raise AssertionError(f"{PAGE} does not say what keeping costs")
    return float(found["mb"]) / 1e3 * float(found["dollars"])


def measure(folder: Path, say: Say, counts: Sequence[int] = COUNTS) -> Iterator[Figure | Chart]:  # noqa: ARG001 - no file
    say("adding up")
    use, month, keeping = of_use(), of_a_month(), of_keeping()
    each = sum(line.dollars for line in use) / THOUSAND
    fixed = sum(line.dollars for line in month)
    kept = keeping / THOUSAND
    whole = {number: fixed + number * (each + kept) for number in counts}
    yield Figure(
        name="cost-of-a-thousand-grants",
        what="asked for, approved, given by group membership, ended, looked at ten times each",
        value=each * THOUSAND,
        unit="USD",
        parts={f"{line.what} (USD)": line.dollars for line in use},
        notes=(
            f"Calls and durations times list prices in us-east-1, both from {PAGE}.",
            "That a call costs as much among many requests is measured: see how it grows.",
        ),
    )
    yield Figure(
        name="cost-of-a-quiet-month",
        what="in which nobody asks for anything",
        value=fixed,
        unit="USD",
        parts={f"{line.what} (USD)": line.dollars for line in month},
    )
    yield Chart(
        name="cost-of-a-grant",
        title="Cost of one grant, by how many there are",
        x="grants a month",
        y="US dollars",
        labels=tuple(f"{number:,}" for number in counts),
        lines={
            "with its share of the month": tuple(whole[number] / number for number in counts),
            "of its calls alone": (each,) * len(counts),
        },
        others={
            "a month in all (USD)": tuple(whole.values()),
            "grants an hour (mean)": tuple(number / HOURS for number in counts),
        },
        form="lines",
        logarithmic=True,
        notes=("Records of that month are kept for a month; older ones cost as much again.",),
    )


HOURS = 730
"""In a month."""


def _priced(column: str) -> tuple[Priced, ...]:
    rows = table(PAGE, "what", column, "at", "is")
    return tuple(
        Priced(
            what=row["what"],
            dollars=_number(_AMOUNT, row[column]) * _price(row["at"]),
            said=float(row["is"].strip("$")),
        )
        for row in rows
        if row["what"] != _TOGETHER
    )


def _number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.fullmatch(text)
    if found is None:
        raise AssertionError(f"{PAGE}: {text}")
    return float(found["number"].replace(",", ""))


def _price(text: str) -> float:
    found = _PRICE.fullmatch(text)
    if found is None:
        raise AssertionError(f"{PAGE}: {text}")
    return float(found["dollars"]) / _PER[found["per"]]
