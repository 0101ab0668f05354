"""Draws charts as SVG: the same numbers give the same bytes, in light and in dark.

Only the drawing is pygal's. Its own style sheet is left out, and so are its scripts, the notes of
when it was drawn, and the small print for a mouse: what is drawn is an image in a page.
"""

from __future__ import annotations

import sys
from math import ceil, floor, log10
from pathlib import Path
from xml.etree.ElementTree import Element, indent, tostring

import pygal

from tests.bench.charts import Chart, number

# pygal looks for plug-ins of its own at every import there is, by a way that Python has given up.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

# With lxml, where that is installed, the same drawing has other bytes.
pygal.etree.etree.to_etree()

CSS = (Path(__file__).parent / "charts.css").read_text()

WIDTH, HEIGHT = 960, 420
FONT = 13
ROOM = 1.3
"""By what factor a logarithmic axis goes on below and above what is drawn."""

FIT = 120
"""How many letters there is room for below the axis, side by side."""


def svg(chart: Chart) -> str:
    """Draw it."""
    made = {"bars": pygal.Bar, "lines": pygal.Line}[chart.form](
        css=[f"inline:{CSS}"],
        style=pygal.style.Style(
            font_family="sans-serif",
            label_font_size=FONT - 1,
            legend_font_size=FONT,
            major_label_font_size=FONT - 1,
            value_font_size=FONT - 2,
        ),
        js=[],
        title=chart.title,
        x_title=chart.x,
        y_title=chart.y,
        legend_at_bottom=True,
        legend_at_bottom_columns=min(len(chart.lines), 4),
        width=WIDTH,
        height=HEIGHT,
        margin=12,
        margin_right=36,
        spacing=8,
        print_values=chart.form == "bars",
        print_values_position="top",
        formatter=number,
        logarithmic=chart.logarithmic,
        disable_xml_declaration=True,
        truncate_label=-1,
        x_label_rotation=0 if sum(map(len, chart.labels)) <= FIT else 20,
        include_x_axis=not chart.logarithmic,
        range=_range(chart) if chart.logarithmic else None,
    )
    made.uuid = chart.name
    if chart.logarithmic:
        made.y_labels = _steps(*_range(chart))
    made.x_labels = chart.labels
    for legend, values in chart.lines.items():
        # Nothing has no place on a logarithmic axis.
        made.add(legend, [value or None if chart.logarithmic else value for value in values])
    root = made.render_tree()
    _strip(root)
    root.set("role", "img")
    root.set("width", str(WIDTH))
    root.set("height", str(HEIGHT))
    indent(root)
    return f"{tostring(root, encoding='unicode')}\n"


def _range(chart: Chart) -> tuple[float, float]:
    """Leave some room above and below."""
    values = [value for line in chart.lines.values() for value in line if value]
    return min(values) / ROOM, max(values) * ROOM


def _steps(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10, 20, and so on, as far as that lies between."""
    steps = (
        float(f"{first}e{power}")
        for power in range(floor(log10(low)), ceil(log10(high)) + 1)
        for first in (1, 2, 5)
    )
    return [step for step in steps if low <= step <= high]


def _strip(element: Element) -> None:
    for child in list(element):
        tag: object = child.tag  # of a comment it is a function
        if not isinstance(tag, str) or tag in {"desc", "script"}:
            element.remove(child)
        else:
            _strip(child)
