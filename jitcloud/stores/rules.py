"""What every store checks alike: the fences of a change, and the size of a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence

from jitcloud.errors import Conflict
from jitcloud.model import (
    CONTROLS,
    GENESIS,
    Controls,
    Digest,
    Mark,
    Request,
    RequestId,
    Sealed,
    SlotKey,
)
from jitcloud.ports import Change, Control, Move, Page

Head = tuple[int, Digest]
"""Sequence and hash of the last event of a trail: a request's, or the deployment's own."""

NOT_STORED: Head = (0, GENESIS)
"""The head of a trail that has no event yet."""

MOST = 1000
"""No page is longer: what one call reads and holds in memory stays bounded."""

_CHANNEL = re.compile(r"[a-z][a-z-]*")
"""No slash, for that is where the channel ends in the id of a mark that is due."""


def check(change: Change) -> None:
    """Raise ``ValueError`` for what no store may write, whatever it holds.

    Only a bug brings such a change about, and each of these would break a promise for good:
    a trail with a gap in it, an unfinished request that nothing ever wakes, a fence not held.
    """
    for move in change.moves:
        _check_move(move)
    if change.control is not None:
        _check_control(change.control)
    _check_once("request", [move.request.id for move in change.moves])
    _check_once("slot", [key for key, _ in expected_versions(change)])
    _check_once("channel", change.channels)
    if any(version < 0 for _, version in expected_versions(change)):
        raise ValueError("a written slot has version 1 or more")
    for channel in change.channels:
        _check_channel(channel)


def check_mark(mark: Mark) -> None:
    """Raise ``ValueError`` for a mark that no store may write, whatever it holds."""
    _check_channel(mark.channel)
    if mark.version < 1:
        raise ValueError("a written mark has version 1 or more")


def _check_move(move: Move) -> None:
    request = move.request
    if request.id == CONTROLS:
        raise ValueError("the deployment's own trail is no request: it moves by control")
    if any(sealed.event.request != request.id for sealed in move.events):
        raise ValueError("an event belongs to another request")
    if not _is_chain(request, move.events):
        raise ValueError("the events do not lead to the snapshot")
    if move.wake_at is None and not request.state.is_finished:
        raise ValueError("an unfinished request must have a wake_at")


def _check_control(control: Control) -> None:
    if any(sealed.event.request != CONTROLS for sealed in control.events):
        raise ValueError("an event belongs to a request, not to the deployment's own trail")
    if not control.events or not _is_chain(control.controls, control.events):
        raise ValueError("the events do not lead to the controls")


def _check_once(what: str, names: Sequence[Hashable]) -> None:
    if len(names) != len(set(names)):
        raise ValueError(f"a {what} is named twice")


def _check_channel(name: str) -> None:
    if not _CHANNEL.fullmatch(name):
        raise ValueError(f"a channel's name is lower-case letters and hyphens, not {name!r}")


def _is_chain(after: Request | Controls, events: Sequence[Sealed]) -> bool:
    seq, head = _expected_head(after, events)
    if (seq == 0) != (head == GENESIS):
        return False
    for sealed in events:
        if (sealed.event.seq, sealed.event.prev) != (seq + 1, head):
            return False
        seq, head = sealed.event.seq, sealed.hash
    return seq > 0 and (seq, head) == (after.seq, after.head)


def _expected_head(after: Request | Controls, events: Sequence[Sealed]) -> Head:
    head = events[0].event.prev if events else after.head
    return after.seq - len(events), head


def expected_versions(change: Change) -> Iterator[tuple[SlotKey, int]]:
    """Which slots must be stored at which version; 0 means not stored."""
    for slot in change.slots:
        yield slot.key, slot.version - 1
    yield from change.unmoved


def fence(
    change: Change, head: Callable[[RequestId], Head], version: Callable[[SlotKey], int]
) -> None:
    """Raise ``Conflict`` unless what is stored is what the change was made from.

    ``head`` is also asked for ``CONTROLS``.
    """
    for move in change.moves:
        name = move.request.id
        if head(name) != _expected_head(move.request, move.events):
            raise Conflict(f"Request {name} has changed meanwhile: read it again, then decide.")
    control = change.control
    if control is not None and head(CONTROLS) != _expected_head(control.controls, control.events):
        raise Conflict(
            "What holds for the deployment has changed meanwhile: read it again, then decide."
        )
    if change.control_seq is not None and head(CONTROLS)[0] != change.control_seq:
        raise Conflict(
            "What holds for the deployment has changed meanwhile: read it again, then decide."
        )
    for key, expected in expected_versions(change):
        if version(key) != expected:
            raise Conflict(f"Slot {key!r} has changed meanwhile: read it again, then decide.")


def fence_mark(mark: Mark, version: int) -> None:
    """Raise ``Conflict`` unless the stored version (0: not stored) is the one before."""
    if version != mark.version - 1:
        raise Conflict(
            f"The mark of {mark.channel} at request {mark.request} has changed meanwhile: "
            "read it again, then go on."
        )


def marks_due(change: Change) -> Iterator[Mark]:
    """Yield what a commit leaves of each mark that it makes due, where none is stored yet.

    Of a stored one, only ``wake_at`` (to the earlier of both) and ``version`` (by one) move.
    """
    for move in change.moves:
        if move.events:
            at = move.events[-1].event.at
            for channel in change.channels:
                yield Mark(channel=channel, request=move.request.id, wake_at=at, version=1)


def check_limit(limit: int) -> None:
    """Raise ``ValueError`` for a page of no size, or of too much."""
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be from 1 to {MOST}, not {limit}")


def page(found: Sequence[Request], limit: int) -> Page:
    """Make a page of ``limit`` out of up to one more than that, which only shows that it exists."""
    requests = tuple(found[:limit])
    return Page(requests=requests, after=requests[-1].id if len(found) > limit else None)
