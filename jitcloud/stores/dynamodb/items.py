"""Turns the nouns into items of the table and back."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jitcloud import codec
from jitcloud.errors import Tampered
from jitcloud.model import Controls, Digest, Mark, Request, Sealed, Slot
from jitcloud.ports import Move
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.keys import Item, Value, number, text

LONG = 64 * 1024
LONGEST = 64 * 1024 * 1024
"""From how many bytes on a body is compressed, and how many it may then come to."""

MOST_DIGITS = 38
"""Of a number: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

# What is searched or fenced by has an attribute; ``body`` is the whole, as canonical JSON. Each
# item says which commit wrote it, so that whoever got no answer can tell whether it was theirs.


def snapshot(move: Move, commit: str) -> Item:
    """Write what a move with events leaves of its request."""
    request = move.request
    item = keys.key(keys.request(request.id)) | {
        "id": text(request.id),
        "seq": number(request.seq),
        "head": text(request.head),
        "person": text(request.person),
        "in_state": text(keys.spread(request.state, request.id)),
        "listing": text(keys.spread("request", request.id)),
        "body": text(codec.encode_request(request)),
        "commit": text(commit),
    }
    if move.wake_at is not None:
        item |= waking(request, move.wake_at)
    if request.review_by is not None:
        item |= {
            "review": text(keys.spread("review", request.id)),
            "reviewed": text(request.person),
            "review_by": keys.instant(request.review_by),
        }
    return item


def waking(request: Request, wake_at: datetime) -> Item:
    """Write when a request wakes, and where that is found."""
    cloud = keys.cloud_of(request.entitlement.mechanism)
    return {"due": text(keys.spread(cloud, request.id)), "wake": keys.instant(wake_at)}


def events(partition: str, lines: Sequence[Sealed], commit: str) -> Item:
    """Write what one commit adds to one trail: one item, however many events these are."""
    return keys.key(partition, keys.events(lines[0].event.seq, commit)) | {
        "lines": {"L": [{"M": _line(sealed)} for sealed in lines]},
        "commit": text(commit),
    }


def _line(sealed: Sealed) -> Item:
    line = {"text": text(sealed.text), "hash": text(sealed.hash)}
    signature = codec.encode_signature(sealed.signature)
    return line if signature is None else line | {"signature": text(signature)}


def slot(slot_: Slot, commit: str) -> Item:
    item = keys.key(keys.slot(slot_.key)) | {
        "id": text(slot_.key),
        "version": number(slot_.version),
        "listing": text(keys.spread("slot", slot_.key)),
        "body": _packed(codec.encode_slot(slot_)),
        "commit": text(commit),
    }
    if slot_.wake_at is not None:
        cloud = keys.cloud_of(slot_.kind)
        item |= {
            "due": text(keys.spread(cloud, slot_.key)),
            "wake": keys.instant(slot_.wake_at),
        }
    return item


def controls(controls_: Controls, commit: str) -> Item:
    item = keys.key(keys.CONTROLS) | {
        "seq": number(controls_.seq),
        "head": text(controls_.head),
        "body": text(codec.encode_controls(controls_)),
        "commit": text(commit),
    }
    if controls_.endings:  # whoever reads the stream sees that everything is to end, and where
        item |= {"ending": keys.instant(controls_.updated_at)}
    return item


def mark(mark_: Mark, commit: str) -> Item:
    item = keys.key(keys.mark(mark_.channel, mark_.request)) | {
        "version": number(mark_.version),
        "body": text(codec.encode_mark(mark_)),
        "commit": text(commit),
    }
    if mark_.wake_at is not None:
        item |= {
            "due": text(mark_shard(mark_)),
            "wake": keys.instant(mark_.wake_at),
        }
    return item


def mark_shard(mark_: Mark) -> str:
    """Name the partition of the index that has a mark while it waits."""
    return keys.spread(keys.MARKS, f"{mark_.channel}/{mark_.request}")


# ── Back ─────────────────────────────────────────────────────────────────────────────────────


def to_request(item: Item) -> Request:
    return codec.decode_request(_text(item, "body"))


def to_slot(item: Item) -> Slot:
    return codec.decode_slot(_unpacked(item, "body"))


def to_controls(item: Item) -> Controls:
    return codec.decode_controls(_text(item, "body"))


def to_mark(item: Item) -> Mark:
    # The attributes outdo the body: a commit that makes a mark due does not read that.
    version, wake_at = to_number(item, "version"), to_wake(item)
    return replace(codec.decode_mark(_text(item, "body")), version=version, wake_at=wake_at)


def to_wake(item: Item) -> datetime | None:
    if "wake" not in item:
        return None
    try:
        return keys.to_instant(item["wake"])
    except ValueError as exc:
        raise _spoilt("wake") from exc


def to_events(items: Iterable[Item]) -> Iterator[Sealed]:
    """Read a trail, oldest first, out of what each commit has added to it."""
    for item in items:
        lines = item.get("lines", {}).get("L")
        if not isinstance(lines, list):
            raise _spoilt("lines")
        for line in lines:
            fields = line.get("M") if isinstance(line, dict) else None
            if not isinstance(fields, dict):
                raise _spoilt("lines")
            yield _to_sealed(fields)


def _to_sealed(line: dict[str, Any]) -> Sealed:
    written = _text(line, "text")
    signature = _text(line, "signature") if "signature" in line else None
    return Sealed(
        event=codec.decode_event(written),
        text=written,
        signature=codec.decode_signature(signature),
        hash=Digest(_text(line, "hash")),
    )


def to_number(item: Item, name: str) -> int:
    written = item.get(name, {}).get("N")
    if not isinstance(written, str) or len(written) > MOST_DIGITS:
        raise _spoilt(name)
    if not (written.isascii() and written.isdecimal()):
        raise _spoilt(name)
    return int(written)


def to_digest(item: Item, name: str) -> Digest:
    return Digest(_text(item, name))


def _packed(written: str) -> Value:
    """Write a body; a long one compressed: what denies a whole account's sessions is one item."""
    if len(written) <= LONG:
        return text(written)
    return {"B": zlib.compress(written.encode())}


def _unpacked(item: Item, name: str) -> str:
    packed = item.get(name, {}).get("B")
    if packed is None:
        return _text(item, name)
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(bytes(packed), LONGEST)
        whole = inflating.eof and not inflating.unused_data
        return found.decode() if whole else _text({}, name)
    except (zlib.error, TypeError, UnicodeDecodeError) as exc:
        raise _spoilt(name) from exc


def _text(item: dict[str, Value], name: str) -> str:
    value: object = item.get(name)
    written = value.get("S") if isinstance(value, dict) else None
    if not isinstance(written, str):
        raise _spoilt(name)
    return written


def _spoilt(name: str) -> Tampered:
    return Tampered(
        f"An item of the table has no {name} as jitcloud writes it: see `jitcloud audit verify`."
    )
