"""Refresh tokens: each is good once, and showing an old one voids them all (RFC 9700, 4.14.2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from jitcloud.emulators.oidc.refusal import Refusal
from jitcloud.emulators.oidc.sign_in import SignIn


@dataclass(frozen=True, slots=True)
class _Held:
    family: str
    sign_in: SignIn
    scope: frozenset[str]
    is_spent: bool = False


class RefreshTokens:
    """Those that were handed out. Not thread-safe: the issuer holds a lock."""

    def __init__(self) -> None:
        self.rotates = True
        """Whether each use hands out another."""
        self._held: dict[str, _Held] = {}

    def give(self, family: str, sign_in: SignIn, scope: frozenset[str]) -> str:
        """Make one; ``family`` is all that came of one sign-in."""
        token = secrets.token_urlsafe(32)
        self._held[token] = _Held(family, sign_in, scope)
        return token

    def take(self, token: str) -> tuple[str, SignIn, frozenset[str]]:
        """Use one. Raises ``Refusal``."""
        held = self._held.get(token)
        if held is None:
            raise Refusal("invalid_grant", "There is no such refresh token, or not any more.")
        if held.is_spent:
            self.revoke_family(held.family)
            raise Refusal("invalid_grant", "This refresh token was used before.")
        if self.rotates:
            self._held[token] = _Held(held.family, held.sign_in, held.scope, is_spent=True)
        return held.family, held.sign_in, held.scope

    def revoke(self, token: str) -> None:
        """Void it and what came of the same sign-in. Idempotent (RFC 7009, 2.2)."""
        held = self._held.get(token)
        if held is not None:
            self.revoke_family(held.family)

    def revoke_family(self, family: str) -> None:
        """Void all that came of one sign-in."""
        self._held = {t: h for t, h in self._held.items() if h.family != family}

    def revoke_all(self, sub: str) -> None:
        """Void all of one account."""
        self._held = {t: h for t, h in self._held.items() if h.sign_in.sub != sub}
