"""One whole lifetime in a process of its own, killed with SIGKILL before a call of its own.

Calls are counted where they leave the process: every method of the store, and every HTTP
request to AWS.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from botocore.httpsession import URLLib3Session

import jitcloud
from jitcloud.stores.sqlite import SqliteStore
from tests.faults import Switch

STORE = ("commit", "request", "events", "slot", "slots", "due", "wake_at")
WINDOW = timedelta(seconds=16)


def _sigkill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _count(owner: type, name: str, switch: Switch) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        switch.count(f"{owner.__name__}.{name}")
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def live(folder: Path, at: int, told: Connection) -> None:
    """Ask, be let in, take credentials twice, give back; say what was got as it comes."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "test"}
    switch = Switch(at, kill=_sigkill)
    for name in STORE:
        _count(SqliteStore, name, switch)
    _count(URLLib3Session, "send", switch)
    with jitcloud.load(folder) as jit:
        ana = jit.acting_as("ana")
        request = ana.request("dev-role", WINDOW, "to be killed")
        for _ in range(2):
            made = ana.credentials(request)
            told.send((made.access_key_id, made.secret_access_key, made.session_token))
        ana.give_back(request)
        jit.sweep()
    told.send(("calls", str(len(switch.calls)), ",".join(switch.calls)))


def recover(folder: Path, *minutes: int) -> None:
    """What the next process does: nothing but sweep, so many minutes from now."""
    ahead = 0

    def later() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=ahead)

    with jitcloud.load(folder, clock=later) as jit:
        for ahead in minutes:  # noqa: B007 - the clock reads it
            jit.sweep()
            jit.sweep()
