"""The deployment that is served: opened once, and anew for as long as its files are broken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from jitcloud import config
from jitcloud.config import Deployment
from jitcloud.errors import JitError
from jitcloud.observing import logs
from jitcloud.ports import Clock

T = TypeVar("T")


class Current(Generic[T]):
    """Opens a deployment to end access, and to grant as soon as nothing in it is broken.

    Rules and people are read anew by themselves. What ``jitcloud.toml`` and the catalog say holds
    for as long as the process lives, once they could be read.
    ``made`` makes of a deployment what answers its callers.
    """

    def __init__(self, path: Path, clock: Clock, made: Callable[[Deployment], T]) -> None:
        """Open it. Raises ``Misconfigured`` where not even the record can be opened."""
        self._path = path
        self._clock = clock
        self._made = made
        self._changing = threading.Lock()
        self._opened = [config.load_to_end(path, clock)]
        self._answering = made(self.deployment)
        if self.deployment.broken:
            self._tell()

    @property
    def deployment(self) -> Deployment:
        """The one of this moment."""
        return self._opened[-1]

    @property
    def answering(self) -> T:
        """What answers callers, of that deployment."""
        return self._answering

    def mend(self) -> None:
        """Open it again where it is broken, in case that was mended."""
        with self._changing:
            if not self.deployment.broken:
                return
            try:
                opened = config.load(self._path, self._clock)
                answering = self._made(opened)
            except JitError:
                return  # it still is
            # Whoever is at work goes on with the one before, which stays open until the end.
            self._opened.append(opened)
            self._answering = answering
        logs.event("mended")

    def close(self) -> None:
        """Let go of the record."""
        for each in self._opened:
            each.close()

    def _tell(self) -> None:
        for line in self.deployment.broken.splitlines():
            logs.event("broken", level=logging.ERROR, why=line)
