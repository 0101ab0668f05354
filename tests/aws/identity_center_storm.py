"""The end of a shift: hundreds of grants that end at one instant, and some who want to get in.

The core drives all of them, over an Identity Center in this process, in emulated time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from botocore.exceptions import ClientError

from jitcloud.emulators.identity_center import Behaviour
from jitcloud.emulators.identity_center.call import Answer
from jitcloud.model import Request, State
from jitcloud.providers.aws.identity_center_pace import Pace
from tests.aws.identity_center_world import CREATE, DELETE, Here, Nearby

RATE, OUTSTANDING = 20, 10
"""As documented; see ``Behaviour``."""

NEEDED = 3
"""The calls that an end needs: to delete, to ask whether that is done, and to look."""


@dataclass
class Storm:
    """How it went."""

    ends: int
    takes: timedelta
    floor: timedelta
    """The least that the two limits allow for what is needed."""
    overstays: list[timedelta] = field(default_factory=list)
    """From the deadline until somebody really could not any more."""
    over_after: timedelta = timedelta(0)
    """When the last of them was known to be gone."""
    calls: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    last_delete: timedelta = timedelta(0)
    first_create: timedelta | None = None
    """Of those that waited."""
    turns: Counter[str] = field(default_factory=Counter)
    """How often each place was told to come back later."""

    @property
    def ratio(self) -> float:
        return self.over_after / self.floor


def floor(ends: int, takes: timedelta) -> timedelta:
    """No broker could be faster, if calls took no time: the bucket begins full."""
    by_calls = timedelta(seconds=1) * (ends * NEEDED - RATE) / RATE
    return max(by_calls, takes * ends / OUTSTANDING)


def storm(folder: Path, *, ends: int, waiting: int, takes: timedelta) -> Storm:
    """Have as many grants end at once, with others waiting, on a broker that knows nothing yet."""
    people = [f"person-{number}" for number in range(ends + waiting)]
    here = Here(
        Nearby(), folder, Behaviour(takes=takes, rate=None, outstanding=None), people=people
    )
    requests = [here.world.ask(person, minutes=60) for person in people[:ends]]
    here.pass_time(minutes=10)
    assert all(here.state(request) is State.ACTIVE for request in requests)
    assert len(here.who()) == ends
    window = requests[0].window
    assert window is not None
    deadline = here.time.now = window.deadline
    here.behaviour.rate, here.behaviour.outstanding = RATE, OUTSTANDING
    here.start()
    told = Storm(ends, takes, floor(ends, takes))
    _count(here, told, deadline)
    here.sweep()
    grants = [here.world.ask(person, minutes=60) for person in people[ends:]]
    _go_on(here, told, requests, deadline)
    left = [request for request in grants if here.state(request) is not State.ACTIVE]
    here.until(
        lambda: all(here.state(request) is State.ACTIVE for request in left), timedelta(minutes=15)
    )
    return told


def _go_on(here: Here, told: Storm, requests: list[Request], deadline: datetime) -> None:
    can, open_ = len(here.who()), [request.id for request in requests]
    while open_:
        now_can = len(here.who() & {request.person for request in requests})
        told.overstays += [here.time() - deadline] * (can - now_can)
        can = now_can
        open_ = [name for name in open_ if not here.world.now(name).state.is_finished]
        if open_:
            due = here.next_due()
            assert due is not None
            assert due < deadline + timedelta(hours=2)
            here.time.now = max(here.time(), due)
            here.sweep()
    told.over_after = here.time() - deadline


def _count(here: Here, told: Storm, deadline: datetime) -> None:
    """Listen to what is asked of the cloud and of the pace."""
    center, pace = here.center, here.kind.pace
    call, turn = center.call, pace.turn

    def counted(service: str, operation: str, params: object, *, check: bool = True) -> Answer:
        told.calls[operation] += 1
        try:
            answer = call(service, operation, params, check=check)  # type: ignore[arg-type] # as it came
        except ClientError as exc:
            told.throttled += exc.response["Error"]["Code"] == "ThrottlingException"
            raise
        if operation == DELETE:
            told.last_delete = here.time() - deadline
        if operation == CREATE and told.first_create is None:
            told.first_create = here.time() - deadline
        return answer

    center.call = counted  # type: ignore[method-assign] # the client of this center asks it by name
