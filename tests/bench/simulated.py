"""How late access ends, how soon it begins, and what the cloud is called for, in four weathers.

In simulated time, over the clouds of ``tests/simulation``: every mechanism that is registered there
with a cloud of its own, so that a new one is measured as soon as it has joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from itertools import count, islice
from pathlib import Path

from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.lives import Life, end, grant
from tests.bench.results import SEED
from tests.bench.timing import Say
from tests.bench.weather import AT_CALL, AWAY, LATENCY, OUTAGE, THROTTLED, Kind
from tests.simulation.overstay import RETRY
from tests.simulation.registered import STAGES
from tests.simulation.stage import Stage

LIVES = 300
"""Of each mechanism in each weather."""

MECHANISMS: tuple[type[Stage], ...] = tuple(each.quick for each in STAGES if each.real is not None)

WEATHERS = {
    Kind.CALM: f"Nothing goes wrong. A call takes up to {LATENCY.total_seconds():g} s.",
    Kind.THROTTLED: f"The cloud refuses {THROTTLED:.0%} of all calls, for being too many.",
    Kind.OUTAGE: (
        "The cloud answers nothing but failures, until at most "
        f"{OUTAGE.total_seconds() / 60:g} minutes after the moment that is measured from."
    ),
    Kind.RESTART: (
        f"The broker's process dies at one of the first {AT_CALL} calls, before or after that call"
        f" has done its work, and is there again {AWAY.total_seconds():g} s later."
    ),
}

OF_GRANTS = {
    Kind.OUTAGE: (
        "A grant fails if its cloud refuses for longer than its mechanism waits; of what was let in"
        " the times are shown. For credentials their holder asks again until there are some."
    ),
}

PARTS = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))

SESSIONS = "sessions"


def overstay(folder: Path, say: Say, lives: int = LIVES) -> Iterator[Figure | Chart]:  # noqa: ARG001 - it needs no file
    """How long access outlasts its end, by the deadline and by giving it back."""
    held = [each for each in MECHANISMS if each.held_by_cloud]
    latest = [
        life.out_after.total_seconds()
        for stage in held
        for kind in Kind
        for life in _ends(stage, kind, lives, early=False, say=say)
        if life.out_after is not None
    ]
    yield Figure(
        name="overstay-of-what-a-cloud-holds",
        what="the longest that access outlasts a deadline that the cloud itself holds",
        value=max(latest),
        unit="s",
        limit=0.0,
        parts={"lives": len(latest), "mechanisms": len(held), "weathers": len(Kind)},
        notes=(f"{', '.join(each.name for each in held)}, whatever became of the broker.",),
    )
    yield _after_an_outage(lives, say)
    for early in (False, True):
        for kind in Kind:
            yield _overstays(kind, lives, say, early=early)


def access(folder: Path, say: Say, lives: int = LIVES) -> Iterator[Figure | Chart]:  # noqa: ARG001 - it needs no file
    """How long it takes from the last yes until the cloud lets somebody in."""
    for kind in Kind:
        found = {stage.name: _grants(stage, kind, lives, say) for stage in MECHANISMS}
        times = {name: _sorted(life.in_after for life in whole) for name, whole in found.items()}
        yield _chart(
            f"access-{kind}",
            f"Until access is there: {kind}",
            times,
            {"never let in (%)": [_never(whole) for whole in found.values()]},
            (f"{WEATHERS[kind]} {OF_GRANTS.get(kind, '')}".strip(),),
        )


def calls(folder: Path, say: Say, lives: int = LIVES) -> Iterator[Figure | Chart]:  # noqa: ARG001 - it needs no file
    """How often a cloud is called in one lifetime, and for what."""
    means: dict[str, list[float]] = {kind.value: [] for kind in Kind}
    for stage in MECHANISMS:
        for kind in Kind:
            ended = _ends(stage, kind, lives, early=False, say=say)
            counted = sum((life.calls for life in ended), Counter[str]())
            means[kind.value].append(counted.total() / len(ended))
            if kind is Kind.CALM:
                yield _figure_of_calls(stage.name, counted, len(ended))
    yield Chart(
        name="calls-of-a-lifetime",
        title="Calls to a cloud in one lifetime",
        x="mechanism",
        y="calls, as a mean",
        labels=tuple(stage.name for stage in MECHANISMS),
        lines={name: tuple(each) for name, each in means.items()},
        notes=("From the ask to where it is known to be gone; the weather is that of the end.",),
    )


# ── What is told of it ───────────────────────────────────────────────────────────────────────


def _overstays(kind: Kind, lives: int, say: Say, *, early: bool) -> Chart:
    times: dict[str, list[float]] = {}
    struck: list[float] = []
    for stage in MECHANISMS:
        ended = _ends(stage, kind, lives, early=early, say=say)
        times[stage.name] = _sorted(life.out_after for life in ended)
        struck.append(100 * sum(life.struck > 0 for life in ended) / len(ended))
        sessions = _sorted(life.sessions_out_after for life in ended)
        if sessions:
            times[f"{stage.name}: {SESSIONS}"] = sessions
            struck.append(struck[-1])
    what, name = ("when given back", "early") if early else ("at the deadline", "deadline")
    return _chart(
        f"overstay-{name}-{kind}",
        f"Overstay {what}: {kind}",
        times,
        {"lives in which it struck (%)": struck} if kind is not Kind.CALM else {},
        (WEATHERS[kind],),
    )


def _after_an_outage(lives: int, say: Say) -> Figure:
    waits = [
        (life.out_after - max(life.back_after, timedelta(0))).total_seconds()
        for stage in MECHANISMS
        for early in (False, True)
        for life in _ends(stage, Kind.OUTAGE, lives, early=early, say=say)
        if life.out_after is not None and life.out_after > life.back_after
    ]
    waits.sort()
    return Figure(
        name="overstay-after-an-outage",
        what="the longest until access is gone once a cloud that was down is there again",
        value=waits[-1],
        unit="s",
        limit=RETRY.total_seconds(),
        parts={f"{name} (s)": _part(waits, part) for name, part in PARTS} | {"lives": len(waits)},
        notes=("What fails is tried again after 1 s, 2 s, 4 s, and so on up to a minute.",),
    )


def _figure_of_calls(name: str, counted: Counter[str], lives: int) -> Figure:
    return Figure(
        name=f"calls-{name}",
        what=f"calls of one lifetime of {name}, where nothing goes wrong (mean)",
        value=counted.total() / lives,
        unit="calls",
        parts={call: number / lives for call, number in sorted(counted.items())},
    )


def _chart(
    name: str,
    title: str,
    times: dict[str, list[float]],
    others: dict[str, list[float]],
    notes: tuple[str, ...],
) -> Chart:
    return Chart(
        name=name,
        title=title,
        x="mechanism",
        y="seconds",
        labels=tuple(times),
        lines={
            part: tuple(_part(found, at) if found else None for found in times.values())
            for part, at in PARTS
        },
        others={"lives": tuple(map(len, times.values()))}
        | {legend: tuple(values) for legend, values in others.items()},
        notes=notes,
    )


def _part(times: Sequence[float], part: float) -> float:
    return times[min(int(len(times) * part), len(times) - 1)]


def _sorted(times: Iterable[timedelta | None]) -> list[float]:
    return sorted(each.total_seconds() for each in times if each is not None)


def _never(lives: Sequence[Life]) -> float:
    return 100 * sum(life.in_after is None for life in lives) / len(lives)


# ── What is lived through ────────────────────────────────────────────────────────────────────


@cache
def _lived(stage: type[Stage], kind: Kind, lives: int, how: str) -> tuple[Life, ...]:
    made: dict[str, Callable[[int], Life | None]] = {
        "in": lambda seed: grant(stage, kind, seed),
        "at its deadline": lambda seed: end(stage, kind, seed, early=False),
        "early": lambda seed: end(stage, kind, seed, early=True),
    }
    found = (made[how](seed) for seed in count(SEED * 1_000_000))
    whole = tuple(islice((life for life in found if life is not None), lives))
    if kind is Kind.CALM and any(life.struck for life in whole):
        raise AssertionError("something went wrong though nothing was to")
    # What a cloud ends by itself may take no call in which anything could go wrong.
    by_itself = how == "at its deadline" and stage.held_by_cloud
    if kind is not Kind.CALM and not by_itself and not any(life.struck for life in whole):
        raise AssertionError(f"{stage.name}: no {kind} ever struck")
    return whole


def _ends(stage: type[Stage], kind: Kind, lives: int, *, early: bool, say: Say) -> tuple[Life, ...]:
    how = "early" if early else "at its deadline"
    say(f"{stage.name} ends {how}: {kind}")
    return _lived(stage, kind, lives, how)


def _grants(stage: type[Stage], kind: Kind, lives: int, say: Say) -> tuple[Life, ...]:
    say(f"{stage.name} lets in: {kind}")
    return _lived(stage, kind, lives, "in")
