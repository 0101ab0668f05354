"""What every store checks alike: the fences of a change, and the size of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from jitcloud.errors import Conflict
from jitcloud.model import GENESIS, Digest, Request, RequestId, SlotKey
from jitcloud.ports import Change, Page

Head = tuple[int, Digest]
"""Sequence and hash of a request's last event."""

NOT_STORED: Head = (0, GENESIS)
"""The head of a request that has no event yet."""

MOST = 1000
"""No page is longer: what one call reads and holds in memory stays bounded."""


def check(change: Change) -> None:
    """Raise ``ValueError`` for what no store may write, whatever it holds.

    Only a bug brings such a change about, and each of these would break a promise for good:
    a trail with a gap in it, an unfinished request that nothing ever wakes, a fence not held.
    """
    request, events = change.request, change.events
    if request is None:
        if events or change.wake_at is not None:
            raise ValueError("events and wake_at belong to a request")
    else:
        if any(sealed.event.request != request.id for sealed in events):
            raise ValueError("an event belongs to another request")
        if not _is_chain(request, change):
            raise ValueError("the events do not lead to the snapshot")
        if change.wake_at is None and not request.state.is_finished:
            raise ValueError("an unfinished request must have a wake_at")
    keys = [key for key, _ in expected_versions(change)]
    if len(keys) != len(set(keys)):
        raise ValueError("a slot is named twice")
    if any(version < 0 for _, version in expected_versions(change)):
        raise ValueError("a written slot has version 1 or more")


def _is_chain(request: Request, change: Change) -> bool:
    seq, head = expected_head(request, change)
    if (seq == 0) != (head == GENESIS):
        return False
    for sealed in change.events:
        if (sealed.event.seq, sealed.event.prev) != (seq + 1, head):
            return False
        seq, head = sealed.event.seq, sealed.hash
    return seq > 0 and (seq, head) == (request.seq, request.head)


def expected_head(request: Request, change: Change) -> Head:
    """Where the stored request must stand for the change to follow."""
    head = change.events[0].event.prev if change.events else request.head
    return request.seq - len(change.events), head


def expected_versions(change: Change) -> Iterator[tuple[SlotKey, int]]:
    """Which slots must be stored at which version; 0 means not stored."""
    for slot in change.slots:
        yield slot.key, slot.version - 1
    yield from change.unmoved


def fence(
    change: Change, head: Callable[[RequestId], Head], version: Callable[[SlotKey], int]
) -> None:
    """Raise ``Conflict`` unless what is stored is what the change was made from."""
    request = change.request
    if request is not None and head(request.id) != expected_head(request, change):
        raise Conflict(f"Request {request.id} has changed meanwhile: read it again, then decide.")
    for key, expected in expected_versions(change):
        if version(key) != expected:
            raise Conflict(f"Slot {key!r} has changed meanwhile: read it again, then decide.")


def check_limit(limit: int) -> None:
    """Raise ``ValueError`` for a page of no size, or of too much."""
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be from 1 to {MOST}, not {limit}")


def page(found: Sequence[Request], limit: int) -> Page:
    """Make a page of ``limit`` out of up to one more than that, which only shows that it exists."""
    requests = tuple(found[:limit])
    return Page(requests=requests, after=requests[-1].id if len(found) > limit else None)
