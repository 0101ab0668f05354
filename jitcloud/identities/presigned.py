"""A presigned ``sts:GetCallerIdentity``: read strictly, and written anew before it is sent. Pure.

Its signature (Signature Version 4, in the query) binds the method, the host, the path, each query
parameter and each header that it names, with their values, for as long as the parameters say:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

So it proves to whoever sends it on that the holder of the credentials has made it, for the header
``x-jitcloud-audience`` that we send with it, and allows nothing but this one call. It is worth
something only to whoever reads the answer: to us, if the audience is ours.

What others got wrong with it, and why this reads so narrowly: a caller who chooses host, headers
or action has another service answer with words of his own (CVE-2020-16250, Vault), and a
parameter that stands there twice is read one way here and another there (CVE-2022-2385,
aws-iam-authenticator). Nothing that is sent is text of the caller's: it is put together anew.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from jitcloud.errors import Unauthenticated

HEADER = "x-jitcloud-audience"
"""The header in which a caller signs for whom it is meant."""

LARGEST = 8 * 1024
"""How long a URL may be, in bytes: the session token in it has no length that AWS promises."""

LONGEST = timedelta(minutes=15)
"""What ``X-Amz-Expires`` may say at most."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
# Everything percent-encoded that may be (RFC 3986, 2.3), as SDKs write it: no plus, no fragment.
_URL = re.compile(r"(?P<at>https?://[a-z0-9.\[\]:-]{1,255})/\?(?P<query>[A-Za-z0-9._~%&=-]+)")
_REGION = r"[a-z0-9-]{1,32}"

_VALUES: Mapping[str, re.Pattern[str]] = {
    "Action": re.compile("GetCallerIdentity"),
    "Version": re.compile("2011-06-15"),
    "X-Amz-Algorithm": re.compile("AWS4-HMAC-SHA256"),
    "X-Amz-Credential": re.compile(
        rf"(?P<key>[A-Z0-9]{{12,128}})/(?P<day>[0-9]{{8}})/(?P<region>{_REGION})/sts/aws4_request"
    ),
    "X-Amz-Date": re.compile(r"[0-9]{8}T[0-9]{6}Z"),
    "X-Amz-Expires": re.compile(r"[1-9][0-9]{0,2}"),
    "X-Amz-SignedHeaders": re.compile(f"host;{HEADER}"),
    "X-Amz-Security-Token": re.compile(r"[!-~]+"),
    "X-Amz-Signature": re.compile(r"[0-9a-f]{64}"),
}
_OPTIONAL = frozenset({"X-Amz-Security-Token"})

_NOT_ONE = (
    "The AWS identity is no presigned GetCallerIdentity as jitcloud makes them; sign in again with"
    " `jitcloud login`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedCall:
    """What a caller has signed, taken apart."""

    at: str
    """Scheme and host, as the caller wrote them: nothing is sent there that is not allowed."""
    region: str
    """For whose STS it was signed."""
    access_key_id: str
    signed_at: datetime
    expires_at: datetime
    target: str = field(repr=False)
    """Path and query, in the one spelling that is sent."""


def parse(text: str) -> PresignedCall:
    """Read base64url (RFC 4648, 5; without padding) of a URL. Raises ``Unauthenticated``."""
    url = _decoded(text)
    found = _URL.fullmatch(url)
    if found is None:
        raise Unauthenticated(_NOT_ONE)
    values = _values(found["query"])
    credential = _VALUES["X-Amz-Credential"].fullmatch(values["X-Amz-Credential"])
    assert credential is not None  # noqa: S101 - it has been looked at
    signed_at = _instant(values["X-Amz-Date"])
    lasts = timedelta(seconds=int(values["X-Amz-Expires"]))
    if credential["day"] != values["X-Amz-Date"][:8] or lasts > LONGEST:
        raise Unauthenticated(_NOT_ONE)
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    return PresignedCall(
        at=found["at"],
        region=credential["region"],
        access_key_id=credential["key"],
        signed_at=signed_at,
        expires_at=signed_at + lasts,
        target=f"/?{query}",
    )


def _decoded(text: str) -> str:
    if len(text) > LARGEST * 4 // 3 + 1:
        raise Unauthenticated(
            f"The AWS identity is longer than the {LARGEST} bytes that one may have; sign in with"
            " credentials that carry fewer session tags."
        )
    try:
        if _BASE64URL.fullmatch(text) is None:
            raise Unauthenticated(_NOT_ONE)
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        url = raw.decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated(_NOT_ONE) from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise Unauthenticated(_NOT_ONE)  # another spelling of the same would be another secret
    return url


def _values(query: str) -> dict[str, str]:
    """Take a query apart: exactly the parameters that belong there, each once."""
    values: dict[str, str] = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        try:
            plain = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise Unauthenticated(_NOT_ONE) from None
        pattern = _VALUES.get(name)
        if not equals or name in values or pattern is None or pattern.fullmatch(plain) is None:
            raise Unauthenticated(_NOT_ONE)
        values[name] = plain
    if _VALUES.keys() - values.keys() - _OPTIONAL:
        raise Unauthenticated(_NOT_ONE)
    return values


def _instant(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Unauthenticated(_NOT_ONE) from None
