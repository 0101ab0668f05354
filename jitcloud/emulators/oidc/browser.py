"""The authorization code flow, from the issuer's side (RFC 6749, 4.1, with RFC 7636 and RFC 8252).

Whoever is at the browser has one session there. ``prompt`` and ``max_age`` say whether it is
good enough (OpenID Connect Core, 3.1.2.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from jitcloud.emulators.oidc.refusal import Refusal
from jitcloud.emulators.oidc.sign_in import SignIn

_LASTS = timedelta(minutes=1)
_MOST = 1000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Code:
    sign_in: SignIn
    scope: frozenset[str]
    redirect_uri: str
    challenge: str
    ends: datetime
    used: str | None = None
    """What came of it, once it was used."""


class Codes:
    """The codes that were handed out. Not thread-safe: the issuer holds a lock."""

    def __init__(self) -> None:
        self._codes: dict[str, _Code] = {}
        self._sessions: dict[str, datetime] = {}

    def give(self, sub: str, query: Mapping[str, str], now: datetime) -> str:
        """Sign somebody in at the browser, and make a code. Raises ``Refusal``."""
        if query.get("response_type") != "code":
            raise Refusal("unsupported_response_type", "Ask for a code.")
        scope = frozenset(query.get("scope", "").split())
        if "openid" not in scope:
            raise Refusal("invalid_scope", "The scope lacks openid.")
        if (
            query.get("code_challenge_method") != "S256"
            or _CHALLENGE.fullmatch(query.get("code_challenge", "")) is None
        ):
            raise Refusal("invalid_request", "A public client needs PKCE with S256.")
        if not sub:
            raise Refusal("access_denied", "They said no.")
        sign_in = SignIn(sub=sub, at=self._signed_in(sub, query, now), nonce=query.get("nonce"))
        while len(self._codes) >= _MOST:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(
            sign_in, scope, query["redirect_uri"], query["code_challenge"], now + _LASTS
        )
        return code

    def take(
        self, form: Mapping[str, str], family: str, now: datetime
    ) -> tuple[SignIn, frozenset[str]]:
        """Exchange a code, once. Raises ``Refusal``, and ``Replayed`` when it is shown again."""
        code = form.get("code", "")
        found = self._codes.get(code)
        if found is None or now >= found.ends:
            raise Refusal("invalid_grant", "There is no such code, or not any more.")
        if found.used is not None:
            raise Replayed(found.used)
        if form.get("redirect_uri") != found.redirect_uri:
            raise Refusal("invalid_grant", "The code was made for another redirect URI.")
        if not _proves(form.get("code_verifier", ""), found.challenge):
            raise Refusal("invalid_grant", "The code verifier does not match.")
        self._codes[code] = replace(found, used=family)
        return found.sign_in, found.scope

    def _signed_in(self, sub: str, query: Mapping[str, str], now: datetime) -> datetime:
        since = self._sessions.get(sub)
        prompt = query.get("prompt", "").split()
        if since is None and "none" in prompt:
            raise Refusal("login_required", "Nobody is signed in.")
        oldest = query.get("max_age", "")
        is_old = since is None or (
            _SECONDS.fullmatch(oldest) is not None
            and (int(oldest) == 0 or now - since > timedelta(seconds=int(oldest)))
        )
        if is_old or "login" in prompt or since is None:
            since = self._sessions[sub] = now
        return since


class Replayed(Refusal):
    """A code was used twice: whatever came of it is void (RFC 6749, 4.1.2)."""

    def __init__(self, family: str) -> None:
        super().__init__("invalid_grant", "The code was used before.")
        self.family = family


def is_loopback_redirect(uri: str) -> bool:
    """Whether a native app listens there: a loopback number, any port (RFC 8252, 7.3)."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "http"
        and parts.hostname in {"127.0.0.1", "::1"}
        and port is not None
        and not (parts.query or parts.fragment or parts.username)
    )


def _proves(verifier: str, challenge: str) -> bool:
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(found, challenge)
