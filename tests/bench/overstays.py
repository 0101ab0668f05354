"""How late access ends in the deployed fleet: 500 memberships that end over a minute, or at once.

Put in as the judge would, by the core beside the fleet; let in and put out by the fleet alone.
When somebody was taken out of a group is what the emulated AWS says of its own calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jitcloud.clock import utc_now
from jitcloud.config import Deployment, load
from jitcloud.emulators.fleet import REPORTS, Fleet
from jitcloud.emulators.surroundings import apart
from jitcloud.model import Ended, EntitlementId, RequestId, State
from tests.bench.figures import Figure
from tests.bench.overheard import Overheard
from tests.bench.timing import Say, seconds_of
from tests.world import caller

ENDS = 500
USERS, GROUPS = 50, 10
LIMIT = 1.0
"""Seconds that the 99th of 100 may be late."""

MINUTE, AT_ONCE = timedelta(minutes=1), timedelta(0)
SPARE = timedelta(seconds=20)
"""How long after the last ask the first of them begins."""

LASTS = timedelta(seconds=90)
"""How long each lasts: all were let in for a while before the first one ends."""

WARM = 20
SLOWER = 2
"""By so much an ask may be slower than the first ones were: the fleet is at work meanwhile."""

GIVE_UP = timedelta(minutes=6)
NAP = 0.5

_GROUP = """
[[entitlement]]
id = "group-{number}"
title = "Group {number}"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "read"
environment = "prod"
owner = "leads"

[entitlement.target]
group_arn = "arn:aws:iam::{account}:group/group-{number}"

[entitlement.target.users]
{users}
"""


class Many(Fleet):
    """A fleet with many people and groups; who asks for one of these is let in at once."""

    def configure(self, catalog: str = "", rules: str = "") -> None:
        users = "\n".join(f'{name} = "{self.account.arn("user", name)}"' for name in self.people)
        groups = (
            _GROUP.format(number=number, account=self.account.id, users=users)
            for number in range(GROUPS)
        )
        super().configure("".join(groups) + catalog, rules)


@dataclass(frozen=True, kw_only=True)
class Went:
    """How some ends went."""

    deadlines: Mapping[RequestId, datetime]
    out: tuple[timedelta, ...]
    """How long after its deadline each was taken out, the shortest first."""
    gone: tuple[timedelta, ...]
    """And was seen to be gone, as the record has it and ``Overstay`` says."""

    @property
    def last(self) -> timedelta:
        """From the last deadline until nobody was left."""
        return self.out[-1]


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    people = {"ana": "Ana", "ben": "Ben", "caro": "Caro"}
    people |= {f"user-{number:02}": f"User {number}" for number in range(USERS)}
    with ExitStack() as left:
        left.enter_context(apart())
        say("deploying")
        fleet = left.enter_context(Many(folder, people=people))
        for number in range(GROUPS):
            fleet.deployed.client("iam").create_group(GroupName=f"group-{number}")
        left.enter_context(fleet.as_root())
        # Nobody looks: what granting would mean is for people to read.
        core = left.enter_context(load(folder, utc_now, ask=lambda _: {"failed": "left out"}))
        evenly = _went(fleet, core, MINUTE, say)
        yield Figure(
            name="overstay-p99",
            what=f"how late the 99th of 100 is out, of {ENDS} that end evenly over a minute",
            value=_part(evenly.out, 0.99),
            unit="s",
            limit=LIMIT,
            parts=_parts(evenly),
            notes=(_spread(evenly),),
        )
        at_once = _went(fleet, core, AT_ONCE, say)
        yield Figure(
            name="drain",
            what=f"until the last of {ENDS} is out that end in one second",
            value=at_once.last.total_seconds(),
            unit="s",
            parts=_parts(at_once) | {"ends a second": ENDS / at_once.last.total_seconds()},
            notes=(_spread(at_once),),
        )


def _went(fleet: Fleet, core: Deployment, over: timedelta, say: Say) -> Went:
    say(f"asking for {ENDS} that end within {over.total_seconds():g} s")
    heard, begun = Overheard(fleet.deployed), utc_now()
    names = list(_asked(core, over))
    say("waiting until all are out")
    out: dict[tuple[str, str], datetime] = {}
    give_up = utc_now() + GIVE_UP
    while utc_now() < give_up and len(out) < ENDS:
        time.sleep(NAP)
        begun = _hear(heard, begun, out)
    say(f"{len(out)} are out")
    if len(out) < ENDS:
        raise AssertionError(len(out))
    deadlines = {name: _deadline(core, name) for name in names}
    iam = fleet.deployed.client("iam")
    if any(iam.get_group(GroupName=f"group-{number}")["Users"] for number in range(GROUPS)):
        raise AssertionError("somebody is still in")
    _until(lambda: all(_state(core, name) is State.ENDED for name in names))
    requests = {name: core.ledger.load(name) for name in names}
    late = (
        out[requests[name].person, requests[name].entitlement.id] - deadline
        for name, deadline in deadlines.items()
    )
    gone = (_seen_gone(core, name) - deadline for name, deadline in deadlines.items())
    return Went(deadlines=deadlines, out=tuple(sorted(late)), gone=tuple(sorted(gone)))


def _hear(heard: Overheard, begun: datetime, out: dict[tuple[str, str], datetime]) -> datetime:
    """Note who was taken out of which group since; return from when on to ask the next time."""
    latest = begun
    for call in heard.since(begun):
        latest = max(latest, call.at)
        if call.name == "iam.RemoveUserFromGroup":
            out[call.arguments["UserName"], call.arguments["GroupName"]] = call.at
    return latest


def _asked(core: Deployment, over: timedelta) -> Iterator[RequestId]:
    """Ask for what begins at an instant of its own, and so ends at one."""
    pace = seconds_of(lambda: [_ask(core, 0, REPORTS, utc_now()) for _ in range(WARM)]) / WARM
    first = utc_now() + timedelta(seconds=ENDS * pace) * SLOWER + SPARE
    for number in range(ENDS):
        yield _ask(core, number, f"group-{number // USERS}", first + over * number / ENDS)


def _ask(core: Deployment, number: int, what: str, start: datetime) -> RequestId:
    now = utc_now()
    return core.broker.request(
        caller(f"user-{number % USERS:02}"),
        EntitlementId(what),
        duration=LASTS,
        justification="A trial",
        now=now,
        start=start if start > now else None,
    ).id


def _state(core: Deployment, name: RequestId) -> State:
    return core.ledger.load(name).state


def _deadline(core: Deployment, name: RequestId) -> datetime:
    window = core.ledger.load(name).window
    if window is None:
        raise AssertionError(name)
    return window.deadline


def _seen_gone(core: Deployment, name: RequestId) -> datetime:
    (seen,) = (
        line.event.what.seen_at
        for line in core.ledger.store.events(name)
        if isinstance(line.event.what, Ended)
    )
    return seen


def _until(is_so: Any) -> None:
    give_up = utc_now() + GIVE_UP
    while not is_so():
        if utc_now() > give_up:
            raise TimeoutError
        time.sleep(1)


def _parts(went: Went) -> dict[str, float]:
    return {
        f"{what} {name} (s)": _part(times, part)
        for what, times in (("out", went.out), ("seen gone", went.gone))
        for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


def _part(times: tuple[timedelta, ...], part: float) -> float:
    return times[min(int(len(times) * part), len(times) - 1)].total_seconds()


def _spread(went: Went) -> str:
    first, last = min(went.deadlines.values()), max(went.deadlines.values())
    over = (last - first).total_seconds()
    return f"{USERS} users in {GROUPS} groups; from the first deadline to the last {over:g} s."
