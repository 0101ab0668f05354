"""Signs of life of the sweep: written by its thread, read by whoever asks how things are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

SILENT = 60.0
"""Seconds without a sign of life after which the sweep counts as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What is known of the sweep; instants by the clock that ``Pulse`` was given, in seconds."""

    began: float
    alive: float
    """When it last did anything at all."""
    swept: float | None = None
    """When it last came to the end of a sweep; None before the first."""
    sweeps: int = 0
    deaths: int = 0
    is_dead: bool = False
    """Whether it has died and not swept since."""
    is_blind: bool = False
    """Whether the record could not be reached by the last sweep."""
    troubles: int = 0
    """How many things the last sweep could not do."""


@dataclass(slots=True)
class Pulse:
    """Safe for several threads."""

    clock: Callable[[], float]
    """Tells seconds, and is never set back."""
    _beat: Beat = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        now = self.clock()
        self._beat = Beat(began=now, alive=now)

    @property
    def beat(self) -> Beat:
        """What is known now."""
        return self._beat

    def lives(self) -> None:
        """The sweep does something."""
        with self._lock:
            self._beat = replace(self._beat, alive=self.clock())

    def swept(self, *, troubles: int, is_blind: bool) -> None:
        """It has come to the end of a sweep."""
        with self._lock:
            now, beat = self.clock(), self._beat
            self._beat = replace(
                beat,
                alive=now,
                swept=now,
                sweeps=beat.sweeps + 1,
                is_dead=False,
                is_blind=is_blind,
                troubles=troubles,
            )

    def died(self) -> None:
        """It was ended by a defect."""
        with self._lock:
            self._beat = replace(self._beat, deaths=self._beat.deaths + 1, is_dead=True)

    def age(self) -> float:
        """Seconds since the end of the last sweep, or since there is anything to sweep."""
        beat = self._beat
        return self.clock() - (beat.began if beat.swept is None else beat.swept)

    def is_silent(self) -> bool:
        """Whether it does nothing any more."""
        return self.clock() - self._beat.alive >= SILENT
