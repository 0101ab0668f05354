"""Who speaks, and what their word is worth."""

from __future__ import annotations

from jitcloud.model import Caller, PersonId, Token


def caller(person: str) -> Caller:
    """Somebody who has proven who they are."""
    return Caller(person=PersonId(person), token=Token(kind="test", id=f"token-of-{person}"))
