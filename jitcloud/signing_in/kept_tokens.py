"""Keeps a sign-in in the system's keyring, for one deployment and one issuer; never in a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitcloud.errors import Misconfigured
from jitcloud.signing_in.token_endpoint import Client

if TYPE_CHECKING:
    from jitcloud.system_keyring import Keyring

SERVICE = "jitcloud"

VARIABLE = "JITCLOUD_TOKEN"
"""Where a program, or whoever has no keyring, puts an ID token."""


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """What the keyring holds for one deployment; two deployments on one machine do not mix."""

    keyring: Keyring | None
    api: str
    """The URL of the deployment's API."""
    client: Client

    @property
    def name(self) -> str:
        """What the keyring has it under. Tells nobody where somebody signs in."""
        where = f"{self.api}\n{self.client.issuer}\n{self.client.client_id}"
        return f"sign-in@{hashlib.sha256(where.encode()).hexdigest()[:16]}"

    def take(self) -> tuple[str, str | None] | None:
        """Return the ID token and the refresh token that are kept, if any are.

        Raises ``Misconfigured`` when the keyring is there and does not open.
        """
        if self.keyring is None:
            return None
        try:
            text = self.keyring.get_password(SERVICE, self.name)
        except Exception as exc:  # noqa: BLE001 - backends raise what they like
            raise self._shut(exc) from None
        try:
            table = json.loads(text or "null")
            id_token, refresh_token = str(table["id_token"]), table["refresh_token"]
        except (ValueError, RecursionError, TypeError, KeyError):  # nothing, or not ours
            return None
        return id_token, refresh_token if isinstance(refresh_token, str) else None

    def keep(self, id_token: str, refresh_token: str | None) -> None:
        """Keep these in place of those before. Raises ``Misconfigured`` where that cannot be."""
        if self.keyring is None:
            raise Misconfigured(
                "This machine has no keyring that is safe to use, so this sign-in ends with this"
                f" program. Install one (Secret Service, KWallet), or put a token into {VARIABLE}."
            )
        text = json.dumps({"id_token": id_token, "refresh_token": refresh_token})
        try:
            self.keyring.set_password(SERVICE, self.name, text)
        except Exception as exc:  # noqa: BLE001 - backends raise what they like
            raise self._shut(exc) from None

    def forget(self) -> None:
        """Let go of what is kept, if anything is. Raises ``Misconfigured`` where it stays."""
        if self.keyring is None:
            return
        try:
            if self.keyring.get_password(SERVICE, self.name) is not None:
                self.keyring.delete_password(SERVICE, self.name)
        except Exception as exc:  # noqa: BLE001 - backends raise what they like
            raise self._shut(exc) from None

    @staticmethod
    def _shut(exc: Exception) -> Misconfigured:
        # Its own words are not told: backends raise what they like, tokens among it.
        return Misconfigured(
            f"This machine's keyring does not open ({type(exc).__name__}); unlock it and try again,"
            f" or put a token into {VARIABLE}."
        )
