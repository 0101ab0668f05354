"""Signing in in a browser on this machine, and what else arrives where it is sent back to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from jitcloud.emulators.oidc import Fault, OidcIssuer
from jitcloud.errors import Misconfigured, Refused, Unauthenticated, Unavailable
from jitcloud.ports import Clock
from jitcloud.signing_in import browser
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.redirect import Redirect
from jitcloud.signing_in.token_endpoint import Client, Tokens
from tests.signing_in import Browser, browsing, claims, see
from tests.world import Time

DIGEST = "d" * 64
SHORT = timedelta(seconds=0.3)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def issuer(time: Time) -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=time) as issuer:
        issuer.browser = "ana"
        yield issuer


@pytest.fixture
def chrome() -> Iterator[Browser]:
    with browsing() as chrome:
        yield chrome


def sign_in(issuer: OidcIssuer, chrome: Any, time: Clock, **more: Any) -> Tokens:
    client = Client(issuer=issuer.url, client_id=issuer.client_id)
    return browser.sign_in(Provider.discover(issuer.url), client, chrome, clock=time, **more)


def meet(others: threading.Barrier) -> None:
    others.wait(5)


def asked(chrome: Browser) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(chrome.pages[-1]).query))


def test_somebody_signs_in(issuer: OidcIssuer, chrome: Browser, time: Time) -> None:
    tokens = sign_in(issuer, chrome, time)
    assert tokens.id_token.subject == "ana"
    assert tokens.refresh_token is not None
    assert asked(chrome)["code_challenge_method"] == "S256"
    assert "max_age" not in asked(chrome)
    chrome.close()
    (page,) = chrome.seen
    assert (page.status, b"go back to the terminal" in page.body) == (200, True)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


def test_each_sign_in_has_secrets_of_its_own(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    for _ in range(2):
        sign_in(issuer, chrome, time)
    first, second = (dict(parse_qsl(urlsplit(page).query)) for page in chrome.pages)
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_a_bound_sign_in_is_new_and_for_one_thing(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    sign_in(issuer, chrome, time)
    time.forward(minutes=30)
    tokens = sign_in(issuer, chrome, time, bound_to=DIGEST)
    assert (asked(chrome)["prompt"], asked(chrome)["max_age"]) == ("login", "0")
    assert claims(tokens.id_token.text)["nonce"] == DIGEST
    assert tokens.id_token.signed_in_at == time.now
    assert tokens.refresh_token is None


@pytest.mark.parametrize(
    ("lies", "kind", "said"),
    [
        ({"nonce": "e" * 64}, Unauthenticated, "its nonce differs"),
        ({"nonce": None}, Unauthenticated, "its nonce differs"),
        ({"auth_time": None}, Misconfigured, "have the client's ID tokens carry auth_time"),
        ({"auth_time": 1_000_000_000}, Unauthenticated, "of an earlier sign-in"),
        ({"aud": "another"}, Misconfigured, "for another client"),
    ],
)
def test_a_bound_sign_in_takes_no_other_token(
    issuer: OidcIssuer, chrome: Browser, lies: dict[str, object], kind: type[Exception], said: str
) -> None:
    issuer.tokens_say.update(lies)
    with pytest.raises(kind, match=said):
        sign_in(issuer, chrome, issuer.clock, bound_to=DIGEST)


def test_a_token_with_another_nonce_is_not_taken(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    issuer.tokens_say["nonce"] = "of somebody else's sign-in"
    with pytest.raises(Unauthenticated, match="its nonce differs"):
        sign_in(issuer, chrome, time)


# ── What arrives ─────────────────────────────────────────────────────────────────────────────


def test_what_does_not_name_our_state_is_turned_away(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    seen: list[int] = []

    def intrude(back: str) -> None:
        queries: list[dict[str, str]] = [
            {"code": "stolen", "state": "wrong"},
            {"code": "stolen", "state": ""},
            {"code": "stolen"},
            {"error": "access_denied", "state": "wrong"},
            {"state": "é" * 43, "code": "stolen"},
        ]
        seen.extend(see(f"{back}?{urlencode(query)}").status for query in queries)
        seen.append(see(back, {"code": "stolen"}).status)
        seen.append(see(back.replace("/callback", "/")).status)
        seen.append(see(f"{back}?{'x=1&' * 30}").status)

    chrome.first = intrude
    assert sign_in(issuer, chrome, time).id_token.subject == "ana"
    assert seen == [400, 400, 400, 400, 400, 404, 404, 400]


def test_wrong_answers_alone_end_in_nothing(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    issuer.redirects_say["state"] = "wrong"
    with pytest.raises(Unauthenticated, match="Nobody signed in in the browser in time"):
        sign_in(issuer, chrome, time, patience=SHORT)
    assert "/token" not in issuer.asked
    chrome.close()
    assert chrome.seen[0].status == 400


def test_a_parameter_that_stands_there_twice_is_turned_away() -> None:
    with Redirect("state") as redirect:
        host = urlsplit(redirect.uri).netloc
        twice = redirect.take("GET", "/callback?state=state&code=a&code=b", host)
        assert twice[0] == 400
        assert redirect.take("GET", "/callback?state=state&code=a", "evil.example.net")[0] == 404
        assert redirect.take("POST", "/callback?state=state&code=a", host)[0] == 404
        with pytest.raises(Unauthenticated):
            redirect.wait(timedelta(0))
        assert redirect.take("GET", "/callback?state=state&code=a", host)[0] == 200
        assert redirect.take("GET", "/callback?state=state&code=b", host)[0] == 200
        assert redirect.wait(SHORT)["code"] == "a"  # the first counts


def test_two_browsers_at_once_do_not_get_in_each_others_way(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    with browsing() as firefox:

        def both(url: str) -> None:
            chrome(url)
            firefox(url)

        assert sign_in(issuer, both, time).id_token.subject == "ana"


def test_two_sign_ins_at_once_do_not_mix(issuer: OidcIssuer, time: Time) -> None:
    found: dict[str, Tokens] = {}
    apart = threading.Barrier(2)

    def one(name: str) -> None:
        with browsing() as chrome:
            chrome.first = lambda _: meet(apart)
            found[name] = sign_in(issuer, chrome, time)

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found["a"].id_token.text != found["b"].id_token.text


def test_what_is_no_request_of_a_browser_holds_nobody_up(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    def disturb(back: str) -> None:
        where = ("127.0.0.1", urlsplit(back).port or 0)
        for sent in (b"", b"\r\n\r\n", b"\x16\x03\x01" * 99, b"GET " + b"x" * 40_000):
            # It may be ended before all is sent.
            with contextlib.suppress(ConnectionError), socket.create_connection(where) as found:
                found.sendall(sent)

    chrome.first = disturb
    assert sign_in(issuer, chrome, time).id_token.subject == "ana"


def test_connections_that_browsers_open_in_advance_hold_nobody_up(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    idle: list[socket.socket] = []

    def open_some(back: str) -> None:
        where = ("127.0.0.1", urlsplit(back).port or 0)
        idle.extend(socket.create_connection(where, timeout=10) for _ in range(40))

    chrome.first = open_some
    assert sign_in(issuer, chrome, time).id_token.subject == "ana"
    for found in idle:
        with contextlib.suppress(ConnectionError):
            assert found.recv(1) == b""  # it was ended, though nothing had come
        found.close()


# ── Who answers ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("named", ["https://issuer.example.net", "", None])
def test_an_answer_of_another_issuer_is_not_taken(
    issuer: OidcIssuer, chrome: Browser, time: Time, named: str | None
) -> None:
    issuer.redirects_say["iss"] = named
    with pytest.raises(Unauthenticated, match="does not come from"):
        sign_in(issuer, chrome, time)
    assert "/token" not in issuer.asked


def test_an_issuer_that_does_not_name_itself_need_not(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    issuer.discovery_says["authorization_response_iss_parameter_supported"] = None
    issuer.redirects_say["iss"] = None
    assert sign_in(issuer, chrome, time).id_token.subject == "ana"


def test_somebody_may_cancel(issuer: OidcIssuer, chrome: Browser, time: Time) -> None:
    issuer.browser = ""
    with pytest.raises(Refused, match="did not sign you in"):
        sign_in(issuer, chrome, time)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ("invalid_scope", Misconfigured, r"refuses this sign-in \(invalid_scope\)"),
        ("temporarily_unavailable", Unavailable, "out of order"),
        ("<script>", Misconfigured, r"\(for no reason that OAuth knows\)"),
    ],
)
def test_what_the_issuer_cannot_do_is_said(
    issuer: OidcIssuer, chrome: Browser, error: str, kind: type[Exception], said: str
) -> None:
    issuer.redirects_say.update(error=error, code=None)
    with pytest.raises(kind, match=said):
        sign_in(issuer, chrome, issuer.clock)


def test_an_answer_without_a_code_is_said(issuer: OidcIssuer, chrome: Browser, time: Time) -> None:
    issuer.redirects_say["code"] = None
    with pytest.raises(Misconfigured, match="without a code"):
        sign_in(issuer, chrome, time)


def test_a_code_that_the_issuer_does_not_know_is_said_and_not_shown(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    issuer.redirects_say["code"] = "stolen-from-somewhere"
    with pytest.raises(Unauthenticated, match="does not know the answer") as caught:
        sign_in(issuer, chrome, time)
    assert "stolen-from-somewhere" not in "".join(traceback.format_exception(caught.value))


def test_an_issuer_that_repeats_secrets_is_not_repeated(
    issuer: OidcIssuer, chrome: Browser, time: Time
) -> None:
    issuer.fail("/token", Fault.ECHO)
    with pytest.raises(Misconfigured, match="invalid_request") as caught:
        sign_in(issuer, chrome, time)
    shown = "".join(traceback.format_exception(caught.value))
    assert "code_verifier=" not in shown


def test_an_issuer_may_not_know_browsers(issuer: OidcIssuer, chrome: Browser, time: Time) -> None:
    issuer.discovery_says["authorization_endpoint"] = None
    with pytest.raises(Misconfigured, match="by a code on another device"):
        sign_in(issuer, chrome, time)


# ── The port ─────────────────────────────────────────────────────────────────────────────────


def test_a_port_may_be_given_and_is_free_again_afterwards() -> None:
    with Redirect("state") as first:
        port = urlsplit(first.uri).port or 0
        with pytest.raises(Misconfigured, match=f"port {port} of this machine"):
            Redirect("state", port=port)
    with Redirect("state", port=port) as second:
        assert second.uri == first.uri


INTERRUPTED = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
from jitcloud.clock import utc_now
from jitcloud.signing_in.browser import sign_in
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.token_endpoint import Client
issuer = sys.argv[1]
client = Client(issuer=issuer, client_id="jitcloud")
provider = Provider.discover(issuer)
before = threading.active_count()
try:
    sign_in(provider, client, lambda url: print(url, flush=True), clock=utc_now)
except KeyboardInterrupt:
    print("left:", threading.active_count() - before)
"""


def test_ctrl_c_ends_the_wait_at_once_and_leaves_nothing(issuer: OidcIssuer) -> None:
    command = [sys.executable, "-W", "error", "-c", INTERRUPTED, issuer.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own text
        assert process.stdout is not None
        page = process.stdout.readline()
        back = urlsplit(dict(parse_qsl(urlsplit(page.strip()).query))["redirect_uri"])
        with socket.create_connection(("127.0.0.1", back.port or 0), timeout=10):
            # One that a browser opens in advance is no reason to stay.
            os.kill(process.pid, signal.SIGINT)
            assert process.stdout.read() == "left: 0\n"
        assert process.wait(10) == 0
