"""Asks one endpoint of an issuer, which answers in JSON, or does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from jitcloud.https import Answer, Server
from jitcloud.signing_in.endpoint import Endpoint

WITHIN = timedelta(seconds=10)
"""How long one request may take, all in all."""

LARGEST = 256 * 1024
"""Bytes of an answer. Tokens and discovery documents have a few thousand."""

_HEADERS = {"Accept": "application/json", "User-Agent": "jitcloud"}


def ask(
    endpoint: Endpoint, form: Mapping[str, str] | None = None, *, timeout: timedelta = WITHIN
) -> Answer:
    """Get what is there, or with a form post that. Raises as ``Server.post`` does."""
    server = Server(str(endpoint), endpoint.address, timeout=timeout, limit=LARGEST)
    if form is None:
        return server.get(endpoint.target, _HEADERS)
    headers = {**_HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
    return server.post(endpoint.target, headers, urlencode(form).encode())


def members(answer: Answer) -> dict[str, object] | None:
    """The members of the JSON object that the body is, or None where it is none."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):  # not JSON, not text, numbers or nesting without end
        return None
    return said if isinstance(said, dict) else None
