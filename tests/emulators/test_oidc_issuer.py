"""The emulated issuer: what it publishes, its tokens, and those that nobody may believe."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWTError

from jitcloud.emulators.oidc import Fault, OidcIssuer, forged
from jitcloud.emulators.oidc.keys import Algorithm
from jitcloud.emulators.oidc.state import Issuer
from tests.signing_in import see
from tests.world import Time

ALGORITHMS = ["RS256", "ES256"]


@pytest.fixture(scope="module", params=ALGORITHMS)
def issuer(request: pytest.FixtureRequest) -> Iterator[OidcIssuer]:
    algorithm: Algorithm = request.param
    with OidcIssuer(algorithm=algorithm) as issuer:
        yield issuer


@pytest.fixture
def es256() -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256") as issuer:
        yield issuer


def read(issuer: Issuer, token: str) -> dict[str, Any]:
    """As a verifier does that knows nothing but the issuer's address."""
    found = see(f"{issuer.url}/.well-known/openid-configuration").json
    assert found["issuer"] == issuer.url
    key = PyJWKClient(found["jwks_uri"], cache_jwk_set=False).get_signing_key_from_jwt(token)
    return decoded(issuer, token, key)


def decoded(issuer: Issuer, token: str, key: PyJWK) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(
        token, key, algorithms=ALGORITHMS, audience=issuer.client_id, issuer=issuer.url
    )
    return read


def test_a_token_holds_for_whoever_knows_the_issuer_alone(issuer: OidcIssuer) -> None:
    issuer.add("ana", groups=["sre", "oncall"], name="Ana")
    claims = read(issuer, issuer.token("ana", nonce="abc"))
    assert claims["sub"] == "ana"
    assert claims["groups"] == ["sre", "oncall"]
    assert (claims["email"], claims["email_verified"]) == ("ana@example.org", True)
    assert (claims["name"], claims["nonce"]) == ("Ana", "abc")
    assert claims["auth_time"] == claims["iat"] == claims["exp"] - 3600


@pytest.mark.parametrize("wrong", forged.EVERY)
def test_a_forged_token_does_not(issuer: OidcIssuer, wrong: str) -> None:
    token = forged.EVERY[wrong](issuer, "ana")
    key = PyJWK(issuer.key.public())
    with pytest.raises(PyJWTError):
        decoded(issuer, token, key)
    # It is that alone which is wrong with it.
    assert decoded(issuer, issuer.token("ana"), key)["sub"] == "ana"


def test_claims_are_as_they_are_wanted(es256: OidcIssuer) -> None:
    at = datetime(2026, 11, 22, 9, tzinfo=UTC)
    claims = es256.claims("ana", email=None, aud=["a", "b"], auth_time=at, sub="other")
    assert "email" not in claims
    assert claims["aud"] == ["a", "b"]
    assert claims["auth_time"] == at.timestamp()
    assert claims["sub"] == "other"


def test_its_time_is_handed_in() -> None:
    time = Time()
    issuer = OidcIssuer(algorithm="ES256", clock=time, lifetime=timedelta(minutes=5))
    before = issuer.claims("ana")
    time.forward(hours=1)
    after = issuer.claims("ana")
    assert (before["iat"], before["exp"]) == (
        int(time.now.timestamp()) - 3600,
        int(time.now.timestamp()) - 3300,
    )
    assert after["iat"] == int(time.now.timestamp())


@pytest.mark.parametrize("kept", [True, False])
def test_keys_rotate(es256: OidcIssuer, *, kept: bool) -> None:
    old = es256.token("ana")
    first = es256.key.id
    second = es256.rotate(keep_old=kept)
    assert read(es256, es256.token("ana"))
    keys = es256.public_jwks()["keys"]
    assert isinstance(keys, list)
    assert [key["kid"] for key in keys] == ([first, second] if kept else [second])
    if kept:
        assert read(es256, old)["sub"] == "ana"
    else:
        with pytest.raises(PyJWKClientError):
            read(es256, old)


def test_keys_may_rotate_to_another_algorithm(es256: OidcIssuer) -> None:
    es256.rotate(algorithm="RS256")
    token = es256.token("ana")
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    assert read(es256, token)


def test_no_private_half_is_published(issuer: OidcIssuer) -> None:
    published = see(f"{issuer.url}/jwks").json
    assert published == issuer.public_jwks()
    for key in published["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys()
    assert "private" not in repr(issuer.key)


class Telling(OidcIssuer):
    """Tells when it has been asked."""

    def __init__(self) -> None:
        super().__init__(algorithm="ES256")
        self.is_asked = threading.Event()

    def said(self, method: str, target: str, body: str) -> Iterator[bytes]:
        self.is_asked.set()
        yield from super().said(method, target, body)


def test_nothing_answers_once_it_has_ended() -> None:
    with Telling() as issuer:
        issuer.fail("/jwks", Fault.SILENT)
        waiting = threading.Thread(target=_looks, args=(f"{issuer.url}/jwks",))
        waiting.start()
        assert issuer.is_asked.wait(5)
    waiting.join(5)
    assert not waiting.is_alive()
    with pytest.raises(OSError, match="refused"):
        see(issuer.url)


def _looks(url: str) -> None:
    with pytest.raises((OSError, ValueError)):
        see(url)


# ── What may go wrong ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.BROKEN, 500),
        (Fault.UNAVAILABLE, 503),
        (Fault.HTML, 200),
        (Fault.MALFORMED, 200),
        (Fault.DEEP, 200),
        (Fault.REDIRECT, 302),
        (Fault.ECHO, 400),
    ],
)
def test_a_fault_is_of_one_answer(es256: OidcIssuer, fault: Fault, status: int) -> None:
    es256.faults.append(fault)
    seen = see(f"{es256.url}/jwks?x=1")
    assert seen.status == status
    with pytest.raises((ValueError, KeyError, RecursionError)):
        _ = seen.json["keys"]
    assert see(f"{es256.url}/jwks").json == es256.public_jwks()


def test_a_fault_may_be_of_one_path(es256: OidcIssuer) -> None:
    es256.fail("/jwks", Fault.BROKEN, Fault.OTHER_SHAPE)
    at = f"{es256.url}/.well-known/openid-configuration"
    assert see(at).json["issuer"] == es256.url
    assert see(f"{es256.url}/jwks").status == 500
    assert isinstance(see(f"{es256.url}/jwks").json, list)
    es256.faults.append(Fault.WRONG_ISSUER)
    assert see(at).json["issuer"] != es256.url
    es256.faults.append(Fault.HUGE)
    assert len(see(f"{es256.url}/jwks").body) > 4 * 1024 * 1024
    es256.faults.append(Fault.HANG_UP)
    with pytest.raises(OSError, match=r"closed|reset"):
        see(at)


def test_what_it_says_of_itself_may_be_wrong(es256: OidcIssuer) -> None:
    es256.discovery_says.update(jwks_uri=None, scopes_supported=["x"])
    said = see(f"{es256.url}/.well-known/openid-configuration").json
    assert said["scopes_supported"] == ["x"]
    assert "jwks_uri" not in said


def test_what_is_no_request_of_its_kind_is_refused(es256: OidcIssuer) -> None:
    assert see(f"{es256.url}/nowhere").status == 404
    assert see(f"{es256.url}/token", {"grant_type": "x", "client_id": "other"}).status == 401
    unsupported = see(f"{es256.url}/token", {"grant_type": "x", "client_id": es256.client_id})
    assert unsupported.json["error"] == "unsupported_grant_type"
    twice = see(f"{es256.url}/authorize?client_id=jitcloud&client_id=other")
    assert json.loads(twice.body)["error"] == "invalid_request"
    assert see(f"{es256.url}/token", {"x": "y" * 70_000}).status == 413
