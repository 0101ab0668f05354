"""Keeps sweeping for a while, so that what starts a sweep once a minute is prompt to the second.

What a cloud does in its own time is asked after as soon as it is worth it, and a deadline is met
when it comes, not with the next minute.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from jitcloud.advance import Advance
from jitcloud.errors import JitError
from jitcloud.outbox import Outbox
from jitcloud.sweep import MOST, Beside, Swept, Telling, never, sweep

NAP, SHORTEST_NAP = timedelta(seconds=1), timedelta(milliseconds=50)
"""How long it waits at the most, and at least, before it looks again what is due.

Others put in what is due at once; and what stays due must not be tried without a pause.
"""

ZERO = timedelta(0)


def sweep_for(  # noqa: PLR0913 - keyword-only beyond the three that it takes
    advance: Advance,
    duration: timedelta,
    pause: Callable[[float], None],
    *,
    telling: Telling | None = None,
    outbox: Outbox | None = None,
    anchoring: Beside | None = None,
    stopped: Callable[[], bool] = never,
    tell: Callable[[Swept], None] | None = None,
) -> Swept:
    """Go on sweeping for so long; wait in between for the next wake-up, a second at the most.

    ``pause`` is told how many seconds to wait, ``tell`` what each sweep did. Once ``stopped``
    says so, nothing is begun after the item in hand. A record that cannot be reached is a
    trouble, and tried again.
    Returns what all of it did, with what was said last of each trouble.
    """
    clock = advance.converger.clock
    give_up = clock() + duration
    woken, more = 0, False
    troubles: dict[str, str] = {}
    for _ in range(duration // SHORTEST_NAP + 2):
        swept, nap = _swept(advance, telling, outbox, anchoring, stopped)
        woken, more = woken + swept.woken, swept.more
        troubles |= swept.troubles
        if tell is not None:
            tell(swept)
        left = give_up - clock()
        if stopped() or left <= ZERO:
            break
        gets_nowhere = len(swept.troubles) >= swept.woken
        if gets_nowhere or not swept.more:
            pause(min(nap, left).total_seconds())
    return Swept(woken=woken, troubles=tuple(troubles.items())[:MOST], more=more)


def _swept(
    advance: Advance,
    telling: Telling | None,
    outbox: Outbox | None,
    anchoring: Beside | None,
    stopped: Callable[[], bool],
) -> tuple[Swept, timedelta]:
    """Sweep, and say how long it is until something is due again."""
    store, clock = advance.ledger.store, advance.converger.clock
    try:
        swept = sweep(advance, telling=telling, stopped=stopped, outbox=outbox, anchoring=anchoring)
        soon = clock() + NAP
        marks = () if telling is None and outbox is None else store.due_marks(soon, 1)
        if outbox is not None:
            # Somebody is at what is due by now, however long that takes.
            marks = tuple(item for item in marks if item.wake_at > clock())
        due = store.due(soon, 1) + marks
    except JitError as exc:
        return Swept(woken=0, troubles=(("record", str(exc)),), more=False), NAP
    wait = min((item.wake_at for item in due), default=soon) - clock()
    return swept, min(max(wait, SHORTEST_NAP), NAP)
