"""What an issuer says of itself is believed only where it cannot lead a token astray."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from jitcloud.emulators.oidc import Fault, OidcIssuer
from jitcloud.errors import Invalid, Misconfigured, Unavailable
from jitcloud.signing_in import asking
from jitcloud.signing_in.endpoint import Endpoint
from jitcloud.signing_in.provider import Provider

DISCOVERY = "/.well-known/openid-configuration"
SHORT = timedelta(seconds=0.3)


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256") as issuer:
        yield issuer


def test_an_issuer_says_where_it_answers(issuer: OidcIssuer) -> None:
    found = Provider.discover(issuer.url)
    assert found.token_endpoint.url == f"{issuer.url}/token"
    assert found.authorization_endpoint is not None
    assert found.device_authorization_endpoint is not None
    assert found.revocation_endpoint is not None
    assert found.names_itself
    assert issuer.asked == [DISCOVERY]


def test_what_it_does_not_offer_is_missing(issuer: OidcIssuer) -> None:
    issuer.discovery_says.update(
        device_authorization_endpoint=None,
        revocation_endpoint=None,
        code_challenge_methods_supported=None,
        authorization_response_iss_parameter_supported=None,
    )
    found = Provider.discover(issuer.url)
    assert found.device_authorization_endpoint is found.revocation_endpoint is None
    assert not found.names_itself


@pytest.mark.parametrize("lie", ["https://issuer.example.net", "{}/", "{} ", 7, None, ["x"]])
def test_an_issuer_that_names_itself_otherwise_is_refused(issuer: OidcIssuer, lie: object) -> None:
    said = lie.format(issuer.url) if isinstance(lie, str) else lie
    issuer.discovery_says["issuer"] = said
    with pytest.raises(Misconfigured, match="another issuer than the one it was asked as"):
        Provider.discover(issuer.url)


def test_a_slash_at_the_end_is_a_part_of_the_name(issuer: OidcIssuer) -> None:
    with pytest.raises(Misconfigured, match="to the last slash"):
        Provider.discover(f"{issuer.url}/")
    issuer.discovery_says["issuer"] = f"{issuer.url}/"
    assert Provider.discover(f"{issuer.url}/").issuer == f"{issuer.url}/"
    assert set(issuer.asked) == {DISCOVERY}


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault.BROKEN, Unavailable, "is out of order (500)"),
        (Fault.UNAVAILABLE, Unavailable, "is out of order (503)"),
        (Fault.HANG_UP, Unavailable, "broke off"),
        (Fault.HUGE, Unavailable, "more than 262144 bytes"),
        (Fault.HTML, Misconfigured, "is no issuer of OpenID Connect"),
        (Fault.MALFORMED, Misconfigured, "is no issuer of OpenID Connect"),
        (Fault.DEEP, Misconfigured, "is no issuer of OpenID Connect"),
        (Fault.OTHER_SHAPE, Misconfigured, "is no issuer of OpenID Connect"),
        (Fault.REDIRECT, Misconfigured, "it answered 302"),
        (Fault.WRONG_ISSUER, Misconfigured, "another issuer"),
    ],
)
def test_what_is_no_answer_is_said(
    issuer: OidcIssuer, fault: Fault, kind: type[Misconfigured], said: str
) -> None:
    issuer.faults.append(fault)
    with pytest.raises(Misconfigured) as caught:
        Provider.discover(issuer.url)
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert issuer.url.removeprefix("http://") in str(caught.value)
    assert issuer.asked == [DISCOVERY]  # it is not followed


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.SILENT])
def test_nobody_is_waited_for_longer_than_said(issuer: OidcIssuer, fault: Fault) -> None:
    issuer.faults.append(fault)
    with pytest.raises(Unavailable, match="has not answered within"):
        asking.ask(Endpoint.parse(issuer.url + DISCOVERY), timeout=SHORT)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://login.example.com/token", "write https://"),
        ("http://127.0.0.1.example.com/token", "write https://"),
        ("ftp://127.0.0.1/token", "not an address"),
        ("file:///etc/passwd", "not an address"),
        ("https://ana:secret@login.example.com/", "take user name"),
        ("https://login.example.com/#x", "take user name"),
        ("https://login.example.com:0/", "the host or the port"),
        ("https://login example.com/", "not an address"),
        ("https://login.example.com\\@evil.example.net/", "not an address"),
        ("https:///token", "the host or the port"),
        ("https://[::1/", "the host or the port"),
        ("https://login.example.com/\n", "not an address"),
        (f"https://login.example.com/{'x' * 1000}", "not an address"),
        (7, "not an address"),
        ("", "not an address"),
    ],
)
@pytest.mark.parametrize("name", ["token_endpoint", "authorization_endpoint"])
def test_no_endpoint_may_be_where_no_token_may_go(
    issuer: OidcIssuer, name: str, url: object, why: str
) -> None:
    issuer.discovery_says[name] = url
    with pytest.raises(Misconfigured, match=f"names a {name} that cannot be used") as caught:
        Provider.discover(issuer.url)
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_endpoint_may_have_a_query_and_a_path_of_its_own() -> None:
    found = Endpoint.parse("https://login.example.com:8443/a%20b/token?p=b2c_1&x=%2F")
    assert (found.target, str(found)) == ("/a%20b/token?p=b2c_1&x=%2F", "login.example.com:8443")


@pytest.mark.parametrize("issuer_url", ["http://login.example.com", "login.example.com", ""])
def test_an_issuer_is_asked_over_tls_or_here(issuer_url: str) -> None:
    with pytest.raises(Misconfigured, match="The issuer cannot be asked"):
        Provider.discover(issuer_url)


def test_an_issuer_without_pkce_or_tokens_is_refused(issuer: OidcIssuer) -> None:
    issuer.discovery_says["code_challenge_methods_supported"] = ["plain"]
    with pytest.raises(Misconfigured, match="PKCE with S256"):
        Provider.discover(issuer.url)
    issuer.discovery_says["code_challenge_methods_supported"] = ["plain", "S256"]
    issuer.discovery_says["token_endpoint"] = None
    with pytest.raises(Misconfigured, match="names no token_endpoint"):
        Provider.discover(issuer.url)


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OidcIssuer]:
    authority = trustme.CA()
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with OidcIssuer(algorithm="ES256", tls=context) as issuer:
        yield issuer


def test_an_issuer_elsewhere_answers_over_tls(secure: OidcIssuer) -> None:
    assert Provider.discover(secure.url).token_endpoint.address.is_secure


def test_an_issuer_elsewhere_has_no_business_on_this_machine(secure: OidcIssuer) -> None:
    secure.discovery_says["revocation_endpoint"] = "http://127.0.0.1:8080/"
    with pytest.raises(Misconfigured, match="names a revocation_endpoint without TLS"):
        Provider.discover(secure.url)


def test_a_stranger_is_not_asked(secure: OidcIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    with pytest.raises(Misconfigured, match="not to be trusted"):
        Provider.discover(secure.url)
    assert secure.asked == []


def test_an_address_is_never_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        Endpoint.parse("https://ana:secret@login.example.com/")
    assert "secret" not in str(caught.value)
