"""That what is told of overstays is what happened in the clouds, and that every weather strikes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.model import SKEW
from tests.bench import lives, simulated, weather
from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.lives import EARLY, LASTS, Life, end, grant
from tests.bench.weather import AWAY, OUTAGE, Kind
from tests.simulation.clouds.aws import SETTLE
from tests.simulation.clouds.groups import IamGroups
from tests.simulation.clouds.policies import IamPolicies
from tests.simulation.clouds.sessions import StsSessions
from tests.simulation.process import Process
from tests.simulation.registered import STAGES
from tests.simulation.stage import Stage

PAGE = Path(__file__).parent / "page.md"

SEEDS = range(4)
ZERO = timedelta(0)


def ended(stage: type[Stage], kind: Kind, *, early: bool = False) -> list[Life]:
    found = (end(stage, kind, seed, early=early) for seed in SEEDS)
    return [life for life in found if life is not None]


def overstays(found: list[Life]) -> list[timedelta]:
    return [life.out_after for life in found if life.out_after is not None]


def test_every_mechanism_with_a_cloud_is_measured() -> None:
    measured = {each.name for each in simulated.MECHANISMS}
    there = {each.quick.name for each in STAGES if not each.quick.name.startswith("memory.")}
    assert not measured ^ there


def test_the_page_says_what_these_clouds_take_by_themselves() -> None:
    page = PAGE.read_text()
    assert f"IAM acts up to {(SETTLE - SKEW).total_seconds():g} seconds after it was told" in page
    assert "Identity Center needs 1, 5 or 20 seconds" in page  # Assignments.__init__ draws these


def test_a_life_is_the_same_whenever_it_is_lived() -> None:
    for kind in Kind:
        assert end(IamGroups, kind, 3, early=False) == end(IamGroups, kind, 3, early=False)
        assert grant(StsSessions, kind, 3) == grant(StsSessions, kind, 3)


@pytest.mark.parametrize("stage", [IamPolicies, StsSessions])
def test_what_its_cloud_ends_is_over_at_the_deadline_in_any_weather(stage: type[Stage]) -> None:
    for kind in Kind:
        assert set(overstays(ended(stage, kind))) == {ZERO}


def test_what_the_broker_ends_is_over_when_the_cloud_has_acted() -> None:
    late = overstays(ended(IamGroups, Kind.CALM))
    assert len(late) == len(SEEDS)
    assert min(late) > ZERO
    assert max(late) < SETTLE


def test_an_outage_is_waited_out_and_counts() -> None:
    found = ended(IamGroups, Kind.OUTAGE)
    assert all(life.struck for life in found)
    for life in found:
        assert life.out_after is not None
        assert ZERO < life.back_after <= OUTAGE
        assert life.out_after > life.back_after


def test_a_restart_costs_as_long_as_the_process_is_away() -> None:
    found = ended(StsSessions, Kind.RESTART, early=True)
    assert all(life.struck == 1 for life in found)
    assert max(overstays(found)) > AWAY


def test_what_is_given_back_is_over_long_before_its_deadline() -> None:
    lives = ended(IamPolicies, Kind.CALM, early=True)
    assert ZERO < max(overstays(lives)) < LASTS - EARLY


def test_a_throttled_cloud_is_called_more_often() -> None:
    calm, throttled = (
        sum(life.calls.total() for life in ended(IamGroups, kind))
        for kind in (Kind.CALM, Kind.THROTTLED)
    )
    assert throttled > calm


def test_a_sweep_that_comes_late_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """With each sweep two minutes late: had that no effect, nothing would be measured."""
    sweep = Process.sweep

    def late(self: Process) -> tuple[tuple[str, str], ...]:
        self.clock.clock.forward(timedelta(minutes=2))
        return sweep(self)

    monkeypatch.setattr(Process, "sweep", late)
    assert max(overstays(ended(IamGroups, Kind.CALM))) >= timedelta(minutes=2)


def test_access_that_never_ends_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "sweep", lambda _: ())
    monkeypatch.setattr(lives, "GIVES_UP", timedelta(minutes=1))
    with pytest.raises(AssertionError):
        ended(IamGroups, Kind.CALM)


def test_all_is_told_of_a_few_lives_and_no_limit_is_exceeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulated, "MECHANISMS", (StsSessions, IamGroups))
    monkeypatch.setattr(weather, "THROTTLED", 0.5)  # of so few lives each is to be struck
    for measure in (simulated.overstay, simulated.access, simulated.calls):
        items = list(measure(Path(), lambda _: None, lives=4))
        charts = [each for each in items if isinstance(each, Chart)]
        assert charts
        assert all(figure.holds for figure in items if isinstance(figure, Figure))
        for chart in charts:
            assert chart.labels == (StsSessions.name, IamGroups.name)


def test_a_weather_that_never_strikes_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "MECHANISMS", (IamGroups,))
    monkeypatch.setattr(weather, "THROTTLED", 0.0)
    with pytest.raises(AssertionError, match="no throttled ever struck"):
        list(simulated.access(Path(), lambda _: None, lives=1))
