"""Holds what becomes of requests to what should."""

from __future__ import annotations

import time
from collections.abc import Callable

from jitcloud.cli.demo.broker import BrokerProcess
from jitcloud.cli.demo.timeline import Unexpected
from jitcloud.model import Request, State

_PATIENCE = 15.0
_POLL = 0.25


def expect(request: Request, state: State, what: str) -> None:
    """Raise ``Unexpected`` unless a request is in that state."""
    if request.state is not state:
        got = f"{request.state}: {request.reason}" if request.reason else request.state
        raise Unexpected(what.capitalize(), expected=state, got=got)


def wait_for(broker: BrokerProcess, request: Request, state: State, what: str) -> Request:
    """Wait until a request is in that state; return it. Raises ``Unexpected``."""
    request = wait_until(broker, request, lambda found: found.state is state)
    expect(request, state, what)
    return request


def wait_until(
    broker: BrokerProcess, request: Request, is_so: Callable[[Request], bool]
) -> Request:
    """Look at a request until it is so, or patience runs out; return it as it then stands."""
    give_up = time.monotonic() + _PATIENCE
    request = broker.hasten(request.person, request)
    while not is_so(request) and time.monotonic() < give_up:
        time.sleep(_POLL)
        request = broker.hasten(request.person, request)
    return request
