"""What the tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jitcloud.emulators.oidc import OidcIssuer


@pytest.fixture(scope="session")
def issuer() -> Iterator[OidcIssuer]:
    """Where everybody signs in."""
    with OidcIssuer() as issuer:
        yield issuer


@pytest.fixture(autouse=True)
def _nobodys_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "of-nobody")
