"""A place in a cloud, who wants what there, and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jitcloud.model.ids import RequestId, SlotKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A request that wants the slot to hold something until an instant."""

    request: RequestId
    until: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One driver's exclusive right to tell the cloud about a slot, for a while."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a read of the cloud showed."""

    at: datetime
    """When the read began, by the broker's clock."""
    present: bool
    """Whether the place holds anything that this slot could have put there."""
    holders: frozenset[RequestId] | None = None
    """Whom the cloud names there; None where a place takes no names."""
    until: datetime | None = None
    """The deadline the cloud itself holds there, if it holds one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in a cloud and what it should hold."""

    key: SlotKey
    kind: str
    where: Mapping[str, object]
    holders: tuple[Holder, ...] = ()
    standing: bool | None = None
    """Whether access was there before us; None until a first read has settled it."""
    epoch: int = 0
    """Rises whenever an empty slot is joined: names in the cloud derive from it."""
    claim: Claim | None = None
    landed_by: datetime | None = None
    """By then the last call of ours that may change the place has surely landed."""
    seen: Sight | None = None
    attempts: int = 0
    """Tries since the cloud last agreed with the wish; sets the backoff."""
    trouble: str = ""
    """What the cloud said when it last refused."""
    wake_at: datetime | None = None
    version: int = 0
    """Rises with each commit; fences the next."""
