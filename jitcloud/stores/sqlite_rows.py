"""Turns the nouns into rows of SQLite and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from jitcloud import codec
from jitcloud.model import Controls, Digest, Mark, Sealed, Slot
from jitcloud.ports import Move

Row = tuple[str | int | None, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def request_row(move: Move) -> Row:
    request, body = move.request, codec.encode_request(move.request)
    wake, review = to_micros(move.wake_at), to_micros(request.review_by)
    return request.id, request.person, request.state, request.seq, request.head, wake, review, body


def event_row(sealed: Sealed) -> Row:
    signature = codec.encode_signature(sealed.signature)
    return sealed.event.request, sealed.event.seq, sealed.text, signature, sealed.hash


def to_sealed(text: str, signature: str | None, digest: Digest) -> Sealed:
    return Sealed(
        event=codec.decode_event(text),
        text=text,
        signature=codec.decode_signature(signature),
        hash=digest,
    )


def slot_row(slot: Slot) -> Row:
    return slot.key, slot.version, to_micros(slot.wake_at), codec.encode_slot(slot)


def controls_row(controls: Controls) -> Row:
    return controls.seq, controls.head, codec.encode_controls(controls)


def mark_row(mark: Mark) -> Row:
    wake = to_micros(mark.wake_at)
    return mark.channel, mark.request, mark.version, wake, codec.encode_mark(mark)


def to_mark(version: int, wake_at: int | None, body: str) -> Mark:
    wakes = None if wake_at is None else to_instant(wake_at)
    return replace(codec.decode_mark(body), version=version, wake_at=wakes)


def to_micros(instant: datetime | None) -> int | None:
    # Whole numbers all the way: a float would lose microseconds.
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def to_instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
