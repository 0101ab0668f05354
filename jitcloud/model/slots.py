"""A place in a cloud, who wants what there, and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from jitcloud.model.grants import Place
from jitcloud.model.ids import RequestId, SlotKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A request that wants the slot to hold something until an instant."""

    request: RequestId
    until: datetime
    detail: str = ""
    before: datetime | None = None
    """In a place that denies: only what began before then is denied. None: everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One driver's exclusive right to tell the cloud about a slot, for a while."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a cloud was told to do and does in its own time, as Identity Center does."""

    verb: Literal["put", "remove"]
    begun_at: datetime
    """When it was told, or at the earliest could have been; by the broker's clock."""
    id: str = ""
    """What the cloud calls it; empty where its answer never came, so that it must be found."""
    either: bool = False
    """Whether it may as well be of the other kind: whoever has told the cloud has died."""
    filled_before: datetime | None = None
    """What ``filled_at`` was before, for it has filled nothing if it fails."""


class Progress(StrEnum):
    """How far an operation has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """There is none under way: it was forgotten, or never begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a cloud says of an operation."""

    progress: Progress
    id: str = ""
    """What the cloud calls it, where it had to be found."""
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a read of the cloud showed."""

    at: datetime
    """When the read began, by the broker's clock."""
    present: bool
    """Whether the place holds anything that this slot could have put there."""
    holders: frozenset[RequestId] | None = None
    """Whom the cloud names there; None where a place takes no names."""
    in_vain: frozenset[RequestId] = frozenset()
    """Who is not held there though it says all that it can: it is full, or does not reach them.

    Nobody is told again for their sake, which would only unsettle what is known of the others.
    """
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
    """Whether access was there before us; None until a first read has settled it.

    None again once the place was proven empty: whoever fills it then, before us, is not us.
    """
    epoch: int = 0
    """Rises whenever an empty slot is joined: names in the cloud derive from it."""
    claim: Claim | None = None
    landed_by: datetime | None = None
    """By then the last call of ours that may change the place has surely landed."""
    operation: Operation | None = None
    """What the cloud is still doing here, as far as we know."""
    filled_at: datetime | None = None
    """When it was last seen filled, or may have been, by us."""
    usable_at: datetime | None = None
    """When it was last joined while it was filled still, or may have been."""
    emptied_at: datetime | None = None
    """When a cloud was last told to empty it. Not before ``filled_at`` if that came first, by
    whatever clocks; and the other way round."""
    shown_until: datetime | None = None
    """Until then a cloud may list what it was told to remove, or may have been.

    None again once a call to fill it is known to be done that was made after any removal.
    """
    last: RequestId | None = None
    """Who left it last: whose access it is, if it is seen to be there after all."""
    seen: Sight | None = None
    attempts: int = 0
    """Tries since the cloud last agreed with the wish; sets the backoff."""
    trouble: str = ""
    """What the cloud said when it last refused."""
    wake_at: datetime | None = None
    version: int = 0
    """Rises with each commit; fences the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What a cloud lists at once: a group's members, who has one role in one account."""

    key: str
    kind: str
    """Which slot kind lists it."""
    where: Mapping[str, object]


class Hold(StrEnum):
    """How it is known whose a place is that is seen to be filled."""

    MARKED = "marked"
    """It bears our mark."""
    EXCLUSIVE = "exclusive"
    """It takes no mark, but the catalog says that nobody else gives access there."""
    SHARED = "shared"
    """It takes no mark, and others give access there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of an area: what is filled there, and how to ask for the next page."""

    found: tuple[Place, ...]
    after: str | None = None
    """None: that was all."""
