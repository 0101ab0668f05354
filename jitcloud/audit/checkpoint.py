"""A checkpoint of the record, as it is kept where the broker cannot rewrite it: one line of JSON.

All checkpoints of a deployment are one log, which only grows: a hash tree of RFC 6962 over leaves.
A leaf says how far a trail had come: ``[request, sequence, hash of that event]``. Since an event's
hash is over everything before it, a trail that still has it there still has all of it. The first
leaf of each checkpoint says when the record was read, and how much of it.

A checkpoint is kept with the leaves that it adds, and with the right edge of the tree before them:
so its signed root can be computed from its own line, and whether one continues another from both.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jitcloud.audit import note
from jitcloud.audit.merkle import HASH, Edge
from jitcloud.audit.public_keys import PublicKey
from jitcloud.errors import Tampered
from jitcloud.instants import iso
from jitcloud.model import Digest, RequestId

LONGEST = 8 * 1024 * 1024
"""Of a line, in bytes."""

_HEX = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_KEYS = {"checkpoint", "leaves", "roots", "start"}
_DAMAGED = "this is no checkpoint as it is kept."


class Head(NamedTuple):
    """How far a trail had come."""

    request: RequestId
    """``CONTROLS`` stands for the deployment's own trail."""
    seq: int
    hash: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the record was read for a checkpoint: its first leaf."""

    at: datetime
    """When it was begun; in UTC. What was committed since may be in it, or not."""
    newest: str = ""
    """The next one reads every request with a greater id."""
    open: Mapping[str, int] = field(default_factory=dict)
    """Trails that may still grow, and how far each had come: the next one reads them again."""
    walk_begun: datetime | None = None
    """When the walk through the whole record was begun that goes on, or was the last."""
    walk_after: str = ""
    """How far it has come; empty once it is over."""
    walked: datetime | None = None
    """When the last walk was begun that came to its end: all that was there then is in the log."""

    @property
    def plain(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "at": iso(self.at),
            "newest": self.newest,
            "open": dict(self.open),
            "walk": {
                "after": self.walk_after,
                "begun": "" if self.walk_begun is None else iso(self.walk_begun),
                "done": "" if self.walked is None else iso(self.walked),
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint with the leaves that it adds."""

    origin: str
    """Names the log: the first line of what is signed."""
    note: str
    """The checkpoint itself, signed; https://c2sp.org/tlog-checkpoint."""
    before: Edge
    """The tree without these leaves."""
    after: Edge
    reading: Reading
    heads: tuple[Head, ...]

    @property
    def start(self) -> int:
        """The number of its first leaf: how many stand before it."""
        return self.before.size

    @property
    def line(self) -> bytes:
        """The text that is kept, without a line end."""
        return _json(
            {
                "checkpoint": self.note,
                "leaves": [self.reading.plain, *map(list, self.heads)],
                "roots": [each.hex() for each in self.before.roots],
                "start": self.start,
            }
        )


def made(
    origin: str, before: Edge, reading: Reading, heads: Iterable[Head], signer: note.NoteSigner
) -> Checkpoint:
    """Add leaves to a log and sign what it is now. Raises what ``signer`` does."""
    heads = tuple(heads)
    after = before.grown(_leaves(reading, heads))
    text = body(origin, after.size, after.root)
    return Checkpoint(
        origin=origin,
        note=note.sign(text, origin, signer),
        before=before,
        after=after,
        reading=reading,
        heads=heads,
    )


def body(origin: str, size: int, root: bytes) -> str:
    """Return what a checkpoint says: https://c2sp.org/tlog-checkpoint."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def said(text: str) -> tuple[str, int, bytes]:
    """Read what ``body`` wrote: origin, size and root. Raises ``Tampered``."""
    lines = text.split("\n")
    try:
        origin, size, encoded, *more = lines
        root = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as exc:
        raise Tampered("this is no checkpoint of a log.") from exc
    if (
        more[-1:] != [""]
        or not all([origin, *more[:-1]])
        or _SIZE.fullmatch(size) is None
        or len(root) != HASH
        or base64.b64encode(root).decode() != encoded
    ):
        raise Tampered("this is no checkpoint of a log.")
    return origin, int(size), root


def believed(line: bytes, keys: Iterable[PublicKey]) -> Checkpoint:
    """Read a line, and check that its leaves are what was signed. Raises ``Tampered``.

    Whether it continues the one before it is for whoever has both.
    """
    table = _table(line)
    signed = str(table["checkpoint"])
    origin, size, root = said(note.opened(signed, signed.partition("\n")[0], keys))
    before = _edge(table)
    reading, heads = _reading(table["leaves"][0]), tuple(map(_head, table["leaves"][1:]))
    after = before.grown(_leaves(reading, heads))
    if (after.size, after.root) != (size, root):
        raise Tampered("its leaves are not those that were signed.")
    return Checkpoint(
        origin=origin, note=signed, before=before, after=after, reading=reading, heads=heads
    )


def _leaves(reading: Reading, heads: Iterable[Head]) -> list[bytes]:
    return [_json(reading.plain), *map(_json, heads)]


def _json(plain: object) -> bytes:
    """RFC 8785 of what holds no number but integers, and no name beyond ASCII."""
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _table(line: bytes) -> dict[str, Any]:
    try:
        table = json.loads(line) if len(line) <= LONGEST else None
        # Written in any other way, two readers could read two things.
        is_ours = isinstance(table, dict) and set(table) == _KEYS and _json(table) == line
    except (ValueError, RecursionError) as exc:
        raise Tampered(_DAMAGED) from exc
    if not is_ours or not isinstance(table, dict):
        raise Tampered(_DAMAGED)
    if not (isinstance(table["leaves"], list) and table["leaves"]):
        raise Tampered(_DAMAGED)
    return table


def _edge(table: Mapping[str, Any]) -> Edge:
    start, roots = table["start"], table["roots"]
    if not (
        type(start) is int
        and start >= 0
        and isinstance(roots, list)
        and all(isinstance(each, str) and _HEX.fullmatch(each) for each in roots)
    ):
        raise Tampered(_DAMAGED)
    edge = Edge(start, tuple(bytes.fromhex(each) for each in roots))
    if not edge.fits:
        raise Tampered(_DAMAGED)
    return edge


def _head(leaf: object) -> Head:
    match leaf:
        case [str(request), int(seq), str(hash_)] if _HEX.fullmatch(hash_) and seq > 0:
            return Head(RequestId(request), seq, Digest(hash_))
        case _:
            raise Tampered(_DAMAGED)


def _reading(leaf: object) -> Reading:
    match leaf:
        case {
            "at": str(at),
            "newest": str(newest),
            "open": dict(open_),
            "walk": {"after": str(after), "begun": str(begun), "done": str(done)},
        } if all(type(seq) is int for seq in open_.values()):
            read_at = _instant(at)
            if read_at is None:
                raise Tampered(_DAMAGED)
            found = Reading(
                at=read_at,
                newest=newest,
                open=open_,
                walk_begun=_instant(begun),
                walk_after=after,
                walked=_instant(done),
            )
            if found.plain != leaf:
                raise Tampered(_DAMAGED)  # an instant can be written in many ways
            return found
        case _:
            raise Tampered(_DAMAGED)


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError) as exc:
        raise Tampered(_DAMAGED) from exc
