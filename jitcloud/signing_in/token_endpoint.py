"""What an issuer is asked to hand out, to continue, or to void (RFC 6749, 5; RFC 7009)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from jitcloud.errors import Misconfigured, Unauthenticated, Unavailable
from jitcloud.signing_in.asking import ask, members
from jitcloud.signing_in.endpoint import Endpoint
from jitcloud.signing_in.id_token import LONGEST, Expected, IdToken
from jitcloud.signing_in.provider import Provider

_TOKEN = re.compile(rf"[ -~]{{1,{LONGEST}}}")  # RFC 6749, A.17

_KNOWN = frozenset(
    {
        "access_denied",
        "authorization_pending",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "slow_down",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
"""RFC 6749, 4.1.2.1 and 5.2, and RFC 8628, 3.5.

No other word of an issuer's is shown: it could be a secret that it was sent.
"""


SCOPES = ("openid", "email", "offline_access")
"""What is asked for unless the settings say something else; the last lets a sign-in be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the issuer knows jitcloud on people's machines as: a public client (RFC 8252, 8.4)."""

    issuer: str
    client_id: str
    scopes: tuple[str, ...] = SCOPES
    redirect_port: int = 0
    """Where a browser is sent back to on this machine; 0 for any port (RFC 8252, 7.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What came of a sign-in."""

    id_token: IdToken
    refresh_token: str | None = field(default=None, repr=False)
    """None where the issuer gave none: then nothing follows when the other has expired."""


class OAuthError(Exception):
    """The issuer said no. Whoever asked makes a sentence of it."""

    def __init__(self, code: str) -> None:
        """``code`` is what ``code_of`` returns."""
        super().__init__(code)
        self.code = code


class Ended(Unauthenticated):
    """The issuer does not renew this sign-in any more."""


def request(endpoint: Endpoint, form: Mapping[str, str]) -> dict[str, object]:
    """Post a form and return the members of the answer.

    Raises ``OAuthError`` for a no, ``Unavailable`` while there is no answer, and
    ``Misconfigured`` for one that no issuer gives.
    """
    answer = ask(endpoint, form)
    if answer.status == 429 or answer.status >= 500:  # noqa: PLR2004 - RFC 6585, 4; RFC 9110, 15.6
        raise Unavailable(f"{endpoint} is out of order ({answer.status}); try again later.")
    said = members(answer)
    if said is None or answer.status not in {200, 400, 401, 403}:
        raise Misconfigured(
            f"{endpoint} answered {answer.status}, or with no JSON object, as no issuer of OpenID"
            " Connect does; check its address."
        )
    if answer.status != 200:  # noqa: PLR2004 - RFC 6749, 5.1
        raise OAuthError(code_of(said))
    return said


def handed_out(said: Mapping[str, object], expected: Expected, now: datetime) -> Tokens:
    """Check what the token endpoint gave. Raises as ``Expected.read`` does."""
    text, refresh, kind = (said.get(k) for k in ("id_token", "refresh_token", "token_type"))
    if not isinstance(text, str) or str(kind).lower() != "bearer":
        raise Misconfigured(
            f"{expected.at} gave no ID token; let the client ask for the scope openid."
        )
    return Tokens(
        id_token=expected.read(text, now),
        refresh_token=refresh
        if isinstance(refresh, str) and _TOKEN.fullmatch(refresh) is not None
        else None,
    )


def renewed(provider: Provider, client: Client, tokens: Tokens, now: datetime) -> Tokens:
    """Exchange a refresh token (RFC 6749, 6; Core, 12).

    Raises ``Unauthenticated`` when somebody has to sign in again; ``Ended`` where the issuer
    said so.
    """
    if tokens.refresh_token is None:
        raise Unauthenticated(
            "Your sign-in has expired, and the issuer gave nothing to renew it with; sign in again"
            " with jitcloud login."
        )
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
        "client_id": client.client_id,
    }
    try:
        said = request(provider.token_endpoint, form)
    except OAuthError as exc:
        if exc.code != "invalid_grant":
            raise refused(provider, exc.code) from None
        raise Ended(
            "Your sign-in has ended: the issuer does not renew it any more. Sign in again with"
            " jitcloud login."
        ) from None
    expected = Expected(
        issuer=provider.issuer,
        client_id=client.client_id,
        at=provider.at,
        subject=tokens.id_token.subject,
    )
    new = handed_out(said, expected, now)
    if new.refresh_token is not None:
        return new
    return Tokens(id_token=new.id_token, refresh_token=tokens.refresh_token)


def revoke(provider: Provider, client: Client, tokens: Tokens) -> bool:
    """Have the issuer void a sign-in; return whether it was told (RFC 7009)."""
    if provider.revocation_endpoint is None or tokens.refresh_token is None:
        return False
    form = {
        "token": tokens.refresh_token,
        "token_type_hint": "refresh_token",
        "client_id": client.client_id,
    }
    # The body of a yes may be anything, and mostly is empty (RFC 7009, 2.2).
    return ask(provider.revocation_endpoint, form).status in {200, 204}


def code_of(said: Mapping[str, object]) -> str:
    """The code of an error, if it is one that may be shown, else ``""``."""
    code = said.get("error")
    return code if isinstance(code, str) and code in _KNOWN else ""


def refused(provider: Provider, code: str) -> Misconfigured | Unavailable:
    """The sentence for a no that nobody at the keyboard can do anything about."""
    if code in {"server_error", "temporarily_unavailable"}:
        return Unavailable(f"{provider.at} is out of order ({code}); try again later.")
    said = code or "for no reason that OAuth knows"
    return Misconfigured(
        f"{provider.at} refuses this sign-in ({said}); check client_id and scopes, and what the"
        " client may do there."
    )
