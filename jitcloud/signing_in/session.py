"""Somebody's sign-in at one deployment: made, kept, renewed, shown to the API, and ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jitcloud.errors import JitError, Misconfigured, Unauthenticated, Unavailable
from jitcloud.model import Digest, Presented
from jitcloud.ports import Clock
from jitcloud.signing_in import browser, device, token_endpoint
from jitcloud.signing_in.id_token import LONGEST, Expected, IdToken, expiry
from jitcloud.signing_in.kept_tokens import VARIABLE, KeptTokens
from jitcloud.signing_in.one_at_a_time import alone
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.token_endpoint import Client, Tokens

RENEW = timedelta(minutes=1)
"""A token with less left is renewed before it is shown."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, 2.1


@dataclass(slots=True)
class OidcSession:
    """Signs in with OpenID Connect. Tokens are in the keyring and in this process alone.

    Not for several threads at once; several processes do not disturb one another.
    """

    client: Client
    kept: KeptTokens
    clock: Clock
    locks: Path
    """A folder for ``one_at_a_time``."""
    given: str = field(default="", repr=False)
    """What ``JITCLOUD_TOKEN`` says: it counts before anything else, and nothing renews it."""
    not_kept: str = field(default="", init=False)
    """Why what was signed in last is not kept; "" where it is."""
    _tokens: Tokens | None = field(default=None, init=False, repr=False)
    _provider: Provider | None = field(default=None, init=False, repr=False)

    # ── Signing in ───────────────────────────────────────────────────────────────────────────

    def sign_in_by_browser(self, open_page: Callable[[str], None]) -> IdToken:
        """Have somebody sign in on this machine. Raises as ``browser.sign_in`` does."""
        tokens = browser.sign_in(self._found(), self.client, open_page, clock=self.clock)
        return self._taken(tokens)

    def sign_in_by_code(
        self, show: Callable[[device.DeviceCode], None], wait: Callable[[float], None]
    ) -> IdToken:
        """Have somebody sign in on another device: ``show`` tells them where, and with what.

        Raises as ``device.begin`` and ``device.finish`` do.
        """
        provider = self._found()
        code = device.begin(provider, self.client, self.clock())
        show(code)
        tokens = device.finish(provider, self.client, code, clock=self.clock, wait=wait)
        return self._taken(tokens)

    def bound(self, digest: Digest, open_page: Callable[[str], None]) -> Presented:
        """Have somebody sign in anew for one thing alone, named by its digest; nothing is kept.

        Raises as ``browser.sign_in`` does, and ``Unauthenticated`` when it is somebody else than
        who is signed in here.
        """
        tokens = browser.sign_in(
            self._found(), self.client, open_page, clock=self.clock, bound_to=digest
        )
        known = None if self.given else self._known()
        if known is not None and known.id_token.subject != tokens.id_token.subject:
            raise Unauthenticated(
                "Somebody else signed in in the browser than who is signed in here; sign in there"
                " as the same person, or here as the other."
            )
        return Presented(kind="oidc", text=tokens.id_token.text)

    # ── Showing it ───────────────────────────────────────────────────────────────────────────

    def presented(self) -> Presented:
        """Return what the API is shown; what has nearly expired is renewed first.

        Raises ``Unauthenticated`` when somebody has to sign in again, ``Misconfigured`` when the
        keyring does not open, and ``Unavailable`` while the issuer does not answer.
        """
        if self.given:
            return self._from_variable()
        tokens = self._known()
        if tokens is None:
            raise Unauthenticated(f"You are not signed in; use jitcloud login, or {VARIABLE}.")
        if not self._lasts(tokens):
            try:
                tokens = self._renewed(tokens)
            except (Unauthenticated, Unavailable):
                if tokens.id_token.expires_at <= self.clock():
                    raise
        return Presented(kind="oidc", text=tokens.id_token.text)

    def who(self) -> IdToken | None:
        """Return whoever is signed in here, be it that it has expired; None where nobody is.

        It is what the issuer told this machine: only the deployment says who somebody is.
        """
        known = None if self.given else self._known()
        return None if known is None else known.id_token

    # ── Ending it ────────────────────────────────────────────────────────────────────────────

    def sign_out(self) -> bool:
        """Forget the sign-in here, and return whether the issuer ended it as well.

        Raises ``Misconfigured`` when the keyring does not let go of it.
        """
        try:
            known = self._known()
            is_told = known is not None and token_endpoint.revoke(self._found(), self.client, known)
        except JitError:
            is_told = False
        self._tokens = None
        self.kept.forget()
        return is_told

    # ── How ──────────────────────────────────────────────────────────────────────────────────

    def _found(self) -> Provider:
        if self._provider is None:
            self._provider = Provider.discover(self.client.issuer)
        return self._provider

    def _lasts(self, tokens: Tokens) -> bool:
        return tokens.id_token.expires_at - self.clock() > RENEW

    def _taken(self, tokens: Tokens) -> IdToken:
        self._tokens, self.not_kept = tokens, ""
        try:
            self.kept.keep(tokens.id_token.text, tokens.refresh_token)
        except Misconfigured as exc:
            self.not_kept = str(exc)
        return tokens.id_token

    def _known(self) -> Tokens | None:
        if self._tokens is None:
            self._tokens = self._from_keyring()
        return self._tokens

    def _from_keyring(self) -> Tokens | None:
        found = self.kept.take()
        if found is None:
            return None
        text, refresh_token = found
        issuer, client_id = self.client.issuer, self.client.client_id
        try:
            id_token = Expected(issuer=issuer, client_id=client_id, at=issuer).reread(text)
        except JitError:  # somebody else put it there
            return None
        return Tokens(id_token=id_token, refresh_token=refresh_token)

    def _renewed(self, tokens: Tokens) -> Tokens:
        with alone(self.locks, self.kept.name):
            # Another process may have been faster; its refresh token is then the one that counts.
            newest = self._from_keyring() or tokens
            if not self._lasts(newest):
                newest = self._exchanged(newest)
                self._taken(newest)
        self._tokens = newest
        return newest

    def _exchanged(self, tokens: Tokens) -> Tokens:
        try:
            return token_endpoint.renewed(self._found(), self.client, tokens, self.clock())
        except token_endpoint.Ended:
            self.kept.forget()  # it would be refused for ever
            raise

    def _from_variable(self) -> Presented:
        text = self.given.strip()
        if len(text) > LONGEST or _TOKEN.fullmatch(text) is None:
            raise Unauthenticated(
                f"What is in {VARIABLE} is no token; put one ID token there, and nothing else."
            )
        ends = expiry(text)
        if ends is not None and ends <= self.clock():
            raise Unauthenticated(f"The token in {VARIABLE} has expired; put a new one there.")
        return Presented(kind="oidc", text=text)
