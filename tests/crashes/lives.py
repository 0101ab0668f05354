"""One whole lifetime in a process of its own, killed with SIGKILL before a step of its own.

A step is whatever the world sees of the process: every call of the store, and every HTTP request
that an SDK sends, to a cloud as to DynamoDB. Dying after one is dying before the next.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from botocore.httpsession import URLLib3Session

import jitcloud
from jitcloud.model import RequestId, State
from tests.faults import Switch

WINDOW = timedelta(seconds=16)
"""How long access lasts that a cloud itself ends, by a clock that nobody can set forward."""

STORE = ("commit", "request", "events", "slot", "slots", "due", "wake_at")

PATIENCE = timedelta(seconds=10)
"""How long somebody waits to be let in, where a cloud does things in its own time."""

_FORWARD = timedelta(seconds=4)
"""By so much the broker's clock may be ahead of a cloud's, and it still lets in."""


def _sigkill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _count(owner: type, name: str, switch: Switch) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        switch.count(f"{owner.__name__}.{name}")
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def live(folder: Path, key: str, at: int, takes: int, told: Connection) -> None:
    """Ask, be let in, take credentials so often, give back; say what was got as it comes.

    With ``at`` 0 nothing kills it, and it says in the end which steps it took.
    """
    _sign_in(key)
    clock = _Clock()
    switch = Switch(at, kill=_sigkill)
    with jitcloud.load(folder, clock=clock) as jit:
        # What is loaded and opened once a process is no step of a lifetime.
        for name in STORE:
            _count(type(jit.deployment.ledger.store), name, switch)
        _count(URLLib3Session, "send", switch)
        ana = jit.acting_as("ana")
        request = ana.request("dev-read", WINDOW, "to be killed")
        _be_let_in(jit, request.id, clock)
        for _ in range(takes):
            made = ana.credentials(request)
            told.send((made.access_key_id, made.secret_access_key, made.session_token))
        ana.give_back(request)
        jit.sweep()
    told.send(("steps", *switch.calls))


def recover(folders: Sequence[Path], key: str, *minutes: int) -> None:
    """What the next process does in each: nothing but sweep, so many minutes from now."""
    _sign_in(key)
    for folder in folders:
        clock = _Clock()
        with jitcloud.load(folder, clock=clock) as jit:
            for ahead in minutes:
                clock.ahead = timedelta(minutes=ahead)
                jit.sweep()
                jit.sweep()


class _Clock:
    """The machine's, which somebody has set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def _sign_in(key: str) -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "test"}
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"


def _be_let_in(jit: jitcloud.Jitcloud, name: RequestId, clock: _Clock) -> None:
    store = jit.deployment.ledger.store
    give_up = datetime.now(UTC) + PATIENCE
    while datetime.now(UTC) < give_up:
        found = store.request(name)
        if found is None or found.state is not State.ACTIVATING:
            return
        clock.ahead = _FORWARD
        if not jit.sweep().woken:
            time.sleep(0.2)  # until the cloud is asked again, which is the broker's to say
