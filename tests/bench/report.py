"""Writes what was measured as a page with charts: the same numbers give the same page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.bench import results
from tests.bench.charts import Chart, number
from tests.bench.drawing import svg
from tests.bench.figures import Figure
from tests.bench.results import Measured, Results

PAGE = "README.md"

BUSY = 0.5
"""More than so much wanted, for each processor, and others were at work as well."""

SIMULATED = "in simulated time: the same on every machine, by the seed"
COUNTED = "counted: the same on every machine"
OBSERVED = "counted: a little more or less each time, as what runs at once falls out"
ADDED_UP = "added up"
TIMED = "timed: on this machine, and with what else it did"


HOW = {
    "simulated-overstay": SIMULATED,
    "simulated-access": SIMULATED,
    "simulated-calls": SIMULATED,
    "identity-center": SIMULATED,
    "fleet-calls": OBSERVED,
    "dynamodb-growth": COUNTED,
    "costs": ADDED_UP,
}
"""By measure; whatever is not named is timed."""

TEMPLATE = Path(__file__).parent / "page.md"

_PLACE = re.compile(r"^<!-- (?:measure: )?(?P<what>[a-z-]+) -->$\n", re.MULTILINE)


_BLANKS = re.compile(r"\n{3,}")


def write(folder: Path, found: Results) -> None:
    """Write numbers, page and charts; of charts that were there before, none is left."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    (folder / results.FILE).write_text(results.text(found))
    # What is drawn is what can be read there again.
    for name, content in written(results.read(folder / results.FILE)).items():
        (folder / name).write_text(content)


def written(found: Results) -> dict[str, str]:
    """Return page and charts, by the names of their files."""
    charts = [chart for each in found.measures.values() for chart in each.charts]
    files = {f"{chart.name}.svg": svg(chart) for chart in charts}
    if len(files) != len(charts):
        raise ValueError("Two charts have one name.")
    return files | {PAGE: _page(found)}


def places() -> list[str]:
    """Return what the page has a place for, in its order."""
    return [match["what"] for match in _PLACE.finditer(TEMPLATE.read_text())]


def _page(found: Results) -> str:
    def filled(match: re.Match[str]) -> str:
        return "".join(f"{line}\n" for line in _filled(match["what"], found))

    page = _PLACE.sub(filled, TEMPLATE.read_text())
    return _BLANKS.sub("\n\n", page).rstrip() + "\n"


def _filled(what: str, found: Results) -> Iterator[str]:
    if what == "verdict":
        yield from _verdict(found)
    elif what == "surroundings":
        yield from _surroundings(found)
    elif what in found.measures:
        yield from _measure(what, found)


def _verdict(found: Results) -> Iterator[str]:
    if found.is_quick:
        yield "**These are the smaller counts of `make bench-quick`.**\n"
    figures = [figure for each in found.measures.values() for figure in each.figures]
    judged = [figure for figure in figures if figure.limit is not None]
    exceeded = [f"`{cell(figure.name)}`" for figure in judged if not figure.holds]
    if exceeded:
        yield f"Of {len(judged)} limits {len(exceeded)} did not hold: {', '.join(exceeded)}."
    else:
        yield f"Of {len(judged)} limits all hold."


def _surroundings(found: Results) -> Iterator[str]:
    yield from _table(("on", ""), [(name, str(value)) for name, value in found.machine.items()])
    yield from _table(("with", "version"), list(found.versions.items()))
    yield f"The seed of all that is simulated is {found.seed}.\n"
    rows = [
        (f"`{name}`", _how(name), each.on, str(each.seconds or "-"), _load(each, found))
        for name in places()
        if (each := found.measures.get(name)) is not None
    ]
    yield from _table(("measure", "how", "on", "took (s)", "load before"), rows)


def _how(name: str) -> str:
    return HOW.get(name, TIMED)


def _load(each: Measured, found: Results) -> str:
    processors = found.machine["processors"]
    busy = isinstance(processors, int) and each.load > BUSY * processors
    return f"{each.load:g}, busy" if busy else f"{each.load:g}"


def _measure(name: str, found: Results) -> Iterator[str]:
    each, how = found.measures[name], _how(name)
    yield f"### {name}\n"
    said = f"{how[0].upper()}{how[1:]}."
    if how is TIMED and "busy" in _load(each, found):
        said += " Others were at work on this machine meanwhile."
    yield f"{said}\n"
    for chart in each.charts:
        yield from _chart(chart)
    if not each.figures:
        return
    yield from _table(
        ("figure", "measured", "limit", "verdict"), [_row(figure) for figure in each.figures]
    )
    for figure in each.figures:
        yield from _told(figure)
    yield ""


def _chart(chart: Chart) -> Iterator[str]:
    yield f"![{cell(chart.title)}]({chart.name}.svg)\n"
    for note in chart.notes:
        yield f"{cell(note)}\n"
    lines = {**chart.lines, **chart.others}
    rows = [
        (label, *(number(line[at]) for line in lines.values()))
        for at, label in enumerate(chart.labels)
    ]
    yield f"In {cell(chart.y)}, by {cell(chart.x)}:\n"
    heading = (chart.x, *lines)
    yield from _table(heading, rows)


def _row(figure: Figure) -> tuple[str, ...]:
    limit = "-" if figure.limit is None else f"{number(figure.limit)} {figure.unit}"
    return figure.name, f"{number(figure.value)} {figure.unit}", limit, figure.verdict


def _told(figure: Figure) -> Iterator[str]:
    parts = ", ".join(f"{cell(name)} {number(value)}" for name, value in figure.parts.items())
    yield f"* **{cell(figure.name)}**: {cell(figure.what)}."
    if parts:
        yield f"  Made of: {parts}."
    for note in figure.notes:
        yield f"  {cell(note)}"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(cell, heading))} |"
    yield f"|{'---|' * len(heading)}"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"
    yield ""


def cell(text: str) -> str:
    """Make a text that stands for itself in a table of Markdown."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
