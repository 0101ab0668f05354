"""Asks AWS the same thing again and again, to see when its answer changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud.clock import utc_now
from jitcloud.emulators.account import OK

AROUND = timedelta(seconds=1)
"""How long before and after a deadline the question is asked without pause."""

GIVE_UP = timedelta(seconds=10)
"""How long after it an answer that still lets somebody in is waited out."""

_BEAT = timedelta(seconds=3)
_PAUSE = 0.25
_NO_PAUSE = 0.005

Attempt = Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What AWS said. Its instants are counted from the deadline: negative ones lie before it."""

    said: str
    asked: timedelta
    at: timedelta
    """When the answer was there."""


def across(
    attempt: Attempt, deadline: datetime, heartbeat: Callable[[Answer], None]
) -> tuple[Answer, ...]:
    """Ask until a deadline has come and gone; ``heartbeat`` hears every few seconds till then."""
    answers: list[Answer] = []
    next_beat = -GIVE_UP
    while True:
        asked = utc_now()
        said = attempt()
        answer = Answer(said=said, asked=asked - deadline, at=utc_now() - deadline)
        answers.append(answer)
        if answer.at > (GIVE_UP if said == OK else AROUND):
            return tuple(answers)
        if next_beat < answer.at < -AROUND:
            heartbeat(answer)
            next_beat = answer.at + _BEAT
        time.sleep(_PAUSE if answer.at < -AROUND else _NO_PAUSE)


def overstay(answers: tuple[Answer, ...]) -> timedelta:
    """How long after the deadline the first refusal was there: access lasted no longer."""
    refused = (answer.at for answer in answers if answer.said != OK)
    return next(refused, GIVE_UP)


def until_refused(attempt: Attempt, patience: float) -> str:
    """Ask without pause until AWS says something else than ok, or patience runs out."""
    give_up = time.monotonic() + patience
    while (said := attempt()) == OK and time.monotonic() < give_up:
        time.sleep(_NO_PAUSE)
    return said
