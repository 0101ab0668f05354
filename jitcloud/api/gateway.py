"""A call over HTTP as API Gateway's HTTP API would hand it to a function, and the answer back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(payload format version 2.0)
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from jitcloud.api.message import Answer
from jitcloud.api.problems import MEDIA_TYPE

MOST_PARAMETERS = 100
"""How many parameters a query may have."""

Pairs = Sequence[tuple[bytes, bytes]]
"""Header fields as they came; names in lower case, as ASGI has them."""

_TRACE = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Malformed(Exception):
    """A call that cannot be handed on; the message says why, for whoever made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call, all of it read."""

    method: str
    path: str
    """As it came: percent-encoded, and without the query."""
    query: bytes
    """As it came; HTTP allows no other letters than ASCII."""
    version: str
    """Of HTTP, such as ``1.1``."""
    headers: Pairs = field(repr=False)
    body: bytes = field(repr=False)
    source: str
    """The address it came from."""
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, as it goes out."""

    status: int
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def event_of(request: Request, at: datetime) -> dict[str, Any]:
    """Return the event. Raises ``Malformed`` for a query that is no text."""
    headers = _joined(request.headers)
    text, is_encoded = _body(request.body)
    http = {
        "method": request.method,
        "path": request.path,
        "protocol": f"HTTP/{request.version}",
        "sourceIp": request.source,
        "userAgent": headers.get("user-agent", ""),
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query.decode("ascii"),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "jitcloud-serve",
            "domainName": "jitcloud-serve",
            "domainPrefix": "jitcloud-serve",
            "http": http,
            "requestId": request.trace,
            "routeKey": "$default",
            "stage": "$default",
            "time": at.astimezone(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(at.timestamp() * 1000),
        },
        "isBase64Encoded": is_encoded,
    }
    parameters = _parameters(request.query)
    if parameters:
        event["queryStringParameters"] = parameters
    if text:
        event["body"] = text
    return event


def reply_of(answered: Mapping[str, Any]) -> Reply:
    """Return what a function's answer says to send."""
    body = answered.get("body") or ""
    raw = base64.b64decode(body) if answered.get("isBase64Encoded") else body.encode()
    headers = tuple((str(k).lower(), str(v)) for k, v in (answered.get("headers") or {}).items())
    return Reply(status=int(answered["statusCode"]), body=raw, headers=headers)


def problem_reply(answer: Answer) -> Reply:
    """Return a problem as it goes out (RFC 9457)."""
    return Reply(
        status=answer.status,
        body=json.dumps(dict(answer.body)).encode(),
        headers=(
            ("content-type", MEDIA_TYPE),
            *((name.lower(), value) for name, value in answer.headers.items()),
        ),
    )


def source_of(peer: str, headers: Pairs, *, behind_proxy: bool) -> str:
    """Return the address a call came from: the peer's, or what the proxy before us says.

    Of ``X-Forwarded-For`` the last one counts, which that proxy added itself: whatever stands
    before it anybody may have written.
    """
    if behind_proxy:
        told = b",".join(value for name, value in headers if name == b"x-forwarded-for")
        try:
            return str(ipaddress.ip_address(told.decode("ascii").rpartition(",")[2].strip()))
        except ValueError:
            return peer
    return peer


def trace_of(headers: Pairs, own: str, *, behind_proxy: bool) -> str:
    """Return what names a call in every log: what the proxy named it, or our own name for it."""
    if behind_proxy:
        told = [value for name, value in headers if name == b"x-request-id"]
        if len(told) == 1 and _TRACE.fullmatch(text := told[0].decode("latin-1")):
            return text
    return own


def _joined(pairs: Pairs) -> dict[str, str]:
    """Header fields by their names; what is said twice is joined, as RFC 9110 has it (5.2)."""
    found: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _parameters(query: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as exc:
        message = (
            f"The query is no UTF-8 in percent-encoding, or has more than {MOST_PARAMETERS} "
            "parameters."
        )
        raise Malformed(message) from exc
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(raw: bytes) -> tuple[str, bool]:
    """The body as text, or in base64 where it is none; and which of the two."""
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii"), True
