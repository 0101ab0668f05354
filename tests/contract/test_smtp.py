"""What a mail server may do to the notifier that speaks to it, and what its receivers see."""

from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import NoReturn

import pytest
import trustme

from jitcloud.errors import JitError, Misconfigured, Refused, Unavailable
from jitcloud.model import RequestId
from jitcloud.notifiers.connection import Tls
from jitcloud.notifiers.smtp import Login
from tests.contract.notifiers import NOTICE, faults
from tests.contract.notifiers.faults import Script, answering, speaking
from tests.contract.notifiers.mailbox import PASSWORD, Mailbox, over_smtp, serving


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serving() as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def shown_by(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


# ── What receivers see ───────────────────────────────────────────────────────────────────────


def test_all_that_concerns_one_request_stands_together(mailbox: Mailbox) -> None:
    notifier = over_smtp(mailbox.port)
    other = RequestId("01J00000000000000000000002")
    for number, request in enumerate((NOTICE.request, NOTICE.request, other)):
        notifier.send(replace(NOTICE, id=f"{request}.{number}", request=request))
    threads = [mail.parsed["References"] for mail in mailbox.taken]
    assert threads == [mail.parsed["In-Reply-To"] for mail in mailbox.taken]
    assert threads[0] == threads[1] != threads[2]


def test_no_machine_is_to_answer(mailbox: Mailbox) -> None:
    over_smtp(mailbox.port).send(NOTICE)
    message = mailbox.taken[0].parsed
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == "jitcloud <jitcloud@example.org>"
    assert message["Date"].datetime.isoformat() == "2030-01-01T00:00:00+00:00"


def test_a_name_is_shown_as_far_as_it_means_nothing_else(mailbox: Mailbox) -> None:
    over_smtp(mailbox.port).send(replace(NOTICE, name='Łukasz "the O\'Neill" <x@y>, (Dr.)'))
    assert mailbox.taken[0].parsed["To"] == "Łukasz the O'Neill x y Dr <ben@example.com>"


def test_an_address_beyond_ascii_is_written_to_where_the_server_can(mailbox: Mailbox) -> None:
    over_smtp(mailbox.port).send(replace(NOTICE, address="łukasz@bücher.example"))
    assert mailbox.taken[0].to == ("łukasz@bücher.example",)


def test_an_address_beyond_ascii_is_refused_where_it_cannot() -> None:
    with speaking(faults.takes_and_drops) as port, pytest.raises(Refused, match="beyond ASCII"):
        over_smtp(port).send(replace(NOTICE, address="łukasz@bücher.example"))


# ── What servers say ─────────────────────────────────────────────────────────────────────────

ANSWERS: list[tuple[str, str, type[JitError], str]] = [
    ("RCPT", "550 5.1.1 No such user", Refused, "550 5.1.1 No such user"),
    ("RCPT", "552 5.2.2 Mailbox full", Refused, "check it in the directory"),
    ("RCPT", "450 4.2.1 Busy, try later", Unavailable, "450 4.2.1 Busy"),
    ("RCPT", "530 5.7.0 Authentication required", Unavailable, "530"),
    ("RCPT", "421 4.3.2 Closing", Unavailable, "421"),
    ("MAIL", "550 5.7.1 Not your address", Unavailable, "correct from_address"),
    ("MAIL", "451 4.3.0 Not now", Unavailable, "451"),
    ("DATA", "554 5.6.0 This is no mail", Refused, "554"),
    ("DATA", "452 4.3.1 No room", Unavailable, "452"),
    ("DATA", "421 4.3.2 Closing", Unavailable, "421"),
]


@pytest.mark.parametrize(("to", "answer", "kind", "said"), ANSWERS)
def test_a_no_for_good_is_told_from_one_for_now(
    mailbox: Mailbox, to: str, answer: str, kind: type[JitError], said: str
) -> None:
    mailbox.answers[to] = answer
    with pytest.raises(kind, match=said) as caught:
        over_smtp(mailbox.port).send(NOTICE)
    assert type(caught.value) is kind
    assert mailbox.taken == []


def test_an_answer_is_shown_without_what_could_act_on_a_terminal(mailbox: Mailbox) -> None:
    mailbox.answers["RCPT"] = "550 no\x1b[2J\u202e " + "x" * 400
    with pytest.raises(Refused) as caught:
        over_smtp(mailbox.port).send(NOTICE)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


FAULTS: list[tuple[Script, str]] = [
    (faults.hangs, "was not done within"),
    (faults.drips_a_greeting, "was not done within"),
    (faults.drips_an_answer, "was not done within"),
    (faults.never_ends_an_answer, "hung up, or speaks no SMTP"),
    (faults.drops, "hung up, or speaks no SMTP"),
    (faults.greets_with_html, "hung up, or speaks no SMTP"),
    (faults.takes_and_drops, "hung up, or speaks no SMTP"),
    (faults.knows_no_greeting, "502 5.5.1 What"),
    (faults.is_closed, "554 5.3.2 No mail is taken here"),
]


@pytest.mark.parametrize(("script", "said"), FAULTS, ids=lambda x: getattr(x, "__name__", ""))
def test_whatever_a_server_does_the_message_waits_for_another_try(
    script: Script, said: str
) -> None:
    within = 0.3 if said.startswith("was") else 10
    with speaking(script) as port, pytest.raises(Unavailable, match=said):
        over_smtp(port, within=within).send(NOTICE)


def test_a_connection_that_comes_to_nothing_is_hung_up() -> None:
    gone = Event()

    def watches(connection: socket.socket, over: Event) -> None:
        faults.knows_no_greeting(connection, over)  # until nothing more is said
        gone.set()

    with speaking(watches) as port:
        with pytest.raises(Unavailable) as caught:  # who keeps the error keeps what it was of
            over_smtp(port).send(NOTICE)
        assert gone.wait(5), caught


def test_what_was_taken_stays_taken_however_the_server_takes_leave() -> None:
    with speaking(faults.takes_and_is_rude) as port:
        over_smtp(port).send(NOTICE)


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{port} cannot be reached"):
        over_smtp(port).send(NOTICE)


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "x" * 70 + ".invalid"])
def test_a_server_without_an_address_is_tried_again(host: str) -> None:
    notifier = over_smtp(25)
    nowhere = replace(notifier, server=replace(notifier.server, host=host))
    with pytest.raises(Unavailable, match="cannot be reached"):
        nowhere.send(NOTICE)


def test_every_address_of_a_host_is_tried(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    real = socket.getaddrinfo("127.0.0.1", mailbox.port, type=socket.SOCK_STREAM)
    found = [(*real[0][:4], nobody), *real]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    over_smtp(mailbox.port).send(NOTICE)
    assert len(mailbox.taken) == 1


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_over_tls(authority: trustme.CA, tls: Tls) -> None:
    context = shown_by(authority, "127.0.0.1")
    with serving(tls=context, implicit=tls == "implicit") as mailbox:
        over_smtp(mailbox.port, tls=tls).send(NOTICE)
    assert mailbox.secured == [True]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_another_name_is_not_believed(authority: trustme.CA, tls: Tls) -> None:
    context = shown_by(authority, "mail.example.com")
    with (
        serving(tls=context, implicit=tls == "implicit") as mailbox,
        pytest.raises(Unavailable, match=r"not to be trusted \(IP address mismatch"),
    ):
        over_smtp(mailbox.port, tls=tls).send(NOTICE)
    assert mailbox.taken == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_nobody_is_not_believed(authority: trustme.CA, tls: Tls) -> None:
    context = shown_by(authority, "127.0.0.1")
    with (
        serving(tls=context, implicit=tls == "implicit") as mailbox,
        pytest.raises(Unavailable, match="name the authority's file in the variable SSL_CERT_FILE"),
    ):
        over_smtp(mailbox.port, tls=tls).send(NOTICE)
    assert mailbox.taken == []


def test_nothing_is_sent_in_the_clear_where_tls_is_wanted(mailbox: Mailbox) -> None:
    login = Login(username="jitcloud", password=lambda: PASSWORD)
    with pytest.raises(Unavailable, match="offers no STARTTLS, so nothing was sent"):
        over_smtp(mailbox.port, tls="starttls", login=login).send(NOTICE)
    assert mailbox.taken == []
    assert mailbox.logins == []


def test_a_server_that_speaks_no_tls_is_said_so(mailbox: Mailbox) -> None:
    with pytest.raises(Unavailable, match="find no way to speak TLS"):
        over_smtp(mailbox.port, tls="implicit").send(NOTICE)


@pytest.mark.parametrize("script", [faults.hangs, faults.drips_a_greeting])
def test_a_handshake_that_never_ends_is_ended(script: Script) -> None:
    with speaking(script) as port, pytest.raises(Unavailable):
        over_smtp(port, tls="implicit", within=0.3).send(NOTICE)


# ── Logging in ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("trusted")
def test_it_logs_in(authority: trustme.CA) -> None:
    context = shown_by(authority, "127.0.0.1")
    login = Login(username="jitcloud", password=lambda: PASSWORD)
    with serving(tls=context, auth_required=True) as mailbox:
        over_smtp(mailbox.port, tls="starttls", login=login).send(NOTICE)
    assert len(mailbox.taken) == 1


WRONG = [
    pytest.param("jitcloud", "ajar", r"does not accept .* \(535\); correct them", id="wrong"),
    pytest.param("jitcloud", "öffne dich", "must be ASCII", id="not-ascii"),
]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("username", "password", "said"), WRONG)
def test_a_password_that_does_not_fit_is_said_so_and_shown_nowhere(
    authority: trustme.CA, username: str, password: str, said: str
) -> None:
    context = shown_by(authority, "127.0.0.1")
    login = Login(username=username, password=lambda: password)
    with serving(tls=context, auth_required=True) as mailbox:
        notifier = over_smtp(mailbox.port, tls="starttls", login=login)
        with pytest.raises(Unavailable, match=said) as caught:
            notifier.send(NOTICE)
    assert mailbox.taken == []
    whole = "".join(traceback.format_exception(caught.value)) + repr(notifier)
    assert password not in whole
    assert caught.value.__cause__ is None


def test_what_a_server_says_to_a_password_is_shown_nowhere() -> None:
    login = Login(username="jitcloud", password=lambda: PASSWORD)
    ways = {b"EHLO": b"250-mail.test\r\n250 AUTH PLAIN LOGIN"}
    repeats = answering(ways, lambda line: b"535 I do not know " + line)
    with speaking(repeats) as port, pytest.raises(Unavailable, match=r"\(535\)") as caught:
        over_smtp(port, login=login).send(NOTICE)
    whole = "".join(traceback.format_exception(caught.value))
    assert "b3Blbi1zZXNhbWU" not in whole
    assert PASSWORD not in whole


@pytest.mark.parametrize("ways", ["HELP", "AUTH", "AUTH GSSAPI", "AUTH CRAM-MD5"])
def test_a_server_without_a_way_to_log_in_is_said_so(ways: str) -> None:
    login = Login(username="jitcloud", password=lambda: PASSWORD)
    offers = answering({b"EHLO": f"250-mail.test\r\n250 {ways}".encode()}, lambda _: b"334 x")
    with speaking(offers) as port, pytest.raises(Unavailable, match="knows no way to log in"):
        over_smtp(port, login=login).send(NOTICE)


def test_a_password_that_cannot_be_read_is_looked_for_again(mailbox: Mailbox) -> None:
    def missing() -> NoReturn:
        raise Misconfigured("There is no secret in the variable MAIL_PASSWORD; put it there.")

    login = Login(username="jitcloud", password=missing)
    with pytest.raises(Unavailable, match="MAIL_PASSWORD"):
        over_smtp(mailbox.port, login=login).send(NOTICE)
