"""Figures of the process that serves, for Prometheus, beside those of the record.

https://prometheus.io/docs/instrumenting/exposition_formats/ (text format, version 0.0.4)
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jitcloud.api.asgi import Served
from jitcloud.serving.pulse import Pulse

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets that durations are counted in, in seconds."""

_Labels = tuple[tuple[str, str], ...]
_Sample = tuple[str, _Labels, str]
_Family = tuple[str, str, str, Iterable[_Sample]]


@dataclass(slots=True)
class _Durations:
    """How many calls of one route took how long."""

    buckets: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    count: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Figures:
    """Counts calls. Safe for several threads; its labels are routes, not what callers write."""

    _calls: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _durations: dict[str, _Durations] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def served(self, served: Served) -> None:
        """Count one call."""
        with self._lock:
            self._calls[served.method, served.route, served.status] += 1
            durations = self._durations.setdefault(served.route, _Durations())
            durations.count += 1
            durations.seconds += served.seconds
            for place, bound in enumerate(BOUNDS):
                durations.buckets[place] += served.seconds <= bound

    def exposition(self, pulse: Pulse, *, in_hand: int, is_recorded: bool) -> str:
        """Write all of it; ``is_recorded`` says whether the record can be read."""
        with self._lock:
            families = list(self._families(pulse, in_hand, is_recorded))
        return "".join(
            f"# HELP {name} {told}\n# TYPE {name} {kind}\n"
            + "".join(f"{name}{end}{_shown(labels)} {value}\n" for end, labels, value in samples)
            for name, told, kind, samples in families
        )

    def _families(self, pulse: Pulse, in_hand: int, is_recorded: bool) -> Iterator[_Family]:  # noqa: FBT001 - private
        beat = pulse.beat
        yield (
            "jitcloud_http_requests_total",
            "Calls that were answered, by route.",
            "counter",
            [
                ("", (("method", method), ("route", route), ("status", str(status))), str(count))
                for (method, route, status), count in self._calls.items()
            ],
        )
        yield (
            "jitcloud_http_request_duration_seconds",
            "How long answers took, by route.",
            "histogram",
            [each for route, told in self._durations.items() for each in _histogram(route, told)],
        )
        for name, told, kind, value in (
            ("jitcloud_http_requests_in_hand", "Calls that are being answered.", "gauge", in_hand),
            ("jitcloud_record_up", "1 while the record can be read, else 0.", "gauge", is_recorded),
            ("jitcloud_sweeps_total", "Sweeps that came to their end.", "counter", beat.sweeps),
            ("jitcloud_sweep_deaths_total", "Sweeps that a defect ended.", "counter", beat.deaths),
            (
                "jitcloud_sweep_troubles",
                "Things that the last sweep could not do.",
                "gauge",
                beat.troubles,
            ),
        ):
            yield name, told, kind, [("", (), str(int(value)))]
        yield (
            "jitcloud_sweep_age_seconds",
            "Time since the last sweep came to its end.",
            "gauge",
            [("", (), repr(round(pulse.age(), 3)))],
        )


def _histogram(route: str, told: _Durations) -> Iterator[_Sample]:
    label = ("route", route)
    for bound, count in zip(BOUNDS, told.buckets, strict=True):
        yield "_bucket", (label, ("le", repr(bound))), str(count)
    yield "_bucket", (label, ("le", "+Inf")), str(told.count)
    yield "_sum", (label,), repr(round(told.seconds, 6))
    yield "_count", (label,), str(told.count)


def _shown(labels: _Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
