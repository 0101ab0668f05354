"""Writes checkpoints beside a sweep, in a thread of its own: no end waits for what keeps them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud.anchoring import Anchored, Anchoring
from jitcloud.errors import Conflict, JitError
from jitcloud.last_checkpoint import CHANNEL

WITHIN = timedelta(seconds=20)
"""For so long it goes on writing one after the other, where a record is anchored that is large."""

LOOK = timedelta(minutes=1)
"""How often it looks whether one is due: another process may have written one."""

AGAIN = timedelta(minutes=5)
"""How long after a failure it tries again."""

LINGER = timedelta(seconds=2)
"""How long whoever is in a hurry waits for one under way; it is begun anew otherwise."""

_MOST = 100


@dataclass(slots=True)
class Checkpointing:
    """The checkpoints of a deployment. Begins nothing by itself; see ``start``."""

    anchoring: Anchoring
    signed: int = field(default=0, init=False)
    """How many it has written."""
    _look_at: datetime | None = field(default=None, init=False)
    _begun_at: datetime | None = field(default=None, init=False)
    _troubles: list[tuple[str, str]] = field(default_factory=list, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Begin to write one, if it is due and none is under way. Returns at once.

        Raises ``Unavailable`` when the record cannot be reached.
        """
        now = self.anchoring.clock()
        if self._is_alive or (self._look_at is not None and now < self._look_at <= now + AGAIN):
            return
        self._look_at = now + LOOK
        # When the last one was, the record says, which others may write: so none goes without
        # one of its own for longer than that, whatever stands there.
        self._begun_at = self._begun_at or now
        if self.anchoring.is_due() or now - self._begun_at >= self.anchoring.every:
            self._begun_at = now
            self._thread = threading.Thread(target=self._work, name=CHANNEL, daemon=True)
            self._thread.start()

    def write(self, give_up: datetime) -> tuple[Anchored, ...]:
        """Write one now, and others while much is new. Raises as ``Anchoring.write`` does."""
        return tuple(self.anchoring.write_all(give_up))

    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Return what could not be done and was not told before."""
        with self._lock:
            found, self._troubles = tuple(self._troubles), []
        return found

    def finish(self, seconds: float | None = None) -> tuple[tuple[str, str], ...]:
        """Wait until what was begun is over, or so many seconds; return its troubles."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.troubles()

    def close(self) -> None:
        """Wait for a moment for one that is under way."""
        self.finish(LINGER.total_seconds())

    @property
    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _work(self) -> None:
        clock = self.anchoring.clock
        try:
            for written in self.anchoring.write_all(clock() + WITHIN):
                self.signed += 1
                for doubt in written.doubts:
                    self._tell(doubt)
        except Conflict:
            return  # another process has written one
        except JitError as exc:
            self._failed(str(exc))
        except Exception as exc:  # noqa: BLE001 - a thread has nobody else to tell
            self._failed(f"jitcloud has a defect here: {type(exc).__name__}")

    def _failed(self, why: str) -> None:
        self._tell(why)
        self._look_at = self.anchoring.clock() + AGAIN

    def _tell(self, why: str) -> None:
        with self._lock:
            if len(self._troubles) < _MOST:
                self._troubles.append((CHANNEL, why))
