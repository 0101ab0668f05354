"""Turns the nouns into text and back: JSON, and canonical (RFC 8785) where it is hashed."""

from __future__ import annotations

import json
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import rfc8785
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from jitcloud import model
from jitcloud.errors import Invalid, Tampered
from jitcloud.finite import is_finite
from jitcloud.model import (
    Activating,
    Asked,
    Controls,
    Event,
    Happening,
    Mark,
    Places,
    Request,
    Signature,
    Slot,
)
from jitcloud.text import printable

T = TypeVar("T")

# A record that says more than this version understands must not be acted on as if it said
# less: unknown keys are refused. (The model itself knows nothing of pydantic.)
for _noun in vars(model).values():
    if is_dataclass(_noun) and isinstance(_noun, type):
        _noun.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined] # pydantic's own name for it


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadEvent(Event):
    """An event as it is read: told what to expect by ``type``, pydantic need not try them all."""

    what: Annotated[Happening, Field(discriminator="type")]


_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_READ: TypeAdapter[_ReadEvent] = TypeAdapter(_ReadEvent)
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_SLOT: TypeAdapter[Slot] = TypeAdapter(Slot)
_CONTROLS: TypeAdapter[Controls] = TypeAdapter(Controls)
_MARK: TypeAdapter[Mark] = TypeAdapter(Mark)
_SIGNATURE: TypeAdapter[Signature] = TypeAdapter(Signature)

SNAPSHOTS = 256
"""How many snapshots are remembered by their text: a command reads again what it has written."""

_SNAPSHOTS: dict[str, Request] = {}


def canonical(plain: Any) -> str:  # noqa: ANN401 - plain JSON of any shape
    """Return the RFC 8785 form of plain JSON. Raises ``Invalid`` for what has none."""
    try:
        text = _SORTED.encode(plain) if _reads_alike(plain) else rfc8785.dumps(plain).decode()
        text.encode()  # half of a character is no text
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError) as exc:
        why = printable(str(exc)[:200])
        raise Invalid(f"This cannot be recorded: {why}.") from exc
    return text


# The standard library's encoder, in C, writes what RFC 8785 asks for, several times as fast,
# except for numbers with fractions or beyond 2^53 and for keys beyond ASCII.
_SORTED = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)
_EXACT = 2**53


def _reads_alike(value: object) -> bool:
    match value:
        case str() | bool() | None:
            return True
        case int():
            return -_EXACT < value < _EXACT
        case dict():
            return all(map(str.isascii, value)) and all(map(_reads_alike, value.values()))
        case list():
            return all(map(_reads_alike, value))
        case _:
            return False


def _decode(adapter: TypeAdapter[T], text: str, what: str) -> T:
    try:
        found = adapter.validate_json(text)
    except ValidationError as exc:
        where = ".".join(printable(str(part)[:64]) for part in exc.errors()[0]["loc"])
        message = f"A stored {what} cannot be read (at {where or 'its beginning'})."
        raise Tampered(message) from exc
    if not all(map(is_finite, _tables(found))):
        message = f"A stored {what} cannot be read: a number in it is none."
        raise Tampered(message)
    return found


def _tables(found: object) -> tuple[object, ...]:
    """What of a noun may hold numbers of any kind: tables that only an adapter understands."""
    match found:
        case Slot(where=where):
            return (where,)
        case Request(ask=ask, places=places):
            return (ask.entitlement.target, *_wheres(places))
        case _ReadEvent(what=Asked(ask=ask)):
            return (ask.entitlement.target,)
        case _ReadEvent(what=Activating(places=places)):
            return _wheres(places)
        case _:
            return ()


def _wheres(places: Places) -> tuple[object, ...]:
    return tuple(place.where for place in (places.grant, places.denial) if place is not None)


def encode_event(event: Event) -> str:
    """Return the canonical text of an event: what is hashed and signed."""
    return canonical(_EVENT.dump_python(event, mode="json"))


@lru_cache(maxsize=256)  # a trail that is read is verified at once, and so read twice
def decode_event(text: str) -> Event:
    """Read an event. Raises ``Tampered``."""
    read = _decode(_READ, text, "event")
    return Event(
        request=read.request,
        seq=read.seq,
        at=read.at,
        actor=read.actor,
        what=read.what,
        prev=read.prev,
    )


def encode_request(request: Request) -> str:
    """Return the text of a snapshot: plain JSON, for what it says is proven by the events."""
    text = _REQUEST.dump_json(request).decode()
    _remember(text, request)
    return text


def decode_request(text: str) -> Request:
    """Read a snapshot. Raises ``Tampered``."""
    known = _SNAPSHOTS.get(text)
    if known is None:
        known = _decode(_REQUEST, text, "request")
        _remember(text, known)
    return known


def _remember(text: str, request: Request) -> None:
    if len(_SNAPSHOTS) >= SNAPSHOTS:
        _SNAPSHOTS.clear()
    _SNAPSHOTS[text] = request


def encode_slot(slot: Slot) -> str:
    """Return the canonical text of a slot."""
    plain: Any = _SLOT.dump_python(slot, mode="json")
    for names in ("holders", "in_vain"):
        if plain["seen"] is not None and plain["seen"][names] is not None:
            plain["seen"][names].sort()  # a set has no order, and its text must have one
    return canonical(plain)


def decode_slot(text: str) -> Slot:
    """Read a slot. Raises ``Tampered``."""
    return _decode(_SLOT, text, "slot")


def encode_controls(controls: Controls) -> str:
    """Return the canonical text of what holds for the deployment."""
    return canonical(_CONTROLS.dump_python(controls, mode="json"))


def decode_controls(text: str) -> Controls:
    """Read what holds for the deployment. Raises ``Tampered``."""
    return _decode(_CONTROLS, text, "record of what holds for the deployment")


def encode_mark(mark: Mark) -> str:
    """Return the canonical text of a mark."""
    return canonical(_MARK.dump_python(mark, mode="json"))


def decode_mark(text: str) -> Mark:
    """Read a mark. Raises ``Tampered``."""
    return _decode(_MARK, text, "mark")


def encode_signature(signature: Signature | None) -> str | None:
    """Return the canonical text of a signature, if there is one."""
    if signature is None:
        return None
    return _signature_text(signature)


@lru_cache(maxsize=256)  # what is sealed is hashed, stored and read again at once
def _signature_text(signature: Signature) -> str:
    return canonical({"key": signature.key, "value": signature.value})


def decode_signature(text: str | None) -> Signature | None:
    """Read a signature, if there is one. Raises ``Tampered``."""
    return None if text is None else _decode(_SIGNATURE, text, "signature")
