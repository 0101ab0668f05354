"""One deployed fleet for each module: what it sets for the SDK must reach no other tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jitcloud.emulators.fleet import Fleet
from jitcloud.emulators.surroundings import apart


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """All of ``infra/template.yaml`` on an emulated AWS, with an issuer and people."""
    with apart(), Fleet(tmp_path_factory.mktemp("deployment")) as running:
        yield running
