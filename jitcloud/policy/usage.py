"""How long access was really used: which windows could be shorter, and whom that would have cut.

A session lasts from the start of its window to its end: given back, revoked, or its deadline.
Where credentials are handed out it was used until the last set had surely expired, and never if
there was none. That is the longest it can have been used, so a shorter window would have cut no
more than is said here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median, quantiles
from typing import Literal

from jitcloud.model import (
    Activated,
    Activating,
    Approved,
    Decided,
    Ending,
    EntitlementId,
    Event,
    GlassBroken,
    Issuing,
    Prolonged,
    Request,
    RequestId,
    RuleId,
    Window,
)
from jitcloud.policy.advice import LADDER

FEWEST = 10
"""Fewer sessions than these say too little about the next one: they propose no window."""

CUT = 0.05
"""The share of sessions that a proposed window may have cut, unless somebody says otherwise."""

TOLERANCE = timedelta(minutes=1)
"""What would have been cut by less than this is not called cut: sets of credentials often live
as long as a step of the ladder, begun a moment later, and hardly anybody uses their last minute."""

Of = Literal["entitlement", "rule"]


class Fate(StrEnum):
    """What became of a session."""

    USED = "used"
    NEVER_USED = "never-used"
    """It is over, and nobody fetched any credentials for it."""
    RUNNING = "running"
    """It is not over: nobody knows yet how long it will be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A grant that was active, and what was made of it."""

    request: RequestId
    entitlement: EntitlementId
    rules: tuple[RuleId, ...]
    """Those that let it in, at once or after a yes."""
    asked: timedelta
    """For how long it was asked; extensions are not in it."""
    window: timedelta
    """How long it could have been used; extensions are in it."""
    fate: Fate
    used: timedelta = timedelta()
    """At most. Zero unless ``fate`` is ``USED``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A shorter window, and how many of the sessions that were used it would have cut."""

    window: timedelta
    cut: int
    share: float
    """Of the sessions that were used, from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How long one entitlement was used, or whatever one rule let in."""

    of: Of
    id: str
    fates: Counter[Fate]
    asked: tuple[tuple[timedelta, int], ...]
    """For how long it was asked, and how often; the shortest first."""
    longest: timedelta
    """The longest window that anybody was given."""
    median: timedelta | None
    """Of the time used; None where nothing was."""
    most: timedelta | None
    """The 95th percentile of the time used; None where nothing was."""
    steps: tuple[Step, ...]
    """Every step of the ladder below the longest window; none where nothing was used."""
    proposed: Step | None
    """The shortest of them that would have cut few enough, where enough sessions were used."""

    @property
    def sessions(self) -> int:
        """How many were used and are over: what shares are of."""
        return self.fates[Fate.USED]


def session(request: Request, trail: Sequence[Event]) -> Session | None:
    """Read what was made of a grant. None for what never was active, as when its cloud failed."""
    windows = [e.what.window for e in trail if isinstance(e.what, Activating | Prolonged)]
    if not windows or not any(isinstance(e.what, Activated) for e in trail):
        return None
    window = windows[-1]
    ends = [min(e.at, window.deadline) for e in trail if isinstance(e.what, Ending)]
    fate, until = _fate(request, trail, ends[0] if ends else None)
    return Session(
        request=request.id,
        entitlement=request.entitlement.id,
        rules=_let_in_by(trail),
        asked=request.ask.duration,
        window=_length(window, window.deadline),
        fate=fate,
        used=timedelta() if until is None else _length(window, until),
    )


def usages(sessions: Iterable[Session], cut: float = CUT) -> tuple[Usage, ...]:
    """Sum up sessions by entitlement, then by rule where that says something else.

    ``cut`` is the share of sessions, from 0 to 1, that a proposed window may have cut.
    """
    things: dict[str, list[Session]] = defaultdict(list)
    rules: dict[str, list[Session]] = defaultdict(list)
    for each in sessions:
        things[each.entitlement].append(each)
        for rule in each.rules:
            rules[rule].append(each)
    told = {_names(those) for those in things.values()}
    others = {rule: those for rule, those in rules.items() if _names(those) not in told}
    return (
        *(_usage("entitlement", name, things[name], cut) for name in sorted(things)),
        *(_usage("rule", name, others[name], cut) for name in sorted(others)),
    )


def _fate(
    request: Request, trail: Iterable[Event], ended: datetime | None
) -> tuple[Fate, datetime | None]:
    """Return what became of it, and until when it was used, if that is known."""
    if ended is None:
        return Fate.RUNNING, None
    dead_by = [event.what.dead_by for event in trail if isinstance(event.what, Issuing)]
    if dead_by:
        return Fate.USED, min(max(dead_by), ended)
    # What sits in no place gives access by its credentials alone.
    if request.places.grant is None:
        return Fate.NEVER_USED, None
    return Fate.USED, ended


def _let_in_by(trail: Iterable[Event]) -> tuple[RuleId, ...]:
    rules: tuple[RuleId, ...] = ()
    for event in trail:
        match event.what:
            case Approved(rules=approved):
                rules = approved
            case Decided(decision=said):
                rules = said.rules
            case GlassBroken(decision=broken):
                rules = broken.rules
            case _:
                continue
    return rules


def _usage(of: Of, name: str, sessions: Sequence[Session], cut: float) -> Usage:
    used = [each.used for each in sessions if each.fate is Fate.USED]
    longest = max(each.window for each in sessions)
    steps = tuple(_steps(used, longest))
    enough = len(used) >= FEWEST
    return Usage(
        of=of,
        id=name,
        fates=Counter(each.fate for each in sessions),
        asked=tuple(sorted(Counter(each.asked for each in sessions).items())),
        longest=longest,
        median=_seconds(median(map(timedelta.total_seconds, used))) if used else None,
        most=_most(used),
        steps=steps,
        proposed=next((step for step in steps if enough and step.share <= cut), None),
    )


def _steps(used: Sequence[timedelta], longest: timedelta) -> Iterator[Step]:
    for window in LADDER:
        if used and window < longest:
            cut = sum(each > window + TOLERANCE for each in used)
            yield Step(window=window, cut=cut, share=cut / len(used))


def _most(used: Sequence[timedelta]) -> timedelta | None:
    if len(used) <= 1:  # of one alone there are no quantiles
        return used[0] if used else None
    seconds = map(timedelta.total_seconds, used)
    return _seconds(quantiles(seconds, n=20, method="inclusive")[-1])


def _seconds(count: float) -> timedelta:
    return timedelta(seconds=round(count))


def _length(window: Window, until: datetime) -> timedelta:
    return max(until - window.start, timedelta())


def _names(sessions: Iterable[Session]) -> frozenset[RequestId]:
    return frozenset(each.request for each in sessions)
