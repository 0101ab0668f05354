"""That the bill is the one of the page, line by line, and adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import costs
from tests.bench.charts import Chart
from tests.docs.pages import table

LINES = [*costs.of_use(), *costs.of_a_month()]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what)
def test_each_line_of_the_page_is_its_count_times_its_price(line: costs.Priced) -> None:
    assert line.dollars == pytest.approx(line.said, abs=0.0051)


@pytest.mark.parametrize(
    ("column", "lines"),
    [("how much for 1,000", costs.of_use()), ("how much", costs.of_a_month())],
)
def test_the_page_adds_up_its_lines(column: str, lines: tuple[costs.Priced, ...]) -> None:
    (whole,) = (
        row["is"]
        for row in table(costs.PAGE, "what", column, "at", "is")
        if row["what"] == "**together**"
    )
    assert float(whole.strip("*$")) == pytest.approx(sum(line.said for line in lines))


def test_a_grant_is_cheaper_the_more_there_are_and_never_than_its_calls() -> None:
    (chart,) = (each for each in costs.measure(Path(), lambda _: None) if isinstance(each, Chart))
    whole, calls = ([each or 0.0 for each in line] for line in chart.lines.values())
    assert sorted(whole, reverse=True) == whole
    assert all(a > b > 0 for a, b in zip(whole, calls, strict=True))
