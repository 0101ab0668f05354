"""Wakes one thing that is due, isolated from whatever else is: its failure keeps nobody waiting.

A sweep wakes all that is due, one after the other; a fleet of functions one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from jitcloud import braking, lifecycle, overdue
from jitcloud.advance import LATER, Advance
from jitcloud.due import Due
from jitcloud.durations import format_duration
from jitcloud.errors import Conflict, JitError
from jitcloud.ledger import Ledger
from jitcloud.model import Request, RequestId, SlotKey, State
from jitcloud.ports import Change

PUT_OFF = timedelta(seconds=30)
"""How long something that raised is left alone, so that it keeps nothing else waiting."""

AGED = 20
"""How many of those who use a place are looked at for how long something is overdue there."""


Later = tuple[Due, Request]
"""What is woken once all that ends has had its turn, and the request as it was read before."""


def woken(
    advance: Advance,
    item: Due,
    later: list[Later] | None = None,
    known: Request | None = None,
    *,
    is_looked_for: bool = True,
) -> Iterator[tuple[str, str]]:
    """Wake one item, and yield what could not be done and why.

    ``known`` is the request as it was read a moment ago, where it was.

    With ``later``, whatever may have to ask around is only ended, if it is over; what waits for
    more is put there. Raises ``Conflict`` where somebody else is at it and nobody soon looks what
    is due.
    """
    try:
        trouble = _wake(advance, item, later, known, insists=not is_looked_for)
        if trouble:
            yield item.id, f"{trouble}{_aged(advance, item)}"
    except Conflict:
        if not is_looked_for:
            raise
        return  # somebody else is at it
    except JitError as exc:
        yield item.id, f"{exc}{_aged(advance, item)}"
        put_off(advance, item)
    except Exception as exc:  # noqa: BLE001 - one broken item must not keep others from ending
        defect = f"jitcloud has a defect here: {type(exc).__name__}"
        yield item.id, f"{defect}{_aged(advance, item)}"
        put_off(advance, item)


def _wake(
    advance: Advance,
    item: Due,
    later: list[Later] | None,
    known: Request | None,
    *,
    insists: bool,
) -> str:
    """Wake one item; return what a cloud keeps refusing, if it does."""
    if item.kind == "request":
        name, ends_only = RequestId(item.id), later is not None
        request = advance.wake(name, ends_only=ends_only, known=known, insists=insists)
        if later is not None and request.state in LATER:
            later.append((item, request))
        return ""
    slot = advance.wake_slot(SlotKey(item.id))
    # A place that a cloud refused is tried again by itself. Refused again, it wants a person.
    return slot.trouble if slot is not None and slot.attempts > 1 else ""


def put_off(advance: Advance, item: Due) -> None:
    """Let others go first: what raised and stays due would stand before them each time.

    A place that a cloud refuses has put itself off by then.
    """
    ledger, now = advance.ledger, advance.converger.clock()
    try:
        if item.kind == "slot":
            _put_off_slot(ledger, SlotKey(item.id), now)
        if item.kind != "request":
            return
        request = ledger.load(RequestId(item.id))
        if not request.state.is_finished:
            later = now + PUT_OFF
            if request.window is not None and request.state is not State.ENDING:
                later = min(later, lifecycle.deadline(request))
            ledger.put_off(request, later)
    except JitError:
        return  # it stays due, which is the safe side


def _put_off_slot(ledger: Ledger, key: SlotKey, now: datetime) -> None:
    try:
        slot = ledger.store.slot(key)
    except Exception:  # noqa: BLE001 - what cannot be read may be what raised
        return
    if slot is not None and slot.wake_at is not None and slot.wake_at <= now:
        later = replace(slot, wake_at=now + PUT_OFF, version=slot.version + 1)
        ledger.store.commit(Change(slots=(later,)))


def _aged(advance: Advance, item: Due) -> str:
    """Say how long access is overdue that somebody wants ended; nothing where none is."""
    try:
        now = advance.converger.clock()
        ages = [overdue.age(request, now) for request in _concerned(advance.ledger, item)]
        late = max((age for age in ages if age is not None), default=timedelta(0))
    except Exception:  # noqa: BLE001 - what cannot be read must not hide why it was tried
        return ""
    return f" (overdue for {format_duration(late)})" if late >= timedelta(seconds=1) else ""


def _concerned(ledger: Ledger, item: Due) -> Iterator[Request]:
    """Yield whose access an item is about: a request itself, or who uses a place, or left it."""
    names: list[RequestId | None] = [RequestId(item.id)]
    if item.kind == "slot":
        slot = ledger.store.slot(SlotKey(item.id))
        names = [] if slot is None else [slot.last, *(held.request for held in slot.holders)]
    for name in names[:AGED]:
        found = None if name is None else ledger.store.request(name)
        if found is not None:
            yield found


def brakes(ledger: Ledger, now: datetime) -> Iterator[tuple[str, str]]:
    """Go on ending what a brake is to end, where whoever put it on has died half-way."""
    try:
        known = ledger.store.controls()
        _, troubles = braking.finish(ledger, () if known is None else known.endings, now)
    except Conflict:
        return  # somebody else is at it
    except JitError as exc:
        yield "brakes", str(exc)
    except Exception as exc:  # noqa: BLE001 - no brake must keep anything else from ending
        yield "brakes", f"jitcloud has a defect here: {type(exc).__name__}"
    else:
        yield from troubles
