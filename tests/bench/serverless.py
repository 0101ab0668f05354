"""An ask over HTTP through the deployed fleet, against the least that an API on Lambda does."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from jitcloud.clock import utc_now
from jitcloud.emulators.deployed import Answer, Deployed
from jitcloud.emulators.fleet import ON_CALL, Fleet
from jitcloud.emulators.surroundings import apart
from tests.bench.bare_route import BareRoute
from tests.bench.figures import Figure
from tests.bench.overheard import Overheard
from tests.bench.timing import MILLI, Say, by_turns

LIMIT = 3.0
PAIRS = 80
REST = 0.2
"""Seconds before each call."""

WARM = 10
BODY = {"entitlements": [ON_CALL], "duration": "15m", "justification": "Look into INC-7"}

Call = Callable[[Mapping[str, str], bytes], Answer]


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    with ExitStack() as left:
        left.enter_context(apart())
        say("deploying")
        fleet = left.enter_context(Fleet(folder))
        token, body = fleet.token("ana"), json.dumps(BODY).encode()
        bare = partial(_asked, BareRoute(fleet).call, token, body)
        ours = partial(_asked, partial(fleet.deployed.call, "POST", "/v1/requests"), token, body)
        say("both, by turns")
        with _followed_by_nothing(fleet.deployed):
            pairs = by_turns(ours, bare, pairs=PAIRS, seconds=120, warm=WARM, rest=REST)
        inside = {name: _took(fleet.deployed, name) for name in ("request", "judge")}
        say("listening to the calls of one")
        calls = _calls(fleet.deployed, ours)
    http, judge, request = median(pairs.ours) * MILLI, inside["judge"], inside["request"]
    yield Figure(
        name="ask-over-http",
        what="POST /v1/requests of the fleet / a Powertools route with one conditional write",
        value=pairs.ratio,
        unit="x",
        limit=LIMIT,
        parts={
            "ours (ms)": http,
            "bare (ms)": median(pairs.bare) * MILLI,
            "in the quietest tenth (x)": pairs.quiet_ratio,
            "before and after request (ms)": http - request,
            "request, but for judge (ms)": request - judge,
            "judge (ms)": judge,
        },
        notes=(
            f"{pairs.middle_half}; both behind the same check of tokens, each after {REST:g} s.",
            "What the stream wakes after an ask, on machines of its own at AWS, is held back.",
            f"Calls of an ask: {', '.join(calls)}.",
        ),
    )


@contextmanager
def _followed_by_nothing(deployed: Deployed) -> Iterator[None]:
    """Wake nobody by an ask: here that would run on the processors that still answer it."""
    functions = deployed.client("lambda")
    names = [each["UUID"] for each in functions.list_event_source_mappings()["EventSourceMappings"]]
    for name in names:
        functions.update_event_source_mapping(UUID=name, Enabled=False)
    try:
        yield
    finally:
        for name in names:
            functions.update_event_source_mapping(UUID=name, Enabled=True)


def _asked(call: Call, token: str, body: bytes) -> None:
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": secrets.token_hex(8),
    }
    answer = call(headers, body)
    if answer.status != 201:
        raise AssertionError(answer)


def _took(deployed: Deployed, function: str) -> float:
    """Return the median of what it says of its own calls, in milliseconds."""
    told = (line for line in deployed.logs(function) if '"event": "done"' in line)
    return float(median(json.loads(line)["ms"] for line in list(told)[-PAIRS:]))


def _calls(deployed: Deployed, ours: Callable[[], object]) -> list[str]:
    """Name what one ask calls, in order: all that there is until it is answered."""
    heard = Overheard(deployed)
    time.sleep(2 * REST)
    begun = utc_now()
    ours()
    ended = utc_now()
    found = sorted((call.at, call.name) for call in heard.since(begun))
    return [name for at, name in found if at <= ended]
