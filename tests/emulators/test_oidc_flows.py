"""The emulated issuer's flows: device, authorization code, refresh and revocation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from jitcloud.emulators.oidc import OidcIssuer
from tests.signing_in import BACK, Seen, authorize, claims, exchange, see, token
from tests.world import Time

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def issuer(time: Time) -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=time) as issuer:
        issuer.add("ana", groups=["sre"])
        issuer.browser = "ana"
        yield issuer


def signed_in(issuer: OidcIssuer, **other: str) -> dict[str, str]:
    seen = exchange(issuer, authorize(issuer, **other).sent_back["code"])
    assert seen.status == 200, seen.body
    tokens: dict[str, str] = seen.json
    return tokens


def error(seen: Seen) -> str:
    assert seen.status == 400
    said: str = seen.json["error"]
    return said


# ── Device ───────────────────────────────────────────────────────────────────────────────────


def begun(issuer: OidcIssuer) -> dict[str, str]:
    form = {"client_id": issuer.client_id, "scope": "openid offline_access"}
    found: dict[str, str] = see(f"{issuer.url}/device_authorization", form).json
    return found


def poll(issuer: OidcIssuer, code: dict[str, str]) -> Seen:
    return token(issuer, grant_type=DEVICE, device_code=code["device_code"])


def test_a_device_waits_until_somebody_approves(issuer: OidcIssuer, time: Time) -> None:
    code = begun(issuer)
    assert issuer.waiting() == [code["user_code"]]
    assert error(poll(issuer, code)) == "authorization_pending"
    time.forward(seconds=5)
    issuer.approve(code["user_code"].lower(), "ana")
    said = claims(poll(issuer, code).json["id_token"])
    assert (said["sub"], said["groups"]) == ("ana", ["sre"])
    assert said["auth_time"] == int(time.now.timestamp())
    assert "nonce" not in said
    time.forward(seconds=5)
    assert error(poll(issuer, code)) == "invalid_grant"


def test_a_device_that_asks_too_often_has_to_slow_down(issuer: OidcIssuer, time: Time) -> None:
    code = begun(issuer)
    poll(issuer, code)
    time.forward(seconds=4.9)
    assert error(poll(issuer, code)) == "slow_down"
    time.forward(seconds=9.9)
    assert error(poll(issuer, code)) == "slow_down"
    time.forward(seconds=15)
    assert error(poll(issuer, code)) == "authorization_pending"


def test_somebody_may_say_no_to_a_device(issuer: OidcIssuer) -> None:
    code = begun(issuer)
    issuer.deny(code["user_code"])
    assert error(poll(issuer, code)) == "access_denied"


def test_a_device_code_expires(issuer: OidcIssuer, time: Time) -> None:
    code = begun(issuer)
    time.forward(seconds=float(code["expires_in"]))
    issuer.approve(code["user_code"], "ana")
    assert error(poll(issuer, code)) == "expired_token"


def test_a_person_approves_on_a_page(issuer: OidcIssuer) -> None:
    code = begun(issuer)
    page = see(code["verification_uri_complete"])
    assert code["user_code"].encode() in page.body
    form = {"user_code": code["user_code"], "as": "ana"}
    assert see(code["verification_uri"], form).status == 200
    assert poll(issuer, code).status == 200
    assert see(code["verification_uri"], {"user_code": "NONE", "as": ""}).status == 404
    assert b"<script" not in see(f"{issuer.url}/device?user_code=%22%3E%3Cscript%3E").body


# ── Authorization code ───────────────────────────────────────────────────────────────────────


def test_a_code_is_exchanged_once(issuer: OidcIssuer) -> None:
    back = authorize(issuer).sent_back
    assert (back["state"], back["iss"]) == ("state", issuer.url)
    tokens = exchange(issuer, back["code"]).json
    said = claims(tokens["id_token"])
    assert (said["sub"], said["nonce"], said["aud"]) == ("ana", "nonce", issuer.client_id)
    assert error(exchange(issuer, back["code"])) == "invalid_grant"
    # Whatever came of it is void from then on.
    again = token(issuer, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert error(again) == "invalid_grant"


@pytest.mark.parametrize(
    "other",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:10/callback"},
        {"code": "another"},
    ],
)
def test_a_code_is_of_no_use_to_others(issuer: OidcIssuer, other: dict[str, str]) -> None:
    code = authorize(issuer).sent_back["code"]
    assert error(exchange(issuer, **{"code": code, **other})) == "invalid_grant"


def test_a_code_lasts_a_minute(issuer: OidcIssuer, time: Time) -> None:
    code = authorize(issuer).sent_back["code"]
    time.forward(seconds=60)
    assert error(exchange(issuer, code)) == "invalid_grant"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_what_it_cannot_do_is_said_to_the_client(
    issuer: OidcIssuer, other: dict[str, str | None], said: str
) -> None:
    back = authorize(issuer, **other).sent_back
    assert (back["error"], back["state"], back.get("code")) == (said, "state", None)


@pytest.mark.parametrize(
    "other",
    [
        {"redirect_uri": "https://example.org/callback"},
        {"redirect_uri": "http://127.0.0.1.example.org:9/callback"},
        {"redirect_uri": "http://localhost:9/callback"},
        {"redirect_uri": "http://127.0.0.1/callback"},
        {"redirect_uri": f"{BACK}?x=y"},
        {"client_id": "other"},
    ],
)
def test_nobody_is_sent_to_an_address_that_may_be_anybodys(
    issuer: OidcIssuer, other: dict[str, str | None]
) -> None:
    seen = authorize(issuer, **other)
    assert (seen.status, "Location" in seen.headers) == (400, False)


def test_somebody_may_cancel(issuer: OidcIssuer) -> None:
    issuer.browser = ""
    assert authorize(issuer).sent_back["error"] == "access_denied"


def test_a_page_asks_who_is_at_the_browser(issuer: OidcIssuer) -> None:
    issuer.browser = None
    page = authorize(issuer)
    assert page.status == 200
    assert b"Sign in as ana" in page.body
    back = authorize(issuer, **{"as": "ana"}).sent_back
    assert claims(exchange(issuer, back["code"]).json["id_token"])["sub"] == "ana"


@pytest.mark.parametrize(
    ("other", "is_fresh"),
    [({}, False), ({"max_age": "600"}, False), ({"max_age": "599"}, True),
     ({"max_age": "0"}, True), ({"prompt": "login"}, True)],
)  # fmt: skip
def test_whoever_asks_for_it_gets_a_fresh_sign_in(
    issuer: OidcIssuer, time: Time, other: dict[str, str], *, is_fresh: bool
) -> None:
    since = time.now
    signed_in(issuer)
    time.forward(minutes=10)
    said = claims(signed_in(issuer, **other)["id_token"])
    assert said["auth_time"] == int((time.now if is_fresh else since).timestamp())
    assert said["iat"] == int(time.now.timestamp())


# ── Refreshing ───────────────────────────────────────────────────────────────────────────────


def renew(issuer: OidcIssuer, refresh_token: str) -> Seen:
    return token(issuer, grant_type="refresh_token", refresh_token=refresh_token)


def test_a_refresh_token_is_good_once(issuer: OidcIssuer, time: Time) -> None:
    first = signed_in(issuer)
    since = int(time.now.timestamp())
    time.forward(hours=2)
    second = renew(issuer, first["refresh_token"]).json
    said = claims(second["id_token"])
    assert (said["auth_time"], said["exp"]) == (since, since + 3 * 3600)
    assert "nonce" not in said
    assert error(renew(issuer, first["refresh_token"])) == "invalid_grant"
    assert error(renew(issuer, second["refresh_token"])) == "invalid_grant"  # a thief has one


def test_a_refresh_token_may_stay_the_same(issuer: OidcIssuer) -> None:
    issuer.rotates_refresh_tokens = False
    first = signed_in(issuer)
    for _ in range(2):
        said = renew(issuer, first["refresh_token"]).json
        assert "refresh_token" not in said


def test_without_offline_access_there_is_none(issuer: OidcIssuer) -> None:
    assert "refresh_token" not in signed_in(issuer, scope="openid")


def test_a_revoked_sign_in_is_not_renewed(issuer: OidcIssuer) -> None:
    tokens = signed_in(issuer)
    for secret in (tokens["refresh_token"], tokens["refresh_token"], "unknown"):
        form = {"client_id": issuer.client_id, "token": secret}
        assert see(f"{issuer.url}/revoke", form).status == 200
    assert error(renew(issuer, tokens["refresh_token"])) == "invalid_grant"


def test_an_account_that_is_gone_is_not_renewed(issuer: OidcIssuer) -> None:
    tokens = signed_in(issuer)
    issuer.remove("ana")
    assert error(renew(issuer, tokens["refresh_token"])) == "invalid_grant"


def test_its_tokens_may_lie(issuer: OidcIssuer) -> None:
    issuer.tokens_say.update(aud="other", nonce="another")
    issuer.answers_say["refresh_token"] = None
    tokens = signed_in(issuer)
    said = claims(tokens["id_token"])
    assert (said["aud"], said["nonce"]) == ("other", "another")
    assert "refresh_token" not in tokens
    issuer.redirects_say.update(state="wrong", iss=None)
    back = authorize(issuer).sent_back
    assert (back["state"], "iss" in back) == ("wrong", False)


def test_tokens_last_as_long_as_said(time: Time) -> None:
    with OidcIssuer(algorithm="ES256", clock=time, lifetime=timedelta(minutes=1)) as issuer:
        issuer.browser = "ana"
        said = claims(signed_in(issuer)["id_token"])
        assert said["exp"] - said["iat"] == 60
