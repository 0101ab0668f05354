"""When the last checkpoint was written, as the record says it: for whoever watches."""

from __future__ import annotations

from datetime import datetime

from jitcloud.errors import Tampered
from jitcloud.model import CONTROLS
from jitcloud.ports import Store

CHANNEL = "anchors"
"""Of the mark that says it: nobody need look at what keeps checkpoints."""


def last_at(store: Store) -> datetime | None:
    """When the record was read for the last one; None where that says nothing.

    Whoever can write the record can write this: what really is there the anchors alone say.
    """
    try:
        mark = store.mark(CHANNEL, CONTROLS)
        found = None if mark is None else datetime.fromisoformat(mark.cursor)
    except (Tampered, ValueError):
        return None
    return found if found is None or found.tzinfo is not None else None
