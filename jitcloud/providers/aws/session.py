"""A boto3 session that has a grant's access, and asks for more credentials as they run out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import boto3
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.session import Session

from jitcloud.model import Credentials
from jitcloud.providers.aws.sdk_data import boto3_session

RENEW = timedelta(minutes=1)
"""How long before a set runs out a new one is asked for.

botocore's own 10 to 15 minutes would ask anew at every call of a short grant.
"""


def refreshing_session(
    issue: Callable[[], Credentials], deadline: datetime, region: str | None
) -> boto3.Session:
    """Make a session from a first set; ``issue`` is called again shortly before it runs out.

    From the deadline on ``issue`` is asked, and what it raises is raised by the call that
    needed the credentials.
    """

    def fetch() -> dict[str, str]:
        made = issue()
        # The last set lasts to the deadline, and asking earlier would bring nothing more.
        renew_at = made.expires_at if made.expires_at >= deadline else made.expires_at - RENEW
        return {
            "access_key": made.access_key_id,
            "secret_key": made.secret_access_key,
            "token": made.session_token,
            "expiry_time": renew_at.isoformat(),
        }

    session = Session()
    session.register_component("credential_provider", CredentialResolver([_Granted(fetch)]))
    return boto3_session(session, region)


class _Granted(CredentialProvider):
    METHOD = "jitcloud"

    def __init__(self, fetch: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(
            metadata=self._fetch(),
            refresh_using=self._fetch,
            method=self.METHOD,
            advisory_timeout=0,
            mandatory_timeout=0,
        )
