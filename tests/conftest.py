"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A small organisation over memory."""
    return World(tmp_path)
