"""One seed's worth of lifetimes: an organisation, its clouds, its drivers, and what happens."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from ulid import ULID

from jitcloud.errors import Conflict, JitError
from jitcloud.model import (
    SKEW,
    Entitlement,
    EntitlementId,
    Request,
    RequestId,
    State,
)
from jitcloud.ports import Store
from tests.faults import Killed
from tests.simulation import acts, ending, promises
from tests.simulation.chaos import Injector
from tests.simulation.clock import Clock, Skewed
from tests.simulation.dice import Dice
from tests.simulation.logs import Listener
from tests.simulation.organisation import (
    RULES,
    Directory,
    FlakySigner,
    entitlements,
    quick_signer,
    true_signer,
)
from tests.simulation.overstay import Overstay
from tests.simulation.process import Around, Journal, Process
from tests.simulation.record import Account, Record
from tests.simulation.registered import STAGES, STORES
from tests.simulation.stage import PEOPLE, Access, Driver, Setting, Stage
from tests.simulation.story import Line, Masks, Ran, told

STEPS = 160
WEATHERS = ((2.0, 0.15), (4.0, 1.0), (1.0, 2.5))
"""How often how much goes wrong."""

MOST_STAGES = 4
"""How many clouds a world has at the most."""


class World:
    """One world. What it does follows from its seed and masks alone."""

    def __init__(
        self, seed: int, masks: Masks | None = None, *, real: bool = False, steps: int = STEPS
    ) -> None:
        self.seed, self.masks, self.steps = seed, masks or Masks(), steps
        dice = Dice(seed)
        self.clock = Clock()
        self.chaos = Injector(
            self.clock, dice, weather=dice.weighed(WEATHERS), masked=self.masks.faults
        )
        self.story: list[Line] = []
        self.account = Account()
        self.overstay = Overstay()
        self.lost: set[Access] = set()
        """Access that a restored record does not know of, until it was compared."""
        self.lands_by = self.clock.now
        """By then all has come about that clouds were told before the record was restored."""
        self.stale: set[Access] = set()
        """Access that a restored record believes in, and that was taken since it was backed up."""
        self.secrets: list[str] = []
        self.logged: list[str] = []
        self.defects: list[str] = []
        self.issued = 0
        self.is_compared = dice.chance(0.35)
        """Whether the clouds are compared with the record, and the record is restored, here."""
        self.kept = dice.weighed(STORES)()
        self.stages = self._stages(dice, real=real)
        self.catalog = self._catalog()
        self.account.lets_in = {
            thing: whom for stage in self.stages.values() for thing, whom in stage.lets_in.items()
        }
        self.things = tuple(sorted(self.catalog))
        self.free = tuple(n for n in self.things if self.catalog[n].environment == "dev")
        self.signer, self.verifier = (true_signer if dice.chance(0.1) else quick_signer)()
        self.account.verifier = self.verifier
        self.directory = Directory(self.chaos)
        self.journal = Journal(self.chaos)
        self.texts = [RULES]
        """Every policy text there was; the last is in force."""
        self.processes = self._processes(dice)
        self.skew = max(abs(each.clock.skew) for each in self.processes)
        self.seen: tuple[datetime, int, int] | None = None
        """As of when the promises were last checked."""
        self.has_backup = False
        self.restores = 0
        self.chaos.meanwhile = self._meanwhile
        self._busy: list[Process] = []
        self._nested = 0
        self._before(dice)

    # ── How it begins ────────────────────────────────────────────────────────────────────────

    @property
    def store(self) -> Store:
        """The record itself, without faults."""
        return self.kept.store

    def _stages(self, dice: Dice, *, real: bool) -> dict[str, Stage]:
        setting = Setting(clock=self.clock, chaos=self.chaos, dice=dice, compared=self.is_compared)
        made = [each.real if real else each.quick for each in STAGES]
        there = [each for each in made if each is not None]
        left = len(there)
        stages: dict[str, Stage] = {}
        wanted = dice.number(2, MOST_STAGES)
        for each in there:
            # Each is as likely as the other to be among as many as are wanted.
            is_in = dice.chance(min(1.0, max(0.0, (wanted - len(stages)) / left)))
            left -= 1
            if is_in and each.name not in self.masks.stages:
                stages[each.name] = each(setting)
        return stages

    def _catalog(self) -> dict[EntitlementId, Entitlement]:
        found: dict[EntitlementId, Entitlement] = {}
        for stage in self.stages.values():
            mechanisms, _ = stage.join(Driver("catalog", self.clock))
            found |= {each.id: each for each in entitlements(stage.catalog, mechanisms)}
        return found

    def _processes(self, dice: Dice) -> list[Process]:
        around = Around(
            stages=self.stages,
            directory=self.directory,
            signer=FlakySigner(self.signer, self.chaos),
            verifier=self.verifier,
            journal=self.journal,
            entitlements=lambda: self.catalog,
        )
        made = []
        for number in range(dice.number(2, 3)):
            skew = (dice.fraction() - 0.5) * SKEW * 0.9 if dice.chance(0.5) else timedelta(0)
            clock = Skewed(self.clock, skew)
            name = f"driver-{number + 1}"
            made.append(Process(name, clock, around, self._record(), self.texts[-1]))
        return made

    def _record(self) -> Record:
        return Record(
            self.kept.store,
            self.chaos,
            self.account,
            lambda after, line: promises.judged(self.account, after, line),
        )

    def _before(self, dice: Dice) -> None:
        for stage in self.stages.values():
            for _ in range(2):
                said = stage.by_hand(dice, before=True)
                if said:
                    self.tell(-1, said)

    # ── What happens ─────────────────────────────────────────────────────────────────────────

    def run(self) -> Ran:
        """Live through it; raise ``Broken`` where a promise is."""
        with Listener(self.logged):
            for step in range(self.steps):
                if step not in self.masks.steps:
                    self._step(step)
                    promises.check(self)
            ending.run_out(self)
        return Ran(
            seed=self.seed,
            lifetimes=len(self.account.lifetimes),
            struck=dict(self.chaos.struck),
            happened=dict(self.account.happened),
            longest=self.overstay.longest,
            calm=self.overstay.calm,
        )

    def close(self) -> None:
        """Let go of everything."""
        for stage in self.stages.values():
            stage.close()
        self.kept.close()

    def _step(self, step: int) -> None:
        dice = Dice(self.seed, step)
        self.chaos.begin(step, dice)
        self._nested = 0
        act = dice.weighed(acts.ACTS)
        process, person = dice.pick(self.processes), dice.pick(PEOPLE)
        if person in self.masks.people:
            return
        said = self.perform(act, process, person, dice)
        self.tell(step, said)

    def perform(self, act: acts.Act, process: Process, person: str, dice: Dice) -> str:
        """Have somebody do something, by a driver; say what became of it."""
        self._busy.append(process)
        try:
            return act(self, process, person, dice)
        except Killed:
            process.start()
            return f"{acts.name_of(act, person)}, and {process.name} is killed"
        except (JitError, Conflict) as exc:
            return f"{acts.name_of(act, person)}, but {type(exc).__name__}: {str(exc)[:100]}"
        finally:
            self._busy.pop()

    def _meanwhile(self) -> None:
        """Let somebody act by another driver, in the middle of a call."""
        free = [process for process in self.processes if process not in self._busy]
        if not free:
            return
        self._nested += 1
        kept = self.chaos.dice
        dice = Dice(self.seed * 7919 + self.chaos.step, self._nested)
        self.chaos.dice = dice
        try:
            act = dice.weighed(acts.MEANWHILE)
            said = self.perform(act, dice.pick(free), dice.pick(PEOPLE), dice)
        finally:
            self.chaos.dice = kept
        self.chaos.told.append(f"meanwhile {said}")

    def tell(self, step: int, said: str) -> None:
        self.story.append(Line(self.clock.now, step, said, tuple(self.chaos.told)))

    # ── What acts ask ────────────────────────────────────────────────────────────────────────

    def name(self, dice: Dice) -> RequestId:
        """Name a request by the dice, so that a seed gives the same world again."""
        begin = int(self.clock.now.timestamp() * 1000).to_bytes(6, "big")
        return RequestId(str(ULID.from_bytes(begin + dice.bytes(10))))

    def owner(self, access: Access) -> Stage:
        """In which cloud somebody can do something."""
        return self.stages[self.catalog[access.entitlement].mechanism]

    def thing(self, dice: Dice) -> EntitlementId:
        """Draw something to ask for: mostly what nobody else need say yes to."""
        free = self.free if self.free and dice.chance(0.5) else self.things
        return dice.pick(free)

    def any(self, dice: Dice, *states: State, of: str | None = None) -> Request | None:
        """Draw a request in one of these states: the same one, whichever others there are."""
        account = self.account
        names: Iterable[RequestId] = (name for each in states for name in account.by_state[each])
        if of is not None:
            names = (name for name in names if account.requests[name].person == of)
        salt = dice.number(0, 1 << 30)
        drawn = min(names, key=lambda name: zlib.crc32(f"{salt}{name}".encode()), default=None)
        return None if drawn is None else account.requests[drawn]

    def watch(self, until: datetime, most: int) -> None:
        """Let time pass with a sweep whenever something is due; not for more of them than that."""
        for _ in range(most):
            due = min(self.account.wakes.values(), default=None)
            if due is None:
                break
            # By the clock of whoever sweeps it has to be that late.
            process = self.processes[0]
            self.clock.to(max(self.clock.now, due - process.clock.skew))
            if self.clock.now > until:
                break
            self.swept(process)
            promises.check(self)
        else:
            return
        self.clock.to(until)

    def back_up(self) -> None:
        """Keep the record as it is."""
        self.kept.back_up()
        self.has_backup = True
        self._reopen()

    def restore(self) -> None:
        """Put the record back as it was kept: nobody knows what came after that."""
        self.lost |= set(self.account.at_work)
        self.kept.restore()
        self.restores += 1
        longest = max(each.ends_within + each.lingers for each in self.stages.values())
        self.lands_by = self.clock.now + longest + timedelta(minutes=1)
        self._reopen()
        self.account.start_from(self.store)
        self.stale |= {self.account.access_of(each) for each in self.account.requests.values()}

    def _reopen(self) -> None:
        for process in self.processes:
            process.store = self._record()
            process.start()

    def swept(self, process: Process) -> None:
        """Have a driver sweep; a defect that it tells of is one."""
        begun, quiet = self.clock.now, not self.chaos.is_nested
        for what, why in process.sweep():
            if "has a defect" in why:
                self.defects.append(f"{what}: {why}")
        if quiet:
            self.overstay.sweeps.append(begun)


__all__ = ["World", "told"]
