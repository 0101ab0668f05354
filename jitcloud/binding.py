"""What a bound yes is bound to: the digest of what is approved, which the token has to carry.

Whoever votes asks the issuer for an ID token with this digest as its ``nonce`` (OpenID Connect
Core, 2). So a token that was meant for something else, or stolen from somewhere else, approves
nothing here, and one that was meant for this approves nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from jitcloud import codec
from jitcloud.model import Ask, Digest, Request

_ASK: TypeAdapter[Ask] = TypeAdapter(Ask)
_DIGEST = re.compile("[0-9a-f]{64}")


def plain(ask: Ask) -> dict[str, Any]:
    """Return an ask as plain JSON: what has to be shown to whoever is to bind a yes to it."""
    shown: dict[str, Any] = _ASK.dump_python(ask, mode="json")
    return shown


def digest(request: str, ask: Mapping[str, Any]) -> Digest:
    """Compute what a yes to this request is bound to, from its id and its ask as ``plain`` JSON.

    SHA-256 over the RFC 8785 form of ``{"ask": …, "jitcloud": "approve", "request": …}``.
    Raises ``Invalid`` for what is not JSON.
    """
    what = {"jitcloud": "approve", "request": request, "ask": dict(ask)}
    return Digest(hashlib.sha256(codec.canonical(what).encode()).hexdigest())


def bound_digest(request: Request) -> Digest:
    """Compute what a yes to this request is bound to."""
    return digest(request.id, plain(request.ask))


def digest_in(nonce: object) -> Digest | None:
    """Return what a token's ``nonce`` binds it to; None where it is no digest."""
    if isinstance(nonce, str) and _DIGEST.fullmatch(nonce) is not None:
        return Digest(nonce)
    return None
