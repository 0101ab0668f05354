"""An ASGI application under uvicorn, on the loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from jitcloud.api.asgi import Asgi, Served
from jitcloud.api.reading import Limits
from jitcloud.clock import utc_now
from jitcloud.serving.http import Server, configured
from tests.serving.callers import PATIENCE, Caller


@dataclass
class Running(Caller):
    """A server at work."""

    api: Asgi
    server: uvicorn.Server
    served: list[Served]


@contextmanager
def running(
    resolve: Callable[[dict[str, Any], Any], Mapping[str, Any]],
    *,
    threads: int = 4,
    limits: Limits | None = None,
    behind_proxy: bool = False,
) -> Iterator[Running]:
    """Serve a resolver, by the same server and protocol as ``jitcloud serve``."""
    served: list[Served] = []
    pool = ThreadPoolExecutor(threads)
    api = Asgi(
        resolve,
        threads=pool,
        clock=utc_now,
        limits=limits,
        behind_proxy=behind_proxy,
        served=served.append,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(configured(api))
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
        )
        thread.start()
        try:
            yield Running(listener.getsockname()[1], api, server, served)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            pool.shutdown()
    assert not thread.is_alive()
