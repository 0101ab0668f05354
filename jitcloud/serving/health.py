"""Whether the process does what it is for; said in words that tell a stranger nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from jitcloud import bundles
from jitcloud.errors import JitError
from jitcloud.serving.answering import Answering
from jitcloud.serving.current import Current
from jitcloud.serving.pulse import Pulse

REASONS = {
    "stopping": "it was asked to stop",
    "record": "the record cannot be read",
    "policy": "policy, catalog, people or settings are broken: only ends go on",
    "sweep": "no sweep is alive, or none has come to its end yet",
}
"""What may be wrong, and what it means. The log says more."""


MOMENT = 2.0
"""Seconds for which it is believed that policy and people can be read: a program may know them."""


class Health:
    """Looks whether calls can be answered and ends go on."""

    def __init__(
        self,
        current: Current[Answering],
        pulse: Pulse,
        stop: threading.Event,
        *,
        is_whole: bool = True,
    ) -> None:
        """``is_whole`` says whether all could be read that says how to serve."""
        self._current = current
        self._pulse = pulse
        self._stop = stop
        self._is_whole = is_whole
        self._granted_until = 0.0

    def wrong(self) -> Iterator[str]:
        """Yield the reason for each thing that is wrong, of ``REASONS``."""
        if self._stop.is_set():
            yield "stopping"
        deployment = self._current.deployment
        try:
            deployment.ledger.store.due(deployment.clock(), 1)
        except JitError:
            yield "record"
        if not self._is_whole or self._current.answering.broken or not self._grants():
            yield "policy"
        beat = self._pulse.beat
        if beat.swept is None or beat.is_dead or beat.is_blind or self._pulse.is_silent():
            yield "sweep"

    def _grants(self) -> bool:
        """Whether there is a policy, and somebody knows people; a yes holds for a moment."""
        if self._pulse.clock() < self._granted_until:
            return True
        judge = self._current.deployment.judge
        try:
            bundles.renewed(judge)
            judge.directory.groups()  # rules may be whole, and nobody knows who is who
        except JitError:
            return False
        self._granted_until = self._pulse.clock() + MOMENT
        return True
