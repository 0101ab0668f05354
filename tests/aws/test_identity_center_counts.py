"""How much of what AWS allows is used: counted, not timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.center_world import Reach, reaching
from tests.aws.identity_center_counts import a_comparison, calls_of_a_life


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with reaching() as running:
        yield running


@pytest.mark.parametrize("others", [0, 500, pytest.param(50_000, marks=pytest.mark.long)])
def test_a_life_takes_ten_calls_among_however_many_others(
    reach: Reach, tmp_path: Path, others: int
) -> None:
    assert calls_of_a_life(reach, tmp_path, others) == 10


def test_a_comparison_reads_each_page_once(reach: Reach, tmp_path: Path) -> None:
    found = a_comparison(reach, tmp_path, 1_000)
    assert found.compared.is_finished
    assert found.compared.tally.leaked == 1_000
    assert found.pages == 10
    assert found.calls == found.pages
