"""A policy decision, against the bare call of Cedar that it cannot do without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import median

import cedarpy

from jitcloud.model import Ask, Person, PersonId, Window
from jitcloud.policy import Policy, World
from jitcloud.policy.engine import verbs_of
from jitcloud.policy.entities import about_ask
from jitcloud.policy.source import schema
from tests.bench.figures import Figure
from tests.bench.timing import MICRO, Say, by_turns
from tests.example import Organisation

LIMIT = 2

ASKS = {
    "activate": ("dev", "dev-db"),
    "needs-approval": ("dev", "prod-read"),
    "denied": ("outsider", "dev-db"),
    "break-glass": ("oncall", "prod-admin"),
}

WORLD = World(incident_verified=True)

VARIANTS = 500
"""An answer that was merely remembered from a call before would measure nothing."""

CALLS = 20
"""So many are timed at a time: one alone takes no longer than what else happens meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One ask, and the same as Cedar takes it, with all parsed that could be parsed before."""

    ask: Ask
    person: Person
    window: Window
    requests: list[dict[str, object]]
    text: str
    entities: cedarpy.Entities


PAIRS = 200

REMEMBERED = 0.5
"""What takes less than that, of a call that it cannot do without, has not made it."""


def measure(folder: Path, say: Say, pairs: int = PAIRS) -> Iterable[Figure]:  # noqa: ARG001 - it needs no file
    organisation = Organisation()
    policy = organisation.policy()
    world, rules, shapes = WORLD, policy._cedar.policies, schema()  # noqa: SLF001 - the very same handles

    def judge(case: Case) -> object:
        return policy.judge(case.ask, case.person, world, case.window)

    def bare(case: Case) -> object:
        return cedarpy.is_authorized_batch(case.requests, rules, case.entities, shapes)

    def parsing(case: Case) -> object:
        known = cedarpy.Entities.from_json_str(case.text, shapes)
        return cedarpy.is_authorized_batch(case.requests, rules, known, shapes)

    ratios: dict[str, float] = {}
    times: dict[str, float] = {}
    for kind in ASKS:
        say(kind)
        cases = _cases(organisation, policy, kind)
        both = by_turns(_some(judge, cases), _some(bare, cases), pairs=pairs, seconds=10)
        whole = by_turns(_some(parsing, cases), _some(bare, cases), pairs=pairs // 2, seconds=5)
        ratios[f"{kind} (x)"] = both.ratio
        times[f"{kind} (µs)"] = median(both.ours) / CALLS * MICRO
        times[f"{kind}, bare (µs)"] = median(both.bare) / CALLS * MICRO
        times[f"{kind}, bare but for parsing its entities (x)"] = whole.ratio
    if min(ratios.values()) < REMEMBERED:
        raise AssertionError(ratios)
    yield Figure(
        name="policy-decision",
        what="Policy.judge / cedarpy.is_authorized_batch on the same parsed handles",
        value=max(ratios.values()),
        unit="x",
        limit=LIMIT,
        parts=ratios | times,
        notes=("The verdict is about the slowest kind of decision.",),
    )


def _cases(organisation: Organisation, policy: Policy, kind: str) -> list[Case]:
    who, what = ASKS[kind]
    cases = [
        _case(
            policy,
            replace(
                organisation.ask(who, what, mfa=f"{age}s", incident="I-1"),
                break_glass=kind == "break-glass",
            ),
            # Nor do two of them know the same people, so that what Cedar is told is never the same.
            replace(organisation.person(who), manager=PersonId(f"u-{age}")),
        )
        for age in range(1, VARIANTS + 1)
    ]
    said = {policy.judge(case.ask, case.person, WORLD, case.window).kind for case in cases}
    if said != {kind}:
        raise AssertionError(said)
    return cases


def _case(policy: Policy, ask: Ask, person: Person) -> Case:
    window = Window(start=ask.asked_at, deadline=ask.asked_at + ask.duration)
    question = about_ask(ask, person, WORLD, window, policy._groups)  # noqa: SLF001 - as judge does
    text = f"{question.about[:-1]},{question.people[1:]}"
    return Case(
        ask=ask,
        person=person,
        window=window,
        requests=question.requests(verbs_of(ask)),
        text=text,
        entities=cedarpy.Entities.from_json_str(text, schema()),
    )


def _some(work: Callable[[Case], object], cases: list[Case]) -> Callable[[], None]:
    turn = cycle(cases)

    def run() -> None:
        for _ in range(CALLS):
            work(next(turn))

    return run
