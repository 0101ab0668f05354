"""What an API says when it says no, as an error of ours (RFC 9457; see ``api.problems``).

It is foreign text: shown escaped and cut, and believed only as to what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from jitcloud.errors import (
    CloudError,
    CloudRefused,
    Conflict,
    Invalid,
    JitError,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Refused,
    Tampered,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from jitcloud.https import Answer
from jitcloud.text import printable

LONGEST = 2000
"""Characters of what an API says that are shown."""

KINDS: Mapping[str, type[JitError]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            CloudError,
            CloudRefused,
            Conflict,
            Invalid,
            Misconfigured,
            NotFound,
            OutcomeUnknown,
            Refused,
            Tampered,
            Throttled,
            Unauthenticated,
            Unavailable,
        )
    }
)
"""What a problem may call itself. Anything else is what its status makes of it."""

_STATUSES: Mapping[int, type[JitError]] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: Invalid,
        HTTPStatus.UNAUTHORIZED: Unauthenticated,
        HTTPStatus.FORBIDDEN: Refused,
        HTTPStatus.CONFLICT: Conflict,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Invalid,
        HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
        HTTPStatus.TOO_MANY_REQUESTS: Unavailable,
        HTTPStatus.BAD_GATEWAY: Unavailable,
        HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
        HTTPStatus.GATEWAY_TIMEOUT: Unavailable,
    }
)

_TRACE = re.compile(r"[!-~]{1,128}")


def refusal(answer: Answer, table: Mapping[str, object] | None, who: str) -> JitError:
    """Return the error that an answer is; ``table`` is its body, ``who`` names the API."""
    said = {} if table is None else table
    kind, detail, trace = said.get("error"), said.get("detail"), said.get("trace")
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if not isinstance(detail, str) or not detail:
        return _unsaid(answer, who)
    sentence = printable(detail[:LONGEST])
    if known is None:
        known = _STATUSES.get(answer.status, Misconfigured)
    is_theirs = known in {Misconfigured, Tampered}
    if is_theirs and isinstance(trace, str) and _TRACE.fullmatch(trace):
        sentence = f"{sentence} (Trace: {trace})"
    return known(sentence)


def _unsaid(answer: Answer, who: str) -> JitError:
    """What a proxy, a gateway or something else says in place of an API."""
    match answer.status:
        case HTTPStatus.UNAUTHORIZED:
            return Unauthenticated(
                f"{who} does not take this sign-in; sign in again with jitcloud login."
            )
        case HTTPStatus.FORBIDDEN:
            return Refused(
                f"{who} does not let you call it; ask its operator whether your AWS identity may"
                " call the API there."
            )
        case status if status in _STATUSES:
            return _STATUSES[status](
                f"{who} answered with HTTP status {status} and no reason; try again later, and"
                " check its address if that lasts."
            )
        case status:
            return Misconfigured(
                f"{who} answered with HTTP status {status}, as no jitcloud API does; check its"
                " address, which is what stands before /v1."
            )
