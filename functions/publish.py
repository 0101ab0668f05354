"""By the table's stream and a schedule: passes on what was committed, and measures it.

Its role reads the record, writes how far it has come, and sends; a theft gives reading.
"""

from __future__ import annotations

from jitcloud.fleet import publishing
from jitcloud.fleet.entry import Event, function, records
from jitcloud.fleet.environment import Context, Kept

_publishing = Kept(publishing.made)


@function
def handler(event: Event, context: Context) -> dict[str, object]:
    """Pass on what is due; of a stream's records, measure what they say."""
    found = records(event)
    if found:
        _publishing().measure(found)
    else:
        _publishing().stand()
    return _publishing().pass_on(context)
