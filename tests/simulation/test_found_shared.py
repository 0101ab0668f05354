"""What a seed has found: two share a role, and whose grant was longer is ended by a stale read."""

from __future__ import annotations

from tests.simulation.shrink import read_ranges, tried
from tests.simulation.story import Masks

FAULTS = (
    (8, 0), (8, 1), (22, 1), (22, 3), (22, 4), (22, 5), *((18, number) for number in range(12))
)  # fmt: skip


def test_the_longer_of_two_grants_of_a_role_does_not_end_by_a_read_of_the_past() -> None:
    masks = Masks(steps=read_ranges("0-4,7,9,15-17,19-21,23-24,26-159"), faults=frozenset(FAULTS))
    assert tried(300_502, masks) is None
