"""Wakes what is due. Run often it makes ends prompt; run late it still makes them happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from jitcloud import braking, lifecycle, overdue
from jitcloud.advance import LATER, Advance
from jitcloud.durations import format_duration
from jitcloud.errors import Conflict, JitError
from jitcloud.ledger import Ledger
from jitcloud.model import Request, RequestId, SlotKey, State
from jitcloud.ports import Due

MOST = 1000
BATCH = MOST // 2
"""How many due things one sweep takes on; the next one goes on where it stopped.

Half of what a store hands out at once: what comes due meanwhile is seen beside what is left.
"""

ASKING = timedelta(seconds=20)
"""For how long one sweep wakes what may have to ask a directory or a ticket system."""

LOOK_UP = timedelta(seconds=1)
"""How often, meanwhile, it looks whether something is to end."""

MESSAGES = 200
TELLING = timedelta(seconds=20)
"""How many requests, and for how long, one sweep tells people about."""

PUT_OFF = timedelta(seconds=30)
"""How long something that raised is left alone, so that it keeps nothing else waiting."""

AGED = 20
"""How many of those who use a place are looked at for how long something is overdue there."""


def never() -> bool:
    """Say that nobody has asked to stop."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep did."""

    woken: int
    troubles: tuple[tuple[str, str], ...]
    """What could not be done, and why; each stays due."""
    more: bool
    """Whether more was due than one sweep takes on."""


class Telling(Protocol):
    """Passes on what happened, for as long as it may take."""

    def wake(self, request: RequestId) -> str:
        """Pass on what is new about a request; return what could not be, if anything."""
        ...


def sweep(
    advance: Advance,
    limit: int = BATCH,
    telling: Telling | None = None,
    stopped: Callable[[], bool] = never,
) -> Swept:
    """Wake everything that is due, each isolated from the next one's failure.

    Ends come first; then whatever may have to ask a directory or a ticket system, which may be
    slow; messages last, and for a bounded time. Once ``stopped`` says so, it leaves what is not
    in hand yet: that stays due.
    """
    ledger, clock = advance.ledger, advance.converger.clock
    troubles = list(_brakes(ledger, clock()))
    due = ledger.store.due(clock(), limit)
    later: list[Due] = []
    woken = 0
    for item in due:
        if stopped():
            break
        woken += 1
        troubles += _woken(advance, item, later)
    troubles += _rest(advance, later, stopped)
    if telling is not None:
        troubles += _tell(telling, advance, stopped)
    return Swept(woken=woken, troubles=tuple(troubles), more=len(due) == limit or woken < len(due))


def _brakes(ledger: Ledger, now: datetime) -> Iterator[tuple[str, str]]:
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


def _rest(
    advance: Advance, later: Sequence[Due], stopped: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    """Wake what may have to ask around, for a bounded time; whatever ends meanwhile goes first."""
    clock = advance.converger.clock
    give_up = clock() + ASKING
    looked = clock()
    for item in later:
        if stopped():
            return
        if clock() >= give_up:
            # Left due, it would stand before what ends in the next sweep.
            _put_off(advance, item)
            continue
        yield from _woken(advance, item, None)
        if clock() - looked >= LOOK_UP:
            looked = clock()
            yield from _ends(advance, looked, stopped)


def _ends(
    advance: Advance, now: datetime, stopped: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    """Wake what has become due meanwhile, as far as it ends something."""
    for item in advance.ledger.store.due(now, MOST):
        if stopped():
            return
        yield from _woken(advance, item, [])


def _tell(
    telling: Telling, advance: Advance, stopped: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    ledger, clock = advance.ledger, advance.converger.clock
    give_up = clock() + TELLING
    looked = clock()
    for item in ledger.store.due_marks(clock(), MESSAGES):
        if clock() >= give_up or stopped():
            return  # the rest stays due
        if clock() - looked >= LOOK_UP:
            looked = clock()
            yield from _ends(advance, looked, stopped)
        try:
            trouble = telling.wake(RequestId(item.id.rpartition("/")[2]))
            if trouble:
                yield item.id, trouble
        except Conflict:
            continue
        except JitError as exc:
            yield item.id, str(exc)
        except Exception as exc:  # noqa: BLE001 - nor must a message
            yield item.id, f"jitcloud has a defect here: {type(exc).__name__}"


def _woken(advance: Advance, item: Due, later: list[Due] | None) -> Iterator[tuple[str, str]]:
    """Wake one item, and yield what could not be done; whatever does not end waits for later."""
    try:
        trouble = _wake(advance, item, later)
        if trouble:
            yield item.id, f"{trouble}{_aged(advance, item)}"
    except Conflict:
        return  # somebody else is at it
    except JitError as exc:
        yield item.id, f"{exc}{_aged(advance, item)}"
        _put_off(advance, item)
    except Exception as exc:  # noqa: BLE001 - one broken item must not keep others from ending
        defect = f"jitcloud has a defect here: {type(exc).__name__}"
        yield item.id, f"{defect}{_aged(advance, item)}"
        _put_off(advance, item)


def _wake(advance: Advance, item: Due, later: list[Due] | None) -> str:
    """Wake one item; return what a cloud keeps refusing, if it does."""
    if item.kind == "request":
        request = advance.wake(RequestId(item.id), ends_only=later is not None)
        if later is not None and request.state in LATER:
            later.append(item)
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
            later = advance.converger.clock() + PUT_OFF
            if request.window is not None and request.state is not State.ENDING:
                later = min(later, lifecycle.deadline(request))
            ledger.put_off(request, later)
    except JitError:
        return  # it stays due, which is the safe side


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
