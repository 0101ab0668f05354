"""A connection to a mail server that is over in time, however slowly the server speaks.

``smtplib`` bounds each read by itself, so that a server which sends a byte a second would hold
its caller for hours; and it keeps every line of an answer, however many there are.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from threading import Event, Timer
from typing import Any, Literal

from jitcloud.durations import format_duration
from jitcloud.errors import Unavailable
from jitcloud.files import MIB
from jitcloud.text import printable

Tls = Literal["starttls", "implicit", "none"]
"""STARTTLS (RFC 3207), TLS from the first byte (RFC 8314), or none."""

ADDRESSES = 4
"""How many addresses of a host are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is given up."""

    host: str
    port: int
    tls: Tls
    timeout: timedelta
    """For connecting; and for all the rest together."""

    def __str__(self) -> str:
        """The server as messages name it."""
        return f"The mail server {printable(self.host)}:{self.port}"

    @contextmanager
    def greeted(self) -> Iterator[smtplib.SMTP]:
        """Connect, and hang up afterwards.

        The certificate is checked against the authorities that OpenSSL finds on this machine
        (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name others). Looking the name up is bounded by
        this machine's resolver. Raises ``Unavailable`` for all that goes wrong with the
        connection; what the server answers to a command is for whoever gave it.
        """
        over = Event()
        try:
            made = _connect(self)
            # Another handle of the same connection: whoever reads from the first is cut short.
            with (
                made.dup() as handle,
                _timed(handle, self.timeout, over),
                _closing(_Session(made, self)) as session,
            ):
                yield session
        except (smtplib.SMTPException, OSError) as exc:
            if over.is_set() or isinstance(exc, TimeoutError):
                within = format_duration(self.timeout)
                message = f"{self} was not done within {within}; it is tried again."
            else:
                message = f"{self} {_what(exc)}"
            raise Unavailable(message) from exc


class _Session(smtplib.SMTP):
    """SMTP over a connection that is there already."""

    def __init__(self, made: socket.socket, server: MailServer) -> None:
        self._made = made
        try:
            if server.tls == "implicit":
                context = ssl.create_default_context()
                self._made = context.wrap_socket(made, server_hostname=server.host)
            super().__init__(server.host, server.port, local_hostname=_name_of(self._made))
            self.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                self.starttls(context=ssl.create_default_context())
        except BaseException:
            self.close()
            self._made.close()
            raise

    def _get_socket(self, *_: object) -> socket.socket:
        return self._made

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()


class _Bounded:
    """What a server says, up to a bound."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - whatever smtplib reads from
        self._file = file
        self._left = MIB

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("it says too much")
        return line

    def close(self) -> None:
        self._file.close()


@contextmanager
def _closing(session: smtplib.SMTP) -> Iterator[smtplib.SMTP]:
    try:
        yield session
        # The server has said what it does with the message: nothing here can change that.
        with suppress(OSError, smtplib.SMTPException):
            session.quit()
    finally:
        session.close()


@contextmanager
def _timed(handle: socket.socket, within: timedelta, over: Event) -> Iterator[None]:
    def cut() -> None:
        over.set()
        with suppress(OSError):  # the other side was faster
            handle.shutdown(socket.SHUT_RDWR)

    timer = Timer(within.total_seconds(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _connect(server: MailServer) -> socket.socket:
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)[:ADDRESSES]
    except UnicodeError as exc:
        raise OSError("its name is none") from exc
    seconds = server.timeout.total_seconds()
    failed = OSError("it has no address")
    for family, kind, protocol, _, address in found:
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(seconds / len(found))
            made.connect(address)
            made.settimeout(2 * seconds)  # whoever opened it cuts it off sooner, and says so
        except OSError as exc:
            failed = exc
            made.close()
        else:
            return made
    raise failed


def _name_of(made: socket.socket) -> str:
    # RFC 5321, 4.1.4: a client without a name of its own says its address.
    own = ip_address(str(made.getsockname()[0]).partition("%")[0])
    return f"[{own}]" if own.version == 4 else f"[IPv6:{own}]"  # noqa: PLR2004 - its number


def _what(exc: smtplib.SMTPException | OSError) -> str:
    """Say what went wrong, and what to do."""
    match exc:
        case smtplib.SMTPNotSupportedError():
            return "offers no STARTTLS, so nothing was sent; check port and tls of [mail]."
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=said) if code > 0:
            return f"does not take mail now ({shown(code, said)}); it is tried again."
        case smtplib.SMTPException():
            return "hung up, or speaks no SMTP; check host, port and tls of [mail]."
        case ssl.SSLCertVerificationError(verify_message=why):
            return (
                f"shows a certificate that is not to be trusted ({printable(why)}); check host of"
                " [mail], or name the authority's file in the variable SSL_CERT_FILE."
            )
        case ssl.SSLError(reason=why):
            return (
                f"and this machine find no way to speak TLS ({printable(why or 'no reason given')})"
                "; check port and tls of [mail]."
            )
        case OSError(strerror=why):
            return f"cannot be reached ({printable(why or str(exc))}); it is tried again."


def shown(code: int, said: bytes | str) -> str:
    """Write what a server answered."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {printable(' '.join(text.split())[:200])}"
