"""The OpenAPI 3.1 document: what Powertools reads off the routes, and what they answer.

``python -m jitcloud.api.openapi`` writes it; ``docs/openapi.json`` is that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.openapi.constants import DEFAULT_OPENAPI_VERSION
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jitcloud.api import outputs, problems
from jitcloud.api.application import application
from jitcloud.api.message import LONGEST_KEY, Answer, Message
from jitcloud.api.operations import EVERY, OPERATIONS, Operation
from jitcloud.errors import Unavailable

VERSION = "1.0.0"
"""Of the API, not of jitcloud: the first number is that in its paths."""

DESCRIPTION = """\
Just-in-time access to AWS, Azure and Google Cloud: ask, decide, use, give back.

Who speaks is said by a token or an AWS identity, and by nothing else. Every error is a problem
(RFC 9457). Instants are UTC in ISO 8601, and durations in answers are whole seconds. Answers may
have more members with any version; take those you know.
"""

SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"aws": []}]

SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An OpenID Connect ID token of an issuer that this deployment trusts.",
    },
    "aws": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Jitcloud-Identity",
        "description": "A presigned `sts:GetCallerIdentity`, bound to this deployment, in"
        " base64url. Behind API Gateway, these routes begin with `/aws/v1`, and need AWS's own"
        " signature too.",
    },
}

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this attempt: sent again with the same key and body within 24 hours it is"
    " done once, and answered as it was. With another body it is refused (422); while the first is"
    " under way, too (409). Best a UUID.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_KEY,
        "pattern": r"^[!#-\[\]-~]+$",
    },
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}

WORDS = {
    200: "Done.",
    201: "Asked: read the state of each request, which policy may have denied.",
    400: "What was sent cannot be understood, or cannot be asked for.",
    401: "Nothing was shown that proves who speaks.",
    403: "You may not do this, or not any more; the detail says why.",
    404: "There is no such thing, or it is not yours to see.",
    409: "Somebody else was first, or is at it just now: look again, then try again.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "Something does not fit its schema, or the Idempotency-Key came with something else.",
    500: "The deployment needs its operator, or jitcloud has a defect.",
    502: "A cloud did not do as it was told.",
    503: "It cannot be done just now; try again soon.",
    504: "A cloud did not answer in time: look what became of it.",
}

FIRST = 400
"""The first status that is a problem."""

SCHEMA = {"type", "anyOf", "$ref", "enum"}
"""Of these, a schema has one at least."""

_REFS = "#/components/schemas/"
_LEFT_OUT = ("HTTPValidationError", "ValidationError", "ResponseValidationError")


def document() -> dict[str, Any]:
    """Return the document."""
    resolver = application(_nobody)
    read: dict[str, Any] = json.loads(
        resolver.get_openapi_json_schema(
            title="jitcloud",
            version=VERSION,
            openapi_version=DEFAULT_OPENAPI_VERSION,
            description=DESCRIPTION,
        )
    )
    schemas = {
        name: schema
        for name, schema in read["components"]["schemas"].items()
        if name not in _LEFT_OUT
    }
    schemas |= _answers()
    paths = {path: _path(methods) for path, methods in sorted(read["paths"].items())}
    made = {
        **{name: read[name] for name in ("openapi", "info")},
        "servers": [{"url": "/"}],
        "security": SECURITY,
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {
                f"Problem{status}": _problem(status) for status in WORDS if status >= FIRST
            },
            "securitySchemes": SCHEMES,
        },
    }
    tidy: dict[str, Any] = _tidy(made)
    return tidy


def _tidy(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Leave out what repeats names, and write whole numbers as such."""
    match value:
        case dict():
            return {
                name: _tidy(each)
                for name, each in value.items()
                if not (name == "title" and isinstance(each, str) and SCHEMA & value.keys())
            }
        case list():
            return [_tidy(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


@cache
def text() -> str:
    """Return the document as it is published."""
    return json.dumps(document(), indent=1, ensure_ascii=True) + "\n"


def _nobody(_: Message) -> Answer:
    raise Unavailable("Nothing is asked while the document is written.")


def _path(methods: Mapping[str, Any]) -> dict[str, Any]:
    return {
        method: _operation(operation)
        for method, operation in methods.items()
        if operation["operationId"] in OPERATIONS
    }


def _operation(read: dict[str, Any]) -> dict[str, Any]:
    known = OPERATIONS[read["operationId"]]
    parameters = [_parameter(each) for each in read.get("parameters", ())]
    if known.keyed:
        parameters.append(KEY)
    told = {
        "operationId": read["operationId"],
        "summary": known.summary,
        "description": known.description,
        "tags": read["tags"],
        "responses": {str(status): answer for status, answer in _responses(known)},
    }
    if parameters:
        told["parameters"] = parameters
    if "requestBody" in read:
        told["requestBody"] = _body(read["requestBody"])
    if known.is_open:
        told["security"] = []
    return told


def _parameter(read: dict[str, Any]) -> dict[str, Any]:
    schema = _without_null(read["schema"])
    told = {"name": read["name"], "in": read["in"], "required": read["required"]}
    description = read.get("description") or schema.pop("description", None)
    if description:
        told["description"] = description
    return {**told, "schema": schema}


def _body(read: dict[str, Any]) -> dict[str, Any]:
    """A body that may be left out is still no ``null``."""
    (media,) = read["content"].values()
    content = {"application/json": {"schema": _without_null(media["schema"])}}
    return {"required": read.get("required", False), "content": content}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" not in schema:
        return {name: value for name, value in schema.items() if name != "title"}
    kinds = [each for each in schema["anyOf"] if each != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "title"}}
    return {**kinds[0], **rest} if len(kinds) == 1 else {**rest, "anyOf": kinds}


def _responses(known: Operation) -> Iterator[tuple[int, dict[str, Any]]]:
    models = known.answers if isinstance(known.answers, tuple) else (known.answers,)
    schemas = [{"$ref": f"{_REFS}{model.__name__}"} for model in models]
    answer: dict[str, Any] = {
        "description": WORDS[known.status],
        "content": {
            "application/json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
        },
    }
    headers: dict[str, Any] = {}
    if known.status == HTTPStatus.CREATED:
        headers["Location"] = _header("Where the request is.")
    if known.keyed:
        headers["Idempotency-Replayed"] = _header("`true` where this was answered before.")
    yield known.status, {**answer, **({"headers": headers} if headers else {})}
    # A server in front of the routes may answer these of any call.
    wrong = {*known.problems, 413} if known.is_open else {*EVERY, *known.problems, 413}
    for status in sorted(wrong):
        yield status, {"$ref": f"#/components/responses/Problem{status}"}


def _problem(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _header("How to say who you are (RFC 6750).")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _header("Seconds until it may be tried again.")
    schema = {"$ref": f"{_REFS}Problem"}
    told = {"description": WORDS[status], "content": {problems.MEDIA_TYPE: {"schema": schema}}}
    return {**told, **({"headers": headers} if headers else {})}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _answers() -> dict[str, Any]:
    models: set[type[BaseModel]] = {outputs.Problem}
    for known in OPERATIONS.values():
        models |= set(known.answers) if isinstance(known.answers, tuple) else {known.answers}
    _, found = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda each: each.__name__)],
        ref_template=f"{_REFS}{{model}}",
    )
    schemas: dict[str, Any] = found["$defs"]
    for schema in schemas.values():
        schema.pop("additionalProperties", None)
    return schemas


if __name__ == "__main__":
    sys.stdout.write(text())
