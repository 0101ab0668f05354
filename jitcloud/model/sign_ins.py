"""What is known of people from the tokens that they signed in with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jitcloud.model.events import Signature
from jitcloud.model.ids import GroupId, PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What somebody's latest token said of them, which counts for a while without it."""

    person: PersonId
    name: str
    emails: tuple[str, ...] = ()
    """Only those that the issuer has verified, or is trusted with."""
    groups: tuple[GroupId, ...] = ()
    """Each once, in the order of their names."""
    at: datetime
    """When the issuer said so: the token's ``iat``."""
    until: datetime
    """The first instant at which the groups no longer count."""
    signature: Signature | None = None
    """Of the broker: whoever can write the record, and not sign, puts nobody in a group."""
