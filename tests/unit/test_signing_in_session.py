"""A sign-in is kept in the keyring, renewed when it has to be, and ended."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from jitcloud.emulators.oidc import Fault, OidcIssuer
from jitcloud.errors import Misconfigured, Unauthenticated, Unavailable
from jitcloud.model import Digest
from jitcloud.signing_in.client_settings import ApiSettings
from jitcloud.signing_in.one_at_a_time import alone
from jitcloud.signing_in.opening import oidc_session
from jitcloud.signing_in.session import OidcSession
from tests.cli_world import MemoryKeyring
from tests.signing_in import Browser, browsing, claims
from tests.world import Time

API = "https://access.example.com"
DIGEST = Digest("d" * 64)
HOUR = 3600


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


class Machine:
    """A person's machine: each session is one of a process of its own."""

    def __init__(self, issuer: OidcIssuer, time: Time, home: Path) -> None:
        self.settings = ApiSettings(
            url=API, sign_in="oidc", issuer=issuer.url, client_id=issuer.client_id
        )
        self.keyring: MemoryKeyring | None = MemoryKeyring()
        self.time = time
        self.environment = {"HOME": str(home)}

    def session(self, url: str = API, **environment: str) -> OidcSession:
        settings = self.settings.model_copy(update={"url": url})
        return oidc_session(settings, self.environment | environment, self.keyring, self.time)


@pytest.fixture
def machine(issuer: OidcIssuer, time: Time, tmp_path: Path) -> Machine:
    return Machine(issuer, time, tmp_path)


def subject(session: OidcSession) -> str:
    shown = session.presented()
    assert shown.kind == "oidc"
    said: str = claims(shown.text)["sub"]
    return said


# ── Kept ─────────────────────────────────────────────────────────────────────────────────────


def test_a_sign_in_is_there_for_the_next_command(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    session = machine.session()
    assert session.sign_in_by_browser(chrome).subject == "ana"
    assert session.not_kept == ""
    asked = len(issuer.asked)
    assert subject(machine.session()) == "ana"
    who = machine.session().who()
    assert who is not None
    assert (who.subject, who.email) == ("ana", "ana@example.org")
    assert len(issuer.asked) == asked  # nobody had to be asked


def test_it_is_kept_on_another_device_as_well(machine: Machine, issuer: OidcIssuer) -> None:
    shown: list[str] = []

    def wait(seconds: float) -> None:
        machine.time.forward(seconds=seconds)
        issuer.approve(shown[0], "bo")

    machine.session().sign_in_by_code(lambda code: shown.append(code.user_code), wait)
    assert subject(machine.session()) == "bo"


def test_no_file_holds_a_token(machine: Machine, chrome: Browser, tmp_path: Path) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    machine.time.forward(hours=2)
    token = session.presented().text
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or token.encode() not in file.read_bytes()
        assert file.is_dir() or file.stat().st_size == 0  # a lock


def test_nothing_is_shown_or_logged(
    machine: Machine, chrome: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = machine.session()
    token = session.sign_in_by_browser(chrome)
    shown = repr(session) + repr(token) + repr(session.presented()) + caplog.text
    (kept,) = (machine.keyring or MemoryKeyring()).held.values()
    for secret in (token.text, json.loads(kept)["refresh_token"]):
        assert secret
        assert secret not in shown


def test_deployments_and_issuers_do_not_mix(machine: Machine, chrome: Browser) -> None:
    machine.session().sign_in_by_browser(chrome)
    assert machine.session("https://other.example.com").who() is None
    other = machine.session()
    other.kept = replace(other.kept, client=replace(other.client, client_id="other"))
    assert other.who() is None


@pytest.mark.parametrize(
    "kept",
    ["", "null", "[]", "{}", '{"id_token": "x"}', '{"id_token": "x", "refresh_token": 7}', "["],
)
def test_what_is_not_ours_in_the_keyring_is_nobody(machine: Machine, kept: str) -> None:
    assert machine.keyring is not None
    machine.keyring.set_password("jitcloud", machine.session().kept.name, kept)
    with pytest.raises(Unauthenticated, match="You are not signed in"):
        machine.session().presented()


def test_a_token_that_somebody_put_there_for_another_is_nobody(
    machine: Machine, issuer: OidcIssuer
) -> None:
    session = machine.session()
    session.kept.keep(issuer.token("eve", aud="another"), None)
    assert machine.session().who() is None
    session.kept.keep(issuer.token("eve"), None)
    assert subject(machine.session()) == "eve"


# ── Renewed ──────────────────────────────────────────────────────────────────────────────────


def test_what_has_expired_is_renewed_and_kept(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    first = machine.session()
    first.sign_in_by_browser(chrome)
    old = first.presented().text
    machine.time.forward(minutes=58)
    assert machine.session().presented().text == old
    machine.time.forward(minutes=1)
    new = machine.session().presented().text
    assert claims(new)["exp"] == claims(old)["exp"] + 59 * 60
    asked = len(issuer.asked)
    # Who has been running all the while takes what another process has renewed.
    assert first.presented().text == new
    assert len(issuer.asked) == asked


def test_the_refresh_token_may_stay_the_same(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    issuer.rotates_refresh_tokens = False
    machine.session().sign_in_by_browser(chrome)
    for _ in range(3):
        machine.time.forward(hours=2)
        assert subject(machine.session()) == "ana"


def test_processes_at_once_renew_it_once(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    machine.session().sign_in_by_browser(chrome)
    machine.time.forward(hours=2)
    apart, found = threading.Barrier(5), []

    def one() -> None:
        session = machine.session()
        apart.wait(5)
        found.append(session.presented().text)

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 5
    assert len(set(found)) == 1
    # The issuer takes each refresh token once: two uses would have ended it all.
    assert issuer.asked.count("/token") == 2
    machine.time.forward(hours=2)
    assert subject(machine.session()) == "ana"


def test_whoever_holds_the_lock_for_ever_is_named(tmp_path: Path) -> None:
    now = timedelta(0)
    with (
        alone(tmp_path, "x"),
        pytest.raises(Unavailable, match="Another jitcloud"),
        alone(tmp_path, "x", patience=now),
    ):
        raise AssertionError
    with alone(tmp_path, "x", patience=now):
        pass


def test_without_a_place_for_locks_it_goes_on(
    machine: Machine, chrome: Browser, tmp_path: Path
) -> None:
    (tmp_path / ".cache").write_text("a file")
    machine.session().sign_in_by_browser(chrome)
    machine.time.forward(hours=2)
    assert subject(machine.session()) == "ana"


@pytest.mark.parametrize("how", ["revoked", "removed"])
def test_a_refused_renewal_asks_to_sign_in_again(
    machine: Machine, chrome: Browser, issuer: OidcIssuer, how: str
) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    kept = session.kept.take()
    assert kept is not None
    if how == "revoked":
        issuer.revoke({"client_id": issuer.client_id, "token": str(kept[1])})
    else:
        issuer.remove("ana")
    machine.time.forward(minutes=59, seconds=30)
    assert subject(session) == "ana"  # to its end it is good
    machine.time.forward(hours=1)
    with pytest.raises(Unauthenticated, match="jitcloud login"):
        machine.session().presented()
    assert machine.session().who() is None
    with pytest.raises(Unauthenticated, match="jitcloud login"):
        session.presented()


def test_an_issuer_that_gives_nothing_to_renew_with_is_said(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    issuer.answers_say["refresh_token"] = None
    session = machine.session()
    session.sign_in_by_browser(chrome)
    machine.time.forward(seconds=HOUR - 1)
    assert subject(session) == "ana"
    machine.time.forward(seconds=1)
    with pytest.raises(Unauthenticated, match="gave nothing to renew it with"):
        session.presented()
    assert session.who() is not None  # who it was can still be said


def test_while_the_issuer_is_silent_a_token_is_good_to_its_end(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    issuer.fail("/token", *[Fault.BROKEN] * 2)
    machine.time.forward(minutes=59, seconds=30)
    assert subject(session) == "ana"
    machine.time.forward(minutes=1)
    with pytest.raises(Unavailable, match="out of order"):
        session.presented()
    assert subject(session) == "ana"  # nothing was lost


def test_an_answer_that_is_lost_on_its_way_costs_a_sign_in_at_most(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    machine.session().sign_in_by_browser(chrome)
    issuer.fail("/token", Fault.LOST)
    machine.time.forward(hours=2)
    with pytest.raises(Unavailable, match="broke off"):
        machine.session().presented()
    with pytest.raises(Unauthenticated, match="has ended"):  # its refresh token is spent
        machine.session().presented()
    machine.session().sign_in_by_browser(chrome)
    assert subject(machine.session()) == "ana"


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"sub": "eve"}, "somebody else's token"),
        ({"aud": "another"}, "for another client"),
        ({"exp": 1}, "has expired already"),
    ],
)
def test_no_other_token_is_taken_for_a_renewed_one(
    machine: Machine, chrome: Browser, issuer: OidcIssuer, lies: dict[str, object], said: str
) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    issuer.tokens_say.update(lies)
    machine.time.forward(hours=2)
    with pytest.raises((Misconfigured, Unauthenticated), match=said):
        session.presented()


def test_a_client_that_is_not_known_any_more_is_said(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    issuer.client_id = "renamed"
    machine.time.forward(hours=2)
    with pytest.raises(Misconfigured, match=r"\(invalid_client\)"):
        session.presented()


# ── Bound ────────────────────────────────────────────────────────────────────────────────────


def test_a_bound_token_is_for_one_thing_and_is_not_kept(machine: Machine, chrome: Browser) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    usual = session.presented().text
    machine.time.forward(minutes=10)
    bound = session.bound(DIGEST, chrome)
    assert claims(bound.text)["nonce"] == DIGEST
    assert claims(bound.text)["auth_time"] == int(machine.time.now.timestamp())
    assert session.presented().text == machine.session().presented().text == usual


def test_nobody_binds_for_somebody_else(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    issuer.browser = "eve"
    with pytest.raises(Unauthenticated, match="Somebody else signed in"):
        session.bound(DIGEST, chrome)


# ── Keyrings ─────────────────────────────────────────────────────────────────────────────────


class Locked(MemoryKeyring):
    """One that does not open, and says with what it was asked."""

    def get_password(self, service: str, username: str) -> NoReturn:
        raise RuntimeError(service, username)

    def set_password(self, service: str, username: str, password: str) -> NoReturn:
        raise RuntimeError(service, username, password)


def test_without_a_keyring_a_sign_in_lasts_as_long_as_the_process(
    machine: Machine, chrome: Browser
) -> None:
    machine.keyring = None
    session = machine.session()
    session.sign_in_by_browser(chrome)
    assert "has no keyring" in session.not_kept
    assert "JITCLOUD_TOKEN" in session.not_kept
    assert subject(session) == "ana"
    machine.time.forward(hours=2)
    assert subject(session) == "ana"  # it is renewed as well
    with pytest.raises(Unauthenticated, match="You are not signed in"):
        machine.session().presented()


def test_a_locked_keyring_is_said_without_what_was_to_be_kept(
    machine: Machine, chrome: Browser
) -> None:
    machine.keyring = Locked()
    session = machine.session()
    token = session.sign_in_by_browser(chrome)
    assert "keyring does not open (RuntimeError); unlock it" in session.not_kept
    assert token.text not in session.not_kept
    assert subject(session) == "ana"
    with pytest.raises(Misconfigured, match="keyring does not open") as caught:
        machine.session().presented()
    assert caught.value.__cause__ is None
    with pytest.raises(Misconfigured, match="keyring does not open"):
        session.sign_out()


def test_a_token_of_the_environment_counts_before_all_else(
    machine: Machine, chrome: Browser, issuer: OidcIssuer
) -> None:
    machine.session().sign_in_by_browser(chrome)
    machine.keyring = Locked()
    given = machine.session(JITCLOUD_TOKEN=f"{issuer.token('robot')}\n")
    assert subject(given) == "robot"
    assert given.who() is None
    assert given.given.strip() not in repr(given)
    machine.time.forward(seconds=HOUR)
    with pytest.raises(Unauthenticated, match="token in JITCLOUD_TOKEN has expired"):
        given.presented()


@pytest.mark.parametrize("given", ["two words", "é", "x" * 9000, "a\nb", "\x1b[2J"])
def test_what_is_no_token_is_not_sent_and_not_shown(machine: Machine, given: str) -> None:
    with pytest.raises(Unauthenticated, match="is no token") as caught:
        machine.session(JITCLOUD_TOKEN=given).presented()
    assert given not in str(caught.value)


# ── Ended ────────────────────────────────────────────────────────────────────────────────────


def test_signing_out_ends_it_here_and_at_the_issuer(machine: Machine, chrome: Browser) -> None:
    session = machine.session()
    session.sign_in_by_browser(chrome)
    kept = session.kept.take()
    assert session.sign_out()
    assert machine.keyring is not None
    assert not machine.keyring.held
    with pytest.raises(Unauthenticated):
        session.presented()
    # Whoever has copied it gets no further.
    assert kept is not None
    session.kept.keep(*kept)
    machine.time.forward(hours=2)
    with pytest.raises(Unauthenticated, match="has ended"):
        machine.session().presented()


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.HANG_UP, None])
def test_it_ends_here_though_the_issuer_is_not_told(
    machine: Machine, chrome: Browser, issuer: OidcIssuer, fault: Fault | None
) -> None:
    if fault is None:
        issuer.discovery_says["revocation_endpoint"] = None
    else:
        issuer.fail("/revoke", fault)
    session = machine.session()
    session.sign_in_by_browser(chrome)
    assert not session.sign_out()
    assert machine.session().who() is None


def test_whoever_is_not_signed_in_can_sign_out(machine: Machine, issuer: OidcIssuer) -> None:
    assert not machine.session().sign_out()
    assert issuer.asked == []
