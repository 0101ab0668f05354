"""One server and one set of clients for all tests; each has an Identity Center of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jitcloud.emulators.identity_center import IdentityCenter, IdentityCenterServer
from tests.emulators.identity_centers import Aws, SettableClock, clients


@pytest.fixture(scope="session")
def server() -> Iterator[IdentityCenterServer]:
    with IdentityCenterServer(IdentityCenter(SettableClock())) as server:
        yield server


@pytest.fixture(scope="session")
def over_http(server: IdentityCenterServer) -> dict[str, Any]:
    return clients(server.url)


@pytest.fixture
def aws(server: IdentityCenterServer, over_http: dict[str, Any]) -> Aws:
    return Aws(server, over_http)
