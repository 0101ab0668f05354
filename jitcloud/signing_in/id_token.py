"""ID tokens, as whoever asked for one has to check them (OpenID Connect Core 1.0, 3.1.3.7).

The signature is not checked here: the token comes straight from the issuer over TLS (3.1.3.7,
point 6), and nothing is granted on what is read here. The deployment checks it, and it alone
decides who somebody is.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from jitcloud.errors import Misconfigured, Unauthenticated

LONGEST = 8 * 1024
"""Characters. API Gateway takes 10,240 bytes for all headers of a request together:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""

LEEWAY = timedelta(minutes=1)
"""How far the issuer's clock and ours may be apart."""

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SUBJECT = 255
"""Characters of a subject at most (Core, 2)."""
_LAST = 253402300799
"""Seconds until the end of the year 9999."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """One that was checked. Foreign text, all of it: show it with ``quoted`` or ``printable``."""

    text: str = field(repr=False)
    subject: str
    email: str | None
    expires_at: datetime
    signed_in_at: datetime | None
    """``auth_time``; None where the issuer does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token has to be."""

    issuer: str
    client_id: str
    at: str
    """The issuer's host, as messages name it."""
    nonce: str | None = None
    """What it was asked with; None where it was with none."""
    signed_in_since: datetime | None = None
    """When whoever signs in had to do so anew, if they had to."""
    subject: str | None = None
    """Whose token it renews, if it does (Core, 12.2)."""

    def read(self, text: str, now: datetime) -> IdToken:
        """Check a token that has just come.

        Raises ``Unauthenticated``, and ``Misconfigured`` where trying again would bring the same;
        never with anything of the token.
        """
        claims = self._claims(text)
        token = self._made(text, claims)
        if token.expires_at <= now - LEEWAY:
            raise Unauthenticated(
                f"{self.at} gave a token that has expired already; check this machine's clock, and"
                " sign in again."
            )
        issued_at = _instant(claims.get("iat"))
        if issued_at is None or issued_at > now + LEEWAY:
            raise Unauthenticated(
                f"{self.at} gave a token of a time that is still to come; check this machine's"
                " clock, and sign in again."
            )
        if claims.get("nonce") != self.nonce and not self._renews:
            raise Unauthenticated(
                f"{self.at} gave a token for another sign-in than this one (its nonce differs);"
                " sign in again."
            )
        self._check_fresh(token)
        return token

    def reread(self, text: str) -> IdToken:
        """Read one that was checked before and kept; it may have expired since. Raises as above."""
        return self._made(text, self._claims(text))

    def _made(self, text: str, claims: Mapping[str, object]) -> IdToken:
        self._check_whose(claims)
        subject, email = claims.get("sub"), claims.get("email")
        expires_at = _instant(claims.get("exp"))
        if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT or expires_at is None:
            raise Misconfigured(
                f"{self.at} gave a token that names nobody, or no end; check the client there."
            )
        if self.subject not in {None, subject}:
            raise Unauthenticated(f"{self.at} gave somebody else's token; sign in again.")
        return IdToken(
            text=text,
            subject=subject,
            email=email if isinstance(email, str) else None,
            expires_at=expires_at,
            signed_in_at=_instant(claims.get("auth_time")),
        )

    def _claims(self, text: str) -> Mapping[str, object]:
        if len(text) > LONGEST:
            raise Misconfigured(
                f"{self.at} gave a token of more than {LONGEST} characters, which is too long for"
                " a header; ask for fewer scopes, or have it name fewer groups."
            )
        header, claims = _parts(text)
        if header is None or claims is None:
            raise Misconfigured(
                f"{self.at} gave something else than an ID token; check the client there."
            )
        if str(header.get("alg", "none")).lower() == "none":
            raise Misconfigured(
                f"{self.at} gave a token that it has not signed; have the client's tokens signed"
                " with RS256 or ES256."
            )
        return claims

    def _check_whose(self, claims: Mapping[str, object]) -> None:
        if claims.get("iss") != self.issuer:
            raise Misconfigured(
                f"{self.at} gave a token of another issuer; write the issuer exactly as its tokens"
                " name it."
            )
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        authorized = claims.get("azp", self.client_id if len(audiences) == 1 else None)
        if self.client_id not in audiences or authorized != self.client_id:
            raise Misconfigured(
                f"{self.at} gave a token for another client than ours; check client_id."
            )

    @property
    def _renews(self) -> bool:
        # What comes of a refresh token has no nonce, or the one of the first (Core, 12.2).
        return self.subject is not None

    def _check_fresh(self, token: IdToken) -> None:
        if self.signed_in_since is None:
            return
        if token.signed_in_at is None:
            raise Misconfigured(
                f"{self.at} does not say when somebody signed in; have the client's ID tokens carry"
                " auth_time."
            )
        if token.signed_in_at < self.signed_in_since - LEEWAY:
            raise Unauthenticated(
                f"{self.at} gave a token of an earlier sign-in, though a new one was asked for;"
                " sign out there, and sign in again."
            )


def expiry(text: str) -> datetime | None:
    """When a token expires, as it says itself; None where it does not, or is no JWT."""
    _, claims = _parts(text)
    return None if claims is None else _instant(claims.get("exp"))


def _parts(text: str) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    if _FORM.fullmatch(text) is None:
        return None, None
    header, claims, _ = text.split(".")
    return _object(header), _object(claims)


def _object(part: str) -> dict[str, object] | None:
    try:
        said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _instant(said: object) -> datetime | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= _LAST:
        return None
    return datetime.fromtimestamp(int(said), UTC)
