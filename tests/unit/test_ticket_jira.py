"""What Jira says, and what it says instead: each leads to the right error, and shows no secret."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from jitcloud.emulators.jira import Category, JiraEmulator
from jitcloud.emulators.jira_faults import Fault
from jitcloud.errors import Invalid, Misconfigured, Unavailable
from jitcloud.ports import Ticket
from jitcloud.secret import Secret
from jitcloud.tickets.jira import JiraTickets

VARIABLE = "JIRA_TOKEN"
PLACE = Secret(variable=VARIABLE)
SHORT = timedelta(seconds=0.3)


@pytest.fixture
def jira(monkeypatch: pytest.MonkeyPatch) -> Iterator[JiraEmulator]:
    with JiraEmulator() as jira:
        jira.put("OPS-1")
        monkeypatch.setenv(VARIABLE, jira.token)
        yield jira


@pytest.fixture(params=["cloud", "data center"])
def tickets(request: pytest.FixtureRequest, jira: JiraEmulator) -> JiraTickets:
    return reach(jira, email=jira.email if request.param == "cloud" else "")


def reach(jira: JiraEmulator, *, email: str = "", timeout: timedelta | None = None) -> JiraTickets:
    if timeout is None:
        return JiraTickets(jira.url, PLACE, email=email)
    return JiraTickets(jira.url, PLACE, email=email, timeout=timeout)


def shows_no_secret(error: BaseException, jira: JiraEmulator) -> None:
    """Nor do the errors behind it, as `--debug` shows them."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
    basic = base64.b64encode(f"{jira.email}:{jira.token}".encode()).decode()
    assert jira.token not in shown
    assert basic not in shown
    assert str(error).isprintable()


def nobody_waits_any_more() -> None:
    """Whoever asked has been cut off, though the other side would go on for half a minute."""
    for each in threading.enumerate():
        if each.name == "jitcloud-https":
            each.join(10)
            assert not each.is_alive()


# ── What it says ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("category", "is_open"), [("new", True), ("indeterminate", True)])
def test_an_issue_is_open_in_every_category_but_done(
    tickets: JiraTickets, jira: JiraEmulator, category: Category, *, is_open: bool
) -> None:
    jira.put("OPS-1", category)
    assert tickets.look("OPS-1") == Ticket(id="OPS-1", is_open=is_open, project="OPS")


def test_an_issue_that_is_done_is_closed(tickets: JiraTickets, jira: JiraEmulator) -> None:
    jira.put("OPS-1", "done")
    assert tickets.look("OPS-1") == Ticket(id="OPS-1", is_open=False, project="OPS")


def test_an_issue_that_is_not_there_is_none(tickets: JiraTickets) -> None:
    assert tickets.look("OPS-2") is None


def test_a_key_is_read_in_any_case(tickets: JiraTickets) -> None:
    assert tickets.look("ops-1") == tickets.look("OPS-1") != None  # noqa: E711 - all three


def test_a_moved_issue_is_the_one_it_is_now(tickets: JiraTickets, jira: JiraEmulator) -> None:
    jira.move("OPS-1", "NET_2-77")
    moved = Ticket(id="NET_2-77", is_open=True, project="NET_2")
    assert tickets.look("OPS-1") == moved
    assert tickets.look("NET_2-77") == moved
    with pytest.raises(KeyError):
        jira.move("OPS-2", "NET_2-78")


def test_only_what_is_needed_is_asked_for(jira: JiraEmulator) -> None:
    reach(jira, email=jira.email).look("OPS-1")
    reach(jira).look("OPS-1")
    assert jira.asked == [
        "/rest/api/3/issue/OPS-1?fields=status,project",
        "/rest/api/2/issue/OPS-1?fields=status,project",
    ]


def test_a_site_may_begin_at_a_path(jira: JiraEmulator) -> None:
    with pytest.raises(Unavailable):
        JiraTickets(f"{jira.url}/jira/", PLACE).look("OPS-1")
    assert jira.asked == ["/jira/rest/api/2/issue/OPS-1?fields=status,project"]


# ── What it says instead ─────────────────────────────────────────────────────────────────────

UNAVAILABLE = {
    Fault.HTML: "answered with something that is no issue",
    Fault.HTML_404: "answered 404, as no Jira does",
    Fault.MALFORMED: "answered with something that is no issue",
    Fault.OTHER_SHAPE: "answered with something that is no issue",
    Fault.HUGE: "answered with more than 1048576 bytes",
    Fault.SLOW: "has not answered within",
    Fault.SILENT: "has not answered within",
    Fault.HANG_UP: "broke off, or answered in no form of HTTP",
    Fault.CUT_SHORT: "answered with something that is no issue",
    Fault.NOT_HTTP: "broke off, or answered in no form of HTTP",
    Fault.REDIRECT: r"sends elsewhere \(302\)",
    Fault.THROTTLED: "limits how often it is asked; try again in 30s",
    Fault.BROKEN: r"is out of order \(500\); try again later",
    Fault.ECHO: "broke off, or answered in no form of HTTP",
}
MISCONFIGURED = {
    Fault.UNAUTHORIZED: f"does not accept the token in the variable {VARIABLE}",
    Fault.FORBIDDEN: f"forbids looking issues up with the token in the variable {VARIABLE}",
    Fault.EXPIRED: f"does not accept the token in the variable {VARIABLE}",
    Fault.EXPIRED_PUBLIC: f"does not accept the token in the variable {VARIABLE}",
}


@pytest.mark.parametrize("email", ["jitcloud@example.org", ""], ids=["cloud", "data-center"])
@pytest.mark.parametrize(("fault", "said"), UNAVAILABLE.items(), ids=UNAVAILABLE)
def test_what_cannot_be_told_is_unavailable(
    jira: JiraEmulator, fault: Fault, said: str, email: str
) -> None:
    jira.faults.append(fault)
    is_slow = fault in {Fault.SLOW, Fault.SILENT}
    tickets = reach(jira, email=email, timeout=SHORT if is_slow else None)
    with pytest.raises(Unavailable, match=rf"^Jira at 127\.0\.0\.1:\d+ {said}") as caught:
        tickets.look("OPS-1")
    shows_no_secret(caught.value, jira)
    nobody_waits_any_more()
    assert len(jira.asked) == 1  # neither tried again nor followed
    assert reach(jira, email=email).look("OPS-1") is not None


@pytest.mark.parametrize("email", ["jitcloud@example.org", ""], ids=["cloud", "data-center"])
@pytest.mark.parametrize(("fault", "said"), MISCONFIGURED.items(), ids=MISCONFIGURED)
def test_what_somebody_has_to_mend_is_misconfigured(
    jira: JiraEmulator, fault: Fault, said: str, email: str
) -> None:
    jira.faults.append(fault)
    tickets = reach(jira, email=email)
    with pytest.raises(Misconfigured, match=said) as caught:
        tickets.look("OPS-1")
    # Who lets tickets pass while Jira does not answer must not let them pass for this.
    assert not isinstance(caught.value, Unavailable)
    shows_no_secret(caught.value, jira)
    assert tickets.look("OPS-1") is not None


def test_every_fault_has_its_error() -> None:
    assert set(UNAVAILABLE) | set(MISCONFIGURED) | {Fault.NOT_FOUND} == set(Fault)


def test_a_jira_that_says_there_is_none_is_believed(
    tickets: JiraTickets, jira: JiraEmulator
) -> None:
    jira.faults.append(Fault.NOT_FOUND)
    assert tickets.look("OPS-1") is None


def test_a_jira_that_is_not_there_is_unavailable(jira: JiraEmulator) -> None:
    tickets = reach(jira)
    jira.stop()
    with pytest.raises(Unavailable, match=r"cannot be reached \(Connection refused\)") as caught:
        tickets.look("OPS-1")
    shows_no_secret(caught.value, jira)


def test_a_host_that_has_no_address_is_unavailable(
    jira: JiraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", none)
    with pytest.raises(Unavailable, match=r"cannot be reached \(Name or service not known\)"):
        reach(jira).look("OPS-1")


def test_a_name_that_is_found_too_late_is_sent_nothing(
    jira: JiraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = threading.Event()
    look_up = socket.getaddrinfo

    def late(*args: Any, **kwargs: Any) -> Any:
        found.wait(30)
        return look_up(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    with pytest.raises(Unavailable, match="has not answered within"):
        reach(jira, timeout=SHORT).look("OPS-1")
    still_at_it = [each for each in threading.enumerate() if each.name == "jitcloud-https"]
    assert len(still_at_it) == 1
    found.set()
    still_at_it[0].join(30)
    assert not still_at_it[0].is_alive()
    assert jira.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"key": "OPS-1"}',
        b"[]",
        b"null",
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b'{"key": ' + b"9" * 5000 + b"}",
        b'{"key":"OPS-1","fields":{"project":{"key":1},"status":{"statusCategory":{"key":"new"}}}}',
        b'{"key":"OPS-1","fields":{"project":{"key":"OPS"},"status":{"statusCategory":null}}}',
        b'{"key":"O\\u0000-1","fields":{"project":{"key":"O"},"status":{"statusCategory":{"key":"new"}}}}',
        b'{"key":"OPS-1","fields":{"project":{"key":"O\\nP"},"status":{"statusCategory":{"key":"new"}}}}',
    ],
    ids=range(10),
)
@pytest.mark.parametrize("status", [200, 404])
def test_whatever_else_it_answers_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, body: bytes, status: int
) -> None:
    monkeypatch.setenv(VARIABLE, "token")
    whole = b"HTTP/1.1 %d Any\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    with answering(whole) as url, pytest.raises(Unavailable):
        JiraTickets(url, PLACE).look("OPS-1")


@pytest.mark.parametrize("status", [201, 204, 304, 400, 404, 405, 410, 418, 502, 503, 599])
def test_no_other_status_is_taken_for_an_answer(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv(VARIABLE, "token")
    whole = b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status
    with answering(whole) as url, pytest.raises(Unavailable, match=str(status)):
        JiraTickets(url, PLACE).look("OPS-1")


@pytest.mark.parametrize(
    ("header", "when"),
    [
        ("Retry-After: 0", "in 1s"),
        ("Retry-After: 3600", "in 1h"),
        ("Retry-After: -1", "shortly"),
        ("Retry-After: 999999999999", "shortly"),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", "shortly"),
        ("Retry-After: 5\r\nRetry-After: 6", "shortly"),
        ("X: y", "shortly"),
    ],
)
def test_a_limit_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, header: str, when: str
) -> None:
    monkeypatch.setenv(VARIABLE, "token")
    whole = f"HTTP/1.1 429 Any\r\n{header}\r\nContent-Length: 0\r\n\r\n".encode()
    with answering(whole) as url, pytest.raises(Unavailable, match=f"try again {when}\\.$"):
        JiraTickets(url, PLACE).look("OPS-1")


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_that_holds_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certified(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with JiraEmulator(tls=context) as jira:
        jira.put("OPS-1")
        monkeypatch.setenv(VARIABLE, jira.token)
        assert reach(jira).look("OPS-1") is not None


@pytest.mark.parametrize(
    ("name", "is_known", "why"),
    [
        ("127.0.0.1", False, "self-signed certificate"),
        ("127.0.0.2", True, "IP address mismatch"),
    ],
)
def test_no_token_is_sent_to_whom_no_certificate_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str, *, is_known: bool
) -> None:
    context, file = certified(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(file) if is_known else "/dev/null")
    with JiraEmulator(tls=context) as jira:
        monkeypatch.setenv(VARIABLE, jira.token)
        with pytest.raises(Misconfigured, match=rf"not to be trusted \({why}") as caught:
            reach(jira).look("OPS-1")
    assert not isinstance(caught.value, Unavailable)
    shows_no_secret(caught.value, jira)
    assert jira.asked == []


def test_a_server_without_tls_gets_no_token(jira: JiraEmulator) -> None:
    url = jira.url.replace("http:", "https:")
    with pytest.raises(Misconfigured, match="no way to speak TLS") as caught:
        JiraTickets(url, PLACE).look("OPS-1")
    shows_no_secret(caught.value, jira)
    assert jira.asked == []


def test_a_handshake_that_is_drawn_out_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "token")
    # The header of a handshake record, whose content never ends.
    with answering(b"\x16\x03\x03\x40\x00", then_drips=True) as url:
        tickets = JiraTickets(url.replace("http:", "https:"), PLACE, timeout=SHORT)
        with pytest.raises(Unavailable, match="has not answered within"):
            tickets.look("OPS-1")
        nobody_waits_any_more()


# ── The secret ───────────────────────────────────────────────────────────────────────────────


def test_a_token_is_read_each_time(jira: JiraEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = reach(jira)
    assert tickets.look("OPS-1") is not None
    monkeypatch.setenv(VARIABLE, "of another time")
    with pytest.raises(Misconfigured, match="is not one secret"):
        tickets.look("OPS-1")
    monkeypatch.setenv(VARIABLE, "of-another-time")
    with pytest.raises(Misconfigured, match="does not accept the token"):
        tickets.look("OPS-1")


def test_a_token_may_be_in_a_file(jira: JiraEmulator, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{jira.token}\n")
    assert JiraTickets(jira.url, Secret(file=file)).look("OPS-1") is not None
    jira.faults.append(Fault.FORBIDDEN)
    with pytest.raises(Misconfigured, match="the token in the file token; give"):
        JiraTickets(jira.url, Secret(file=file)).look("OPS-1")


@pytest.mark.parametrize(
    "token",
    ["", " \n ", "two tokens", "se\x07cret", "secr\u00e9t", "s\r\nX-Y: z", "secret" * 1000],
    ids=["empty", "blank", "two", "control", "not-ascii", "header", "long"],
)
def test_what_is_no_token_is_neither_sent_nor_shown(
    jira: JiraEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str
) -> None:
    monkeypatch.setenv(VARIABLE, token)
    (tmp_path / "token").write_text(token, "utf-8")
    for place in (PLACE, Secret(file=tmp_path / "token"), Secret(variable="UNSET")):
        with pytest.raises(Misconfigured) as caught:
            JiraTickets(jira.url, place).look("OPS-1")
        shown = "".join(traceback.format_exception(caught.value))
        assert not token.strip() or token.strip() not in shown
        assert str(caught.value).isprintable()
    assert jira.asked == []


def test_no_repr_shows_a_secret(jira: JiraEmulator, tmp_path: Path) -> None:
    tickets = reach(jira, email=jira.email)
    tickets.look("OPS-1")
    place = Secret(file=tmp_path / "token")
    shown = repr(tickets) + str(tickets) + repr(vars(tickets)) + repr(PLACE) + str(place)
    assert jira.token not in shown
    assert jira.token not in repr(jira)
    assert str(place) == "the file token"


# ── The address ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "https://example.atlassian.net",
        "https://example.atlassian.net/",
        "https://api.atlassian.com/ex/jira/11223344-a1b2-3b33-c444-def123456789",
        "https://jira.example.org:8443/jira",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost:8080/jira",
    ],
)
def test_a_token_is_sent_over_tls_or_stays_on_this_machine(url: str) -> None:
    assert "jira" in repr(JiraTickets(url, PLACE)).lower()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.atlassian.net",
        "http://example.atlassian.net",
        "http://127.0.0.1.example.org",
        "http://127.0.0.1@example.org",
        "http://localhost.example.org",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user:secret@example.org",
        "https://token-secret@example.org",
        "https://example.org?token=secret",
        "https://example.org/?",
        "https://example.org#secret",
        "https://example.org/../admin",
        "https://example.org/a b",
        "https://example.org/%2e%2e",
        "https://example.org\\@127.0.0.1",
        "https://exa\tmple.org",
        "https://example.org\r\nX: y",
        "https://ex\u0430mple.org",
        "https://example..org",
        "https://example.org:0",
        "https://example.org:65536",
        "https://example.org:x",
        "https://example.org:secret",
        "https://[::1",
        "https://[example.org]",
        "https://[::1%25secret]",
        "https://" + "a" * 64 + ".org",
        "https://" + "a" * 600,
    ],
)
def test_no_other_address_is_taken_or_shown(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        JiraTickets(url, PLACE)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


# ── Servers that say anything ────────────────────────────────────────────────────────────────


class answering:  # noqa: N801 - reads as a verb, as a context manager does
    """Accept one connection, read what comes first, say this, and hang up (or drip on)."""

    def __init__(self, said: bytes, *, then_drips: bool = False) -> None:
        self._said = said
        self._drips = 600 if then_drips else 0
        self._done = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._answer)

    def _answer(self) -> None:
        taken, _ = self._listening.accept()
        with taken, contextlib.suppress(ConnectionError):
            taken.recv(65536)
            taken.sendall(self._said)
            for _ in range(self._drips):
                if self._done.wait(0.05):
                    return
                taken.sendall(b"\0")

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(30)
        self._listening.close()


def certified(folder: Path, address: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own for this address, and where that is."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A Jira of our own")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return context, file
