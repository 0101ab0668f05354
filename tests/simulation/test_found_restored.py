"""What a seed has found: a restored record, and a create that it forgot."""

from __future__ import annotations

from tests.simulation.shrink import read_ranges, tried
from tests.simulation.story import Masks

FAULTS = (
    (64, 0), (69, 0), (77, 0), (92, 0), (92, 3), (92, 4), (108, 1), (108, 2), (108, 3), (160, 0)
)  # fmt: skip


def test_a_create_that_a_restored_record_does_not_know_is_found_once_it_has_landed() -> None:
    """It lands after the comparison that a restore waits for, and the next takes it for foreign."""
    masks = Masks(
        steps=read_ranges("0-40,42-63,65-76,78-81,83-91,94-103,105-107,110-160"),
        faults=frozenset(FAULTS),
        stages=frozenset({"aws.iam-group", "memory.assignment"}),
        people=frozenset({"ben"}),
    )
    assert tried(2680, masks, real=False) is None
