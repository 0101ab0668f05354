"""Wakes what is due. Run often it makes ends prompt; run late it still makes them happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from jitcloud.advance import Advance
from jitcloud.due import Due
from jitcloud.errors import Conflict, JitError
from jitcloud.model import Request, RequestId
from jitcloud.outbox import Outbox
from jitcloud.ports import Store
from jitcloud.telling import CHANNEL
from jitcloud.waking import Later, brakes, put_off, woken

MOST = 1000
BATCH = MOST // 2
"""How many due things one sweep takes on; the next one goes on where it stopped.

Half of what a store hands out at once: what comes due meanwhile is seen beside what is left.
"""

READ = 100
"""How many requests are read at once: a record that is far away answers as fast for all of them."""

ASKING = timedelta(seconds=20)
"""For how long one sweep wakes what may have to ask a directory or a ticket system."""

LOOK_UP = timedelta(seconds=1)
"""How often, meanwhile, it looks whether something is to end."""

MESSAGES = 200
TELLING = timedelta(seconds=20)
"""How many requests, and for how long, one sweep tells people about."""


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


class Beside(Protocol):
    """Something that goes on beside a sweep, in a thread of its own: it keeps no end waiting."""

    def start(self) -> None:
        """Begin it, if it is due and not under way. Raises ``JitError``."""
        ...

    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Return what could not be done and was not told before."""
        ...


def sweep(  # noqa: PLR0913, PLR0917 - what is swept, and all that goes on beside it
    advance: Advance,
    limit: int = BATCH,
    telling: Telling | None = None,
    stopped: Callable[[], bool] = never,
    outbox: Outbox | None = None,
    anchoring: Beside | None = None,
) -> Swept:
    """Wake everything that is due, each isolated from the next one's failure.

    Ends come first; then whatever may have to ask a directory or a ticket system, which may be
    slow; messages last, and for a bounded time. What other programs are passed is only begun.
    Once ``stopped`` says so, it leaves what is not in hand yet: that stays due.
    """
    ledger, clock = advance.ledger, advance.converger.clock
    troubles = list(brakes(ledger, clock()))
    due = ledger.store.due(clock(), limit)
    later: list[Later] = []
    count = 0
    known: dict[str, Request] = {}
    for number, item in enumerate(due):
        if stopped():
            break
        if number % READ == 0:
            known = _read(ledger.store, due[number : number + READ])
        count += 1
        troubles += woken(advance, item, later, known.get(item.id))
    troubles += _rest(advance, later, stopped)
    if outbox is not None and not stopped():
        troubles += _begun("publish", outbox)
    if anchoring is not None and not stopped():
        troubles += _begun("anchors", anchoring)
    if telling is not None:
        troubles += _tell(telling, advance, stopped)
    return Swept(woken=count, troubles=tuple(troubles), more=len(due) == limit or count < len(due))


def _read(store: Store, due: Sequence[Due]) -> dict[str, Request]:
    """Read the requests that are due at once; none where that fails: then each tells why itself."""
    names = [RequestId(item.id) for item in due if item.kind == "request"]
    try:
        return {request.id: request for request in store.requests(names)} if names else {}
    except JitError:
        return {}


def _rest(
    advance: Advance, later: Sequence[Later], stopped: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    """Wake what may have to ask around, for a bounded time; whatever ends meanwhile goes first."""
    clock = advance.converger.clock
    give_up = clock() + ASKING
    looked = clock()
    for item, known in later:
        if stopped():
            return
        if clock() >= give_up:
            # Left due, it would stand before what ends in the next sweep.
            put_off(advance, item)
            continue
        yield from woken(advance, item, None, known)
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
        yield from woken(advance, item, [])


def _begun(name: str, beside: Beside) -> Iterator[tuple[str, str]]:
    """Have it begin what is due, and yield what could not be done since it was asked last."""
    try:
        beside.start()
    except JitError as exc:
        yield name, str(exc)
    yield from beside.troubles()


def _tell(
    telling: Telling, advance: Advance, stopped: Callable[[], bool]
) -> Iterator[tuple[str, str]]:
    ledger, clock = advance.ledger, advance.converger.clock
    give_up = clock() + TELLING
    looked = clock()
    for request in to_tell(ledger.store, clock()):
        if clock() >= give_up or stopped():
            return  # the rest stays due
        if clock() - looked >= LOOK_UP:
            looked = clock()
            yield from _ends(advance, looked, stopped)
        try:
            trouble = telling.wake(request)
        except Conflict:
            continue
        except JitError as exc:
            trouble = str(exc)
        except Exception as exc:  # noqa: BLE001 - nor must a message
            trouble = f"jitcloud has a defect here: {type(exc).__name__}"
        if trouble:
            yield f"{CHANNEL}/{request}", trouble


def to_tell(store: Store, now: datetime) -> list[RequestId]:
    """Name the requests that people are to be told about; other channels have their own way."""
    due = store.due_marks(now, MESSAGES, CHANNEL)
    return [RequestId(item.id.rpartition("/")[2]) for item in due]
