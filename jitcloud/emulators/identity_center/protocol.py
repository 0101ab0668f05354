"""AWS JSON 1.1: how a call comes over HTTP, and how its answer goes.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectionClosedError

from jitcloud.emulators.identity_center.description import TARGETS
from jitcloud.errors import Invalid

if TYPE_CHECKING:
    from jitcloud.emulators.identity_center.state import IdentityCenter


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, and what is said as JSON."""

    status: int
    said: Mapping[str, object]

    @property
    def body(self) -> bytes:
        """What is said, in bytes."""
        return json.dumps(self.said, default=_instant).encode()


def answered(center: IdentityCenter, headers: Mapping[str, str], body: bytes) -> Reply | None:
    """Answer one request; None: the connection ends instead. Signatures are not verified.

    The names of headers are in lower case.
    """
    if not headers.get("authorization"):
        return _error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    prefix, _, operation = headers.get("x-amz-target", "").partition(".")
    service = TARGETS.get(prefix, "")
    if operation not in center.operations(service):
        return _error(400, "UnknownOperationException", "It is not emulated here.")
    params = _object(body)
    if params is None:
        return _error(400, "SerializationException", "The body is no JSON object.")
    return _called(center, service, operation, params)


def _called(
    center: IdentityCenter, service: str, operation: str, params: Mapping[str, object]
) -> Reply | None:
    try:
        return Reply(200, center.call(service, operation, params))
    except ConnectionClosedError:
        return None
    except ClientError as exc:
        known = {"Error", "ResponseMetadata"}
        members = {name: said for name, said in exc.response.items() if name not in known}
        error = exc.response["Error"]
        status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
        return _error(status, error["Code"], error["Message"], members)
    except Invalid as exc:
        return _error(500, "EmulatorFault", str(exc))


def _object(body: bytes) -> Mapping[str, object] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _error(
    status: int, code: str, message: str, members: Mapping[str, object] | None = None
) -> Reply:
    return Reply(status, {"__type": code, "Message": message, **(members or {})})


def _instant(said: object) -> float:
    """Timestamps are seconds since 1970, unless a description says otherwise."""
    if not isinstance(said, datetime):
        raise TypeError(said)
    return said.timestamp()
