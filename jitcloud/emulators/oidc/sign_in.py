"""One sign-in: who, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Somebody proved who they are."""

    sub: str
    at: datetime
    nonce: str | None = None
    """What the ID token repeats of what it was asked with."""
