"""How long the live grants of an entitlement would take to end, were all to end at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from jitcloud.doctor import Finding, Grade
from jitcloud.durations import format_duration
from jitcloud.model import EntitlementId, RequestId, State
from jitcloud.providers.aws.doctor_examination import Examination
from jitcloud.providers.aws.identity_center_places import KIND

RATE = 20
"""How many calls of Identity Center's API AWS takes a second, from everybody together; and

https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html#ssothrottlelimits
"""
OUTSTANDING = 10
"""how many assignments may be under way at a time (the same page)."""

CALLS = 3
"""What ending one takes: to delete it, to ask how far that is, and to see it gone."""

TAKES = timedelta(seconds=5)
"""What one is assumed to take; AWS names no time."""

TOLD_FROM = timedelta(minutes=1)

MOST_PAGES = 20
PAGE = 1000

_LIVE = (State.ACTIVATING, State.ACTIVE, State.ENDING)


def ends(examination: Examination) -> Iterator[Finding]:
    """Say how long it takes to end all live grants of an entitlement of Identity Center."""
    wanted = {one.id for one in examination.of(KIND)}
    if not wanted:
        return
    for id_, live in sorted(_live(examination).items()):
        by_calls = timedelta(seconds=live * CALLS / RATE)
        lasting = max(by_calls, TAKES * live / OUTSTANDING)
        if id_ not in wanted or lasting < TOLD_FROM:
            continue
        yield Finding(
            grade=Grade.NOTICE,
            about=f"entitlement {id_}",
            what=f"It has {live} live grants.",
            costs=f"Were all to end at once, the last would end {_said(by_calls)} late by the rate"
            f" that AWS allows ({RATE} calls a second), and about {_said(lasting)} late if it takes"
            f" {format_duration(TAKES)} for each ({OUTSTANDING} at a time).",
            remedy="Nothing, if that is short enough; else let them end at different times, or have"
            " several people in a group that has the permission set.",
        )


def _live(examination: Examination) -> Counter[EntitlementId]:
    """Count by entitlement; of more than ``MOST_PAGES`` pages in one state the newest."""
    live: Counter[EntitlementId] = Counter()
    for state in _LIVE:
        after: RequestId | None = None
        for _ in range(MOST_PAGES):
            page = examination.store.by_state(state, PAGE, after)
            live.update(request.entitlement.id for request in page.requests)
            after = page.after
            if after is None:
                break
    return live


def _said(length: timedelta) -> str:
    return format_duration(timedelta(seconds=round(length.total_seconds())))
