"""Who has an account at the issuer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """One account, and what its tokens say of it."""

    sub: str
    """The subject: never given to anybody else (OpenID Connect Core, 2)."""
    email: str | None = None
    """Where it is not given, ``<sub>@example.org``."""
    groups: Sequence[str] = ()
    email_verified: bool = True
    claims: Mapping[str, object] = field(default_factory=dict)
    """More of them, or others in place of these."""

    def said(self) -> dict[str, object]:
        """What every token says of them. The methods of the sign-in are those of RFC 8176."""
        return {
            "sub": self.sub,
            "email": f"{self.sub}@example.org" if self.email is None else self.email,
            "email_verified": self.email_verified,
            "groups": list(self.groups),
            "amr": ["pwd", "otp", "mfa"],
            **self.claims,
        }
