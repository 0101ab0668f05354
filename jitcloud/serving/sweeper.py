"""Sweeps for as long as the process lives, in a thread of its own, and begins anew if it dies."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any

from jitcloud.observing import logs
from jitcloud.serving.current import Current
from jitcloud.serving.pulse import Pulse
from jitcloud.sweep import Swept

TURN = timedelta(minutes=1)
"""For how long it sweeps before it looks around."""

AGAIN = timedelta(seconds=5)
"""The same while the configuration is broken: how soon it is noticed that it was mended."""

SOONEST, LATEST = 1.0, 30.0
"""Seconds until it begins anew after it died: the first time, and at the most."""

REPEATED = 60.0
"""Seconds after which a trouble is logged again that has not changed."""

MOST_KNOWN = 1000
"""How many troubles it remembers to have logged."""

RECORD = "record"
"""What ``sweep_for`` calls a record that cannot be reached."""


class Sweeper:
    """One thread that sweeps. ``start`` it once; it ends soon after ``stop`` is set."""

    def __init__(self, current: Current[Any], pulse: Pulse, stop: threading.Event) -> None:
        """Make it; it does nothing yet."""
        self._current = current
        self._pulse = pulse
        self._stop = stop
        self._told: dict[tuple[str, str], float] = {}
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ended(self, within: float) -> bool:
        """Wait for the item in hand, so many seconds; say whether it has ended."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait = SOONEST
        while not self._stop.is_set():
            try:
                self._turn()
            except BaseException as exc:  # noqa: BLE001 - whatever it is, ends must go on
                self._pulse.died()
                logs.event("sweep-died", level=logging.CRITICAL, error=exc, seconds=wait)
                self._stop.wait(wait)
                wait = min(wait * 2, LATEST)
            else:
                wait = SOONEST

    def _turn(self) -> None:
        deployment = self._current.deployment
        deployment.sweep_for(
            AGAIN if deployment.broken else TURN,
            pause=self._pause,
            stopped=self._stopped,
            tell=self._tell,
        )
        self._current.mend()

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _stopped(self) -> bool:
        # Asked before each item: it is how a sweep that takes long shows that it is not stuck.
        self._pulse.lives()
        return self._stop.is_set()

    def _tell(self, swept: Swept) -> None:
        is_blind = any(what == RECORD for what, _ in swept.troubles)
        self._pulse.swept(troubles=len(swept.troubles), is_blind=is_blind)
        now = self._pulse.beat.alive
        for what, why in swept.troubles:
            if now - self._told.get((what, why), -REPEATED) >= REPEATED:
                self._told[what, why] = now
                logs.event("trouble", level=logging.WARNING, what=what, why=why)
        if len(self._told) > MOST_KNOWN:
            self._told = {key: at for key, at in self._told.items() if now - at < REPEATED}
        if swept.woken:
            logs.event("sweep", woken=swept.woken, troubles=len(swept.troubles))
