"""Signs a call to an API behind API Gateway, where that asks for AWS's own signature (``AWS_IAM``).

It lets the call in at the door, and says nothing to jitcloud: who speaks is said by the presigned
GetCallerIdentity that goes along (``caller_identity``), and is signed along.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from jitcloud.providers.aws.caller_identity import credentials_of

SERVICE = "execute-api"


def signed(  # noqa: PLR0913, PLR0917 - the parts of a call
    session: Session,
    region: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    now: datetime,
) -> dict[str, str]:
    """Return the headers that the signature of a call adds to it. Calls nothing.

    Raises ``Unauthenticated`` where there are no credentials.
    """
    request = AWSRequest(method, url, headers=dict(headers), data=body or b"")
    _Signing(session, region, now).add_auth(request)
    return {name: str(value) for name, value in request.headers.items() if name not in headers}


class _Signing(SigV4Auth):
    """The SDK's own, but for the time, which is handed in, and the log, which stays empty."""

    def __init__(self, session: Session, region: str, now: datetime) -> None:
        super().__init__(credentials_of(session), SERVICE, region)
        self._now = now.astimezone(UTC)

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._now.strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)  # type: ignore[attr-defined] # the stubs lack it
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)  # type: ignore[attr-defined] # the same
