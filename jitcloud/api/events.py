"""Reads the event of one HTTP call, payload format 2.0, and believes nothing of it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from secrets import token_hex
from urllib.parse import parse_qsl

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from jitcloud.api import problems, strict_json
from jitcloud.api.message import Answer

LONGEST_PATH = 500
LONGEST_QUERY = 2000
MOST_QUERIED = 20

_PATH = re.compile(rf"/[!-~]{{0,{LONGEST_PATH}}}")
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_TRACE = re.compile(r"[A-Za-z0-9=_.:-]{1,128}")


def read(event: object, trace: str) -> APIGatewayProxyEventV2 | Answer:
    """Return an event in which all that is looked at is as it should be; else what to answer."""
    match event:
        case {
            "rawPath": str(path),
            "requestContext": {"http": {"method": str(method)}, **context},
            **rest,
        } if _METHOD.fullmatch(method):
            query, headers = rest.get("rawQueryString", ""), rest.get("headers") or {}
        case _:
            return _wrong("This is no HTTP call as API Gateway passes one on.", trace)
    stage = context.get("stage", "$default")
    if isinstance(stage, str) and stage != "$default":
        path = path.removeprefix(f"/{stage}")
    if _PATH.fullmatch(path) is None:
        return no_such_place(trace)
    known = _headers(headers)
    if known is None:
        return _wrong("The headers of this call cannot be read.", trace)
    if not isinstance(query, str) or len(query) > LONGEST_QUERY or _fields(query) is None:
        return _wrong("The query of this call is too long, or is not UTF-8.", trace)
    body = _body(rest.get("body"), trace, is_base64=rest.get("isBase64Encoded") is True)
    if isinstance(body, Answer):
        return body
    if not body:
        known.pop("content-type", None)  # of what is not there
    return APIGatewayProxyEventV2(
        {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "queryStringParameters": dict(queried(query)),
            "headers": known,
            "requestContext": {"stage": "$default", "http": {"method": method.upper()}},
            "body": body,
            "isBase64Encoded": False,
        },
        strict_json.loads,
    )


def queried(text: str) -> list[tuple[str, str]]:
    """Return what a query says, in its order."""
    return _fields(text) or []


def trace_of(event: object) -> str:
    """Return what the platform calls this call, or a name of our own."""
    match event:
        case {"requestContext": {"requestId": str(name)}} if _TRACE.fullmatch(name):
            return name
        case _:
            return token_hex(8)


def no_such_place(trace: str) -> Answer:
    """Return what is answered where no route is."""
    return problems.problem(
        HTTPStatus.NOT_FOUND,
        error="NotFound",
        detail="There is nothing here; /openapi.json says what there is.",
        trace=trace,
    )


def _fields(text: str) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_QUERIED, errors="strict")
    except ValueError:
        return None


def _headers(table: object) -> dict[str, str] | None:
    if not isinstance(table, dict):
        return None
    found: dict[str, str] = {}
    for name, value in table.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            return None
        found[name.lower()] = value
    if "content-type" in found:  # in any case of letters (RFC 9110, section 8.3.1)
        found["content-type"] = found["content-type"].lower()
    return found


def _body(text: object, trace: str, *, is_base64: bool) -> str | Answer | None:
    if text is None:
        return None
    if not isinstance(text, str):
        return _wrong("The body of this call cannot be read.", trace)
    # Before it is decoded: four characters of base 64 are three bytes.
    if len(text) > (strict_json.MOST_BYTES * 4 + 11) // 3:
        return _too_large(trace)
    try:
        content = base64.b64decode(text, validate=True) if is_base64 else text.encode()
        decoded = content.decode()
    except (binascii.Error, ValueError):
        return _wrong("The body is not UTF-8; send it as UTF-8.", trace)
    return _too_large(trace) if len(content) > strict_json.MOST_BYTES else decoded


def _too_large(trace: str) -> Answer:
    kib = strict_json.MOST_BYTES // 1024
    return problems.problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        error="Invalid",
        detail=f"The body is larger than {kib} KiB; nothing that can be asked for is.",
        trace=trace,
    )


def _wrong(detail: str, trace: str) -> Answer:
    return problems.problem(HTTPStatus.BAD_REQUEST, error="Invalid", detail=detail, trace=trace)
