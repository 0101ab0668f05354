"""How a journal writes a place down, whatever keeps it: a line of JSON, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from jitcloud.errors import Invalid
from jitcloud.model import Place, Slot, SlotKey


def text(slot: Slot, now: datetime, *, empty: bool = False) -> str:
    """Return what is written when a place is about to be filled, or was proven empty."""
    said: dict[str, object] = {
        "at": now.astimezone(UTC).isoformat(),
        "key": slot.key,
        "kind": slot.kind,
        "where": dict(slot.where),
    }
    if empty:
        said["empty"] = True
    return json.dumps(said, separators=(",", ":"))


def place(said: object) -> tuple[Place, datetime | None]:
    """Return a place, and when it was noted; None in its stead where it is crossed out.

    Raises ``Invalid`` for what no journal has written.
    """
    match said:
        case {"at": str(at), "key": str(key), "kind": str(kind), "where": dict(where), **more}:
            noted_at = _instant(at)
            if not _is_text(key):
                raise Invalid("This is no key that a journal has written down.")
            found = Place(key=SlotKey(key), kind=kind, where=where)
            return found, None if more.get("empty") is True else noted_at
        case _:
            raise Invalid("This is no place that a journal has written down.")


def _instant(at: str) -> datetime:
    try:
        found = datetime.fromisoformat(at)
        noted_at = found.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise Invalid("This is no instant that a journal has written down.") from exc
    if found.tzinfo is None:
        raise Invalid("This is no instant that a journal has written down, without its zone.")
    return noted_at


def _is_text(key: str) -> bool:
    """Whether it holds no half of a character, which JSON can write and nothing else."""
    try:
        return bool(key.encode())
    except UnicodeEncodeError:
        return False
