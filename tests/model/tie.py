"""Replays a trace of the model on the real code, step by step, and compares after each.

The only file here that knows the product. The drivers are real ones (``Advance`` and
``Converger``) over a ``MemoryStore``, each in a thread of its own that is stopped after every
call that others can see and let go for one step at a time, so that there is no other order than the
model's. The place is read and told as the model says; what the code makes of it is its own.

How the record is read as a state of the model is ``Tie.state``. Where the two differ on purpose:

* A tick of the model is ``TICK`` seconds here. Each step takes a microsecond, so that of two
  steps one is the earlier also within a tick.
* A driver converges a slot, or moves a request; in the code waking a request does both, one after
  the other. Here whatever moves a request finds its places left alone, as they are while another
  drives them, and whatever converges is called by itself. A process whose step is done is ended
  by killing it at its next call, which is what a crash between the two is.
* The record of the code says at which instants things are to be tried again. The model has no
  such instants: there anybody may try at any time. That they are enough is seen at the end of
  every trace, from where sweeps alone must end everything.
* A read is stamped when it is made. In the code it is when it was begun, which is no later.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jitcloud.advance import Advance
from jitcloud.broker import Broker
from jitcloud.converge import CLAIM_MARGIN, Converger
from jitcloud.errors import Conflict, OutcomeUnknown
from jitcloud.ledger import Ledger
from jitcloud.model import SKEW, Area, Hold, Listing, Request, RequestId, Sight, Slot, SlotKey
from jitcloud.model import State as Phase
from jitcloud.ports import Change
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud
from jitcloud.stores.memory import MemoryStore
from jitcloud.sweep import sweep
from tests.faults import Killed
from tests.model import lifecycle_state as model
from tests.model.checker import Step
from tests.model.lifecycle_model import DRIVERS, NAMES, Lifecycle
from tests.world import START, Time, World, caller

TIMEOUT = timedelta(seconds=1)
STEP = timedelta(microseconds=1)
ROLE = "reader"

PHASES = {
    Phase.SCHEDULED: model.ALLOWED,
    Phase.ACTIVATING: model.ACTIVATING,
    Phase.ACTIVE: model.ACTIVE,
    Phase.ENDING: model.ENDING,
    Phase.ENDED: model.ENDED,
}
STANDINGS = {None: model.OPEN, False: model.OURS, True: model.STANDING}
VISIBLE = frozenset({"commit", "see", "put", "remove"})
"""What others can see, or what shows something new; all else reads the record."""

NEXT = "go on"
"""What a process is about to do that has just made a visible call, and been answered."""

PENDING: dict[str, frozenset[str | None]] = {
    model.IDLE: frozenset({None}),
    model.SEND: frozenset({"put", "remove"}),
    model.LOOK: frozenset({"see"}),
    model.MOVE: frozenset({"commit"}),
}
"""Where a process is stopped, by what the model says that the driver is about to do."""


class Diverged(AssertionError):
    """The code did something else than the model."""


# ── Processes that are stopped before every call ─────────────────────────────────────────────


class Process:
    """Runs one job at a time in a thread, and stops after every call that is visible to others.

    It also stops before it tells the cloud, or commits a move: what it does then was decided on
    what it knew before. Once it has been answered, it goes on until it reads back.
    """

    def __init__(self) -> None:
        self.pending: str | None = None
        """What it is about to do; None when it has nothing to do."""
        self.change: Change | None = None
        """What it is about to commit, if that is what it is about to do."""
        self.made: list[str] = []
        """The visible calls that it has made and that were not refused."""
        self.raised: BaseException | None = None
        self.moves = False
        """Whether it moves a request; else it converges a slot."""
        self._job: Callable[[], object] | None = None
        self._has_told = False
        self._dies = False
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin(self, job: Callable[[], object], *, moves: bool) -> None:
        """Start a job, and let it go on until it stops."""
        if self.pending is not None:
            raise Diverged(f"It is still about to {self.pending}.")
        self._job, self.raised, self.moves, self._has_told = job, None, moves, False
        self.go()

    def go(self) -> None:
        """Let it go on until it stops again, or ends."""
        self._go.release()
        if not self._stopped.acquire(timeout=10):
            raise Diverged("It neither ends nor makes a call.")

    def kill(self) -> None:
        while self.pending is not None:
            self._dies = True
            self.go()

    def close(self) -> None:
        self.kill()
        self._job = None
        self._go.release()
        self._thread.join(10)

    def call(self, name: str, port: Callable[..., Any], *args: Any) -> Any:
        is_told = name in {"put", "remove"}
        if is_told or self._has_told or (name == "commit" and self.moves):
            self._has_told = False
            self.change = args[0] if name == "commit" else None
            self._stop(name)
        try:
            result = port(*args)
        except OutcomeUnknown:
            self._stop(NEXT)
            raise
        except Conflict:
            if self.moves:
                self._stop(NEXT)
            raise
        if name in VISIBLE:
            self.made.append(name)
            if is_told:
                self._has_told = True
            else:
                self._stop(NEXT)
        return result

    def _stop(self, pending: str) -> None:
        self.pending = pending
        self._stopped.release()
        self._go.acquire()
        if self._dies:
            raise Killed

    def _run(self) -> None:
        while True:
            self._go.acquire()
            if self._job is None:
                return
            try:
                self._job()
            except BaseException as exc:  # noqa: BLE001 - told by whoever waits for it
                self.raised = exc
            self.pending, self._dies = None, False
            self._stopped.release()


class Stopped:
    """A port whose every call is one that its process is stopped before."""

    def __init__(self, port: object, process: Process) -> None:
        self._port, self._process = port, process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return lambda *args: self._process.call(name, found, *args)


class Once:
    """A store whose process dies after its first commit of something that happened, or before."""

    def __init__(self, store: MemoryStore, *, dies_before: bool) -> None:
        self._store, self._dies_before = store, dies_before
        self.change: Change | None = None

    def commit(self, change: Change) -> None:
        self.change = change
        if not self._dies_before:
            self._store.commit(change)
        raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


# ── The place ────────────────────────────────────────────────────────────────────────────────


@dataclass
class Scripted:
    """A kind of place that shows what the model says, and answers when the model says so."""

    cloud: MemoryCloud
    settle: timedelta
    clock: Time
    saw: bool = False
    answers: bool = True
    name: str = KIND
    timeout: timedelta = TIMEOUT
    grants: bool = True
    takes_standing: bool = True
    patience: timedelta = timedelta(days=1)

    def see(self, slot: Slot, now: datetime) -> Sight:  # noqa: ARG002 - said above: when it is made
        return Sight(at=self.clock(), present=self.saw)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> None:
        if not self.answers:
            raise OutcomeUnknown("The model says that no answer comes.")
        MemoryAssignments(self.cloud).put(slot, wish, until)

    def remove(self, slot: Slot) -> None:
        if not self.answers:
            raise OutcomeUnknown("The model says that no answer comes.")
        MemoryAssignments(self.cloud).remove(slot)

    def hold(self, slot: Slot) -> Hold:
        return MemoryAssignments(self.cloud).hold(slot)

    def area(self, slot: Slot) -> Area:
        return MemoryAssignments(self.cloud).area(slot)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        return MemoryAssignments(self.cloud).ours(area, after, now)


class KindOf:
    """A kind of place as one process reaches it."""

    def __init__(self, kind: Scripted, process: Process) -> None:
        self._kind, self._process = kind, process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kind, name)
        if name not in VISIBLE:
            return found
        return lambda *args: self._process.call(name, found, *args)


class LeavesAlone(Converger):
    """Finds every place driven by another just now."""

    def converge(self, key: SlotKey, known: Slot | None = None) -> Slot | None:
        return known or self.store.slot(key)

    def claimed(self, slot: Slot, now: datetime) -> tuple[Slot, bool]:  # noqa: ARG002 - the core's
        return slot, False


# ── The tie ──────────────────────────────────────────────────────────────────────────────────


class Recording(MemoryStore):
    """Remembers what was committed, so that it can be committed elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []

    def commit(self, change: Change) -> None:
        super().commit(change)
        self.changes.append(change)


@dataclass
class Tie:
    """The real code, to be taken through traces of one model."""

    lifecycle: Lifecycle
    folder: Path
    steps: int = 0
    """How many steps were taken."""
    probed: int = 0
    """In how many different records it was looked at what the code would do."""
    processes: tuple[Process, ...] = field(default_factory=lambda: (Process(), Process()))

    def __post_init__(self) -> None:
        claim = TIMEOUT + CLAIM_MARGIN
        self.tick = claim / self.lifecycle.claim
        recording = Recording()
        self._world = World(self.folder, store=recording)
        for _ in range(self.lifecycle.requests):
            self._world.broker.request(
                caller("ana"),
                self._entitlement(),
                now=START,
                justification="told by the model",
                duration=self.tick * self.lifecycle.duration,
            )
        self._changes = recording.changes
        self._names = recording.ids(10)
        self._asked = [recording.request(name) for name in self._names]
        self._known: set[object] = set()
        self._reset(by_hand=False)

    def close(self) -> None:
        for process in self.processes:
            process.close()

    def replay(self, begin: model.State, steps: Iterable[Step[model.State]]) -> None:
        """Take the code through a trace. Raises ``Diverged``, with the story."""
        self._reset(by_hand=begin.cloud.by_hand)
        state = begin
        told: list[str] = []
        try:
            self._compare(state)
            for step in steps:
                if self._is_held_up(state, step):
                    break
                told.append(str(step))
                self._take(state, step)
                state = step.then
                self._compare(state)
            told.append("all processes are killed, and sweeps go on")
            self._finish(state)
        except Diverged as exc:
            lines = [f"{number:3}. {line}" for number, line in enumerate(told, 1)]
            raise Diverged("\n".join([*lines, f"     {exc}"])) from None
        finally:
            for process in self.processes:
                process.kill()

    def _entitlement(self) -> Any:
        return "dev-read"

    def _reset(self, *, by_hand: bool) -> None:
        self.time = Time()
        self.store = MemoryStore()
        for change in self._changes:
            self.store.commit(change)
        self.cloud = MemoryCloud(self.time)
        if by_hand:
            self.cloud.assign_by_hand("ana", ROLE)
        # Less what is waited for in case that clocks differ: here there is one.
        settle = self.tick * self.lifecycle.settle - SKEW
        self.kind = Scripted(self.cloud, settle, self.time)
        self._here = self._advance(self.store, self.kind)
        self._drivers = [
            self._advance(Stopped(self.store, process), KindOf(self.kind, process))
            for process in self.processes
        ]
        self._late: tuple[str, bool] | None = None
        self._ticked = 0
        self._checked: dict[str, int] = {}

    def _advance(self, store: Any, kind: Any) -> Advance:
        signer = self._world.signer
        ledger = Ledger(store, signer, signer.verifier())
        judge = replace(self._world.broker.judge, ledger=ledger)
        converger = Converger(store, {KIND: kind}, self.time, None, ledger.doubts)
        return Advance(ledger, judge, converger)

    def _moving(self, advance: Advance) -> Advance:
        """The same, where every place is driven by another."""
        old = advance.converger
        alone = LeavesAlone(old.store, old.kinds, old.clock, old.journal, old.doubts)
        return replace(advance, converger=alone)

    def _is_held_up(self, state: model.State, step: Step[model.State]) -> bool:
        """Whether a create is sent that was begun, as its driver knows, a while before.

        In the model it is made when it is sent; the code counts it from when it last looked at the
        clock, and goes on doubting what is listed.
        """
        if step.kind.removesuffix(" in time") == "check":
            self._checked[step.who] = self._ticked
        if step.kind != "send" or step.who not in DRIVERS:
            return False
        call = state.drivers[DRIVERS.index(step.who)].call
        return call == model.CREATE and self._checked.get(step.who) != self._ticked

    # ── Steps ────────────────────────────────────────────────────────────────────────────────

    def _take(self, state: model.State, step: Step[model.State]) -> None:
        self.steps += 1
        self.time.now += STEP
        if step.who in DRIVERS:
            number = DRIVERS.index(step.who)
            self._drive(number, state.drivers[number], step.then.drivers[number], step)
            return
        match step.kind:
            case "activate":
                self._once(NAMES.index(step.who), "activating")
            case "deadline":
                self._once(NAMES.index(step.who), "ending")
            case "give back":
                name = self._names[NAMES.index(step.who)]
                self._broker().give_back(caller("ana"), name, self.time())
            case "revoke":
                name = self._names[NAMES.index(step.who)]
                self._broker().revoke(caller("caro"), name, self.time(), "no longer needed")
            case "land":
                if step.what == "lands late":
                    present = state.cloud.late == model.CREATE
                    self.cloud.set("ana", ROLE, present=present)
            case _:
                self.time.now += self.tick
                self._ticked += 1

    def _broker(self) -> Broker:
        return Broker(self._here.ledger, self._here.judge)

    def _once(self, number: int, what: str) -> None:
        """Move a request by a process that dies as soon as that is on record."""
        happened = self._would(number, dies_before=False)
        if happened != [what]:
            raise Diverged(f"The code commits {happened}, and not {what}.")

    def _would(self, number: int, *, dies_before: bool) -> list[str]:
        """What happens first if a request is woken."""
        store = Once(self.store, dies_before=dies_before)
        try:
            self._moving(self._advance(store, self.kind)).wake(self._names[number])
        except Killed:
            return _happening(store.change)
        return []

    def _drive(
        self, number: int, before: model.Driver, after: model.Driver, step: Step[model.State]
    ) -> None:
        process, advance = self.processes[number], self._drivers[number]
        process.made = []
        self.kind.answers = step.kind != "late"
        match step.kind.removesuffix(" in time"):
            case "crash":
                process.kill()
            case "claim":
                key = self._key()
                process.begin(lambda: advance.converger.converge(key), moves=False)
                self._has_made(process, "commit")
            case "decide":
                name = self._names[after.request]
                process.begin(lambda: self._moving(advance).wake(name), moves=True)
                self._decided(process, after.move)
            case "move":
                process.go()
                self._has_made(process, "commit")
                process.kill()
            case "read" | "look":
                self.kind.saw = after.saw == model.PRESENT
                process.go()
                self._has_made(process, "see")
            case "settle":
                process.go()
                self._has_made(process, "commit")
            case "check" | "late":
                process.go()
                self._has_made(process)
            case "send":
                process.go()
                self._has_made(process, "put" if before.call == model.CREATE else "remove")
            case "commit":
                process.go()
                self._has_made(process, "commit")
                process.go()  # to its end
                self._has_made(process, "commit")
            case _:
                self._too_late(process)

    def _has_made(self, process: Process, *wanted: str) -> None:
        if process.made != list(wanted):
            raised = "" if process.raised is None else f" ({process.raised!r})"
            raise Diverged(f"The code makes the calls {process.made}{raised}, not {[*wanted]}.")

    def _decided(self, process: Process, move: int) -> None:
        wanted = "activated" if move == model.ACTIVATED else "ended"
        if process.pending != "commit" or _happening(process.change) != [wanted]:
            raise Diverged(
                f"The code is about to {process.pending} {_happening(process.change)}, and not to "
                f"commit {wanted}."
            )

    def _too_late(self, process: Process) -> None:
        """Let a process find out that it is too late: it changes nothing any more."""
        for _ in range(8):
            if process.pending in {"put", "remove"}:
                raise Diverged(f"The code is about to {process.pending}, though it is too late.")
            process.go()
            if "commit" in process.made:
                raise Diverged("The code commits, though another was first.")
            if process.moves and process.pending == NEXT:
                process.kill()  # it was refused, and would now read anew
                return
            if process.pending is None:
                break
        if not isinstance(process.raised, Conflict):
            raise Diverged(f"The code does not find out that it is too late: {process.raised!r}.")

    # ── The record, as a state of the model ──────────────────────────────────────────────────

    def _key(self) -> SlotKey:
        for name in self._names:
            request = self.store.request(name)
            if request is not None and request.places.grant is not None:
                return request.places.grant.key
        raise Diverged("The code has no slot.")

    def _slot(self) -> Slot | None:
        known = [self.store.request(name) for name in self._names]
        places = [r.places.grant for r in known if r is not None]
        return next((self.store.slot(place.key) for place in places if place is not None), None)

    def _ticks(self, instant: datetime | None, now: datetime) -> int:
        """Ticks until an instant; fewer than none since, and no further than it matters."""
        if instant is None:
            return -self.lifecycle.settle
        return max(math.ceil((instant - now) / self.tick), -self.lifecycle.settle)

    def _compare(self, state: model.State) -> None:
        now = self.time()
        slot = self._slot()
        said, is_so = self._expected(state), self._actual(slot, now)
        for what, value in said.items():
            if is_so[what] != value:
                raise Diverged(f"{what}: the model says {value!r}, the code {is_so[what]!r}.")
        for number, driver in enumerate(state.drivers):
            process = self.processes[number]
            stops = PENDING.get(driver.at, frozenset({NEXT}))
            if driver.at != model.TOO_LATE and process.pending not in stops:
                raise Diverged(
                    f"{DRIVERS[number]}: the model {driver.at}, the code is about to "
                    f"{process.pending}."
                )
            if driver.at == model.SEND:
                wanted = "put" if driver.call == model.CREATE else "remove"
                if process.pending != wanted:
                    raise Diverged(f"{DRIVERS[number]} is about to {process.pending}.")
        self._probe(state, slot)

    def _expected(self, state: model.State) -> dict[str, object]:
        slot, is_claimed = state.slot, state.slot.claim != model.UNCLAIMED
        said: dict[str, object] = {"access": state.cloud.present}
        for number in range(self.lifecycle.requests):
            request = state.requests[number]
            said[NAMES[number]] = request.phase
            if request.phase in model.WANTS:
                said[f"deadline of {NAMES[number]}"] = request.left
            if request.phase in {model.ACTIVATING, model.ENDING}:
                said[f"{NAMES[number]} was looked at"] = request.looked
        said["there is a slot"] = model.is_begun(state)
        if model.is_begun(state):
            said["holders"] = [
                number
                for number, r in enumerate(state.requests)
                if r.phase in model.WANTS and r.left
            ]
            said["standing"] = slot.standing
            said["claim"] = slot.claim
            said["landed by"] = max(slot.landed, slot.claim) if is_claimed else slot.landed
            said["seen"] = slot.seen
            said["settled"] = -1 if is_claimed else slot.settled
            said["emptied"] = slot.emptied
            said["tried"] = slot.tried
        return said

    def _actual(self, slot: Slot | None, now: datetime) -> dict[str, object]:
        is_so: dict[str, object] = {"access": "ana" in self.cloud.who_can(ROLE)}
        for number, name in enumerate(self._names):
            request = self.store.request(name)
            if request is None:
                raise Diverged(f"{NAMES[number]} is gone from the record.")
            is_so[NAMES[number]] = PHASES.get(request.state, request.state)
            if request.window is not None:
                left = max(self._ticks(request.window.deadline, now), 0)
                is_so[f"deadline of {NAMES[number]}"] = left
            is_so[f"{NAMES[number]} was looked at"] = _looked(request, slot)
        is_so["there is a slot"] = slot is not None
        return is_so | ({} if slot is None else self._of_slot(slot, now))

    def _of_slot(self, slot: Slot, now: datetime) -> dict[str, object]:
        settle = self.lifecycle.settle
        held = [h.request for h in slot.holders if h.until > now]
        settled = settle
        if slot.seen is None:
            settled = -1
        elif slot.landed_by is not None:
            since = math.floor((slot.seen.at - slot.landed_by) / self.tick)
            settled = max(-1, min(since, settle))
        seen = model.NOTHING
        if slot.seen is not None:
            seen = model.PRESENT if slot.seen.present else model.ABSENT
        return {
            "holders": [number for number, name in enumerate(self._names) if name in held],
            "standing": STANDINGS[slot.standing],
            "claim": model.UNCLAIMED if slot.claim is None else self._ticks(slot.claim.until, now),
            "landed by": self._ticks(slot.landed_by, now),
            "seen": seen,
            "settled": settled,
            "emptied": max(self._ticks(slot.shown_until, now), 0),
            "tried": slot.attempts > 0,
        }

    # ── What the code would do, and must not ─────────────────────────────────────────────────

    def _probe(self, state: model.State, slot: Slot | None) -> None:
        """Compare what the code would do next with all that the model allows."""
        known = (state.requests, state.slot)
        if known in self._known:
            return
        self._known.add(known)
        self.probed += 1
        for number in range(self.lifecycle.requests):
            wanted = self._allowed(state, number)
            would = self._would(number, dies_before=True)
            if would != wanted:
                raise Diverged(
                    f"{NAMES[number]}: the model allows {wanted}, the code does {would}."
                )
        if slot is not None and self._would_claim(slot) == model.is_claimed(state.slot):
            raise Diverged("Whether the slot can be claimed: the model and the code differ.")

    def _allowed(self, state: model.State, number: int) -> list[str]:
        request = state.requests[number]
        if request.phase == model.ALLOWED:
            return ["activating"]
        if request.phase in model.WANTS and not request.left:
            return ["ending"]
        if self.lifecycle.may_activate(state, number):
            return ["activated"]
        return ["ended"] if self.lifecycle.may_finish(state, number) else []

    def _would_claim(self, slot: Slot) -> bool:
        store = Once(self.store, dies_before=True)
        try:
            self._advance(store, self.kind).converger.converge(slot.key)
        except Killed:
            return True
        return False

    # ── To the end ───────────────────────────────────────────────────────────────────────────

    def _finish(self, state: model.State) -> None:
        """Sweep, while time goes on, until nothing is left to do."""
        for process in self.processes:
            process.kill()
        if state.cloud.late == model.CREATE:
            self.cloud.set("ana", ROLE, present=True)  # as late as it may
        self.kind.answers = True
        advance = self._advance(self.store, MemoryAssignments(self.cloud, settle=self.kind.settle))
        known: list[Phase | None] = []
        for _ in range(40):
            self.time.now += self.tick / 2
            swept = sweep(advance)
            if any("defect" in trouble for _, trouble in swept.troubles):
                raise Diverged(f"A sweep meets trouble: {swept.troubles}")
            found = map(self.store.request, self._names)
            known = [None if request is None else request.state for request in found]
            if all(phase is not None and phase.is_finished for phase in known):
                break
        else:
            raise Diverged(f"Sweeps do not end everything: {known}")
        has = "ana" in self.cloud.who_can(ROLE)
        if has != state.cloud.by_hand:
            raise Diverged("All has ended, and access is " + ("there." if has else "taken away."))


def _happening(change: Change | None) -> list[str]:
    moves = () if change is None else change.moves
    return [line.event.what.type for move in moves for line in move.events]


def _looked(request: Request, slot: Slot | None) -> bool:
    return slot is not None and slot.seen is not None and slot.seen.at >= request.updated_at
