"""Puts a session together from what somebody's settings and environment say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jitcloud.ports import Clock
from jitcloud.signing_in.client_settings import ApiSettings
from jitcloud.signing_in.kept_tokens import VARIABLE, KeptTokens
from jitcloud.signing_in.one_at_a_time import folder
from jitcloud.signing_in.session import OidcSession

if TYPE_CHECKING:
    from jitcloud.system_keyring import Keyring


def oidc_session(
    settings: ApiSettings, environment: Mapping[str, str], keyring: Keyring | None, clock: Clock
) -> OidcSession:
    """The session of whoever runs this, where ``sign_in`` is ``oidc``. Asks nobody yet."""
    client = settings.client()
    return OidcSession(
        client=client,
        kept=KeptTokens(keyring, settings.url, client),
        clock=clock,
        locks=folder(environment),
        given=environment.get(VARIABLE, ""),
    )
