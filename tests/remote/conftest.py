"""What the tests of commands that talk to an API share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.remote_world import RemoteWorld, world_in


@pytest.fixture
def world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RemoteWorld]:
    """A deployment that is served, its issuer, and people."""
    made = world_in(tmp_path, capsys, monkeypatch)
    try:
        with made.served():
            yield made
    finally:
        made.browser.close()
        made.issuer.stop()
