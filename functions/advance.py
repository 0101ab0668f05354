"""By the table's stream, which it only queues, and by its queue: drives one cloud, and ends access.

Its role may reach the catalog's targets in that cloud and write the record, and can sign nothing.
"""

from __future__ import annotations

from jitcloud.fleet import advancing
from jitcloud.fleet.entry import Event, function, records
from jitcloud.fleet.environment import Context, Kept

_advancing = Kept(advancing.made)


@function
def handler(event: Event, context: Context) -> dict[str, object]:
    """Take what a stream or a queue hands out; say which messages to hand out again."""
    found = records(event)
    if any(each.get("eventSource") == "aws:dynamodb" for each in found):
        _advancing().stream(found)
        return {"batchItemFailures": []}
    return _advancing().take(found, context)
