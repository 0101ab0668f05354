"""The end of a shift: hundreds of grants that end at one instant, and some who want to get in.

The core drives all of them, over an Identity Center in this process, in emulated time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from jitcloud.emulators.identity_center import Behaviour
from jitcloud.model import SKEW, SlotKey, State
from jitcloud.providers.aws.identity_center_errands import Errand
from jitcloud.providers.aws.identity_center_pace import Pace
from tests.aws.identity_center_world import CREATE, DELETE, Heard, Here, Nearby

RATE, OUTSTANDING = 20, 10
"""As documented; see ``Behaviour``."""

NEEDED = 3
"""The calls that an end needs: to delete, to ask whether that is done, and to look."""

LIMIT = 1 / 0.95
"""How much longer it may take than the limits allow."""


class Told(Pace):
    """A pace that counts whom it puts off."""

    def __init__(self) -> None:
        super().__init__()
        self.put_off: Counter[tuple[SlotKey, bool]] = Counter()
        """How often, by place and whether something was to be begun there."""

    def turn(self, key: SlotKey, errand: Errand, now: datetime) -> datetime:
        turn = super().turn(key, errand, now)
        self.put_off[key, errand.begins] += turn > now
        return turn


@dataclass
class Storm:
    """How it went."""

    deadline: datetime
    floor: timedelta
    """The least that the two limits allow for what is needed."""
    pace: Told
    heard: list[Heard]
    """The calls from the deadline on."""
    overstays: list[timedelta] = field(default_factory=list)
    """From the deadline until somebody really could not any more, the shortest first."""
    over_after: timedelta = timedelta(0)
    """When the last of them was known to be gone."""

    @property
    def ratio(self) -> float:
        # What is waited for in case that clocks differ is the same however many end.
        return (self.over_after - SKEW) / self.floor

    @property
    def throttled(self) -> int:
        return sum(call.error == "ThrottlingException" for call in self.heard)

    def done(self, operation: str) -> list[datetime]:
        """When calls of an operation were made that AWS did not refuse."""
        return [call.at for call in self.heard if call.operation == operation and not call.error]

    @property
    def removals_went_first(self) -> bool:
        """Whether nobody was let in before the last of them was told to be taken out."""
        return min(self.done(CREATE)) >= max(self.done(DELETE))


def floor(ends: int, takes: timedelta) -> timedelta:
    """No broker could be faster, if calls took no time: AWS's bucket begins full."""
    by_calls = timedelta(seconds=1) * (ends * NEEDED - RATE) / RATE
    return max(by_calls, takes * ends / OUTSTANDING)


def storm(folder: Path, *, ends: int, waiting: int, takes: timedelta) -> Storm:
    """Have so many grants end at once, and others wait, on a broker that has just started."""
    people = [f"person-{number}" for number in range(ends + waiting)]
    calm = Behaviour(takes=takes, rate=None, outstanding=None)
    here = Here(aws := Nearby(), folder, calm, people=people, pace=Told)
    requests = [here.world.ask(person, minutes=60) for person in people[:ends]]
    here.pass_time(minutes=10)
    assert len(here.who()) == ends
    window = requests[0].window
    assert window is not None
    here.time.now = window.deadline
    here.behaviour.rate, here.behaviour.outstanding = RATE, OUTSTANDING
    aws.heard.clear()
    here.start()
    assert isinstance(here.kind.pace, Told)
    went = Storm(here.time(), floor(ends, takes), here.kind.pace, aws.heard)

    here.sweep()
    late = [here.world.ask(person, minutes=60) for person in people[ends:]]
    left = {request.id for request in requests}
    while left:
        taken_out = ends - len(here.who() & set(people[:ends]))
        went.overstays += [here.time() - went.deadline] * (taken_out - len(went.overstays))
        left = {name for name in left if not here.world.now(name).state.is_finished}
        went.over_after = here.time() - went.deadline
        if left:
            here.on()
    here.until(
        lambda: all(here.state(request) is State.ACTIVE for request in late), timedelta(minutes=15)
    )
    return went
