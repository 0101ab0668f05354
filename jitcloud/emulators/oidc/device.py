"""The device flow, from the issuer's side (RFC 8628)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud.emulators.oidc.refusal import Refusal
from jitcloud.emulators.oidc.sign_in import SignIn

GRANT = "urn:ietf:params:oauth:grant-type:device_code"

_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels and digits, as RFC 8628, 6.1 has it."""
_SLOWER = timedelta(seconds=5)
_MOST = 1000


@dataclass(slots=True)
class _Asked:
    code: str
    scope: frozenset[str]
    ends: datetime
    interval: timedelta
    polled: datetime | None = None
    answer: SignIn | None = None
    is_denied: bool = False


class Devices:
    """What devices have asked for. Not thread-safe: the issuer holds a lock."""

    def __init__(self, interval: timedelta, lifetime: timedelta) -> None:
        """Let each be polled once an interval, until its lifetime is over."""
        self._interval = interval
        self._lifetime = lifetime
        self._asked: dict[str, _Asked] = {}

    def ask(self, scope: frozenset[str], now: datetime, url: str) -> dict[str, object]:
        """Begin one: what the device is told (3.2). ``url`` is where a person enters the code."""
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        code = secrets.token_urlsafe(32)
        while len(self._asked) >= _MOST:
            del self._asked[next(iter(self._asked))]
        self._asked[user_code] = _Asked(code, scope, now + self._lifetime, self._interval)
        return {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": url,
            "verification_uri_complete": f"{url}?user_code={user_code}",
            "expires_in": int(self._lifetime.total_seconds()),
            "interval": int(self._interval.total_seconds()),
        }

    def waiting(self) -> list[str]:
        """The user codes that nobody has answered, the oldest first."""
        return [c for c, a in self._asked.items() if a.answer is None and not a.is_denied]

    def answer(self, user_code: str, sign_in: SignIn | None) -> None:
        """Approve, or deny with None. Raises ``KeyError`` for a code that nobody was given."""
        asked = self._asked[user_code.strip().upper()]
        asked.answer, asked.is_denied = sign_in, sign_in is None

    def polled(self, code: str, now: datetime) -> tuple[SignIn, frozenset[str]]:
        """Answer the device (3.4). Raises ``Refusal`` until there is a yes."""
        found = next((c for c, a in self._asked.items() if a.code == code), None)
        if found is None:
            raise Refusal("invalid_grant", "There is no such device code.")
        asked = self._asked[found]
        if now >= asked.ends:
            raise Refusal("expired_token", "The device code has expired.")
        last, asked.polled = asked.polled, now
        if last is not None and now - last < asked.interval:
            asked.interval += _SLOWER
            raise Refusal("slow_down", "That was too soon.")
        if asked.is_denied:
            raise Refusal("access_denied", "They said no.")
        if asked.answer is None:
            raise Refusal("authorization_pending", "Nobody has answered yet.")
        del self._asked[found]
        return asked.answer, asked.scope
