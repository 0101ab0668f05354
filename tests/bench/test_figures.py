"""That a measurement is judged, shown and written rightly. Nothing is measured here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.figures import Figure, all_hold, machine, table, write
from tests.bench.timing import Pairs

FAST = Figure(name="fast", what="ours / bare", value=1.2, unit="x", limit=1.5, notes=("A note.",))
SLOW = Figure(
    name="slow", what="verify", value=15, unit="s", limit=10, parts={"events/s": 66_666.6}
)
TOLD = Figure(name="told", what="import", value=2, unit="x")


def test_a_figure_holds_up_to_its_limit_and_always_without_one() -> None:
    assert FAST.holds
    assert Figure(name="n", what="w", value=10, unit="rows", limit=10).holds
    assert not SLOW.holds
    assert TOLD.holds
    assert all_hold([FAST, TOLD])
    assert not all_hold([FAST, SLOW])


def test_the_table_shows_value_limit_and_verdict_and_then_what_each_is_made_of() -> None:
    lines = table([FAST, SLOW, TOLD]).splitlines()
    assert lines[:5] == [
        "figure  measured  limit  verdict",
        "------  --------  -----  ----------------",
        "fast    1.2 x     1.5 x  holds, 20% room",
        "slow    15 s      10 s   EXCEEDED by 50%",
        "told    2 x       -      told, not judged",
    ]
    assert "slow: verify" in lines
    assert "  events/s 66,667" in lines
    assert "  A note." in lines


def test_what_is_written_can_be_read_by_a_program(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write(path, [FAST, SLOW], machine())
    report = json.loads(path.read_text())
    assert not report["holds"]
    assert [(figure["name"], figure["holds"]) for figure in report["figures"]] == [
        ("fast", True),
        ("slow", False),
    ]
    assert {"python", "processors", "sqlite", "boto3", "cedarpy"} <= report["machine"].keys()


def test_a_ratio_is_the_median_over_pairs_so_that_one_slow_moment_does_not_count() -> None:
    pairs = Pairs(ours=(2.0, 2.2, 90.0, 4.0, 2.1), bare=(1.0, 1.0, 1.0, 2.0, 1.0))
    assert pairs.ratio == 2.1
    assert "5 pairs" in pairs.middle_half


@pytest.mark.parametrize(("value", "code"), [(1.2, 0), (1.6, 1)])
def test_the_exit_code_says_whether_every_limit_holds(
    value: float,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    figure = Figure(name="made-up", what="nothing", value=value, unit="x", limit=1.5)
    monkeypatch.setattr(bench, "BUILD", tmp_path / "build")
    monkeypatch.setattr(bench, "BENCHES", {"policy": lambda *_: [figure], "sweeps": lambda *_: 1})
    assert bench.main(["--only", "policy"]) == code
    assert "made-up" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["bench-policy.json"]
