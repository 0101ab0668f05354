"""Figures for whoever watches a deployment: what is unfinished, overdue, or in trouble.

``snapshot`` reads the record, and nothing of what is finished: its cost follows from what goes on
now, never from how much has gone on. ``exposition`` writes it as Prometheus reads it. No figure
names a person, an entitlement or a place, and none has a label that grows with use.

https://prometheus.io/docs/instrumenting/exposition_formats/ (text format, version 0.0.4)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitcloud import last_checkpoint, overdue
from jitcloud.model import Request, Slot, SlotKey, State
from jitcloud.ports import Store
from jitcloud.slots import LAST_RETRY

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

UNFINISHED = tuple(state for state in State if not state.is_finished)

PAGE = 1000
PAGES = 50
"""How many requests in one state are read: a thousand a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What goes on in a deployment at one instant."""

    requests: Mapping[State, int]
    """How many there are in each state that is not finished."""
    overdue: int
    """How many grants should have ended and are not known to be gone."""
    oldest_overdue: timedelta
    """How long the oldest of them has been; zero where there is none."""
    slots_in_trouble: int
    """How many places a cloud has refused to change or to show."""
    most_attempts: int
    """How often the one was tried that was tried most since its cloud last agreed."""
    exposed: int
    """How many ended grants have an empty place, and sessions that may live on."""
    since_reconcile: timedelta | None
    """How long ago the last reconcile began that was finished; None where none was."""
    since_checkpoint: timedelta | None
    """How long ago the record was read for the last checkpoint; None where there is none."""
    held: bool
    """Whether nothing is activated before a reconcile, because the record was restored."""
    backlog: timedelta
    """How long the oldest wake-up has been due; zero where none is."""
    complete: bool
    """Whether all that is unfinished was counted: there may be more than is read."""


def snapshot(store: Store, now: datetime) -> Metrics:
    """Read the figures of this instant. Raises ``Tampered`` and ``Unavailable``."""
    seen = _Seen(now)
    for state in UNFINISHED:  # in the order of a life: what moves on meanwhile is met further on
        seen.count(state, _in(store, state, seen))
    controls = store.controls()
    reconciled_at = None if controls is None else controls.reconciled_at
    anchored_at = last_checkpoint.last_at(store)
    backlog = store.due(now, 1)
    places = list(_slots(store, seen.places, now))
    return Metrics(
        requests=seen.requests,
        overdue=len(seen.ages),
        oldest_overdue=max(seen.ages, default=timedelta(0)),
        slots_in_trouble=sum(bool(slot.trouble) for slot in places),
        most_attempts=max((slot.attempts for slot in places), default=0),
        exposed=seen.exposed,
        since_reconcile=None if reconciled_at is None else now - reconciled_at,
        since_checkpoint=None if anchored_at is None else now - anchored_at,
        held=controls is not None and controls.restored_at is not None,
        backlog=now - backlog[0].wake_at if backlog else timedelta(0),
        complete=seen.complete,
    )


@dataclass(slots=True)
class _Seen:
    """What has been read so far."""

    now: datetime
    requests: dict[State, int] = field(default_factory=dict)
    ages: list[timedelta] = field(default_factory=list)
    exposed: int = 0
    places: set[SlotKey] = field(default_factory=set)
    complete: bool = True

    def count(self, state: State, found: Iterator[Request]) -> None:
        self.requests[state] = 0
        for request in found:
            self.requests[state] += 1
            age = overdue.age(request, self.now)
            if age is not None:
                self.ages.append(age)
            if request.state is State.ENDING and request.removed_at is not None:
                self.exposed += 1
            if request.window is not None:
                places = (request.places.grant, request.places.denial)
                self.places.update(place.key for place in places if place is not None)


def _in(store: Store, state: State, seen: _Seen) -> Iterator[Request]:
    after = None
    for _ in range(PAGES):
        page = store.by_state(state, PAGE, after)
        yield from page.requests
        after = page.after
        if after is None:
            return
    seen.complete = False


def _slots(store: Store, keys: set[SlotKey], now: datetime) -> Iterator[Slot]:
    """Yield the places of what is unfinished, and those that are tried again soon.

    What denies somebody outlasts their request; whatever is refused is tried again within
    ``LAST_RETRY``.
    """
    soon = {SlotKey(item.id) for item in store.due(now + LAST_RETRY, PAGE) if item.kind == "slot"}
    names = sorted(keys | soon)
    for begin in range(0, len(names), PAGE):
        yield from store.slots(names[begin : begin + PAGE])


# ── As Prometheus reads it ───────────────────────────────────────────────────────────────────


def exposition(metrics: Metrics) -> str:
    """Write the figures in the text format, its last line ended too; serve it as CONTENT_TYPE."""
    return "".join(
        f"# HELP {name} {told}\n# TYPE {name} gauge\n"
        + "".join(f"{name}{labels} {value}\n" for labels, value in samples)
        for name, told, samples in _families(metrics)
    )


_Family = tuple[str, str, list[tuple[str, str]]]


def _families(metrics: Metrics) -> Iterator[_Family]:
    yield (
        "jitcloud_requests",
        "Requests that are not finished, by state.",
        [(f'{{state="{state}"}}', str(count)) for state, count in metrics.requests.items()],
    )
    ago = metrics.since_reconcile
    for name, told, value in (
        (
            "jitcloud_overdue_ends",
            "Grants that should have ended and are not known to be gone.",
            str(metrics.overdue),
        ),
        (
            "jitcloud_overdue_oldest_seconds",
            "How long the oldest of them has been overdue; 0 where there is none.",
            _seconds(metrics.oldest_overdue),
        ),
        (
            "jitcloud_slots_in_trouble",
            "Places that a cloud has refused to change or to show.",
            str(metrics.slots_in_trouble),
        ),
        (
            "jitcloud_slot_attempts_max",
            "Tries at the place that was tried most since its cloud last agreed.",
            str(metrics.most_attempts),
        ),
        (
            "jitcloud_exposed_grants",
            "Grants whose place is empty, and whose sessions may live on for a while.",
            str(metrics.exposed),
        ),
        (
            "jitcloud_reconcile_age_seconds",
            "Time since the last finished reconcile began; +Inf where none was finished.",
            "+Inf" if ago is None else _seconds(ago),
        ),
        (
            "jitcloud_activations_held",
            "1 while nothing is activated because a restored record awaits a reconcile, else 0.",
            str(int(metrics.held)),
        ),
        (
            "jitcloud_wakeup_backlog_seconds",
            "How long the oldest wake-up has been due; 0 where none is.",
            _seconds(metrics.backlog),
        ),
        (
            "jitcloud_metrics_complete",
            "1 where all that is unfinished was counted, 0 where there is more than is read.",
            str(int(metrics.complete)),
        ),
    ):
        yield name, told, [("", value)]
    if metrics.since_checkpoint is not None:
        yield (
            "jitcloud_checkpoint_age_seconds",
            "Time since the record was read for the last checkpoint; left out where there is none.",
            [("", _seconds(metrics.since_checkpoint))],
        )


def _seconds(duration: timedelta) -> str:
    """Seconds, in the form that Go's ParseFloat reads. Never below zero: clocks are set back."""
    return repr(max(duration.total_seconds(), 0.0))
