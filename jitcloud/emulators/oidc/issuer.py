"""An issuer behind real HTTP, for PyJWT, API Gateway's authorizers, browsers, or whatever else."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from jitcloud.clock import utc_now
from jitcloud.emulators.oidc.endpoints import answered
from jitcloud.emulators.oidc.faults import Reply, is_done, pieces, spoilt
from jitcloud.emulators.oidc.keys import Algorithm
from jitcloud.emulators.oidc.state import Issuer

_LONGEST = 64 * 1024
"""No request of these endpoints comes near it."""


class OidcIssuer(Issuer):
    """One issuer, on the loopback. ``with OidcIssuer() as issuer:`` starts it; thread-safe.

    ``issuer.url`` is the issuer, and ``issuer.client_id`` the only client it knows, which is
    public (no secret), and the audience of its ID tokens. ``issuer.token("ana", groups=["sre"])``
    signs a token without any flow. Faults are queued, one an answer:
    ``issuer.faults.append(Fault.SLOW)``, or ``issuer.fail("/token", Fault.SLOW)``.
    """

    def __init__(  # noqa: PLR0913 - each is something to try out
        self,
        *,
        client_id: str = "jitcloud",
        port: int = 0,
        algorithm: Algorithm = "RS256",
        clock: Callable[[], datetime] = utc_now,
        lifetime: timedelta = timedelta(hours=1),
        interval: timedelta = timedelta(seconds=5),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make one without any account. Starts nothing yet.

        With port 0 it takes a free one. ``lifetime`` is how long a token lasts, and ``interval``
        how long a device has to wait between two questions. With ``tls`` it speaks HTTPS.
        """
        super().__init__(
            client_id=client_id,
            algorithm=algorithm,
            clock=clock,
            lifetime=lifetime,
            interval=interval,
        )
        self._port = port
        self._tls = tls
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen on 127.0.0.1."""
        server = self._server = _Server(self, self._port)
        if self._tls is not None:
            # Handshakes happen in the threads that answer: nobody has to wait for another's.
            server.socket = self._tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{server.server_port}"
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer nobody any more: the port refuses connections. Idempotent."""
        self._stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def said(self, method: str, target: str, body: str) -> Iterator[bytes]:
        """Take one request, and yield what goes over the wire."""
        path = urlsplit(target).path
        self.asked.append(path)
        fault = self.next_fault(path)
        reply = answered(self, method, target, body) if is_done(fault) else Reply(503)
        yield from pieces(spoilt(reply, fault, self.url + target, body), fault, self._stopping)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, issuer: OidcIssuer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.issuer = issuer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked has gone, or speaks no TLS, and knows that."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        self._answer("GET", "")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > _LONGEST:
            self.send_error(413)
            return
        self._answer("POST", self.rfile.read(int(length)).decode("utf-8", "replace"))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, method: str, body: str) -> None:
        for piece in self.server.issuer.said(method, self.path, body):
            self.wfile.write(piece)
        self.close_connection = True
