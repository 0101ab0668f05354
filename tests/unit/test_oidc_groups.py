"""What tokens say of groups: read, kept, and counted later, when no token is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud import adapters, config
from jitcloud.asking import Wish
from jitcloud.audit import keys
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.config import Deployment
from jitcloud.directories.signed_in import SignedInDirectory, Strangers
from jitcloud.directories.static import StaticDirectory
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.errors import Misconfigured, Refused, Unauthenticated
from jitcloud.identities.claims import Issuer
from jitcloud.identities.oidc import OidcIdentities
from jitcloud.model import (
    Caller,
    Denied,
    EntitlementId,
    NeedsApproval,
    PersonId,
    Presented,
    Request,
    State,
)
from jitcloud.settings import Settings
from jitcloud.sign_ins import SignInBook
from jitcloud.stores.memory_sign_ins import MemorySignIns
from jitcloud.stores.sqlite_sign_ins import SqliteSignIns
from tests.world import PEOPLE, START, Time

NOW = START
HOUR = timedelta(hours=1)
ANA = PersonId("ana")


@pytest.fixture(scope="module")
def time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def issuer(time: Time) -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=time) as running:
        yield running


@pytest.fixture
def book() -> SignInBook:
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    return SignInBook(MemorySignIns(), signer.verifier(), signer)


@pytest.fixture
def people(tmp_path: Path) -> StaticDirectory:
    (tmp_path / "people.toml").write_text(PEOPLE)
    return StaticDirectory(tmp_path / "people.toml")


def trusting(
    issuer: OidcIssuer, people: StaticDirectory | None, book: SignInBook | None, **more: Any
) -> OidcIdentities:
    facts = {"groups_claim": "groups", **more}
    trusted = Issuer(
        url=issuer.url,
        audiences=frozenset({"jitcloud"}),
        algorithms=frozenset({"ES256"}),
        **facts,
    )
    return OidcIdentities([trusted], people, book=book)


def identified(identities: OidcIdentities, token: str) -> Caller:
    return identities.identify(Presented(kind="oidc", text=token), NOW)


# ── Read and kept ────────────────────────────────────────────────────────────────────────────


def test_what_a_token_says_is_kept_under_the_person_s_own_id(
    issuer: OidcIssuer, people: StaticDirectory, book: SignInBook
) -> None:
    identities = trusting(issuer, people, book)
    claims = {"groups": ["sre", "leads", "sre"], "iat": NOW - HOUR, "name": "Ana Lima"}
    identified(identities, issuer.token("ana@example.com", email="ana@example.com", **claims))
    kept = book.of(ANA)
    assert kept is not None
    assert (kept.name, kept.emails) == ("Ana Lima", ("ana@example.com",))
    assert kept.groups == ("leads", "sre")
    assert (kept.at, kept.until) == (NOW - HOUR, NOW + 11 * HOUR)
    assert kept.signature is not None


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"groups": []}, ()),
        ({"groups": None}, ()),
        ({"groups": "sre"}, ("sre",)),
        ({"groups": ["CN=Zoë,DC=東京", "it's"]}, ("CN=Zoë,DC=東京", "it's")),
        ({"groups": [f"g-{n:03}" for n in range(200)]}, tuple(f"g-{n:03}" for n in range(200))),
        ({"groups": ["sre"], "name": "\u202e"}, ("sre",)),
    ],
    ids=["none", "not named", "one", "odd names", "two hundred", "an odd name of the person"],
)
def test_groups_are_taken_as_they_are_named(
    issuer: OidcIssuer,
    people: StaticDirectory,
    book: SignInBook,
    claims: dict[str, object],
    groups: tuple[str, ...],
) -> None:
    identified(trusting(issuer, people, book), issuer.token("ana", **claims))
    kept = book.of(ANA)
    assert kept is not None
    assert kept.groups == groups
    assert kept.name.isprintable()


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"groups": [f"g-{n}" for n in range(201)]}, "more groups than the 200"),
        ({"groups": ["same"] * 1500}, "more groups than the 200"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "more groups than the 200"),
        ({"groups": None, "hasgroups": True}, "more groups than the 200"),
        ({"groups": {"sre": True}}, 'the claim "groups"'),
        ({"groups": [["sre"]]}, 'the claim "groups"'),
        ({"groups": ["sre", 7]}, 'the claim "groups"'),
        ({"groups": ["sre", ""]}, 'the claim "groups"'),
        ({"groups": ["sre\u202e"]}, 'the claim "groups"'),
        ({"groups": ["x" * 201]}, 'the claim "groups"'),
    ],
)
def test_groups_that_cannot_be_taken_are_refused_whole(
    issuer: OidcIssuer,
    people: StaticDirectory,
    book: SignInBook,
    claims: dict[str, object],
    why: str,
) -> None:
    identities = trusting(issuer, people, book)
    with pytest.raises(Unauthenticated, match=why) as caught:
        identified(identities, issuer.token("ana", **claims))
    assert len(str(caught.value)) < 300
    assert book.of(ANA) is None


def test_only_what_is_looked_for_is_read(
    issuer: OidcIssuer, people: StaticDirectory, book: SignInBook
) -> None:
    other = trusting(issuer, people, book, groups_claim="cognito:groups")
    claims = {"groups": {"any": "thing"}, "cognito:groups": ["sre"]}
    assert identified(other, issuer.token("ana", **claims)).person == "ana"
    kept = book.of(ANA)
    assert kept is not None
    assert kept.groups == ("sre",)
    none = trusting(issuer, people, book, groups_claim=None)
    identified(none, issuer.token("ben", groups=["leads"]))
    assert book.of(PersonId("ben")) is None


def test_who_is_refused_leaves_nothing(
    issuer: OidcIssuer, people: StaticDirectory, book: SignInBook
) -> None:
    identities = trusting(issuer, people, book)
    for token in (
        issuer.token("zoe", groups=["sre"]),
        issuer.token("ana", groups=["sre"], aud="wiki"),
        issuer.token("ana", groups=["sre"])[:-8] + "AAAAAAAA",
    ):
        with pytest.raises(Unauthenticated):
            identified(identities, token)
    assert (book.of(ANA), book.of(PersonId("zoe"))) == (None, None)


def test_without_a_book_nothing_is_kept(issuer: OidcIssuer, people: StaticDirectory) -> None:
    caller = identified(trusting(issuer, people, None), issuer.token("ana", groups=["sre"]))
    assert caller.person == "ana"


@pytest.mark.parametrize("groups_claim", ["groups", None])
def test_people_may_be_known_from_their_tokens_alone(
    issuer: OidcIssuer, book: SignInBook, time: Time, groups_claim: str | None
) -> None:
    identities = trusting(issuer, None, book, prefix="okta:", groups_claim=groups_claim)
    claims = {"name": "Zoe", "groups": ["sre"]}
    assert identified(identities, issuer.token("00u1", **claims)).person == "okta:00u1"
    zoe = SignedInDirectory(book, time, Strangers()).person("okta:00u1")
    assert (zoe.name, zoe.emails) == ("Zoe", ("00u1@example.org",))
    assert zoe.groups == ({"sre"} if groups_claim else frozenset())


# ── A whole deployment ───────────────────────────────────────────────────────────────────────

POLICY = """
@id("ask")
@approval("1 of sre")
permit (principal in Group::"developers", action == Action::"request", resource);
"""
CATALOG = """
[[entitlement]]
id = "prod"
title = "Production"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "write"
environment = "prod"
owner = "sre"
target = { role_arn = "arn:aws:iam::111122223333:role/prod" }
"""


def deployed(folder: Path, time: Time, issuer: OidcIssuer, more: str = "") -> Deployment:
    (folder / "policy").mkdir(exist_ok=True)
    (folder / "policy" / "rules.cedar").write_text(POLICY)
    (folder / "catalog.toml").write_text(CATALOG)
    (folder / "jitcloud.toml").write_text(
        f"""
[aws]
endpoint_url = "http://127.0.0.1:1"
[sign_in]
{more}
[[sign_in.issuer]]
url = "{issuer.url}"
audiences = ["jitcloud"]
groups_claim = "groups"
"""
    )
    if not (folder / "keys").exists():
        keys.create(folder / "keys")
    return config.load(folder, time)


def speaking(deployment: Deployment, issuer: OidcIssuer, who: str, *groups: str) -> Caller:
    identities = deployment.identities()
    assert identities is not None
    token = issuer.token(who, groups=list(groups))
    return identities.identify(Presented(kind="oidc", text=token), deployment.clock())


def asked(deployment: Deployment, caller: Caller, start: timedelta | None = None) -> Request:
    wish = Wish(
        duration=HOUR,
        justification="Look into INC-7",
        start=None if start is None else deployment.clock() + start,
    )
    now = deployment.clock()
    return deployment.broker.request_all(caller, (EntitlementId("prod"),), wish, now)[0]


@pytest.mark.parametrize("more", ["", "people_from_tokens = true"], ids=["beside", "alone"])
def test_groups_of_tokens_count_when_nobody_presents_one(
    tmp_path: Path, issuer: OidcIssuer, more: str
) -> None:
    """At the approval nobody presents the requester's, and at the activation nobody any."""
    time = Time()
    if not more:
        (tmp_path / "people.toml").write_text(PEOPLE.partition("[groups")[0])
    with deployed(tmp_path, time, issuer, more) as deployment:
        ana = speaking(deployment, issuer, "ana", "developers")
        ben = speaking(deployment, issuer, "ben", "developers", "sre")
        request = asked(deployment, ana, HOUR)
        assert request.state is State.PENDING, request.decision
    # Another process, that has seen no token.
    with config.load(tmp_path, time) as deployment:
        assert deployment.broker.approve(ben, request.id, time()).state is State.SCHEDULED
        time.forward(hours=1)
        judged = deployment.judge.at_last(deployment.ledger.load(request.id), None, time())
        assert isinstance(judged.decision, NeedsApproval), judged.decision


def test_they_stop_counting_when_their_time_is_up(tmp_path: Path, issuer: OidcIssuer) -> None:
    time = Time()
    (tmp_path / "people.toml").write_text(PEOPLE.partition("[groups")[0])
    with deployed(tmp_path, time, issuer, 'groups_last = "2h"') as deployment:
        ana = speaking(deployment, issuer, "ana", "developers")
        ben = speaking(deployment, issuer, "ben", "developers", "sre")
        request = asked(deployment, ana, 3 * HOUR)
        deployment.broker.approve(ben, request.id, time())
        time.forward(hours=3)
        judged = deployment.judge.at_last(deployment.ledger.load(request.id), None, time())
        assert isinstance(judged.decision, Denied)


def test_a_row_that_somebody_wrote_into_the_record_gives_nobody_a_group(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    time = Time()
    (tmp_path / "people.toml").write_text(PEOPLE.partition("[groups")[0])
    with deployed(tmp_path, time, issuer) as deployment:
        ana = speaking(deployment, issuer, "ana", "developers")
        speaking(deployment, issuer, "ben", "sre")
        request = asked(deployment, ana)
        mallory = replace(ana, person=PersonId("caro"))
        forged = SqliteSignIns(tmp_path / "jitcloud.db")
        told = forged.of(PersonId("ben"))
        assert told is not None
        forged.put(replace(told, person=PersonId("caro"), at=told.at + HOUR))
        forged.close()
        with pytest.raises(Refused, match="not among the people asked"):
            deployment.broker.approve(mallory, request.id, time())


def test_who_does_not_sign_keeps_nothing_and_believes_what_is_kept(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    """As the function that issues credentials does."""
    time = Time()
    (tmp_path / "people.toml").write_text(PEOPLE.partition("[groups")[0])
    with deployed(tmp_path, time, issuer) as deployment:
        speaking(deployment, issuer, "ana", "developers")
    with config.load(tmp_path, time, signs=False) as deployment:
        time.forward(minutes=1)
        speaking(deployment, issuer, "ana", "sre")
        assert deployment.judge.person(ANA).groups == {"developers"}


def test_without_sign_in_nobody_calls_and_nothing_is_kept(tmp_path: Path) -> None:
    assert adapters.identities_of(Settings(), tmp_path, Strangers(), Time()) is None
    assert adapters.sign_ins_of(Settings(), tmp_path) is None


@pytest.mark.parametrize("line", ['people = "people.toml"', '[directory]\ncommand = ["./x"]'])
def test_people_are_known_from_tokens_or_by_somebody_else(
    tmp_path: Path, issuer: OidcIssuer, line: str
) -> None:
    deployed(tmp_path, Time(), issuer, "people_from_tokens = true").close()
    file = tmp_path / "jitcloud.toml"
    file.write_text(f"{line}\n{file.read_text()}")
    with pytest.raises(Misconfigured, match="people_from_tokens does without people and"):
        config.load(tmp_path, Time())
