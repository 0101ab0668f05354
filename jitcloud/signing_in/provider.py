"""What an issuer says of itself (OpenID Connect Discovery 1.0; RFC 8414)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from jitcloud.errors import Invalid, Misconfigured, Unavailable
from jitcloud.signing_in.asking import ask, members
from jitcloud.signing_in.endpoint import Endpoint

_WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An issuer, and where it answers."""

    issuer: str
    at: str
    """The host, as messages name it."""
    token_endpoint: Endpoint
    authorization_endpoint: Endpoint | None = None
    device_authorization_endpoint: Endpoint | None = None
    """RFC 8628, 4."""
    revocation_endpoint: Endpoint | None = None
    """RFC 7009."""
    names_itself: bool = False
    """Whether it sends a browser back with ``iss`` (RFC 9207, 3)."""

    @classmethod
    def discover(cls, issuer: str) -> Self:
        """Read what the issuer publishes.

        It has to name itself exactly as it was asked for (Discovery, 4.3), or another could pose
        as it; and no address in it may be less safe than its own. Raises ``Misconfigured``, and
        ``Unavailable`` while it does not answer.
        """
        try:
            # A slash at the end is taken off first (Discovery, 4.1).
            where = Endpoint.parse(f"{issuer.rstrip('/')}{_WELL_KNOWN}")
        except Invalid as exc:
            raise Misconfigured(f"The issuer cannot be asked: {exc}.") from None
        answer = ask(where)
        if answer.status >= 500:  # noqa: PLR2004 - RFC 9110, 15.6
            raise Unavailable(f"{where} is out of order ({answer.status}); try again later.")
        said = members(answer) if answer.status == 200 else None  # noqa: PLR2004 - RFC 9110, 15.3.1
        if said is None:
            raise Misconfigured(
                f"{where} is no issuer of OpenID Connect: asked for its configuration it answered"
                f" {answer.status}, or with no JSON object. Check the issuer's address."
            )
        return cls._read(issuer, where, said)

    @classmethod
    def _read(cls, issuer: str, where: Endpoint, said: dict[str, object]) -> Self:
        if said.get("issuer") != issuer:
            raise Misconfigured(
                f"{where} says that it is another issuer than the one it was asked as; write the"
                " issuer exactly as it names itself, to the last slash."
            )
        methods = said.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise Misconfigured(
                f"{where} does not protect sign-ins by PKCE with S256; use another issuer."
            )
        token_endpoint = _endpoint(said, "token_endpoint", where)
        if token_endpoint is None:
            raise Misconfigured(f"{where} names no token_endpoint; check the issuer's address.")
        return cls(
            issuer=issuer,
            at=str(where),
            token_endpoint=token_endpoint,
            authorization_endpoint=_endpoint(said, "authorization_endpoint", where),
            device_authorization_endpoint=_endpoint(said, "device_authorization_endpoint", where),
            revocation_endpoint=_endpoint(said, "revocation_endpoint", where),
            names_itself=said.get("authorization_response_iss_parameter_supported") is True,
        )


def _endpoint(said: dict[str, object], name: str, where: Endpoint) -> Endpoint | None:
    url = said.get(name)
    if url is None:
        return None
    try:
        found = Endpoint.parse(url if isinstance(url, str) else "")
    except Invalid as exc:
        raise Misconfigured(f"{where} names a {name} that cannot be used: {exc}.") from None
    if where.address.is_secure and not found.address.is_secure:
        # An issuer elsewhere has no business with what listens on this machine.
        raise Misconfigured(f"{where} names a {name} without TLS; use another issuer.")
    return found
