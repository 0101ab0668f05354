"""What a seed has found: a restored record, and a create that it forgot."""

from __future__ import annotations

from tests.simulation.shrink import tried
from tests.simulation.story import Masks


def test_a_create_that_a_restored_record_does_not_know_is_found_once_it_has_landed() -> None:
    """It lands after the comparison that a restore waits for, and the next takes it for foreign."""
    assert tried(2680, Masks(), real=False) is None
