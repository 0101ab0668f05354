"""Tokens that nobody may believe, each wrong in one way (RFC 8725 says how they are told apart)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from jitcloud.emulators.oidc.keys import SigningKey
from jitcloud.emulators.oidc.state import Issuer


def unsigned(issuer: Issuer, sub: str, /, *, alg: str = "none", **claims: object) -> str:
    """With ``alg`` "none", in any spelling, and no signature (RFC 8725, 2.1)."""
    return _joined({"alg": alg, "typ": "JWT"}, issuer.claims(sub, **claims)) + "."


def hmac_with_public_key(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """HS256, with the public key taken for a shared secret (RFC 8725, 2.1)."""
    header = {"alg": "HS256", "typ": "JWT", "kid": issuer.key.id}
    text = _joined(header, issuer.claims(sub, **claims))
    mac = hmac.digest(issuer.key.public_pem(), text.encode(), hashlib.sha256)
    return f"{text}.{_base64url(mac)}"


def expired(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed well, and over since an hour."""
    now = issuer.claims(sub)["iat"]
    assert isinstance(now, int)  # noqa: S101 - our own
    at = datetime.fromtimestamp(now, UTC)
    times = {"iat": at - timedelta(hours=2), "auth_time": at - timedelta(hours=2)}
    return issuer.token(sub, **{**times, "exp": at - timedelta(hours=1), **claims})


def for_another_audience(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed well, for another client of the same issuer."""
    return issuer.token(sub, **{"aud": "another-client", **claims})


def of_another_issuer(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed well, and said to be another issuer's."""
    return issuer.token(sub, **{"iss": "https://issuer.example.net", **claims})


def with_unknown_key(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed with a key that was never published."""
    key = SigningKey.make(issuer.key.algorithm)
    return key.signed(issuer.claims(sub, **claims))


def with_borrowed_id(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed with a key that was never published, under the id of one that is."""
    key = SigningKey.make(issuer.key.algorithm)
    return key.signed(issuer.claims(sub, **claims), kid=issuer.key.id)


def with_key_inside(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed with a key that the token brings along in its own header (RFC 8725, 3.10)."""
    key = SigningKey.make(issuer.key.algorithm)
    return key.signed(issuer.claims(sub, **claims), jwk=key.public())


def altered(issuer: Issuer, sub: str, /, **claims: object) -> str:
    """Signed well, and then given another subject."""
    header, _, signature = issuer.token(sub, **claims).split(".")
    body = _base64url(json.dumps({**issuer.claims(sub, **claims), "sub": "mallory"}).encode())
    return f"{header}.{body}.{signature}"


EVERY: Mapping[str, Callable[[Issuer, str], str]] = {
    "unsigned": unsigned,
    "HS256 with the public key": hmac_with_public_key,
    "expired": expired,
    "another audience": for_another_audience,
    "another issuer": of_another_issuer,
    "unknown key": with_unknown_key,
    "borrowed key id": with_borrowed_id,
    "key inside": with_key_inside,
    "altered": altered,
}
"""All of them, by what is wrong."""


def _joined(header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    return ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
