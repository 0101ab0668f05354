"""Signing in in a browser on this machine: the authorization code flow of a native app.

RFC 6749, 4.1, with PKCE (RFC 7636, S256), a redirect to the loopback (RFC 8252) and the issuer's
name in the answer (RFC 9207). ``nonce`` ties the ID token to this one sign-in, or to what a vote
is about (OpenID Connect Core, 3.1.2.1).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from jitcloud.errors import Misconfigured, Refused, Unauthenticated
from jitcloud.ports import Clock
from jitcloud.signing_in.id_token import Expected
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.redirect import Redirect
from jitcloud.signing_in.token_endpoint import (
    Client,
    OAuthError,
    Tokens,
    code_of,
    handed_out,
    refused,
    request,
)

PATIENCE = timedelta(minutes=5)
"""How long somebody may take in the browser."""

_DENIED = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})


def sign_in(  # noqa: PLR0913 - all in which one sign-in differs from another
    provider: Provider,
    client: Client,
    open_page: Callable[[str], None],
    *,
    clock: Clock,
    bound_to: str | None = None,
    patience: timedelta = PATIENCE,
) -> Tokens:
    """Have somebody sign in; ``open_page`` gets the address that their browser has to go to.

    With ``bound_to``, a digest, they have to sign in anew, and the ID token carries it as its
    nonce: it is good for that one thing, and no refresh token is asked for.
    Raises ``Refused`` when they say no, ``Unauthenticated`` when nobody signs in in time or what
    comes back does not belong to this sign-in, ``Misconfigured`` and ``Unavailable``.
    """
    if provider.authorization_endpoint is None:
        raise Misconfigured(
            f"{provider.at} lets nobody sign in by a browser; sign in by a code on another device."
        )
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    nonce = bound_to or secrets.token_urlsafe(32)
    begun = clock()
    with Redirect(state, port=client.redirect_port) as redirect:
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": redirect.uri,
            "scope": " ".join(_scopes(client, bound_to)),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            **({} if bound_to is None else {"prompt": "login", "max_age": "0"}),
        }
        url = provider.authorization_endpoint.url
        open_page(f"{url}{'&' if '?' in url else '?'}{urlencode(query)}")
        answer = redirect.wait(patience)
    form = {
        "grant_type": "authorization_code",
        "code": _code(provider, answer),
        "redirect_uri": redirect.uri,
        "client_id": client.client_id,
        "code_verifier": verifier,
    }
    expected = Expected(
        issuer=provider.issuer,
        client_id=client.client_id,
        at=provider.at,
        nonce=nonce,
        signed_in_since=None if bound_to is None else begun,
    )
    return _exchanged(provider, form, expected, clock)


def _exchanged(
    provider: Provider, form: Mapping[str, str], expected: Expected, clock: Callable[[], datetime]
) -> Tokens:
    try:
        said = request(provider.token_endpoint, form)
    except OAuthError as exc:
        if exc.code != "invalid_grant":
            raise refused(provider, exc.code) from None
        raise Unauthenticated(
            f"{provider.at} does not know the answer that the browser brought, or not any more;"
            " sign in again."
        ) from None
    return handed_out(said, expected, clock())


def _code(provider: Provider, answer: Mapping[str, str]) -> str:
    """Return the code that an answer with our state brought, or raise."""
    named = answer.get("iss")
    if named != provider.issuer and (named is not None or provider.names_itself):
        # Another issuer's answer would hand its code to this one (RFC 9207, 2.4).
        raise Unauthenticated(
            f"The answer in the browser does not come from {provider.at}; sign in again, and if"
            " that lasts, tell whoever runs it."
        )
    if "error" in answer:
        if answer["error"] in _DENIED:
            raise Refused(
                f"{provider.at} did not sign you in: it was cancelled there, or you may not use"
                " jitcloud."
            )
        raise refused(provider, code_of(answer))
    if not answer.get("code"):
        raise Misconfigured(
            f"{provider.at} sent the browser back without a code; check the client there."
        )
    return answer["code"]


def _scopes(client: Client, bound_to: str | None) -> list[str]:
    return [s for s in client.scopes if bound_to is None or s != "offline_access"]


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()  # RFC 7636, 4.2
