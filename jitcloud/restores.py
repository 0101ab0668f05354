"""What a restored record has forgotten, and what of that may be on its way still."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from jitcloud.model import SKEW, Restored
from jitcloud.ports import SlotKind, Store

UNDER_WAY = timedelta(minutes=20)
"""After this nothing comes any more of what a cloud was told that does it in its own time.

None says so; those we know take seconds, and minutes on a bad day.
"""


def known(store: Store) -> tuple[datetime, ...]:
    """Return each time at which the record was restored, as far as it knows. Raises ``Tampered``.

    All count, and not the last alone: each has forgotten what was on its way then.
    """
    lines = store.control_events()
    return tuple(line.event.at for line in lines if isinstance(line.event.what, Restored))


def landed(kind: SlotKind, noted_at: datetime, restored: Collection[datetime]) -> datetime:
    """When what the journal was told of has landed, where a restored record may not know of it.

    A place that was seen empty before may be filled after that, and by nobody else.
    """
    lands_by = noted_at + (UNDER_WAY if hasattr(kind, "follow") else kind.timeout) + SKEW
    is_forgotten = any(noted_at - SKEW <= at <= lands_by for at in restored)
    return lands_by if is_forgotten else noted_at
