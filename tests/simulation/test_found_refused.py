"""What a seed has found: a removal on its way, and that it was told again and refused."""

from __future__ import annotations

from tests.simulation.shrink import tried
from tests.simulation.story import Masks


def test_who_comes_while_a_removal_is_on_its_way_is_not_let_in_by_what_it_takes() -> None:
    assert tried(1105, Masks(), real=False) is None
