"""Lets one process of a person renew a sign-in while others wait.

Two that show the same refresh token at once look like a thief to an issuer that rotates them, and
it would void the sign-in (RFC 9700, 4.14.2).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from jitcloud.durations import format_duration
from jitcloud.errors import Unavailable

PATIENCE = timedelta(seconds=30)
"""Longer than whoever renews can take."""

_LOOKS_UP = 0.05


def folder(environment: Mapping[str, str]) -> Path:
    """Where the locks are: empty files, of nobody else (XDG Base Directory Specification)."""
    cache = Path(environment.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # as the specification has it
        cache = Path(environment.get("HOME") or "~").expanduser() / ".cache"
    return cache / "jitcloud"


@contextmanager
def alone(where: Path, name: str, *, patience: timedelta = PATIENCE) -> Iterator[None]:
    """Hold the lock of this name; where no file can be made, go on without.

    Raises ``Unavailable`` when somebody else holds it for too long.
    """
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(where / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # a home that cannot be written to: renewing still mostly goes well
        yield
        return
    try:
        _lock(descriptor, patience)
        yield
    finally:
        os.close(descriptor)  # and with it the lock, as when the process is killed


def _lock(descriptor: int, patience: timedelta) -> None:
    ends = time.monotonic() + patience.total_seconds()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise Unavailable(
                    "Another jitcloud on this machine has been renewing your sign-in for"
                    f" {format_duration(patience)}; end it, or try again."
                ) from None
            time.sleep(_LOOKS_UP)
        else:
            return
