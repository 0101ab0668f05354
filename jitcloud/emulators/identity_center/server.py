"""An emulated Identity Center behind real HTTP, for boto3, the AWS CLI, or whatever else."""

from __future__ import annotations

import threading
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from jitcloud.emulators.identity_center.protocol import Reply, answered
from jitcloud.emulators.identity_center.state import IdentityCenter

_LONGEST = 1024 * 1024
"""No request of these services comes near it."""


class IdentityCenterServer:
    """``with IdentityCenterServer(center) as server:`` answers on the loopback; thread-safe.

    ``server.url`` is the ``endpoint_url`` of clients of ``sso-admin``, ``identitystore`` and
    ``organizations``. Any credentials do. The header ``Date`` tells the emulated time.
    """

    def __init__(self, center: IdentityCenter) -> None:
        """Answer for this one. Starts nothing yet."""
        self.center = center
        """Whom it answers for; may be replaced while it runs."""
        self.url = ""
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        server = self._server = _Server(self)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer nobody any more: the port refuses connections. Idempotent."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, face: IdentityCenterServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.face = face

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked has gone, and knows that."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > _LONGEST:
            self._say(Reply(413, {"__type": "RequestEntityTooLargeException"}))
            return
        headers = {name.lower(): said for name, said in self.headers.items()}
        reply = answered(self.server.face.center, headers, self.rfile.read(int(length)))
        if reply is not None:
            self._say(reply)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The emulated time: clients compare it with their own."""
        del timestamp
        return format_datetime(self.server.face.center.now(), usegmt=True)

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
