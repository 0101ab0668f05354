"""Answers as they go over the network: JSON that no browser reads as anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from aws_lambda_powertools.event_handler import Response

from jitcloud.api import problems
from jitcloud.api.message import Answer

JSON = "application/json"

SECURITY: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""On every answer, unless its route says otherwise. https://owasp.org/www-project-secure-headers/"""


def response(answer: Answer) -> Response[str]:
    """Return what the judge answers as a response."""
    is_problem = answer.status >= HTTPStatus.BAD_REQUEST
    return Response(
        status_code=int(answer.status),
        content_type=problems.MEDIA_TYPE if is_problem else JSON,
        body=json.dumps(answer.body, separators=(",", ":")),
        headers=dict(answer.headers),
    )
