"""That a page tells all that was measured and nothing else; and that the one that is kept does."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import __main__ as bench
from tests.bench import report, results
from tests.bench.charts import Chart, number
from tests.bench.drawing import svg
from tests.bench.figures import Figure, hardware
from tests.bench.results import FILE, Measured, NotTheSame, Results

KEPT = Path(__file__).parents[2] / "docs" / "benchmarks"

SLY = "<script>alert(1)</script> | & \n# not a heading"
CHART = Chart(
    name="sly",
    title=SLY,
    x="what",
    y=SLY,
    labels=("1,000", SLY),
    lines={SLY: (1.5, None), "p99": (0.0, 1234.5)},
    others={"aside": (7.0, 8.0)},
    notes=(SLY,),
)
FIGURE = Figure(name="slow", what=SLY, value=2, unit="s", limit=1, parts={SLY: 3}, notes=(SLY,))
LOADED = 99.0


def made_up(name: str) -> Measured:
    figure = dataclasses.replace(FIGURE, name=f"figure-of-{name}")
    chart = dataclasses.replace(CHART, name=f"chart-of-{name}")
    return Measured(on="2026-12-01", load=LOADED, seconds=1, figures=(figure,), charts=(chart,))


def found(*names: str) -> Results:
    return Results(
        machine={"processors": 2, "system": "Linux"},
        versions={"sqlite": "3"},
        seed=7,
        measures={name: made_up(name) for name in names or bench.BENCHES},
    )


def test_every_measure_has_its_place_on_the_page() -> None:
    assert sorted(report.places()) == sorted([*bench.BENCHES, "verdict", "surroundings"])
    assert report.HOW.keys() <= bench.BENCHES.keys()
    assert bench.QUICK.keys() <= bench.BENCHES.keys()


def test_the_page_has_every_measure_with_its_figures_and_charts() -> None:
    files = report.written(found())
    page = files[report.PAGE]
    for name in bench.BENCHES:
        assert page.count(f"### {name}\n") == 1
        assert f"**figure-of-{name}**" in page
        assert f"(chart-of-{name}.svg)" in page
        assert f"chart-of-{name}.svg" in files
    assert f"Of {len(bench.BENCHES)} limits {len(bench.BENCHES)} did not hold" in page
    assert "| p99 | aside |" in page
    assert "1,234" in page
    assert "seed of all that is simulated is 7" in page


def test_what_is_not_measured_is_not_told() -> None:
    page = report.written(found("costs"))[report.PAGE]
    assert "### costs" in page
    assert "### growth" not in page
    assert "<!--" not in page


def test_only_what_was_timed_on_a_busy_machine_is_doubted() -> None:
    page = report.written(found("policy", "costs"))[report.PAGE]
    _, _, told = page.partition("### costs")
    costs, _, policy = told.partition("### policy")
    assert "Others were at work" in policy
    assert "Others were at work" not in costs


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert report.written(found()) == report.written(found())


def test_nothing_that_was_measured_speaks_the_language_of_the_page() -> None:
    files = report.written(found("policy"))
    for content in files.values():
        assert "<script" not in content
    assert "\n# not a heading" not in files[report.PAGE]
    rows = [line for line in files[report.PAGE].splitlines() if line.startswith("| slow")]
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_a_chart_says_what_its_axes_are_and_follows_the_light() -> None:
    drawn = svg(dataclasses.replace(CHART, title="Title", y="seconds (s)", x="mechanism"))
    told = [element.text for element in ET.fromstring(drawn).iter() if element.text]  # noqa: S314 - our own
    assert {"Title", "seconds (s)", "mechanism", "p99"} <= set(told)
    assert "prefers-color-scheme:dark" in "".join(told).replace(" ", "")
    assert "generated" not in drawn.lower(), "it would say when"


def test_a_logarithmic_axis_leaves_out_what_has_no_place_on_it() -> None:
    lines = {"a": (0.001, 1.0), "b": (0.0, 10.0)}
    chart = Chart(name="c", title="t", x="x", y="y", labels=("1", "2"), lines=lines)
    for form in ("bars", "lines"):
        ET.fromstring(svg(dataclasses.replace(chart, form=form, logarithmic=True)))  # noqa: S314 - our own


def test_what_is_timed_runs_without_what_only_a_simulation_sets() -> None:
    """`tests.simulation` has policies remember what they said: a decision would cost nothing."""
    code = (
        "import sys, tests.bench.__main__; sys.exit('tests.simulation.organisation' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=KEPT.parents[1], check=True)  # noqa: S603 - our own text


def test_what_draws_is_not_asked_at_every_import() -> None:
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)


@pytest.mark.parametrize("name", ["../up", "", "A b"])
def test_a_chart_is_named_as_a_file_can_be(name: str) -> None:
    with pytest.raises(ValueError, match=repr(name)):
        dataclasses.replace(CHART, name=name)


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-"), (0, "0"), (0.000437, "0.00044"), (0.25, "0.25"), (5.0, "5"), (12345.6, "12,346")],
)
def test_a_number_is_written_for_people(value: float | None, said: str) -> None:
    assert number(value) == said


def test_numbers_are_read_again_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(results.text(found()))
    assert results.read(path) == found()


def test_one_measure_is_put_beside_the_others_of_the_same_machine(tmp_path: Path) -> None:
    report.write(tmp_path, found("policy", "costs"))
    (tmp_path / "chart-of-old.svg").touch()
    assert bench._reported(tmp_path, found("growth"), is_whole=False)  # noqa: SLF001 - of the same folder
    assert results.read(tmp_path / FILE).measures.keys() == {"policy", "costs", "growth"}
    assert {path.stem for path in tmp_path.glob("*.svg")} == {
        "chart-of-policy",
        "chart-of-costs",
        "chart-of-growth",
    }


@pytest.mark.parametrize(
    "other",
    [{"machine": {"processors": 64}}, {"versions": {}}, {"seed": 8}, {"is_quick": True}],
)
def test_what_was_measured_elsewhere_is_not_mixed_in(
    other: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write(tmp_path, found("policy"))
    before = (tmp_path / FILE).read_bytes()
    elsewhere = dataclasses.replace(found("costs"), **other)  # type: ignore[arg-type] # any field
    assert not bench._reported(tmp_path, elsewhere, is_whole=False)  # noqa: SLF001 - the same
    assert (tmp_path / FILE).read_bytes() == before
    assert "measure all of it" in capsys.readouterr().err
    with pytest.raises(NotTheSame):
        found("policy").joined(elsewhere)


def test_the_machine_is_told_without_its_name() -> None:
    assert hardware().keys() == {"processors", "memory (GB)", "system", "python"}


# ── The one that is kept ─────────────────────────────────────────────────────────────────────


def test_the_page_that_is_kept_is_what_its_numbers_give() -> None:
    kept = results.read(KEPT / FILE)
    assert (KEPT / FILE).read_text() == results.text(kept)
    files = report.written(kept)
    assert {path.name for path in KEPT.iterdir()} == {FILE, *files}
    for name, content in files.items():
        assert (KEPT / name).read_text() == content, f"{name}: run make bench"


def test_every_measure_is_kept_and_none_that_is_gone() -> None:
    kept = results.read(KEPT / FILE)
    assert kept.measures.keys() == bench.BENCHES.keys()
    assert not kept.is_quick
