"""Which path does what: discovery, keys, the browser's pages, and what a client posts to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from jitcloud.emulators.oidc import pages
from jitcloud.emulators.oidc.browser import is_loopback_redirect
from jitcloud.emulators.oidc.device import GRANT
from jitcloud.emulators.oidc.faults import Reply, encoded
from jitcloud.emulators.oidc.refusal import Refusal
from jitcloud.emulators.oidc.state import Issuer

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/jwks"
AUTHORIZE = "/authorize"
TOKEN = "/token"  # noqa: S105 - a path
DEVICE_AUTHORIZATION = "/device_authorization"
DEVICE = "/device"
REVOKE = "/revoke"

_NO_STORE = {"Cache-Control": "no-store"}
_MOST_FIELDS = 50


def answered(issuer: Issuer, method: str, target: str, body: str) -> Reply:
    """Answer one request."""
    parts = urlsplit(target)
    try:
        sent = _fields(body if method == "POST" else parts.query)
        return _ROUTES.get((method, parts.path), _nothing)(issuer, sent)
    except Refusal as exc:
        return Reply(exc.status, encoded(exc.said()), _NO_STORE)


def discovery(issuer: Issuer) -> dict[str, object]:
    """The document of OpenID Connect Discovery, 3, with what RFC 8414, 8628 and 9207 add."""
    every: dict[str, object] = {
        "issuer": issuer.url,
        "authorization_endpoint": issuer.url + AUTHORIZE,
        "token_endpoint": issuer.url + TOKEN,
        "device_authorization_endpoint": issuer.url + DEVICE_AUTHORIZATION,
        "revocation_endpoint": issuer.url + REVOKE,
        "jwks_uri": issuer.url + JWKS,
        "scopes_supported": ["openid", "email", "groups", "offline_access"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", GRANT],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        **issuer.discovery_says,
    }
    return {name: said for name, said in every.items() if said is not None}


def _authorized(issuer: Issuer, query: Mapping[str, str]) -> Reply:
    back = query.get("redirect_uri", "")
    if query.get("client_id") != issuer.client_id or not is_loopback_redirect(back):
        # Nobody is sent to an address that may be anybody's (RFC 6749, 4.1.2.1).
        return Reply(400, pages.told("There is no such client, or not with this redirect URI."))
    sub = query.get("as", issuer.browser)
    if sub is None:
        return Reply(200, pages.who(query, issuer.users))
    said: dict[str, str | None]
    try:
        said = {**issuer.authorize(sub, query)}
    except Refusal as exc:
        said = {**exc.said()}
    said.update(state=query.get("state"), iss=issuer.url)
    said.update(issuer.redirects_say)
    known = {name: value for name, value in said.items() if value is not None}
    return Reply(302, b"", {"Location": f"{back}?{urlencode(known)}", **_NO_STORE})


def _decided(issuer: Issuer, form: Mapping[str, str]) -> Reply:
    code, sub = form.get("user_code", ""), form.get("as", "")
    try:
        if sub:
            issuer.approve(code, sub)
        else:
            issuer.deny(code)
    except KeyError:
        return Reply(404, pages.told("No device has shown this code."))
    return Reply(200, pages.told("That is all. Go back to the device."))


def _fields(text: str) -> dict[str, str]:
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as exc:
        raise Refusal("invalid_request", "There are too many parameters.") from exc
    if len({name for name, _ in fields}) < len(fields):
        raise Refusal("invalid_request", "A parameter stands there twice.")  # RFC 6749, 3.1
    return dict(fields)


def _found(issuer: Issuer, _: Mapping[str, str]) -> Reply:
    return Reply(200, encoded(discovery(issuer)))


def _keys(issuer: Issuer, _: Mapping[str, str]) -> Reply:
    return Reply(200, encoded(issuer.public_jwks()))


def _shown(issuer: Issuer, query: Mapping[str, str]) -> Reply:
    return Reply(200, pages.device(query.get("user_code", ""), issuer.users))


def _begun(issuer: Issuer, form: Mapping[str, str]) -> Reply:
    return Reply(200, encoded(issuer.device(form)), _NO_STORE)


def _exchanged(issuer: Issuer, form: Mapping[str, str]) -> Reply:
    return Reply(200, encoded(issuer.exchange(form)), _NO_STORE)


def _revoked(issuer: Issuer, form: Mapping[str, str]) -> Reply:
    issuer.revoke(form)
    return Reply(200)


def _nothing(_: Issuer, __: Mapping[str, str]) -> Reply:
    return Reply(404, encoded({"error": "not_found"}))


_ROUTES: Mapping[tuple[str, str], Callable[[Issuer, Mapping[str, str]], Reply]] = {
    ("GET", DISCOVERY): _found,
    ("GET", JWKS): _keys,
    ("GET", AUTHORIZE): _authorized,
    ("GET", DEVICE): _shown,
    ("POST", DEVICE): _decided,
    ("POST", DEVICE_AUTHORIZATION): _begun,
    ("POST", TOKEN): _exchanged,
    ("POST", REVOKE): _revoked,
}
