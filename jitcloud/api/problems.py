"""Every error as RFC 9457 wants it: what went wrong, what to do, and nothing that helps a stranger.

``error`` names the kind of error for programs: what ``jitcloud.errors`` calls it, or one of
those here. Its messages are for people; what is an operator's affair goes to the log alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

from jitcloud.api.message import Answer
from jitcloud.errors import (
    CloudError,
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
from jitcloud.observing import logs
from jitcloud.text import printable

MEDIA_TYPE = "application/problem+json"

CHALLENGE = 'Bearer realm="jitcloud"'
"""For ``WWW-Authenticate`` (RFC 6750)."""

AGAIN = 5
"""Seconds after which what is unavailable may be tried again."""

MOST_WRONG = 20
"""How many mistakes of one body are told at once."""

LONGEST = 2000
"""How long a detail may be."""

OPERATOR = (
    "This deployment has something to be mended before that can be done; its operator finds what"
    " in the log, by the trace."
)
DEFECT = "jitcloud has a defect here; its operator finds where in the log, by the trace."

# The first that fits counts.
STATUSES: Mapping[type[JitError], HTTPStatus] = MappingProxyType(
    {
        Invalid: HTTPStatus.BAD_REQUEST,
        NotFound: HTTPStatus.NOT_FOUND,
        Unauthenticated: HTTPStatus.UNAUTHORIZED,
        Refused: HTTPStatus.FORBIDDEN,
        Conflict: HTTPStatus.CONFLICT,
        Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        Misconfigured: HTTPStatus.INTERNAL_SERVER_ERROR,
        Tampered: HTTPStatus.INTERNAL_SERVER_ERROR,
        Throttled: HTTPStatus.SERVICE_UNAVAILABLE,
        OutcomeUnknown: HTTPStatus.GATEWAY_TIMEOUT,
        CloudError: HTTPStatus.BAD_GATEWAY,
    }
)

_OF_OPERATORS = (Misconfigured, Tampered)


def problem(  # noqa: PLR0913 - keyword-only, each one a member of a problem
    status: int,
    *,
    error: str,
    detail: str,
    trace: str = "",
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Answer:
    """Return a problem. ``errors`` says what is wrong where, as RFC 9457 shows it in section 3."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail if len(detail) <= LONGEST else f"{detail[:LONGEST]}…",
        "error": error,
        "trace": trace,
    }
    if errors:
        body["errors"] = list(errors)
    return Answer(status=int(status), body=body, headers=dict(headers or {}))


def of(error: JitError, trace: str = "") -> Answer:
    """Return what the caller is told of an error; log what only the operator is."""
    status = next(known for kind, known in STATUSES.items() if isinstance(error, kind))
    detail = str(error)
    if isinstance(error, _OF_OPERATORS) and not isinstance(error, Unavailable):
        logs.event(
            "trouble", level=logging.ERROR, error=error, what=type(error).__name__, why=detail
        )
        detail = OPERATOR
    headers: dict[str, str] = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = f'{CHALLENGE}, error="invalid_token"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(AGAIN)
    return problem(status, error=type(error).__name__, detail=detail, trace=trace, headers=headers)


def defect(error: Exception, trace: str = "") -> Answer:
    """Return what the caller is told of a defect: that there is one. The log says where."""
    logs.event("defect", level=logging.ERROR, error=error, what=type(error).__name__)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, error="Defect", detail=DEFECT, trace=trace)


def unknown_caller(detail: str, trace: str = "") -> Answer:
    """Return the problem of whoever presents nothing, or too much."""
    return problem(
        HTTPStatus.UNAUTHORIZED,
        error="Unauthenticated",
        detail=detail,
        trace=trace,
        headers={"WWW-Authenticate": CHALLENGE},
    )


def wrong(errors: Iterable[Mapping[str, object]], trace: str = "") -> Answer:
    """Return the problem of what does not fit its schema; ``errors`` as pydantic tells them."""
    told = [_where(error) for error, _ in zip(errors, range(MOST_WRONG), strict=False)]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        error="Invalid",
        detail=" ".join(f"{each['at']}: {each['detail']}." for each in told),
        trace=trace,
        errors=told,
    )


def _where(error: Mapping[str, object]) -> dict[str, str]:
    loc = error.get("loc")
    parts = [printable(str(part))[:64] for part in loc] if isinstance(loc, tuple | list) else []
    kind, message = error.get("type"), str(error.get("msg", ""))
    match kind:
        case "missing":
            message = "This is missing; add it"
        case "extra_forbidden":
            message = "This means nothing here; leave it out"
        case "string_pattern_mismatch":
            message = "This is not written as it must be"
        case _:
            message = message.removeprefix("Value error, ").rstrip(".")
    place, *inner = parts or ["body"]
    if place == "body":
        return {"at": "/".join(["body", *inner]), "pointer": _pointer(inner), "detail": message}
    return {"at": " ".join([place, *inner]), "detail": message}


def _pointer(parts: Sequence[str]) -> str:
    """Write a JSON Pointer as a URI fragment (RFC 6901, section 6)."""
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in parts)
    return "#" + "".join(f"/{part}" for part in escaped)
