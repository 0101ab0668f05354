"""``jitcloud serve``: puts API, sweep and timers together, and takes them apart again in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from jitcloud.address import is_loopback
from jitcloud.api.asgi import Asgi
from jitcloud.errors import Misconfigured
from jitcloud.observing import logs
from jitcloud.ports import Clock
from jitcloud.serving.answering import Answering, resolver
from jitcloud.serving.comparing import Comparer
from jitcloud.serving.current import Current
from jitcloud.serving.figures import Figures
from jitcloud.serving.health import Health
from jitcloud.serving.http import Server, configured, listening_at, url_of
from jitcloud.serving.probes import Probes
from jitcloud.serving.pulse import Pulse
from jitcloud.serving.sweeper import Sweeper
from jitcloud.settings import FILE, ServeSettings, read_serve
from jitcloud.text import quoted

THREADS = 16
"""How many calls are answered at the same time; the others wait for their turn."""

GRACE = 30.0
"""Seconds from the signal until it ends, whatever is still in hand."""

LOOKS = 2
"""The same of what ``/readyz`` and ``/metrics`` look up."""

CUT_SHORT = 1
AT_ONCE = 130
"""Exit codes: something was still in hand; it was told twice."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The last one where a terminal is closed."""

Listening = Callable[[str, Callable[[], None]], None]
"""Hears the URL once calls are taken there, and is handed what asks it to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What to serve, and where."""

    path: Path
    """Of ``jitcloud.toml``, or its folder."""
    host: str
    port: int
    """0 for any that is free."""
    clock: Clock
    listening: Listening

    def run(self) -> int:
        """Serve until a signal comes; return the exit code, 0 where nothing was left undone.

        Raises ``Misconfigured`` before anything is served.
        """
        how = self._how()
        current = Current(self.path, self.clock, Answering)
        with contextlib.closing(current), listening_at(how.host, self.port) as listener:
            return _Run(current=current, how=how).until_stopped(
                listener, self.clock, self.listening
            )

    def _how(self) -> _How:
        file = self.path / FILE if self.path.is_dir() else self.path
        try:
            settings = read_serve(file)
        except Misconfigured as exc:
            # Ends do not wait for it. Who may call is what it would say, so nobody does from afar.
            logs.event("broken", level=logging.ERROR, why=str(exc))
            host = self.host if is_loopback(self.host) else "127.0.0.1"
            return _How(settings=ServeSettings(), host=host, is_whole=False)
        if not (is_loopback(self.host) or settings.behind_proxy):
            raise Misconfigured(
                f"{quoted(self.host)} can be reached from elsewhere, and this speaks no TLS: put a"
                " reverse proxy before it and say behind_proxy = true under [serve], or leave"
                " --host out."
            )
        return _How(settings=settings, host=self.host, is_whole=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    settings: ServeSettings
    host: str
    is_whole: bool
    """Whether the settings are those that were written down."""


@dataclass(kw_only=True)
class _Run:
    current: Current[Answering]
    how: _How
    stop: threading.Event = field(default_factory=threading.Event)
    pulse: Pulse = field(default_factory=lambda: Pulse(time.monotonic))
    figures: Figures = field(default_factory=Figures)
    stopped_at: float | None = None
    by: str = ""

    def until_stopped(self, listener: socket.socket, clock: Clock, listening: Listening) -> int:
        workers: list[Sweeper | Comparer] = [Sweeper(self.current, self.pulse, self.stop)]
        every = self.how.settings.reconcile
        if every is not None:
            workers.append(Comparer(self.current, every, self.stop))
        pools = answers, looks = _Pool(THREADS, "answer"), _Pool(LOOKS, "look")
        api = Asgi(
            resolver(self.current),
            threads=answers,
            clock=clock,
            behind_proxy=self.how.settings.behind_proxy,
            served=self.figures.served,
        )
        server = Server(configured(self._application(api, looks)))
        url = url_of(listener)
        with self._heeding(server):
            for worker in workers:
                worker.start()
            logs.event("listening", url=url)
            listening(url, lambda: self._stop(server, "a call"))
            try:
                asyncio.run(server.serve(sockets=[listener]))
            finally:
                self.stop.set()
            ended = [each.ended(self._left()) for each in (*workers, *pools)]
            if not all(ended):
                logs.event("cut-short", level=logging.ERROR, signal=self.by)
                _end_at_once(CUT_SHORT)
        logs.event("stopped", signal=self.by)
        return 0

    def _application(self, api: Asgi, looks: Executor) -> Probes:
        return Probes(
            api=api,
            current=self.current,
            health=Health(self.current, self.pulse, self.stop, is_whole=self.how.is_whole),
            figures=self.figures,
            pulse=self.pulse,
            looks=looks,
            metrics_for=self.how.settings.metrics,
        )

    @contextlib.contextmanager
    def _heeding(self, server: Server) -> Iterator[None]:
        """Stop at the first signal, and end at once at the second."""

        def heed(number: int, _: FrameType | None) -> None:
            if self.stopped_at is not None:
                _end_at_once(AT_ONCE)
            self._stop(server, signal.Signals(number).name)

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are for whoever runs us then
            return
        before = {number: signal.signal(number, heed) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, server: Server, by: str) -> None:
        self.stopped_at, self.by = time.monotonic(), by
        server.should_exit = True
        self.stop.set()

    def _left(self) -> float:
        began = time.monotonic() if self.stopped_at is None else self.stopped_at
        return max(began + GRACE - time.monotonic(), 0.0)


class _Pool(ThreadPoolExecutor):
    """Threads that are waited for, and not for ever."""

    def ended(self, within: float) -> bool:
        """Begin nothing more, and wait so many seconds for what is begun; say whether it ended."""
        closing = threading.Thread(
            target=self.shutdown, kwargs={"cancel_futures": True}, daemon=True
        )
        closing.start()
        closing.join(within)
        return not closing.is_alive()


def _end_at_once(code: int) -> None:
    """End without waiting for any thread. What was in hand is found by whoever sweeps next."""
    os._exit(code)
