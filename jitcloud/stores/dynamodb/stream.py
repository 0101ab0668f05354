"""What a record of the table's stream says is to be woken, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from jitcloud.due import Wake, wake_up
from jitcloud.stores.dynamodb import due, keys


def wakes(record: Mapping[str, Any], now: datetime, cloud: str | None = None) -> Iterator[Wake]:
    """Yield the wake-ups that one change of the table has set; of one cloud only, if it is named.

    ``record`` is one of ``Records`` in what Lambda hands over, with the new image. Whatever is no
    snapshot of ours yields nothing, and a record of the past does no harm: the table alone says
    what is to be done.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
    """
    change = record.get("dynamodb")
    image = change.get("NewImage") if isinstance(change, Mapping) else None
    if not isinstance(image, Mapping) or not all(isinstance(v, Mapping) for v in image.values()):
        return
    item = {name: dict(value) for name, value in image.items()}
    found = due.read(item)
    if found is not None and cloud in {None, found[0]}:
        state = str(item.get("in_state", {}).get("S", ""))
        wake = wake_up(found[1], proves=now if state.startswith("ending#") else None)
        if wake is not None:
            yield wake
    if item.get("pk") == keys.text(keys.CONTROLS) and "ending" in item:
        try:
            at = keys.to_instant(item["ending"])
        except ValueError:
            return
        yield Wake(kind="brakes", id="brakes", at=at)
