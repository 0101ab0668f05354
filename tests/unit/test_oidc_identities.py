"""Whose tokens count, and for whom: against an issuer over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jitcloud.directories.static import StaticDirectory
from jitcloud.emulators.oidc import OidcIssuer, forged
from jitcloud.emulators.oidc.keys import Algorithm, SigningKey
from jitcloud.errors import Unauthenticated
from jitcloud.identities.claims import Issuer
from jitcloud.identities.compact import DEEPEST, LARGEST
from jitcloud.identities.oidc import OidcIdentities
from jitcloud.identities.several import SeveralIdentities
from jitcloud.model import Caller, Presented
from jitcloud.ports import Directory
from tests.world import PEOPLE, START, Time

NOW = START
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DIGEST = "09af" * 16


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    """Ana, Ben and Caro have accounts; their subject is their id."""
    with OidcIssuer(algorithm="ES256", clock=Time()) as running:
        yield running


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Directory:
    path = tmp_path_factory.mktemp("oidc") / "people.toml"
    path.write_text(PEOPLE)
    return StaticDirectory(path)


_TRUSTING: dict[tuple[OidcIssuer, Issuer], OidcIdentities] = {}


def trusting(issuer: OidcIssuer, directory: Directory, /, **more: Any) -> OidcIdentities:
    """Believe this issuer; whoever does so in the same way knows its keys from then on."""
    facts = {"algorithms": frozenset({"RS256", "ES256"}), **more}
    trusted = Issuer(url=issuer.url, audiences=frozenset({"jitcloud", "cli"}), **facts)
    if (issuer, trusted) not in _TRUSTING:
        _TRUSTING[issuer, trusted] = OidcIdentities([trusted], directory)
    return _TRUSTING[issuer, trusted]


@pytest.fixture
def identities(issuer: OidcIssuer, directory: Directory) -> OidcIdentities:
    return trusting(issuer, directory)


def identified(identities: OidcIdentities, token: str, at: datetime = NOW) -> Caller:
    return identities.identify(Presented(kind="oidc", text=token), at)


def refused(identities: OidcIdentities, token: str, why: str = "", at: datetime = NOW) -> str:
    with pytest.raises(Unauthenticated, match=why or None) as caught:
        identified(identities, token, at)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 400
    for part in filter(None, token.split(".")):
        assert part[:40] not in said
    return said


# ── Tokens that count ────────────────────────────────────────────────────────────────────────


def test_a_token_says_who_is_calling_and_when_they_signed_in(
    issuer: OidcIssuer, identities: OidcIdentities
) -> None:
    token = issuer.token("ana", jti="token-7", auth_time=NOW - MINUTE)
    caller = identified(identities, token)
    assert (caller.person, caller.signed_in_at) == ("ana", NOW - MINUTE)
    assert (caller.token.kind, caller.token.id) == ("oidc", "token-7")
    assert caller.token.sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert caller.bound_to is None


@pytest.mark.parametrize("jti", [None, "", "x" * 201, "a\u202eb", 7])
def test_a_token_without_a_name_that_can_be_shown_is_named_by_its_hash(
    issuer: OidcIssuer, identities: OidcIdentities, jti: object
) -> None:
    token = issuer.token("ana", jti=jti)
    found = identified(identities, token).token
    assert found.id == (found.sha256 or "")[:16]


@pytest.mark.parametrize(
    ("nonce", "bound_to"),
    [(DIGEST, DIGEST), (DIGEST.upper(), None), ("n-0S6_WzA2Mj", None), (7, None)],
)
def test_a_nonce_that_is_a_digest_binds_the_token(
    issuer: OidcIssuer, identities: OidcIdentities, nonce: object, bound_to: str | None
) -> None:
    assert identified(identities, issuer.token("ana", nonce=nonce)).bound_to == bound_to


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_id_tokens_and_access_tokens_count(
    issuer: OidcIssuer, identities: OidcIdentities, typ: str
) -> None:
    token = issuer.key.signed(issuer.claims("ana"), typ=typ)
    assert identified(identities, token).person == "ana"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_both_usual_ways_of_signing_count(directory: Directory, algorithm: Algorithm) -> None:
    with OidcIssuer(algorithm=algorithm, clock=Time()) as issuer:
        assert identified(trusting(issuer, directory), issuer.token("ben")).person == "ben"


# ── Audience ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "jitcloud"},
        {"aud": ["cli"]},
        {"aud": ["jitcloud", "cli"]},
        {"aud": ["jitcloud", "wiki"], "azp": "jitcloud"},
        {"aud": ["wiki", "jitcloud"], "azp": "cli"},
        {"aud": "jitcloud", "azp": "a-console"},
    ],
)
def test_a_token_that_is_made_for_us_counts(
    issuer: OidcIssuer, identities: OidcIdentities, claims: dict[str, object]
) -> None:
    assert identified(identities, issuer.token("ana", **claims)).person == "ana"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "wiki"}, "meant for somebody else"),
        ({"aud": "jitcloud "}, "meant for somebody else"),
        ({"aud": "Jitcloud"}, "meant for somebody else"),
        ({"aud": ["wiki", "blog"]}, "meant for somebody else"),
        ({"aud": []}, "meant for somebody else"),
        ({"aud": ["jitcloud", "wiki"]}, "meant for others besides"),
        ({"aud": ["jitcloud", "wiki"], "azp": "wiki"}, "meant for others besides"),
        ({"aud": ["jitcloud", "wiki"], "azp": ["jitcloud"]}, "meant for others besides"),
        ({"aud": None}, 'the claim "aud"'),
        ({"aud": {"jitcloud": True}}, 'the claim "aud"'),
        ({"aud": [["jitcloud"]]}, 'the claim "aud"'),
        ({"aud": 7}, 'the claim "aud"'),
    ],
)
def test_a_token_that_is_made_for_others_does_not(
    issuer: OidcIssuer, identities: OidcIdentities, claims: dict[str, object], why: str
) -> None:
    refused(identities, issuer.token("ana", **claims), why)


# ── Times ────────────────────────────────────────────────────────────────────────────────────


NO_INSTANTS: list[object] = [True, [1], {}, 0, -1, 1e30, 10**30]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": NOW - 59 * SECOND}, None),
        ({"exp": NOW - 60 * SECOND}, "has expired"),
        ({"exp": NOW - HOUR}, "has expired"),
        ({"iat": NOW + 60 * SECOND}, None),
        ({"iat": NOW + 61 * SECOND}, "of the future"),
        ({"nbf": NOW + 60 * SECOND}, None),
        ({"nbf": NOW + 61 * SECOND}, "of the future"),
        ({"iat": NOW - 24 * HOUR}, None),
        ({"iat": NOW - 24 * HOUR - 61 * SECOND}, "older than the 1d"),
        ({"iat": NOW - 24 * 365 * HOUR, "exp": NOW + 24 * 365 * HOUR}, "older than the 1d"),
        ({"iat": NOW.timestamp() + 0.5}, None),
        *(({name: None}, f'the claim "{name}"') for name in ("exp", "iat")),
        *(({name: "1"}, f'the claim "{name}"') for name in ("exp", "iat", "nbf", "auth_time")),
        *(({"exp": value}, 'the claim "exp"') for value in NO_INSTANTS),
        ({"exp": 253_402_300_799}, 'the claim "exp"'),
    ],
)
def test_a_token_counts_for_its_time_alone(
    issuer: OidcIssuer, identities: OidcIdentities, claims: dict[str, object], why: str | None
) -> None:
    # None would take the claim away before it is signed; nbf and auth_time need not be there.
    token = issuer.token("ana", **claims)
    if why is None:
        assert identified(identities, token).person == "ana"
    else:
        refused(identities, token, why)


def test_how_long_a_token_counts_is_ours_to_say(issuer: OidcIssuer, directory: Directory) -> None:
    strict = trusting(issuer, directory, leeway=timedelta(), oldest=5 * MINUTE)
    token = issuer.token("ana", iat=NOW - 5 * MINUTE, exp=NOW + SECOND)
    assert identified(strict, token).person == "ana"
    refused(strict, token, "older than the 5m", NOW + SECOND / 2)
    refused(strict, issuer.token("ana", exp=NOW), "has expired")
    refused(strict, issuer.token("ana", iat=NOW + SECOND), "of the future")


# ── When they signed in ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("claims", "needed", "signed_in_at"),
    [
        ({"auth_time": None}, (), None),
        ({"auth_time": NOW - HOUR}, (), NOW - HOUR),
        ({"auth_time": NOW + 30 * SECOND}, (), NOW),
        ({"auth_time": NOW - HOUR, "amr": ["pwd"]}, (), NOW - HOUR),
        ({"auth_time": NOW - HOUR, "amr": ["pwd", "mfa"]}, ("mfa",), NOW - HOUR),
        ({"auth_time": NOW - HOUR, "amr": ["hwk"]}, ("mfa", "hwk"), NOW - HOUR),
        ({"auth_time": NOW - HOUR, "amr": None, "acr": "phr"}, ("phr",), NOW - HOUR),
        ({"auth_time": NOW - HOUR, "amr": ["pwd"]}, ("mfa",), None),
        ({"auth_time": NOW - HOUR, "amr": None}, ("mfa",), None),
        ({"auth_time": NOW - HOUR, "amr": ["MFA", " mfa"], "acr": "mf"}, ("mfa",), None),
    ],
)
def test_a_sign_in_counts_if_it_was_as_it_has_to_be(
    issuer: OidcIssuer,
    directory: Directory,
    claims: dict[str, object],
    needed: tuple[str, ...],
    signed_in_at: datetime | None,
) -> None:
    identities = trusting(issuer, directory, multi_factor=frozenset(needed))
    assert identified(identities, issuer.token("ana", **claims)).signed_in_at == signed_in_at


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"auth_time": NOW + 61 * SECOND}, "a sign-in in the future"),
        ({"amr": "mfa"}, 'the claim "amr"'),
        ({"amr": ["mfa", 7]}, 'the claim "amr"'),
        ({"acr": ["mfa"]}, 'the claim "acr"'),
    ],
)
def test_a_sign_in_that_cannot_be_is_none(
    issuer: OidcIssuer, directory: Directory, claims: dict[str, object], why: str
) -> None:
    identities = trusting(issuer, directory, multi_factor=frozenset({"mfa"}))
    refused(identities, issuer.token("ana", **claims), why)


# ── Who it names ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "claims", "person"),
    [
        ({}, {"sub": "ben"}, "ben"),
        ({"subject_claim": "oid"}, {"sub": "ana", "oid": "ben"}, "ben"),
        ({"prefix": "a"}, {"sub": "na"}, "ana"),
        ({"subject_claim": "email"}, {"email": "Ben@Example.com"}, "ben"),
        (
            {"subject_claim": "email", "unverified_emails": True},
            {"email": "ben@example.com", "email_verified": None},
            "ben",
        ),
        ({"subject_claim": "upn"}, {"upn": "ben@example.com", "email": "BEN@example.com"}, "ben"),
        (
            {"subject_claim": "upn", "unverified_emails": True},
            {"upn": "ben@example.com", "email": None},
            "ben",
        ),
    ],
)
def test_the_claim_that_is_named_names_the_person(
    issuer: OidcIssuer,
    directory: Directory,
    settings: dict[str, object],
    claims: dict[str, object],
    person: str,
) -> None:
    identities = trusting(issuer, directory, **settings)
    assert identified(identities, issuer.token("somebody", **claims)).person == person


@pytest.mark.parametrize(
    ("settings", "claims", "why"),
    [
        ({}, {"sub": "zoe"}, 'calls you "zoe", by which the directory knows nobody'),
        ({}, {"sub": "ANA"}, "knows nobody"),
        # A subject is chosen by the issuer, another claim perhaps by whoever signs in.
        ({}, {"sub": "ben@example.com", "email_verified": False}, "no e-mail that it vouches for"),
        ({"subject_claim": "upn"}, {"upn": "ben@example.com"}, "no e-mail that it vouches for"),
        ({"subject_claim": "oid"}, {}, 'the claim "oid"'),
        ({"subject_claim": "oid"}, {"oid": ["ben"]}, 'the claim "oid"'),
        ({"subject_claim": "oid"}, {"oid": "ben\u202e"}, 'the claim "oid"'),
        ({"subject_claim": "oid", "sub": None}, {"oid": "ben", "sub": None}, 'the claim "sub"'),
        ({}, {"sub": ""}, 'the claim "sub"'),
        ({}, {"sub": 7}, 'the claim "sub"'),
        ({}, {"sub": "x" * 201}, 'the claim "sub"'),
        ({"prefix": "x" * 100}, {"sub": "y" * 101}, 'the claim "sub"'),
        ({"prefix": "b:"}, {"sub": "ana"}, 'calls you "b:ana"'),
        ({"subject_claim": "email"}, {"email_verified": False}, "has not verified the e-mail"),
        ({"subject_claim": "email"}, {"email_verified": "true"}, "has not verified the e-mail"),
        ({"subject_claim": "email"}, {"email_verified": 1}, "has not verified the e-mail"),
        ({"subject_claim": "email"}, {"email_verified": None}, "has not verified the e-mail"),
        ({"subject_claim": "email"}, {"email": None}, 'the claim "email"'),
        ({"subject_claim": "email"}, {"email": ["ana@example.com"]}, 'the claim "email"'),
    ],
)
def test_who_is_not_named_so_is_nobody(
    issuer: OidcIssuer,
    directory: Directory,
    settings: dict[str, object],
    claims: dict[str, object],
    why: str,
) -> None:
    identities = trusting(
        issuer, directory, **{key: value for key, value in settings.items() if key != "sub"}
    )
    usual = {"email": "ana@example.com"}
    refused(identities, issuer.token("ana", **{**usual, **claims}), why)


def test_an_aws_identity_of_somebody_is_no_name_for_an_issuer_to_use(
    issuer: OidcIssuer, tmp_path: Path
) -> None:
    arn = "arn:aws:iam::111122223333:role/deploy"
    (tmp_path / "people.toml").write_text(f'[[person]]\nid = "bot"\nname = "Bot"\naws = ["{arn}"]')
    people = StaticDirectory(tmp_path / "people.toml")
    identities = trusting(issuer, people, prefix="arn:")
    refused(identities, issuer.token(arn.removeprefix("arn:")), "nobody's id")


# ── Issuers ──────────────────────────────────────────────────────────────────────────────────


def test_each_issuer_speaks_for_its_own_people_alone(directory: Directory) -> None:
    time = Time()
    with (
        OidcIssuer(algorithm="ES256", clock=time) as staff,
        OidcIssuer(algorithm="ES256", clock=time) as guests,
    ):
        common = {"audiences": frozenset({"jitcloud"}), "algorithms": frozenset({"ES256"})}
        identities = OidcIdentities(
            [
                Issuer(url=staff.url, **common),  # type: ignore[arg-type] # a table of facts
                Issuer(url=guests.url, prefix="guest:", **common),  # type: ignore[arg-type] # the same
            ],
            directory,
        )
        assert identified(identities, staff.token("ana")).person == "ana"
        refused(identities, guests.token("ana"), 'calls you "guest:ana"')
        # Nor by saying that one is the other: the keys are those of whom it says it is.
        refused(identities, guests.token("ana", iss=staff.url), "no key that fits|not its issuer's")
        refused(identities, guests.key.signed(staff.claims("ana"), kid=staff.key.id), "signature")


@pytest.mark.parametrize(
    "iss", ["https://issuer.example.net", "", "SAME/", "same", None, 7, ["SAME"], {"a": 1}]
)
def test_a_token_of_another_issuer_does_not_count(
    issuer: OidcIssuer, identities: OidcIdentities, iss: object
) -> None:
    said = iss.replace("SAME", issuer.url) if isinstance(iss, str) else iss
    claims = json.dumps({**issuer.claims("ana"), "iss": said})
    refused(identities, _signed(issuer.key, claims), "tokens do not count here")


def test_what_is_no_token_is_for_somebody_else(issuer: OidcIssuer, directory: Directory) -> None:
    only = SeveralIdentities({"oidc": trusting(issuer, directory)})
    with pytest.raises(Unauthenticated, match="AWS identities do not count here; sign in by Op"):
        only.identify(Presented(kind="aws", text="x"), NOW)
    presented = Presented(kind="oidc", text=issuer.token("ana"))
    assert only.identify(presented, NOW).person == "ana"


# ── Signatures ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("forge", forged.EVERY.values(), ids=forged.EVERY.keys())
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_nobody_believes_a_forged_token(
    directory: Directory, algorithm: Algorithm, forge: Callable[[OidcIssuer, str], str]
) -> None:
    issuer = _shared(algorithm)
    identities = trusting(issuer, directory)
    assert identified(identities, issuer.token("ana")).person == "ana"
    refused(identities, forge(issuer, "ana"))


_RUNNING: dict[Algorithm, OidcIssuer] = {}


def _shared(algorithm: Algorithm) -> OidcIssuer:
    if algorithm not in _RUNNING:
        _RUNNING[algorithm] = OidcIssuer(algorithm=algorithm, clock=Time()).start()
    return _RUNNING[algorithm]


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    while _RUNNING:
        _RUNNING.popitem()[1].stop()


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES256K"])
def test_no_other_way_of_signing_counts(
    issuer: OidcIssuer, identities: OidcIdentities, alg: str
) -> None:
    """Whoever can read the public keys could sign in these ways, or anybody could."""
    token = forged.unsigned(issuer, "ana", alg=alg)
    refused(identities, token, "not signed, or not in a way that counts here; .* ES256 or RS256")
    refused(identities, token + "x" * 86, "not in a way that counts")


def test_only_ways_that_are_named_count(issuer: OidcIssuer, directory: Directory) -> None:
    only = trusting(issuer, directory, algorithms=frozenset({"RS256"}))
    refused(only, issuer.token("ana"), "have the issuer sign by RS256")


def test_a_key_serves_only_the_way_of_signing_that_it_is_for(
    issuer: OidcIssuer, directory: Directory
) -> None:
    """A token may not say that a key of one kind is to be used as one of another."""
    every = trusting(issuer, directory, algorithms=frozenset({"RS256", "ES256", "ES384", "PS256"}))
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = ec.generate_private_key(ec.SECP384R1())
    for key, alg in ((rsa_key, "RS256"), (rsa_key, "PS256"), (other, "ES384")):
        token = jwt.encode(issuer.claims("ana"), key, alg, headers={"kid": issuer.key.id})
        refused(every, token, "no key that fits")


@pytest.mark.parametrize("alg", ["ES384", "ES512", "EdDSA", "PS256"])
def test_other_ways_count_where_they_are_named(directory: Directory, alg: str) -> None:
    makers: dict[str, Callable[[], Any]] = {
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "PS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    key = makers[alg]()
    algorithm: Any = jwt.get_algorithm_by_name(alg)
    public = algorithm.to_jwk(key.public_key(), as_dict=True)
    with OidcIssuer(algorithm="ES256", clock=Time()) as issuer:
        issuer.public_jwks = lambda: {"keys": [{**public, "kid": "k"}]}  # type: ignore[method-assign] # in its place
        token = jwt.encode(issuer.claims("ana"), key, alg, headers={"kid": "k"})
        named = trusting(issuer, directory, algorithms=frozenset({alg}))
        assert identified(named, token).person == "ana"
        refused(trusting(issuer, directory), token, "not in a way that counts")


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"crit": ["exp"]}, "how it wants to be checked"),
        ({"crit": []}, "how it wants to be checked"),
        ({"crit": ["b64"], "b64": False}, "how it wants to be checked"),
        ({"jku": "http://127.0.0.1:1/jwks"}, "by which key"),
        ({"x5u": "http://127.0.0.1:1/x"}, "by which key"),
        ({"x5c": ["MIIB"]}, "by which key"),
        ({"jwk": None}, "by which key"),
        ({"typ": "logout+jwt"}, "of another type"),
        ({"typ": "dpop+jwt"}, "of another type"),
        ({"typ": "JWE"}, "of another type"),
        ({"typ": ["JWT"]}, "of another type"),
        ({"kid": "../../etc/passwd\x00"}, "names its key in an odd way"),
        ({"kid": "a' OR 1=1"}, "names its key in an odd way"),
        ({"kid": "é"}, "names its key in an odd way"),
        ({"kid": ""}, "names its key in an odd way"),
        ({"kid": "k" * 201}, "names its key in an odd way"),
        ({"kid": "made-up"}, "no key that fits"),
    ],
)
def test_what_a_token_says_of_its_own_signature_is_not_followed(
    issuer: OidcIssuer, identities: OidcIdentities, header: dict[str, Any], why: str
) -> None:
    asked = len(issuer.asked)
    usual = {"alg": "ES256", "typ": "JWT", "kid": issuer.key.id, **header}
    text = f"{_written(usual)}.{_written(issuer.claims('ana'))}"
    refused(identities, f"{text}.{'A' * 86}", why)
    if why != "no key that fits":
        assert len(issuer.asked) == asked, "and nobody is asked anything for it"


def test_a_key_without_a_name_has_to_be_the_only_one(directory: Directory) -> None:
    with OidcIssuer(algorithm="ES256", clock=Time()) as issuer:
        nameless = jwt.encode(issuer.claims("ana"), issuer.key.private, "ES256")
        assert identified(trusting(issuer, directory), nameless).person == "ana"
        issuer.rotate()
        later = NOW + 11 * MINUTE
        refused(trusting(issuer, directory), nameless, "no key that fits", later)


# ── Form ─────────────────────────────────────────────────────────────────────────────────────


def _written(what: object) -> str:
    return _encoded(what if isinstance(what, str) else json.dumps(what))


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _signed(key: SigningKey, body: str, header: str | None = None) -> str:
    """Sign a text as it stands, whatever it is."""
    head = header or json.dumps({"alg": "ES256", "typ": "JWT", "kid": key.id})
    text = f"{_encoded(head)}.{_encoded(body)}"
    algorithm: Any = jwt.get_algorithm_by_name("ES256")
    signature = algorithm.sign(text.encode(), key.private)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_the_same_by_hand_counts(issuer: OidcIssuer, identities: OidcIdentities) -> None:
    token = _signed(issuer.key, json.dumps(issuer.claims("ana")))
    assert identified(identities, token).person == "ana"


BODIES: dict[str, Callable[[str], str]] = {
    "a claim twice": lambda body: body[:-1] + ', "sub": "ben"}',
    "a claim twice, within": lambda body: body[:-1] + ', "x": {"a": 1, "a": 2}}',
    "a claim twice, spelt otherwise": lambda body: body[:-1] + r', "s\u0075b": "ben"}',
    "no number": lambda body: body[:-1] + ', "x": NaN}',
    "endless": lambda body: body[:-1] + ', "x": -Infinity}',
    "a list": lambda body: f"[{body}]",
    "a text": lambda _: '"ana"',
    "nothing": lambda _: "null",
    "more after it": lambda body: body + "{}",
    "half": lambda body: body[:-1],
    "deep": lambda body: body[:-1] + f', "x": {"[" * DEEPEST}{"]" * DEEPEST}}}',
    "very deep": lambda body: body[:-1] + f', "x": {"[" * 4000}{"]" * 4000}}}',
    "long digits": lambda body: body[:-1] + f', "x": {"9" * 5000}}}',
    "a byte order mark": lambda body: "\ufeff" + body,
}


@pytest.mark.parametrize("change", BODIES.values(), ids=BODIES.keys())
def test_a_token_that_can_be_read_in_two_ways_is_not_read(
    issuer: OidcIssuer, identities: OidcIdentities, change: Callable[[str], str]
) -> None:
    body = change(json.dumps(issuer.claims("ana")))
    refused(identities, _signed(issuer.key, body), "The token is broken")


def test_nor_is_one_whose_header_can_be(issuer: OidcIssuer, identities: OidcIdentities) -> None:
    head = f'{{"alg": "none", "kid": "{issuer.key.id}", "alg": "ES256"}}'
    token = _signed(issuer.key, json.dumps(issuer.claims("ana")), head)
    refused(identities, token, "The token is broken")


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "ä.b.c", "e30.e30.", "e30.e30.x y", "{}.{}.{}"],
)
def test_what_is_no_token_at_all_proves_nobody(identities: OidcIdentities, text: str) -> None:
    with pytest.raises(Unauthenticated, match=r"The token is broken|of an issuer whose"):
        identified(identities, text)


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("more", ["=", "\n", "+", " ", "\u202e"])
def test_every_part_is_base64url_alone(
    issuer: OidcIssuer, identities: OidcIdentities, part: int, more: str
) -> None:
    parts = issuer.token("ana").split(".")
    parts[part] += more
    refused(identities, ".".join(parts), "The token is broken")


def test_sixteen_kibibytes_are_read_and_not_one_more(
    issuer: OidcIssuer, identities: OidcIdentities
) -> None:
    def of_size(size: int) -> str:
        bare = len(issuer.token("ana", x="", jti="j"))
        room = (size - bare) * 3 // 4
        return next(
            token
            for more in range(room - 3, room + 3)
            if len(token := issuer.token("ana", x="x" * more, jti="j")) >= size
        )

    full = of_size(LARGEST - 1)
    assert len(full) in {LARGEST - 1, LARGEST}
    assert identified(identities, full).person == "ana"
    refused(identities, of_size(LARGEST + 1), "longer than the 16384 characters")
    refused(identities, "x" * 10_000_000, "longer than the 16384 characters")


def test_two_hundred_claims_are_read_and_not_one_more(
    issuer: OidcIssuer, identities: OidcIdentities
) -> None:
    usual = len(issuer.claims("ana"))
    full = {f"c{n}": 1 for n in range(200 - usual)}
    assert identified(identities, issuer.token("ana", **full)).person == "ana"
    refused(identities, issuer.token("ana", **full, more=1), "more than 200 claims")


@pytest.mark.parametrize(
    "claims",
    [
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    ],
    ids=["a logout", "bound to a key"],
)
def test_what_is_signed_for_something_else_is_no_sign_in(
    issuer: OidcIssuer, identities: OidcIdentities, claims: dict[str, object]
) -> None:
    refused(identities, issuer.token("ana", **claims), "something else than a sign-in")


def test_nothing_shows_the_token(issuer: OidcIssuer, identities: OidcIdentities) -> None:
    token = issuer.token("ana")
    assert token not in repr(Presented(kind="oidc", text=token))
    assert token not in repr(identified(identities, token))
