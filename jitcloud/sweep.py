"""Wakes what is due. Run often it makes ends prompt; run late it still makes them happen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from jitcloud.advance import Advance
from jitcloud.errors import Conflict, JitError
from jitcloud.model import RequestId, SlotKey
from jitcloud.ports import Due

BATCH = 1000
"""How many due things one sweep takes on; the next one goes on where it stopped."""

PUT_OFF = timedelta(seconds=30)
"""How long something that raised is left alone, so that it keeps nothing else waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep did."""

    woken: int
    troubles: tuple[tuple[str, str], ...]
    """What could not be done, and why; each stays due."""
    more: bool
    """Whether more was due than one sweep takes on."""


def sweep(advance: Advance, limit: int = BATCH) -> Swept:
    """Wake everything that is due, each isolated from the next one's failure."""
    due = advance.ledger.store.due(advance.converger.clock(), limit)
    troubles = []
    for item in due:
        try:
            trouble = _wake(advance, item)
            if trouble:
                troubles.append((item.id, trouble))
        except Conflict:
            continue  # somebody else is at it
        except JitError as exc:
            troubles.append((item.id, str(exc)))
            _put_off(advance, item)
        except Exception as exc:  # noqa: BLE001 - one broken item must not keep others from ending
            troubles.append((item.id, f"jitcloud has a defect here: {type(exc).__name__}"))
            _put_off(advance, item)
    return Swept(woken=len(due), troubles=tuple(troubles), more=len(due) == limit)


def _wake(advance: Advance, item: Due) -> str:
    """Wake one item; return what a cloud keeps refusing, if it does."""
    if item.kind == "request":
        advance.wake(RequestId(item.id))
        return ""
    slot = advance.wake_slot(SlotKey(item.id))
    # A place that a cloud refused is tried again by itself. Refused again, it wants a person.
    return slot.trouble if slot is not None and slot.attempts > 1 else ""


def _put_off(advance: Advance, item: Due) -> None:
    """Let others go first. A slot puts itself off; a request that raised is put off here."""
    if item.kind != "request":
        return
    ledger = advance.ledger
    try:
        request = ledger.load(RequestId(item.id))
        if not request.state.is_finished:
            ledger.put_off(request, advance.converger.clock() + PUT_OFF)
    except JitError:
        return  # it stays due, which is the safe side
