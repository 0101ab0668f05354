"""What people are told, and how far the telling has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jitcloud.model.ids import PersonId, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one person. It never holds a secret."""

    id: str
    """The same for the same message sent again: receivers may show it once."""
    to: PersonId
    address: str
    """An e-mail address of theirs, as the directory has it now."""
    name: str
    request: RequestId
    subject: str
    """One line."""
    body: str
    """Plain text, lines ended by a line feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How much of a request's trail a channel has passed on."""

    channel: str
    """``notices``."""
    request: RequestId
    seq: int = 0
    """The last event that was passed on."""
    told: tuple[PersonId, ...] = ()
    """Who of the event after that was told already, or never can be; in that order."""
    warned: datetime | None = None
    """Of which deadline the holder was warned."""
    attempts: int = 0
    """Tries since the last that succeeded; sets the backoff."""
    trouble: str = ""
    """Why the last one failed."""
    cursor: str = ""
    """Where to go on, in the channel's own words; empty where ``seq`` says it."""
    wake_at: datetime | None = None
    version: int = 0
    """Rises with each write; fences the next."""
