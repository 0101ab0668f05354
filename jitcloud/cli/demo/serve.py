"""The broker of the demo: a process of its own, which can be killed like any other.

It reads commands from its standard input, a line of JSON each, and answers likewise; between
them it sweeps. It ends when its input does, so it never outlives whoever started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from jitcloud import codec
from jitcloud.errors import JitError
from jitcloud.library import Acting, Jitcloud, load
from jitcloud.model import Request, RequestId

SWEEP_EVERY = 0.25

Answer = Mapping[str, object]


def serve(folder: str) -> None:
    """Serve until the input ends."""
    # Ctrl-C reaches every process of a terminal. It is for whoever started us, who then lets go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with load(Path(folder)) as jitcloud:
        over = threading.Event()
        sweeper = threading.Thread(target=_keep_sweeping, args=(jitcloud, over))
        sweeper.start()
        _answer({"pid": os.getpid()})
        for line in sys.stdin:
            _answer(_obey(jitcloud, json.loads(line)))
        over.set()
        sweeper.join()


def _keep_sweeping(jitcloud: Jitcloud, over: threading.Event) -> None:
    while not over.wait(SWEEP_EVERY):
        for what, trouble in jitcloud.sweep().troubles:
            print(f"{what}: {trouble}", file=sys.stderr, flush=True)  # noqa: T201 - its log


def _obey(jitcloud: Jitcloud, command: Mapping[str, str]) -> Answer:
    try:
        acting = jitcloud.acting_as(command["as"])
        return _VERBS[command["do"]](acting, command)
    except JitError as exc:
        return {"error": type(exc).__name__, "message": str(exc)}


def _request(acting: Acting, command: Mapping[str, str]) -> Answer:
    return _as_it_stands(
        acting.request(command["entitlement"], command["duration"], command["because"])
    )


def _credentials(acting: Acting, command: Mapping[str, str]) -> Answer:
    made = asdict(acting.credentials(command["id"]))
    return {"credentials": {**made, "expires_at": made["expires_at"].isoformat()}}


def _as_it_stands(request: Request) -> Answer:
    return {"request": codec.encode_request(request)}


_VERBS: Mapping[str, Callable[[Acting, Mapping[str, str]], Answer]] = {
    "request": _request,
    "approve": lambda acting, command: _as_it_stands(acting.approve(command["id"])),
    "give-back": lambda acting, command: _as_it_stands(acting.give_back(command["id"])),
    "revoke": lambda acting, command: _as_it_stands(
        acting.revoke(command["id"], command["because"])
    ),
    # What is on its way is taken as far as it can go now, rather than when it is next due.
    "hasten": lambda acting, command: _as_it_stands(
        acting.deployment.advance.wake(RequestId(command["id"]))
    ),
    "credentials": _credentials,
}


def _answer(answer: Answer) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - the pipe to whoever started us
