"""What a bound yes is bound to, computed here from what the voter is shown.

The digest goes into the sign-in, so whoever shows one thing and has another one signed would have a
yes to that. So what is shown is read from the very text that the digest is over, and whatever
of it cannot be shown makes it be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jitcloud import binding
from jitcloud.errors import Invalid, Misconfigured
from jitcloud.model import Ask, Digest, Request

_ASK: TypeAdapter[Ask] = TypeAdapter(Ask)


def approving(shown: Request, ask: Mapping[str, Any], who: str) -> tuple[Request, Digest]:
    """Return a request as it has to be shown to whoever approves it, and what their yes binds.

    ``ask`` is what the API wants to be signed for. Raises ``Misconfigured`` where it is not all
    shown: where it cannot be read, says more than this version knows, or is not of ``shown``.
    """
    try:
        read = _ASK.validate_python(dict(ask))
        is_whole = binding.plain(read) == dict(ask)
        digest = binding.digest(shown.id, ask)
    except (ValidationError, Invalid):
        is_whole, read, digest = False, shown.ask, Digest("")
    if not is_whole:
        raise Misconfigured(
            f"{who} wants a yes to something that this jitcloud cannot show whole; bring it up to"
            " date before you approve."
        )
    if _seen(read) != _seen(shown.ask):
        raise Misconfigured(
            f"{who} shows request {shown.id} in two ways that do not agree; approve nothing, and"
            " tell its operator."
        )
    return replace(shown, ask=read), digest


def _seen(ask: Ask) -> Ask:
    """An ask as far as ``shapes.of_request`` tells it."""
    thing = ask.entitlement
    told = replace(
        thing, target={}, zone="UTC", ticket_projects=(), unchecked_tickets=False, bound_votes=False
    )
    return replace(ask, entitlement=told, mfa_age=None)
