"""One request over HTTPS, bounded in time and size as a whole, and never led elsewhere.

``http.client`` bounds each read, not their sum: a server that sends a byte now and then would
hold us for ever. So the call is made in a thread, and its connection cut when the time is up.
Looking up a name cannot be cut; a thread that is still at it ends by itself, and sends nothing.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from typing import TypeVar

from jitcloud.address import Address
from jitcloud.durations import format_duration
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.files import MIB
from jitcloud.text import printable

S = TypeVar("S", bound=socket.socket)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever it means."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; what stood under one name several times, joined by commas."""
    body: bytes = field(repr=False)


class Server:
    """One server, which is asked one question a connection."""

    def __init__(self, who: str, address: Address, *, timeout: timedelta, limit: int = MIB) -> None:
        """Take what messages call it, and how long and large (in bytes) an answer may be."""
        self._who = who
        self._address = address
        self._timeout = timeout
        self._limit = limit

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Ask once, as ``post`` does, with nothing sent along."""
        return self.post(path, headers, None)

    def post(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send this once, or get what is there with None; redirects are answers like any other.

        The certificate is checked against the authorities that OpenSSL finds on this machine
        (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name others). No proxy is used.
        Raises ``Unavailable``, and ``Misconfigured`` where TLS fails. What the server said stands
        in no message and in no cause: it might repeat the secret that it was sent.
        """
        call = _Call(self._address, self._timeout.total_seconds(), self._limit)
        try:
            answer = call.made(f"{self._address.path}{path}", headers, body)
        except TimeoutError:
            within = format_duration(self._timeout)
            message = f"{self._who} has not answered within {within}; try again later."
            raise Unavailable(message) from None
        except ssl.SSLCertVerificationError as exc:
            message = (
                f"{self._who} shows a certificate that is not to be trusted"
                f" ({printable(exc.verify_message)}); check its address, or name the authority's"
                " file in the variable SSL_CERT_FILE."
            )
            raise Misconfigured(message) from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, HTTPException, ValueError):
            message = (
                f"{self._who} broke off, or answered in no form of HTTP; try again later, and"
                " check its address if that lasts."
            )
            raise Unavailable(message) from None
        except ssl.SSLError as exc:
            message = (
                f"{self._who} and this machine find no way to speak TLS"
                f" ({printable(exc.reason or 'no reason given')}); check its address."
            )
            raise Misconfigured(message) from None
        except OSError as exc:
            message = (
                f"{self._who} cannot be reached ({printable(exc.strerror or 'broken off')});"
                " check its address and the network."
            )
            raise Unavailable(message) from None
        finally:
            call.cut()
        if len(answer.body) > self._limit:
            message = (
                f"{self._who} answered with more than {self._limit} bytes, which were not read;"
                " check its address."
            )
            raise Unavailable(message)
        return answer


class _Call:
    """One question, asked in a thread of its own."""

    def __init__(self, address: Address, seconds: float, limit: int) -> None:
        self._address = address
        self._seconds = seconds
        self._limit = limit
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def made(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Wait for the answer. Raises ``TimeoutError``, ``HTTPException`` or ``OSError``."""
        answer: Future[Answer] = Future()

        def make() -> None:
            try:
                answer.set_result(self._make(path, headers, body))
            except Exception as exc:  # noqa: BLE001 - whoever waits has it raised
                answer.set_exception(exc)

        threading.Thread(target=make, name="jitcloud-https", daemon=True).start()
        return answer.result(self._seconds)

    def cut(self) -> None:
        """End the connection, and with it whatever the thread is waiting for. Idempotent."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                _end(self._socket)

    def _make(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        connection = HTTPConnection(self._address.host, self._address.port)
        connection.default_port = 443 if self._address.is_secure else 80  # for its Host header
        connection.sock = self._connected()
        try:
            method = "GET" if body is None else "POST"
            connection.request(method, path, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            return Answer(
                status=response.status,
                headers={
                    name.lower(): ", ".join(response.headers.get_all(name, ()))
                    for name in response.headers
                },
                body=response.read(self._limit + 1),
            )
        finally:
            connection.close()

    def _connected(self) -> socket.socket:
        where = (self._address.host, self._address.port)
        found = self._held(socket.create_connection(where, timeout=self._seconds))
        if not self._address.is_secure:
            return found
        context = ssl.create_default_context()
        # Held before the first word is exchanged: a handshake can be drawn out as well.
        secured = context.wrap_socket(
            found, server_hostname=self._address.host, do_handshake_on_connect=False
        )
        self._held(secured).do_handshake()
        return secured

    def _held(self, found: S) -> S:
        with self._lock:
            if self._is_cut:
                found.close()
                raise TimeoutError
            self._socket = found
            return found


def _end(found: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was faster
        found.shutdown(socket.SHUT_RDWR)
    found.close()
