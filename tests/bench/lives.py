"""One lifetime after another, each in an organisation and a cloud of its own, in simulated time.

The core is the product's own, with the mechanisms that a configuration names, over the clouds of
``tests/simulation``. Whoever has access is told by the cloud, not by the record. A seed gives the
same lives again on any machine: no time is measured here, only told by a clock that is moved.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ulid import ULID

from jitcloud.errors import JitError
from jitcloud.model import Request, RequestId, State
from tests.bench.weather import AWAY, Kind, Weather
from tests.faults import Killed
from tests.simulation.chaos import Injector
from tests.simulation.clock import Clock, Skewed
from tests.simulation.dice import Dice
from tests.simulation.organisation import LEADS, RULES, Directory, entitlements, quick_signer
from tests.simulation.people import caller
from tests.simulation.process import Around, Journal, Process
from tests.simulation.record import access_of
from tests.simulation.stage import PEOPLE, Access, Driver, Setting, Stage
from tests.simulation.stores import InMemory

LASTS = timedelta(minutes=30)
EARLY = timedelta(minutes=10)
"""After so long access is given back, where it is."""

LOOKS = timedelta(milliseconds=100)
"""How often the clouds are looked at while something may change in them."""

CHANGES_WITHIN = timedelta(seconds=30)
"""After so long everything has come about that a cloud was told: no operation takes longer."""

TRIES_AGAIN = timedelta(seconds=5)
"""After so long somebody asks again for credentials that they did not get."""

ROUNDED = timedelta(seconds=1) + LOOKS
"""A cloud that holds a deadline knows whole seconds, and may be looked at a moment before."""

GIVES_UP = timedelta(hours=2)
"""A life that is not over by then is a defect, of the product or of this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What became of one."""

    in_after: timedelta | None
    """How long after the last yes, or the ask where none was needed, the cloud let them in."""
    out_after: timedelta | None
    """How long after the end it still did: the overstay."""
    back_after: timedelta
    """How long after the end the cloud could be told again, where it was down."""
    sessions_out_after: timedelta | None
    """The same of sessions that were made of the access, where the catalog has them ended too."""
    calls: Counter[str]
    struck: int


@dataclass
class _Sight:
    """When something was last seen there, and first seen gone since."""

    came_at: datetime | None = None
    seen_at: datetime | None = None
    gone_at: datetime | None = None

    def look(self, now: datetime, *, is_there: bool) -> None:
        if is_there:
            self.came_at = self.came_at or now
            self.seen_at, self.gone_at = now, None
        elif self.seen_at is not None and self.gone_at is None:
            self.gone_at = now

    def over(self, end: datetime) -> timedelta | None:
        """How long after its end it was there; None where it never was."""
        if self.seen_at is None:
            return None
        if self.gone_at is None or self.gone_at < end - ROUNDED:
            raise AssertionError(f"ended at {end}, and was gone at {self.gone_at}")
        return max(self.gone_at - end, timedelta(0)) if self.seen_at >= end else timedelta(0)


@dataclass
class _World:
    """One cloud, one driver, one person who asks."""

    stage_type: type[Stage]
    kind: Kind
    dice: Dice
    clock: Clock = field(default_factory=Clock)
    sight: _Sight = field(default_factory=_Sight)
    sessions: _Sight = field(default_factory=_Sight)
    meant: frozenset[Access] = frozenset()
    has_ended: bool = False
    served: set[RequestId] = field(default_factory=set)
    """Who has got credentials, of those that there are credentials for."""

    def __post_init__(self) -> None:
        self.weather = Weather(self.clock, self.dice, self.kind, self.look)
        quiet = Injector(self.clock, self.dice, on=False)
        setting = Setting(clock=self.clock, chaos=self.weather, dice=self.dice)
        self.stage = self.stage_type(setting)
        mechanisms, _ = self.stage.join(Driver("catalog", self.clock))
        self.things = entitlements(self.stage.catalog, mechanisms)
        signer, verifier = quick_signer()
        around = Around(
            stages={self.stage.name: self.stage},
            directory=Directory(quiet),
            signer=signer,
            verifier=verifier,
            journal=Journal(quiet),
            entitlements=lambda: {each.id: each for each in self.things},
        )
        self.store = InMemory().store
        clock = Skewed(self.clock, timedelta(0))
        self.driver = Process("driver", clock, around, self.store, RULES)
        self.away_until = self.clock()

    # ── What is true ─────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        if not self.meant:
            return
        now, outlived = self.clock(), self.stage.outlived()
        self.sight.look(now, is_there=not self.meant.isdisjoint(self.stage.access()))
        self.sessions.look(now, is_there=not self.meant.isdisjoint(outlived))

    # ── What is done ─────────────────────────────────────────────────────────────────────────

    def drive(self, until: datetime, *, sweeps: bool = True) -> None:
        """Sweep whenever something is due, up to an instant; or just wait for the first of them.

        The cloud is looked at all the time while anything may change there.
        """
        while (now := self.clock()) < until:
            due = max(self._due_at(until), self.away_until)
            if due <= now:
                self._sweep()
                if self._due_at(until) <= now == self.clock():
                    self.weather.forward(LOOKS)  # it has left all as it was
                if not sweeps:
                    return
                continue
            step = LOOKS if self._may_change(now) else until - now
            self.weather.forward(min(step, due - now, until - now))

    def _may_change(self, now: datetime) -> bool:
        changed_at = self.weather.changed_at
        if changed_at is None or now >= changed_at + CHANGES_WITHIN:
            return False
        if self.has_ended:
            return self.sight.gone_at is None or (
                self.sessions.seen_at is not None and self.sessions.gone_at is None
            )
        return self.sight.came_at is None

    def wake(self, *names: RequestId) -> None:
        """Have the driver do at once what was just asked of it, as functions and `serve` do."""
        try:
            self.driver.wake(*names)
        except Killed:
            self.die()

    def _sweep(self) -> None:
        try:
            troubles = self.driver.sweep()
        except Killed:
            self.die()
            return
        if any("has a defect" in why for _, why in troubles):
            raise AssertionError(troubles)

    def die(self) -> None:
        """Have the driver start anew, after a while."""
        self.away_until = self.clock() + AWAY
        self.driver.start()

    def _due_at(self, until: datetime) -> datetime:
        found = self.store.due(until, 1)
        return found[0].wake_at if found else until


def grant(stage: type[Stage], kind: Kind, seed: int) -> Life:
    """Let somebody in, in some weather; what follows is calm."""
    world = _World(stage, kind, Dice(seed))
    asked = _asked(world)
    yes_at = _decided(world, asked, has_weather=True)
    _drive_in(world, asked)
    in_after = world.sight.came_at or world.sessions.came_at
    return Life(
        in_after=None if in_after is None else in_after - yes_at,
        out_after=None,
        back_after=_back_after(world, yes_at),
        sessions_out_after=None,
        calls=world.weather.calls,
        struck=world.weather.struck,
    )


def end(stage: type[Stage], kind: Kind, seed: int, *, early: bool) -> Life | None:
    """Let somebody in, and have that end in some weather: at the deadline, or given back.

    None where what was asked for cannot end before its deadline, as its plan says beforehand.
    """
    world = _World(stage, kind, Dice(seed))
    asked = _asked(world)
    yes_at = _decided(world, asked, has_weather=False)
    _drive_in(world, asked)
    if world.sight.came_at is None:
        if early:
            return None
        world.sight = world.sessions  # of what nothing but the deadline ends
    signed_in = _signs_in(world, asked)
    ends_at = min(_deadline(world, each.id) for each in asked)
    if early:
        ends_at = world.clock() + EARLY
    world.drive(ends_at - (world.dice.within(EARLY / 2) if kind is Kind.OUTAGE else LOOKS))
    world.weather.begin(ends_at)
    world.drive(ends_at)
    world.has_ended = True
    if early:
        for request in asked:
            world.driver.broker.give_back(caller(request.person), request.id, world.clock())
        world.wake(*(request.id for request in asked))
    _drive_out(world, asked)
    came_at = world.sight.came_at
    return Life(
        in_after=None if came_at is None else came_at - yes_at,
        out_after=world.sight.over(ends_at),
        back_after=_back_after(world, ends_at),
        sessions_out_after=world.sessions.over(ends_at) if signed_in else None,
        calls=world.weather.calls,
        struck=world.weather.struck,
    )


# ── Steps of a life ──────────────────────────────────────────────────────────────────────────


def _asked(world: _World) -> list[Request]:
    dice, now = world.dice, world.clock()
    begin = int(now.timestamp() * 1000).to_bytes(6, "big")
    first = world.driver.broker.request(
        caller(dice.pick(PEOPLE)),
        dice.pick(world.things).id,
        duration=LASTS,
        justification="to be measured",
        now=now,
        id_=RequestId(str(ULID.from_bytes(begin + dice.bytes(10)))),
    )
    names = first.ask.together or (first.id,)
    asked = [_loaded(world, name) for name in names]
    world.meant = frozenset(access_of(each, world.stage.lets_in) for each in asked)
    return asked


def _decided(world: _World, asked: list[Request], *, has_weather: bool) -> datetime:
    """Have all say yes who must, and return when the last of them did."""
    voters = [name for name in LEADS if name != asked[0].person]
    for voter in voters:
        for request in asked:
            if _loaded(world, request.id).state is State.PENDING:
                world.driver.broker.approve(caller(voter), request.id, world.clock())
    yes_at = world.clock()
    if has_weather:
        world.weather.begin(yes_at)
    world.wake(*(request.id for request in asked))
    return yes_at


def _drive_in(world: _World, asked: list[Request]) -> None:
    """Wait until the record calls them active and the cloud lets them in."""
    gives_up = world.clock() + LASTS / 2
    while world.clock() < gives_up:
        found = [_loaded(world, request.id) for request in asked]
        if all(each.state is State.ACTIVE for each in found):
            if _gets_in(world, found):
                return
            continue
        if any(each.state.is_finished for each in found):
            return
        world.drive(gives_up, sweeps=False)


def _gets_in(world: _World, active: list[Request]) -> bool:
    for request in active:
        if request.places.grant is None and not _gets_credentials(world, request):
            return False
    world.look()
    if world.sight.came_at is None and world.sessions.came_at is None:
        raise AssertionError("the record calls it active, and it is not")
    return True


def _gets_credentials(world: _World, request: Request) -> bool:
    if request.id in world.served:
        return True
    try:
        world.driver.broker.issue(caller(request.person), request.id, world.clock)
    except JitError:
        world.drive(world.clock() + TRIES_AGAIN)
    except Killed:
        world.die()
        world.drive(world.away_until)
    else:
        world.served.add(request.id)
    return request.id in world.served


def _signs_in(world: _World, asked: list[Request]) -> bool:
    """Have them make sessions of their access, where these are to end with it."""
    if any("deny_document" not in request.entitlement.target for request in asked):
        return False
    return all(
        world.stage.used(request.person, request.entitlement.id) is not None for request in asked
    )


def _drive_out(world: _World, asked: list[Request]) -> None:
    gives_up = world.clock() + GIVES_UP
    while world.clock() < gives_up:
        if all(_loaded(world, request.id).state is State.ENDED for request in asked):
            world.drive(world.clock() + CHANGES_WITHIN)
            return
        world.drive(world.clock() + timedelta(minutes=1))
    raise AssertionError([_loaded(world, request.id).state for request in asked])


def _back_after(world: _World, moment: datetime) -> timedelta:
    back_at = world.weather.back_at
    return timedelta(0) if back_at is None else max(back_at - moment, timedelta(0))


def _deadline(world: _World, name: RequestId) -> datetime:
    window = _loaded(world, name).window
    if window is None:
        raise AssertionError(name)
    return window.deadline


def _loaded(world: _World, name: RequestId) -> Request:
    return world.driver.ledger.load(name)
