"""uvicorn as it is used here: one port, one application, and signals that are not its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from jitcloud.errors import Misconfigured
from jitcloud.serving.protocol import LARGEST_HEAD, Protocol
from jitcloud.text import quoted

ANSWERING = 20
"""Seconds for which calls that are in hand are waited for, once it is to stop."""

KEPT_ALIVE = 15
"""Seconds for which a connection is kept that nobody uses."""

BACKLOG = 512


class Server(uvicorn.Server):
    """Leaves signals alone: they are for all that runs here, not for calls alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing; ``should_exit`` is set by whoever heeds them."""
        yield


def configured(application: Any) -> uvicorn.Config:  # noqa: ANN401 - of ASGI
    """How an application is served. It logs nothing of its own accord but through ``logs``."""
    return uvicorn.Config(
        application,
        loop="asyncio",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_keep_alive=KEPT_ALIVE,
        timeout_graceful_shutdown=ANSWERING,
    )


@contextlib.contextmanager
def listening_at(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port; 0 for any. Raises ``Misconfigured`` where somebody else has it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        listener = socket.create_server((address[0], address[1]), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as exc:
        said = getattr(exc, "strerror", None) or "no such address"
        raise Misconfigured(
            f"Port {port} of {quoted(host)} cannot be listened on ({said}): say another with"
            " --host and --port."
        ) from exc
    with listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    """Where whoever is on this machine finds it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
