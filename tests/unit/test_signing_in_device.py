"""Signing in on another device, as the issuer and whoever is there have it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from jitcloud.emulators.oidc import Fault, OidcIssuer
from jitcloud.errors import Misconfigured, Refused, Unauthenticated, Unavailable
from jitcloud.signing_in import device
from jitcloud.signing_in.device import DeviceCode
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.token_endpoint import Client, Tokens
from tests.world import Time

TOKEN, BEGIN = "/token", "/device_authorization"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def issuer(time: Time) -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=time) as issuer:
        yield issuer


@dataclass
class Waiting:
    """Lets time pass, and on its way whatever is planned for the n-th wait happen."""

    time: Time
    then: dict[int, Callable[[], None]] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.time.forward(seconds=seconds)
        self.then.get(len(self.waited), lambda: None)()


@pytest.fixture
def wait(time: Time) -> Waiting:
    return Waiting(time)


def client(issuer: OidcIssuer) -> Client:
    return Client(issuer=issuer.url, client_id=issuer.client_id)


def begin(issuer: OidcIssuer, time: Time) -> DeviceCode:
    return device.begin(Provider.discover(issuer.url), client(issuer), time())


def finish(issuer: OidcIssuer, code: DeviceCode, wait: Waiting) -> Tokens:
    provider = Provider.discover(issuer.url)
    return device.finish(provider, client(issuer), code, clock=wait.time, wait=wait)


def test_somebody_approves_on_another_device(issuer: OidcIssuer, time: Time, wait: Waiting) -> None:
    code = begin(issuer, time)
    assert code.verification_uri == f"{issuer.url}/device"
    assert code.verification_uri_complete == f"{issuer.url}/device?user_code={code.user_code}"
    wait.then[3] = lambda: issuer.approve(code.user_code, "ana")
    tokens = finish(issuer, code, wait)
    assert tokens.id_token.subject == "ana"
    assert tokens.id_token.signed_in_at == time.now
    assert tokens.refresh_token is not None
    assert wait.waited == [5, 5, 5]


@pytest.mark.parametrize(
    ("interval", "first"), [(90, 90), (1, 1), (0, 5), (-1, 5), (True, 5), ("9", 5), (None, 5)]
)
def test_as_long_as_the_issuer_says_is_waited(
    issuer: OidcIssuer, time: Time, wait: Waiting, interval: object, first: int
) -> None:
    issuer.devices_say["interval"] = interval
    code = begin(issuer, time)
    issuer.approve(code.user_code, "ana")
    finish(issuer, code, wait)
    assert wait.waited == [first]


@pytest.mark.parametrize(
    "lies",
    [
        {"device_code": None},
        {"device_code": 7},
        {"user_code": None},
        {"user_code": "\x1b[2J"},
        {"user_code": "x" * 41},
        {"verification_uri": None},
        {"expires_in": 0},
        {"expires_in": "600"},
    ],
)
def test_what_is_no_code_is_not_shown(
    issuer: OidcIssuer, time: Time, lies: dict[str, object]
) -> None:
    issuer.devices_say.update(lies)
    with pytest.raises(Misconfigured, match="gave no code that could be entered"):
        begin(issuer, time)


@pytest.mark.parametrize("name", ["verification_uri", "verification_uri_complete"])
@pytest.mark.parametrize("uri", ["http://login.example.com/", "javascript:alert(1)", "file:///x"])
def test_no_page_is_opened_that_is_none(
    issuer: OidcIssuer, time: Time, name: str, uri: str
) -> None:
    issuer.devices_say[name] = uri
    with pytest.raises(Misconfigured, match="names a page to open that cannot be used"):
        begin(issuer, time)


def test_nobody_waits_for_ever(issuer: OidcIssuer, time: Time, wait: Waiting) -> None:
    issuer.devices_say.update(expires_in=10**30, interval=10**30)
    code = begin(issuer, time)
    with pytest.raises(Unauthenticated, match="in time"):
        finish(issuer, code, wait)
    assert wait.waited == [1800]


def test_nothing_secret_is_shown(issuer: OidcIssuer, time: Time, wait: Waiting) -> None:
    code = begin(issuer, time)
    issuer.approve(code.user_code, "ana")
    tokens = finish(issuer, code, wait)
    assert tokens.refresh_token is not None
    shown = repr(code) + repr(tokens)
    assert code.user_code in shown
    for secret in (code.device_code, tokens.id_token.text, tokens.refresh_token):
        assert secret not in shown


def test_whoever_says_no_there_is_heard(issuer: OidcIssuer, time: Time, wait: Waiting) -> None:
    code = begin(issuer, time)
    issuer.deny(code.user_code)
    with pytest.raises(Refused, match="Somebody said no"):
        finish(issuer, code, wait)
    assert len(wait.waited) == 1


def test_a_code_that_nobody_enters_runs_out(issuer: OidcIssuer, time: Time, wait: Waiting) -> None:
    code = begin(issuer, time)
    with pytest.raises(Unauthenticated, match="Nobody entered the code in time"):
        finish(issuer, code, wait)
    assert sum(wait.waited) == 600


def test_a_code_that_the_issuer_lets_run_out_early_does_too(
    issuer: OidcIssuer, time: Time, wait: Waiting
) -> None:
    code = begin(issuer, time)
    wait.then[1] = lambda: time.forward(minutes=9, seconds=54)
    with pytest.raises(Unauthenticated, match="Nobody entered the code in time"):
        finish(issuer, code, wait)


def test_whoever_is_told_to_slow_down_does(issuer: OidcIssuer, time: Time, wait: Waiting) -> None:
    code = begin(issuer, time)
    # The issuer's clock stands still while ours goes on: it seems to be asked at once again.
    wait.then[2] = lambda: time.forward(seconds=-5)
    wait.then[4] = lambda: issuer.approve(code.user_code, "ana")
    assert finish(issuer, code, wait).id_token.subject == "ana"
    assert wait.waited == [5, 5, 10, 10]


def test_an_issuer_that_does_not_answer_is_asked_less_often(
    issuer: OidcIssuer, time: Time, wait: Waiting
) -> None:
    code = begin(issuer, time)
    issuer.fail(TOKEN, Fault.BROKEN, Fault.HANG_UP, Fault.UNAVAILABLE)
    wait.then[4] = lambda: issuer.approve(code.user_code, "ana")
    assert finish(issuer, code, wait).id_token.subject == "ana"
    assert wait.waited == [5, 10, 20, 40]


def test_an_issuer_that_never_answers_again_is_said(
    issuer: OidcIssuer, time: Time, wait: Waiting
) -> None:
    code = begin(issuer, time)
    issuer.fail(TOKEN, *[Fault.BROKEN] * 100)
    with pytest.raises(Unavailable, match="out of order"):
        finish(issuer, code, wait)
    assert max(wait.waited) == 60
    assert sum(wait.waited) < 700


@pytest.mark.parametrize(
    "fault", [Fault.HTML, Fault.OTHER_SHAPE, Fault.MALFORMED, Fault.REDIRECT, Fault.DEEP]
)
@pytest.mark.parametrize("path", [BEGIN, TOKEN])
def test_what_is_no_answer_is_said(
    issuer: OidcIssuer, time: Time, wait: Waiting, path: str, fault: Fault
) -> None:
    issuer.fail(path, fault)
    with pytest.raises(Misconfigured, match="as no issuer of OpenID Connect does"):
        finish(issuer, begin(issuer, time), wait)
    assert issuer.asked.count(path) == 1  # it is not followed


def test_an_issuer_that_repeats_secrets_is_not_repeated(
    issuer: OidcIssuer, time: Time, wait: Waiting
) -> None:
    code = begin(issuer, time)
    issuer.fail(TOKEN, Fault.ECHO)
    with pytest.raises(Misconfigured, match=r"refuses this sign-in \(invalid_request\)") as caught:
        finish(issuer, code, wait)
    assert code.device_code not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"aud": "another-client"}, "for another client"),
        ({"aud": ["jitcloud", "another-client"]}, "for another client"),
        ({"aud": ["jitcloud", "another"], "azp": "another"}, "for another client"),
        ({"azp": "another"}, "for another client"),
        ({"aud": None}, "for another client"),
        ({"iss": "https://issuer.example.net"}, "of another issuer"),
        ({"sub": ""}, "names nobody"),
        ({"sub": 7}, "names nobody"),
        ({"sub": "x" * 256}, "names nobody"),
        ({"exp": None}, "names nobody, or no end"),
        ({"exp": "tomorrow"}, "names nobody, or no end"),
        ({"groups": ["g" * 100] * 100}, "more than 8192 characters"),
    ],
)
def test_a_token_for_somebody_else_is_not_taken(
    issuer: OidcIssuer, time: Time, wait: Waiting, lies: dict[str, object], said: str
) -> None:
    issuer.tokens_say.update(lies)
    code = begin(issuer, time)
    issuer.approve(code.user_code, "ana")
    with pytest.raises(Misconfigured, match=said):
        finish(issuer, code, wait)


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"exp": 1}, "has expired already"),
        ({"iat": 4_000_000_000}, "still to come"),
        ({"iat": None}, "still to come"),
        ({"nonce": "of another"}, "for another sign-in"),
    ],
)
def test_a_token_of_another_time_is_not_taken(
    issuer: OidcIssuer, time: Time, wait: Waiting, lies: dict[str, object], said: str
) -> None:
    issuer.tokens_say.update(lies)
    code = begin(issuer, time)
    issuer.approve(code.user_code, "ana")
    with pytest.raises(Unauthenticated, match=said):
        finish(issuer, code, wait)


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"id_token": None}, "gave no ID token"),
        ({"token_type": "DPoP"}, "gave no ID token"),
        ({"id_token": "opaque"}, "something else than an ID token"),
        ({"id_token": "e30.e30.e30"}, "that it has not signed"),
        ({"id_token": "bnVsbA.W10.e30"}, "something else than an ID token"),
        ({"id_token": "eyJhbGciOiJOb25lIn0.e30.e30"}, "that it has not signed"),
    ],
)
def test_an_answer_without_an_id_token_is_not_taken(
    issuer: OidcIssuer, time: Time, wait: Waiting, lies: dict[str, object], said: str
) -> None:
    issuer.answers_say.update(lies)
    code = begin(issuer, time)
    issuer.approve(code.user_code, "ana")
    with pytest.raises(Misconfigured, match=said):
        finish(issuer, code, wait)


def test_an_issuer_may_not_know_devices(issuer: OidcIssuer, time: Time) -> None:
    issuer.discovery_says["device_authorization_endpoint"] = None
    with pytest.raises(Misconfigured, match="sign in by a browser"):
        begin(issuer, time)


def test_a_client_that_is_not_known_is_said(issuer: OidcIssuer, time: Time) -> None:
    stranger = Client(issuer=issuer.url, client_id="other")
    with pytest.raises(Misconfigured, match=r"refuses this sign-in \(invalid_client\)"):
        device.begin(Provider.discover(issuer.url), stranger, time())
