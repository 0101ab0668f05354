"""Metrics of functions, in CloudWatch's embedded metric format: a line of JSON in the log.

CloudWatch takes them out of the log by itself: no call, no right, and nothing waits for them.
No metric has a dimension that grows with use: each would be a metric of its own, and be paid for.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:  # the nouns take longer to load than all else that `expire` needs of ours
    from jitcloud.model import Cloud

NAMESPACE = "jitcloud"

MOST_VALUES = 100
"""How many values of one metric a document may hold, says the format."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Outcome = Literal["allowed", "denied", "lapsed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric, and what was measured of it."""

    name: str
    values: tuple[timedelta, ...] | tuple[int, ...]
    """Durations, told in milliseconds; or counts."""
    dimensions: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> Literal["Milliseconds", "Count"]:
        """In what it is told."""
        return "Count" if any(isinstance(value, int) for value in self.values) else "Milliseconds"


def decision_time(took: Iterable[timedelta], outcome: Outcome) -> Measured:
    """How long it took from an ask until it was decided, the votes of people included."""
    return Measured(name="DecisionTime", values=tuple(took), dimensions={"Outcome": outcome})


def time_to_access(took: Iterable[timedelta], cloud: Cloud) -> Measured:
    """How long it took from the start of a window until access was seen to be there."""
    return Measured(name="TimeToAccess", values=tuple(took), dimensions={"Cloud": cloud.value})


def overstay(late: Iterable[timedelta], cloud: Cloud) -> Measured:
    """How long access was there after its deadline, or after its early end was recorded."""
    return Measured(name="Overstay", values=tuple(late), dimensions={"Cloud": cloud.value})


def backlog_age(age: timedelta) -> Measured:
    """How long the oldest wake-up has been due; zero where none is."""
    return Measured(name="BacklogAge", values=(age,))


def dead_letters(count: int) -> Measured:
    """How many wake-ups a queue had given up on, and were put back."""
    return Measured(name="DeadLetters", values=(count,))


def overdue_age(age: timedelta) -> Measured:
    """How long the oldest grant is overdue that is not known to be gone; zero where none is."""
    return Measured(name="OverdueAge", values=(age,))


def overdue_ends(count: int) -> Measured:
    """How many grants should have ended and are not known to be gone."""
    return Measured(name="OverdueEnds", values=(count,))


def leaked(count: int) -> Measured:
    """How much access a comparison has found that the record does not know of."""
    return Measured(name="Leaked", values=(count,))


def checkpoint_age(age: timedelta) -> Measured:
    """How long ago the record was read for the last checkpoint of it."""
    return Measured(name="CheckpointAge", values=(age,))


def signed_events(count: int) -> Measured:
    """How many signed events were committed: no more signatures should have been made."""
    return Measured(name="SignedEvents", values=(count,))


def documents(at: datetime, measured: Measured) -> Iterator[dict[str, object]]:
    """Yield what CloudWatch reads, each document with no more values than it may have.

    None is below zero: clocks are set back.
    """
    values = [
        value if isinstance(value, int) else max(value / _MILLISECOND, 0.0)
        for value in measured.values
    ]
    for begin in range(0, len(values), MOST_VALUES):
        some: Sequence[float] = values[begin : begin + MOST_VALUES]
        yield {
            "_aws": {
                "Timestamp": (at - _EPOCH) // _MILLISECOND,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [list(measured.dimensions)],
                        "Metrics": [{"Name": measured.name, "Unit": measured.unit}],
                    }
                ],
            },
            **measured.dimensions,
            measured.name: some[0] if len(some) == 1 else some,
        }


def write(stream: TextIO, at: datetime, *measured: Measured) -> None:
    """Write measurements as lines to a function's log, which is its standard output."""
    for each in measured:
        for document in documents(at, each):
            print(json.dumps(document), file=stream, flush=True)
