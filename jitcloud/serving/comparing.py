"""Compares the clouds with the record every now and then, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any

from jitcloud.errors import Conflict, JitError
from jitcloud.observing import logs
from jitcloud.reconcile import Compared
from jitcloud.serving.current import Current

LOOK = timedelta(minutes=1)
"""How often it looks whether it is time."""

SLICE = timedelta(seconds=10)
"""For how long it compares at a time: whoever stops it waits for one, and it goes on from there."""

SLICES = 10_000
"""Of how many one comparison is made up: a bound, not a plan."""

RETRY = timedelta(hours=1)
"""When one that did not come to its end is tried again, if not sooner by its interval."""


class Comparer:
    """One thread that compares, once ``every`` has passed since it was last done, by anybody."""

    def __init__(self, current: Current[Any], every: timedelta, stop: threading.Event) -> None:
        """Make it; it does nothing yet."""
        self._current = current
        self._every = every
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ended(self, within: float) -> bool:
        """Wait for what is in hand, so many seconds; say whether it has ended."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait = timedelta(0)
        while not self._stop.wait(wait.total_seconds()):
            try:
                tried = self._is_due() and self._compare()
            except Conflict:
                tried = False  # another process is at it
            except JitError as exc:
                logs.event("trouble", level=logging.WARNING, what="reconcile", why=str(exc))
                tried = True
            except Exception as exc:  # noqa: BLE001 - the next time may go better
                logs.event("defect", level=logging.ERROR, what="reconcile", error=exc)
                tried = True
            wait = min(self._every, RETRY if tried else LOOK)

    def _is_due(self) -> bool:
        deployment = self._current.deployment
        if deployment.broken:
            return False
        known = deployment.ledger.store.controls()
        at = None if known is None else known.reconciled_at
        return at is None or deployment.clock() - at >= self._every

    def _compare(self) -> bool:
        """Go through everything; say that it was tried."""
        deployment = self._current.deployment
        reconciler = deployment.reconciler(ends_leaked=deployment.settings.reconcile.end_leaked)
        for _ in range(SLICES):
            compared = reconciler.run(SLICE)
            for what, why in compared.troubles:
                logs.event("trouble", level=logging.WARNING, what=what, why=why)
            if compared.is_over or self._stop.is_set():
                self._tell(compared)
                break
        return True

    @staticmethod
    def _tell(compared: Compared) -> None:
        tally = compared.tally
        wants_somebody = tally.leaked or tally.missing or not compared.is_finished
        logs.event(
            "reconcile",
            level=logging.WARNING if wants_somebody else logging.INFO,
            leaked=tally.leaked,
            missing=tally.missing,
            foreign=tally.foreign,
            what="finished" if compared.is_finished else "not finished",
        )
