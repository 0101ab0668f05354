"""Somebody's sign-in at an API, as their settings have it: with OpenID Connect, or with AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from jitcloud.errors import Refused
from jitcloud.model import Digest, Presented
from jitcloud.remote.calls import Sign
from jitcloud.signing_in.client_settings import ApiSettings
from jitcloud.signing_in.opening import oidc_session
from jitcloud.signing_in.session import OidcSession

if TYPE_CHECKING:
    from jitcloud.cli.program import Program


@dataclass
class SignIn:
    """What an API is shown of who speaks."""

    settings: ApiSettings
    program: Program = field(repr=False)

    @cached_property
    def session(self) -> OidcSession | None:
        """The session with an issuer; None of whoever signs in with AWS."""
        if self.settings.sign_in != "oidc":
            return None
        program = self.program
        return oidc_session(self.settings, program.environment, program.keyring(), program.clock)

    def presented(self) -> Presented:
        """Return what the API is shown. Raises as ``OidcSession.presented`` does."""
        if self.session is not None:
            return self.session.presented()
        from jitcloud.adapters import caller_identity_of  # noqa: PLC0415 - it finds an SDK

        return caller_identity_of(self.settings, self.program.clock())

    def signing(self) -> Sign | None:
        """Return what signs calls for API Gateway, where it asks for that."""
        region = self.settings.gateway_region
        if region is None:
            return None

        def sign(
            method: str, url: str, headers: Mapping[str, str], body: bytes | None
        ) -> Mapping[str, str]:
            from jitcloud.adapters import signed_for_gateway  # noqa: PLC0415 - it finds an SDK

            now = self.program.clock()
            return signed_for_gateway(self.settings, method, url, headers, body, now)

        return sign

    def bound(self, digest: Digest) -> Presented:
        """Have somebody sign in for one vote alone. Raises as ``OidcSession.bound`` does."""
        if self.session is None:
            raise Refused(
                "This yes counts only with a sign-in for this very vote, and AWS has none; sign in"
                " with an issuer to say it."
            )
        return self.session.bound(digest, self.program.open_page)
