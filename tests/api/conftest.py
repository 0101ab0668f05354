"""What tests of the API may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.api_world import ApiWorld


@pytest.fixture
def api(tmp_path: Path) -> ApiWorld:
    """A deployment behind the HTTP API, in one process."""
    return ApiWorld(tmp_path)
