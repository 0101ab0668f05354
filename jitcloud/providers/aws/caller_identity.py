"""Shows who somebody is to AWS without showing their credentials: a presigned GetCallerIdentity.

Whoever gets the URL can ask STS, once or often until it expires, whose it is, and nothing else.
It is bound to one deployment by a header that is signed along and that only that deployment
adds: what one deployment is shown, another cannot use.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore import exceptions as sdk
from botocore.auth import SIGV4_TIMESTAMP, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from jitcloud.errors import Misconfigured, Unauthenticated
from jitcloud.model import Presented
from jitcloud.text import printable

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

HEADER = "x-jitcloud-audience"
"""Its value is the name of the deployment."""

LASTS = timedelta(seconds=60)

LONGEST = 8 * 1024
"""Characters of what is shown."""

_QUERY = "Action=GetCallerIdentity&Version=2011-06-15"


def session(profile: str | None = None) -> Session:
    """The person's own AWS configuration. Reads no credentials yet. Raises ``Misconfigured``."""
    try:
        found = Session(profile=profile)
        found.get_scoped_config()
    except sdk.ProfileNotFound as exc:
        raise Misconfigured(f"{printable(str(exc))}; correct the profile.") from None
    return found


def presented(session: Session, audience: str, region: str | None, now: datetime) -> Presented:
    """Sign the question who this is, for the deployment of this name and for one minute.

    ``region`` is that of the STS that is asked; with None it is the configuration's. Calls
    nothing, unless the credentials themselves have to be fetched. Raises ``Unauthenticated``
    where there are none, and ``Misconfigured``.
    """
    region = region or session.get_config_variable("region")
    if not region:
        raise Misconfigured(
            "No AWS region is named; write region in client.toml, or set AWS_REGION."
        )
    try:
        endpoint = _endpoint(session, region)
    except sdk.BotoCoreError as exc:
        raise _not_had(exc) from None
    frozen = credentials_of(session)
    request = AWSRequest("GET", f"{endpoint}/?{_QUERY}", headers={HEADER: audience})
    _Presigning(frozen, region, now).add_auth(request)
    text = base64.urlsafe_b64encode(str(request.url).encode()).rstrip(b"=").decode()
    if len(text) > LONGEST:
        raise Misconfigured(
            "The AWS session's token is too long for a header; use a role session with fewer tags."
        )
    return Presented(kind="aws", text=text)


def credentials_of(session: Session) -> ReadOnlyCredentials:
    """The person's own credentials. Raises ``Unauthenticated`` where there are none."""
    try:
        credentials = session.get_credentials()
        frozen = None if credentials is None else credentials.get_frozen_credentials()
    except sdk.BotoCoreError as exc:
        raise _not_had(exc) from None
    if frozen is None:
        raise Unauthenticated(
            "There are no AWS credentials here; sign in to AWS, such as with aws sso login, or name"
            " a profile."
        )
    return frozen


def _not_had(exc: sdk.BotoCoreError) -> Unauthenticated:
    return Unauthenticated(
        f"AWS credentials cannot be had ({printable(str(exc)).rstrip('.')}); sign in to AWS"
        " again, such as with aws sso login."
    )


def _endpoint(session: Session, region: str) -> str:
    """The regional STS, or where the SDK is told that an emulator of it answers."""
    session.set_config_variable("sts_regional_endpoints", "regional")
    client = session.create_client(
        "sts",
        region_name=region,
        # It signs nothing: only its address is asked for.
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - as it says
    )
    try:
        return str(client.meta.endpoint_url).rstrip("/")
    finally:
        client.close()


class _Presigning(SigV4QueryAuth):
    """The SDK's own, but for the time, which is handed in, and the log, which stays empty."""

    def __init__(
        self, credentials: Credentials | ReadOnlyCredentials, region: str, now: datetime
    ) -> None:
        super().__init__(credentials, "sts", region, expires=int(LASTS.total_seconds()))
        self._now = now.astimezone(UTC)

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._now.strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)  # type: ignore[attr-defined] # the stubs lack it
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)  # type: ignore[attr-defined] # the same
