"""A session whose credentials are fetched when first needed, and anew before they expire."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import boto3
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from jitcloud.providers.aws.sdk_data import boto3_session

Fetch = Callable[[], Mapping[str, str]]
"""Returns ``access_key``, ``secret_key``, ``token`` and ``expiry_time``."""


class _Provider(CredentialProvider):
    METHOD = "jitcloud-account-role"

    def __init__(self, fetch: Fetch) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(refresh_using=self._fetch, method=self.METHOD)


def session_with(fetch: Fetch) -> boto3.Session:
    """A session that has these credentials and looks for no others."""
    session = Session()
    session.register_component("credential_provider", CredentialResolver([_Provider(fetch)]))
    return boto3_session(session)
