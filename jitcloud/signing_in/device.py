"""Signing in on another device: a code is shown here, and entered there (RFC 8628)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud.errors import Invalid, Misconfigured, Refused, Unauthenticated, Unavailable
from jitcloud.ports import Clock
from jitcloud.signing_in.endpoint import Endpoint
from jitcloud.signing_in.id_token import Expected
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.token_endpoint import (
    Client,
    OAuthError,
    Tokens,
    handed_out,
    refused,
    request,
)

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_USER_CODE = re.compile(r"[A-Za-z0-9 -]{1,40}")
_SECRET = re.compile(r"[ -~]{1,4096}")

_INTERVAL = 5
"""Seconds between two questions, unless the issuer says something else (3.2)."""
_SLOWER = 5
"""Seconds that ``slow_down`` adds (3.5)."""
_SLOWEST = 60
"""Seconds to which the pause grows while the issuer does not answer."""
_PATIENCE = timedelta(minutes=30)
"""However long the issuer would wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a person has to be shown."""

    user_code: str
    verification_uri: str
    """Where the code is entered."""
    verification_uri_complete: str | None
    """The same with the code in it, where there is one: for a link, or a QR code."""
    ends: datetime
    device_code: str = field(repr=False)
    interval: int


def begin(provider: Provider, client: Client, now: datetime) -> DeviceCode:
    """Ask for a code. Raises ``Misconfigured`` and ``Unavailable``."""
    if provider.device_authorization_endpoint is None:
        raise Misconfigured(
            f"{provider.at} lets nobody sign in by a code on another device; sign in by a browser"
            " on this machine."
        )
    form = {"client_id": client.client_id, "scope": " ".join(client.scopes)}
    try:
        said = request(provider.device_authorization_endpoint, form)
    except OAuthError as exc:
        raise refused(provider, exc.code) from None
    match said:
        case {
            "device_code": str(device_code),
            "user_code": str(user_code),
            "verification_uri": str(uri),
            "expires_in": int(seconds),
        } if _SECRET.fullmatch(device_code) and _USER_CODE.fullmatch(user_code) and seconds > 0:
            lasts = min(timedelta(seconds=min(seconds, 86400)), _PATIENCE)
            complete = said.get("verification_uri_complete")
            return DeviceCode(
                user_code=user_code,
                verification_uri=_to_open(provider, uri),
                verification_uri_complete=_to_open(provider, complete)
                if isinstance(complete, str)
                else None,
                ends=now + lasts,
                device_code=device_code,
                interval=_interval(said.get("interval")),
            )
        case _:
            raise Misconfigured(
                f"{provider.at} gave no code that could be entered on another device; sign in by a"
                " browser on this machine."
            )


def finish(
    provider: Provider,
    client: Client,
    code: DeviceCode,
    *,
    clock: Clock,
    wait: Callable[[float], None],
) -> Tokens:
    """Ask until somebody has answered there; ``wait`` lets as many seconds pass.

    Raises ``Refused`` when they say no, ``Unauthenticated`` when the code runs out, and
    ``Unavailable`` when the issuer does not answer any more.
    """
    form = {
        "grant_type": _GRANT,
        "device_code": code.device_code,
        "client_id": client.client_id,
    }
    interval = code.interval
    silent: Unavailable | None = None
    while (left := (code.ends - clock()).total_seconds()) > 0:
        wait(min(interval, left))
        try:
            said = request(provider.token_endpoint, form)
        except Unavailable as exc:
            silent = exc
            interval = max(interval, min(2 * interval, _SLOWEST))  # 3.5: back off
        except OAuthError as exc:
            silent = None
            interval = _next(provider, exc, interval)
        else:
            expected = Expected(issuer=provider.issuer, client_id=client.client_id, at=provider.at)
            return handed_out(said, expected, clock())
    if silent is not None:
        raise silent
    raise _run_out()


def _next(provider: Provider, error: OAuthError, interval: int) -> int:
    """Return how long to wait now, or raise: what the issuer said is final (3.5)."""
    match error.code:
        case "authorization_pending":
            return interval
        case "slow_down":
            return interval + _SLOWER
        case "access_denied":
            raise Refused(
                "Somebody said no to this sign-in on the other device; if it was not you, begin"
                " again and compare the codes."
            )
        case "expired_token":
            raise _run_out()
        case _:
            raise refused(provider, error.code)


def _run_out() -> Unauthenticated:
    return Unauthenticated("Nobody entered the code in time; sign in again with jitcloud login.")


def _interval(said: object) -> int:
    if isinstance(said, int) and not isinstance(said, bool) and said > 0:
        return min(said, int(_PATIENCE.total_seconds()))
    return _INTERVAL


def _to_open(provider: Provider, uri: str) -> str:
    try:
        return Endpoint.parse(uri).url
    except Invalid as exc:
        raise Misconfigured(
            f"{provider.at} names a page to open that cannot be used: {exc}."
        ) from None
