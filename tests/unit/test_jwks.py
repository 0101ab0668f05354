"""How an issuer's keys are fetched: seldom, bounded, and not at all where nobody knows them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jitcloud.emulators.oidc import Fault, OidcIssuer
from jitcloud.emulators.oidc.keys import SigningKey
from jitcloud.errors import Invalid, Unauthenticated, Unavailable
from jitcloud.identities import jwks
from jitcloud.identities.jwks import IssuerKeys
from tests.world import START as NOW
from tests.world import Time

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=Time()) as running:
        yield running


@pytest.fixture
def keys(issuer: OidcIssuer) -> IssuerKeys:
    return IssuerKeys(issuer.url)


def known(keys: IssuerKeys, key_id: str | None, after: timedelta = timedelta()) -> bool:
    try:
        return bool(keys.fitting(key_id, "ES256", NOW + after))
    except Unauthenticated:
        return False


def rounds(issuer: OidcIssuer) -> int:
    """How often all of it was asked for."""
    assert issuer.asked.count("/jwks") <= issuer.asked.count("/.well-known/openid-configuration")
    return issuer.asked.count("/.well-known/openid-configuration")


def published(issuer: OidcIssuer, *listed: object) -> None:
    """Let it publish these in place of its own."""
    issuer.public_jwks = lambda: {"keys": list(listed)}  # type: ignore[method-assign] # in its place


# ── How often ────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_asked_before_a_token_comes(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    assert issuer.asked == []
    assert known(keys, issuer.key.id)
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_keys_are_kept_for_ten_minutes(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    for seconds in (0, 1, 300, 600):
        assert known(keys, issuer.key.id, seconds * SECOND)
    assert rounds(issuer) == 1
    assert known(keys, issuer.key.id, 601 * SECOND)
    assert rounds(issuer) == 2


def test_a_new_key_is_found_at_once(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    old = issuer.key.id
    assert known(keys, old)
    new = issuer.rotate()
    assert known(keys, new, 30 * SECOND)
    assert known(keys, old, 30 * SECOND)
    assert rounds(issuer) == 2


def test_a_key_that_is_withdrawn_counts_for_ten_minutes_at_most(
    issuer: OidcIssuer, keys: IssuerKeys
) -> None:
    old = issuer.key.id
    assert known(keys, old)
    issuer.rotate(keep_old=False)
    assert known(keys, old, 10 * MINUTE)
    assert not known(keys, old, 10 * MINUTE + SECOND)


def test_made_up_keys_make_us_ask_once_in_half_a_minute(
    issuer: OidcIssuer, keys: IssuerKeys
) -> None:
    for number in range(200):
        assert not known(keys, f"made-up-{number}", number * SECOND / 10)
    assert rounds(issuer) == 1, "twenty seconds of them"
    assert not known(keys, "made-up", 30 * SECOND)
    assert not known(keys, "made-up-2", 31 * SECOND)
    assert rounds(issuer) == 2
    assert known(keys, issuer.key.id, 31 * SECOND)


def test_many_at_once_ask_once(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    ready, found = threading.Barrier(8), []

    def ask() -> None:
        ready.wait(30)
        found.append(known(keys, issuer.key.id))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [True] * 8
    assert rounds(issuer) == 1


def test_nobody_who_has_keys_waits_for_another_s_question(
    issuer: OidcIssuer, keys: IssuerKeys
) -> None:
    assert known(keys, issuer.key.id)
    issuer.faults.append(Fault.SILENT)
    asked = threading.Thread(target=known, args=(keys, issuer.key.id, 11 * MINUTE))
    asked.start()
    while not keys._asking.locked():  # noqa: SLF001 - until the other one is at it
        pass
    assert known(keys, issuer.key.id, 11 * MINUTE)
    assert asked.is_alive(), "and is at it still"
    issuer.stop()
    asked.join(30)


# ── While it is down ─────────────────────────────────────────────────────────────────────────


def test_keys_count_for_an_hour_while_the_issuer_is_down(
    issuer: OidcIssuer, keys: IssuerKeys
) -> None:
    key = issuer.key.id
    assert known(keys, key)
    issuer.stop()
    assert known(keys, key, 11 * MINUTE)
    assert not known(keys, "another", 30 * MINUTE), "and no other is taken for one"
    assert known(keys, key, 60 * MINUTE)
    with pytest.raises(Unavailable, match="cannot be reached"):
        known(keys, key, 60 * MINUTE + SECOND)


def test_it_is_not_asked_again_at_once(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    key = issuer.key.id
    assert known(keys, key)
    issuer.faults.extend([Fault.BROKEN, Fault.BROKEN])
    for seconds in (0, 1, 15, 29):
        assert known(keys, key, 11 * MINUTE + seconds * SECOND)
    assert rounds(issuer) == 2
    assert known(keys, key, 11 * MINUTE + 30 * SECOND)
    assert rounds(issuer) == 3
    issuer.rotate()
    assert known(keys, issuer.key.id, 12 * MINUTE)


def test_without_any_keys_it_is_asked_every_five_seconds(
    issuer: OidcIssuer, keys: IssuerKeys
) -> None:
    key = issuer.key.id
    issuer.faults.append(Fault.UNAVAILABLE)
    for seconds in (0, 1, 4):
        with pytest.raises(Unavailable, match="HTTP status 503"):
            known(keys, key, seconds * SECOND)
    assert rounds(issuer) == 1
    assert known(keys, key, 5 * SECOND)


def test_a_clock_that_is_set_back_keeps_nothing_from_being_asked(
    issuer: OidcIssuer, keys: IssuerKeys
) -> None:
    assert known(keys, issuer.key.id)
    issuer.rotate(keep_old=False)
    assert known(keys, issuer.key.id, -2 * 24 * 60 * MINUTE)


# ── What it answers ──────────────────────────────────────────────────────────────────────────

BAD = [fault for fault in Fault if fault not in {Fault.SLOW, Fault.SILENT, Fault.ECHO}]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
@pytest.mark.parametrize("fault", BAD)
def test_what_is_no_answer_gives_no_keys(
    issuer: OidcIssuer, keys: IssuerKeys, fault: Fault, path: str
) -> None:
    if (fault, path) == (Fault.WRONG_ISSUER, "/jwks"):
        return  # which says nothing of an issuer
    issuer.fail(path, fault)
    with pytest.raises(Unavailable) as caught:
        known(keys, issuer.key.id)
    said = str(caught.value)
    assert said.isprintable()
    assert issuer.url in said
    assert len(said) < 300
    assert issuer.asked.count(path) == 1, "and nobody is led elsewhere"
    assert known(keys, issuer.key.id, 5 * SECOND)


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.SILENT])
def test_no_answer_is_waited_for(
    issuer: OidcIssuer, keys: IssuerKeys, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "WITHIN", timedelta(milliseconds=100))
    issuer.faults.append(fault)
    with pytest.raises(Unavailable, match="has not answered within"):
        known(keys, issuer.key.id)


@pytest.mark.parametrize(
    "says",
    [
        {"jwks_uri": None},
        {"jwks_uri": 7},
        {"jwks_uri": ""},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://example.org/keys"},
        {"jwks_uri": "https://user:secret@example.org/keys"},
        {"jwks_uri": "http://127.0.0.1:1/keys?x=\r\nHost:a"},
        {"jwks_uri": "https://example.org/keys#here"},
        {"jwks_uri": ["https://example.org/keys"]},
    ],
)
def test_keys_are_fetched_from_a_safe_address_alone(
    issuer: OidcIssuer, keys: IssuerKeys, says: dict[str, object]
) -> None:
    issuer.discovery_says.update(says)
    with pytest.raises(Unavailable, match="in no form that can be used"):
        known(keys, issuer.key.id)
    assert issuer.asked == ["/.well-known/openid-configuration"]


def test_an_address_may_have_a_query(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    issuer.discovery_says["jwks_uri"] = f"{issuer.url}/jwks?p=B2C_1_sign-in"
    assert known(keys, issuer.key.id)


def test_an_issuer_is_named_as_it_names_itself(issuer: OidcIssuer) -> None:
    """Or a document could be another's: of the same host, and of another tenant there."""
    with pytest.raises(Unavailable, match="says that it is another issuer"):
        known(IssuerKeys(issuer.url + "/"), issuer.key.id)


@pytest.mark.parametrize("url", ["http://example.org", "ftp://example.org", "example.org", ""])
def test_an_issuer_is_reached_over_tls_or_on_this_machine(url: str) -> None:
    with pytest.raises(Invalid):
        IssuerKeys(url)


# ── Which keys ───────────────────────────────────────────────────────────────────────────────


def test_only_keys_that_verify_signatures_count(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    own = issuer.key.public()
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - on purpose
    rs256: Any = jwt.get_algorithm_by_name("RS256")
    short = {**rs256.to_jwk(weak.public_key(), as_dict=True), "kid": "short"}
    private = {**own, "d": "AAAA", "kid": "private"}
    published(
        issuer,
        {**own, "kid": "good"},
        {**own, "kid": "verify", "key_ops": ["verify"]},
        {key: value for key, value in own.items() if key not in {"alg", "use"}} | {"kid": "bare"},
        short,
        private,
        {"kty": "oct", "k": "AAAA", "alg": "HS256", "kid": "oct"},
        {**own, "use": "enc", "kid": "enc"},
        {**own, "key_ops": ["sign"], "kid": "sign"},
        {**own, "key_ops": "verify", "kid": "ops"},
        {**own, "alg": "ES384", "kid": "alg"},
        {**own, "alg": ["ES256"], "kid": "algs"},
        {**own, "crv": "P-384", "kid": "curve"},
        {**own, "crv": "secp256k1", "kid": "k1"},
        {**own, "crv": ["P-256"], "kid": "curves"},
        {**own, "x": "AAAA", "kid": "point"},
        {**own, "x": "A" * 100_000, "kid": "large"},
        {**own, "y": None, "kid": "half"},
        {**own, "kty": "XX", "kid": "kty"},
        {**own, "kid": 7},
        "text",
        None,
        [],
    )
    found = {key.id for key in keys._keys(NOW, anew=False)}  # noqa: SLF001 - all of them
    assert found == {"good", "verify", "bare"}


@pytest.mark.parametrize("name", ["n", "e"])
def test_no_number_is_so_large_that_it_keeps_us_busy(
    issuer: OidcIssuer, keys: IssuerKeys, name: str
) -> None:
    other = SigningKey.make("RS256").public()
    published(issuer, issuer.key.public(), {**other, name: "A" * 700_000})
    assert len(keys._keys(NOW, anew=False)) == 1  # noqa: SLF001 - all of them


@pytest.mark.parametrize(
    "listed", [[], ["text"], [{"kty": "oct", "k": "AAAA"}], [{}] * 101], ids=str
)
def test_without_a_key_that_counts_nothing_is_believed(
    issuer: OidcIssuer, keys: IssuerKeys, listed: list[object]
) -> None:
    published(issuer, *listed)
    with pytest.raises(Unavailable, match="in no form that can be used"):
        known(keys, "any")


def test_two_keys_of_one_name_both_count(issuer: OidcIssuer, keys: IssuerKeys) -> None:
    """Names are to be different, and are not always (RFC 7517, 4.5)."""
    another: Any = ec.generate_private_key(ec.SECP256R1()).public_key()
    es256: Any = jwt.get_algorithm_by_name("ES256")
    twin = {**es256.to_jwk(another, as_dict=True), "kid": issuer.key.id}
    published(issuer, twin, issuer.key.public())
    assert len(keys.fitting(issuer.key.id, "ES256", NOW)) == 2
