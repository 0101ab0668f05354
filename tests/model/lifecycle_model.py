"""Requests, a slot and its claims, as the design has them, under everything that can go wrong.

Written from the design and ``docs/architecture.md``, and not from the code: it imports nothing
of the product. Two drivers, two requests of one person for one place, one cloud that takes no
marks, and time. Whatever is visible to anybody else is a step of its own, and any two processes
may be anywhere in between.

**What may happen, in any order**

* A request that was allowed is recorded as activating, with its deadline; it is given back or
  revoked; its deadline passes.
* A driver claims the slot, reads, records whether access is standing, looks at the record again
  before it tells, tells, reads back, commits. Or it decides on what is on record that a request
  is active, or has ended, and commits that; a commit is refused if the record has moved.
* A driver crashes, wherever it is, and forgets all; or is held up for any time.
* A call gets no answer, and lands at any time until the claim ends under which it was made, or
  never.
* A read shows what was there before the last change, for as long as the cloud may take to settle.
* Time goes on by a tick.

**What is assumed**: a call lands before the end of the claim under which it was made, or never
(so time does not go on past that end between the last look at the claim and the call itself);
commits are atomic and fenced; what is asked of the clock is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from tests.model.checker import Step
from tests.model.lifecycle_promises import broken
from tests.model.lifecycle_state import (
    ABSENT,
    ACT,
    ACTIVATED,
    ACTIVATING,
    ACTIVE,
    ALLOWED,
    CALLS,
    COMMIT,
    CREATE,
    DELETE,
    EARLY,
    ENDED,
    ENDING,
    FINISHED,
    IDLE,
    LOOK,
    MOVE,
    MOVES,
    NEVER_ASKED,
    NO_CALL,
    NOTHING,
    OPEN,
    OURS,
    PRESENT,
    READ,
    SEND,
    SETTLE,
    SIGHTS,
    STANDING,
    TOO_LATE,
    UNCLAIMED,
    WANTS,
    Cloud,
    Driver,
    Request,
    Slot,
    State,
    is_begun,
    is_claimed,
    wanted,
)

NAMES = ("request 1", "request 2")
DRIVERS = ("driver 1", "driver 2")

CLASSIC_BUGS = frozenset(
    {
        "act before record",
        "remove what another holds",
        "forget a call that was not answered",
        "tell without the claim",
        "believe a read before it has settled",
        "settle standing access after the create",
        "join without waiting for a removal",
        "believe a stale list",
        "trust a list after a call without an answer",
    }
)

AS_BUILT: frozenset[str] = frozenset()
"""In what the product differs from the model: nothing that is known."""

WORK = ("read", "settle", "look", "commit")
"""What a driver does, in the time that its claim gives it or after that."""

Next = Iterator[Step[State]]


@dataclass(frozen=True)
class Lifecycle:
    """The model; what can be made larger or smaller of it, and how it may be broken."""

    claim: int = 1
    """For how many ticks a claim lasts."""
    settle: int = 1
    """For how many ticks after a change a read may be stale."""
    duration: int = 2
    """How many ticks lie between the start of a request and its deadline."""
    drivers: int = 2
    crashes: int = 1
    """How often each driver may crash."""
    late_calls: int = 1
    """How many calls may go unanswered and land late, all together."""
    requests: int = 2
    is_prompt: bool = False
    """Whether time goes on only when nobody has anything left to do; then overstay is counted."""
    bugs: frozenset[str] = frozenset()

    fair = frozenset(
        {
            "time",
            "activate",
            "deadline",
            "decide",
            "move",
            "claim",
            *(f"{what}{how}" for what in WORK for how in ("", " in time")),
            "check in time",
            "send",
            "too late",
            "land",
        }
    )
    """Nobody is held up for ever."""

    rare = frozenset({"hold up"})
    """Nor again and again past the end of a claim, from some time on."""

    def __post_init__(self) -> None:
        unknown = self.bugs - CLASSIC_BUGS
        if unknown:
            raise ValueError(f"no such bugs: {sorted(unknown)}")

    # ── What a checker asks ──────────────────────────────────────────────────────────────────

    def beginnings(self) -> Iterator[State]:
        request = Request()
        spare = Request(phase=NEVER_ASKED)
        for by_hand in (False, True):
            yield State(
                requests=(request, request if self.requests > 1 else spare),
                slot=Slot(landed=-self.settle),
                cloud=Cloud(present=by_hand, by_hand=by_hand),
                drivers=(Driver(crashes=self.crashes),) * self.drivers,
                late_calls=self.late_calls,
            )

    @property
    def longest_overstay(self) -> int:
        """For how many ticks access may outlast its end, where drivers are prompt.

        A driver that dies keeps others away until its claim ends. A call without an answer may
        land when it was seen that it has not, until the claim ends under which it was made; and
        what is seen absent is not looked at again before it has settled.
        """
        late = self.claim if self.late_calls else 0
        return self.drivers * self.crashes * self.claim + late + self.settle

    def broken(self, state: State) -> str:
        if state.overstay > self.longest_overstay:
            return f"P3: access has outlasted its end by {state.overstay} ticks."
        return broken(state)

    def is_finished(self, state: State) -> bool:
        return all(request.phase in {ENDED, NEVER_ASKED} for request in state.requests)

    def canonical(self, state: State) -> State:
        """Drivers are alike, and so are requests: the smallest of all ways to number them."""
        one = state._replace(drivers=tuple(sorted(state.drivers)))
        if self.requests == 1:
            return one
        two = state._replace(
            requests=state.requests[::-1], drivers=tuple(sorted(map(_swapped, state.drivers)))
        )
        return min(one, two)

    def steps(self, state: State) -> Next:
        for number, request in enumerate(state.requests):
            yield from self._people(state, number, request)
        for number, driver in enumerate(state.drivers):
            for step in self._driver(state, number, driver):
                yield Step(step.kind, DRIVERS[number], step.what, step.then)
            if driver.crashes and driver.at != IDLE:
                reborn = Driver(crashes=driver.crashes - 1)
                yield Step("crash", DRIVERS[number], "crashes", _driven(state, number, reborn))
        if state.cloud.late:
            yield from self._late(state)
        if self._may_time_go_on(state):
            kind = "hold up" if self._holds_up(state) else "time"
            yield Step(kind, "time", "goes on", self._later(state))

    # ── Requests ─────────────────────────────────────────────────────────────────────────────

    def _people(self, state: State, number: int, request: Request) -> Next:
        name = NAMES[number]
        if request.phase == ALLOWED and "act before record" not in self.bugs:
            yield Step("activate", name, "is recorded as activating", self._begun(state, number))
        if request.phase in WANTS:
            ends = _ending(state, number)
            yield Step("give back", name, "is given back", ends)
            yield Step("revoke", name, "is revoked", ends)
            if not request.left:
                yield Step("deadline", name, "is recorded as ending, at its deadline", ends)

    def _begun(self, state: State, number: int) -> State:
        begun = Request(phase=ACTIVATING, left=self.duration)
        return _joined(_requested(state._replace(overstay=0), number, begun))

    # ── Drivers ──────────────────────────────────────────────────────────────────────────────

    def _driver(self, state: State, number: int, driver: Driver) -> Next:
        then = partial(_driven, state, number)
        match driver.at:
            case "idle":
                yield from self._begin(state, number, driver)
            case "is to read":
                yield from self._read(state, number, driver)
            case "is to record whether access is standing":
                yield from self._settle(state, number, driver)
            case "is to act on what it saw":
                yield from self._act(state, number, driver)
            case "is to tell the cloud":
                yield from self._send(state, number, driver)
            case "is to read back":
                yield from self._look(state, number, driver)
            case "is to commit what it saw":
                yield from self._commit(state, number, driver)
            case "is to commit a move":
                yield from self._move(state, number, driver)
            case "will find that another was first":
                yield Step("too late", "", "finds that another was first", then(_rest(driver)))
            case _:
                recorded = self._begun(state, driver.request)
                what = f"records {NAMES[driver.request]} as activating"
                yield Step("activate", "", what, _driven(recorded, number, _rest(driver)))

    def _begin(self, state: State, number: int, driver: Driver) -> Next:
        for name, request in enumerate(state.requests):
            if request.phase == ALLOWED and "act before record" in self.bugs:
                let_in = _told(state, CREATE, self.settle)
                early = driver._replace(at=EARLY, request=name)
                what = f"lets {NAMES[name]} in, before that is on record"
                yield Step("send", "", what, _driven(let_in, number, early))
            for move, may in ((ACTIVATED, self.may_activate), (FINISHED, self.may_finish)):
                if may(state, name):
                    decided = driver._replace(at=MOVE, request=name, move=move)
                    what = f"decides that {NAMES[name]} {MOVES[move]}"
                    yield Step("decide", "", what, _driven(state, number, decided))
        if is_begun(state) and not is_claimed(state.slot):
            yield Step("claim", "", "claims the slot", self._claimed(state, number, driver))

    def may_activate(self, state: State, name: int) -> bool:
        """Whether what is on record shows that a request has what it wants.

        Only what was seen after it was recorded counts, and after whatever was told the cloud
        before has landed: a slow removal might undo it.
        """
        request, slot = state.requests[name], state.slot
        settled = slot.settled >= 0 and slot.claim == UNCLAIMED
        if "join without waiting for a removal" in self.bugs:
            settled = True
        shown = request.looked and slot.seen == PRESENT and settled
        return request.phase == ACTIVATING and request.left > 0 and shown

    def may_finish(self, state: State, name: int) -> bool:
        """Whether what is on record proves that a request has ended.

        It has left the place, and others, or standing access, hold it still; or it was read
        empty, after any call of ours has landed and the cloud has settled.
        """
        request, slot = state.requests[name], state.slot
        if request.phase != ENDING or not request.looked or slot.seen == NOTHING:
            return False
        if slot.standing == STANDING or wanted(state):
            return True
        needs = self.settle
        if "believe a read before it has settled" in self.bugs:
            needs = 0
        return slot.seen == ABSENT and slot.claim == UNCLAIMED and slot.settled >= needs

    def _claimed(self, state: State, number: int, driver: Driver) -> State:
        slot = state.slot
        if slot.claim != UNCLAIMED:
            # Whoever had it may have told the cloud something, until its end.
            emptied = slot.emptied
            if self._doubts_more:
                emptied = max(emptied, slot.claim + self.settle)
            slot = slot._replace(landed=max(slot.landed, slot.claim), settled=-1, emptied=emptied)
            state = self._overtaken(state)
        claimed = state._replace(slot=slot._replace(claim=self.claim))
        after = driver._replace(at=READ, known=wanted(state))
        is_known = slot.standing == OURS and slot.seen == PRESENT and slot.settled >= 0
        if is_known and not slot.tried:
            after = after._replace(saw=PRESENT, settled=slot.settled)
        return _driven(_outdated(claimed), number, after)

    def _overtaken(self, state: State) -> State:
        if "tell without the claim" in self.bugs:
            return state
        lost = {IDLE, MOVE, TOO_LATE}
        return state._replace(
            drivers=tuple(d if d.at in lost else _too_late(d) for d in state.drivers)
        )

    def _read(self, state: State, number: int, driver: Driver) -> Next:
        slot = state.slot
        if driver.saw == PRESENT and not driver.known:
            # What is ours, and was seen since anybody was told anything, is removed unread.
            yield from self._check(state, number, driver)
            return
        kind = "read in time" if is_claimed(slot) else "read"
        for saw in _sights(state.cloud):
            what = f"reads: {SIGHTS[saw]}{_said_stale(state.cloud, saw)}"
            read = self._seen(state, driver, saw, slot.landed, slot.emptied)
            read = read._replace(at=ACT)
            if _standing(slot, saw) != slot.standing and not self._settles_late:
                read = read._replace(at=SETTLE, known=0)
            yield Step(kind, "", what, _driven(state, number, read))

    @property
    def _settles_late(self) -> bool:
        return "settle standing access after the create" in self.bugs

    def _seen(self, state: State, driver: Driver, saw: int, landed: int, emptied: int) -> Driver:
        covers = [r.phase in {ACTIVATING, ENDING} and not r.looked for r in state.requests]
        is_stale = saw == PRESENT and emptied > 0 and state.slot.standing == OURS
        return driver._replace(
            saw=saw,
            settled=max(-1, min(-landed, self.settle)),
            covers=(covers[0], covers[1]),
            doubtful=is_stale and "believe a stale list" not in self.bugs,
        )

    def _act(self, state: State, number: int, driver: Driver) -> Next:
        """Whether what was seen is what should be there, as far as this driver knows."""
        fits = _fits(state.slot.standing, driver.saw, driver.known)
        if driver.known and driver.doubtful:
            fits = False
        yield from (self._commit if fits else self._check)(state, number, driver)

    def _settle(self, state: State, number: int, driver: Driver) -> Next:
        slot = state.slot
        kind = "settle in time" if is_claimed(slot) else "settle"
        standing = _standing(slot, driver.saw)
        what = "records that access is " + ("standing" if standing == STANDING else "not standing")
        settled = _outdated(state._replace(slot=slot._replace(standing=standing)))
        after = driver._replace(at=ACT, known=wanted(state))
        yield Step(kind, "", what, _driven(settled, number, after))

    def _check(self, state: State, number: int, driver: Driver) -> Next:
        """Nothing is told once the claim has ended, for another may have the right by now."""
        if not is_claimed(state.slot) and "tell without the claim" not in self.bugs:
            yield from self._commit(state, number, driver._replace(in_trouble=True))
            return
        call = CREATE if wanted(state) else DELETE
        if "remove what another holds" in self.bugs and any(
            request.phase == ENDING for request in state.requests
        ):
            call = DELETE
        what = f"looks again, and is to {CALLS[call]}"
        after = driver._replace(at=SEND, known=0, call=call)
        yield Step("check in time", "", what, _driven(state, number, after))

    def _send(self, state: State, number: int, driver: Driver) -> Next:
        call = driver.call
        emptied = self._emptied(state.slot, call, 0)
        done = Driver(
            at=LOOK, crashes=driver.crashes, call=call, emptied=emptied, moved=driver.moved
        )
        told = _told(state, call, self.settle)
        yield Step("send", "", f"sends a {CALLS[call]}, which is done", _driven(told, number, done))
        if not state.late_calls:
            return
        until = max(state.slot.claim, 1)
        # What it saw before is what a removal takes, and is not what a create gives.
        is_taken = call == DELETE and driver.saw == PRESENT
        is_taken = is_taken and "believe a stale list" not in self.bugs
        unanswered = driver._replace(
            at=COMMIT,
            settled=-1,
            doubtful=is_taken or (driver.doubtful and self._doubts_more),
            landed=until,
            emptied=self._emptied(state.slot, call, until),
            in_trouble=True,
        )
        if "forget a call that was not answered" in self.bugs:
            landed = -self.settle
            unanswered = driver._replace(at=COMMIT, landed=landed, in_trouble=True)
        cloud = state.cloud._replace(late=call, late_by=until)
        late = state._replace(cloud=cloud, late_calls=state.late_calls - 1)
        what = f"sends a {CALLS[call]}, and gets no answer"
        yield Step("late", "", what, _driven(late, number, unanswered))

    @property
    def _doubts_more(self) -> bool:
        return "trust a list after a call without an answer" not in self.bugs

    def _emptied(self, slot: Slot, call: int, landed: int) -> int:
        """For how long a list may show what is gone, once a call was made that lands by then."""
        if not self._doubts_more:
            return self.settle if call == DELETE else 0
        if call == DELETE:
            return max(slot.emptied, landed + self.settle)
        # Only a create that was surely done after any removal ends the doubt.
        return slot.emptied if landed or slot.emptied > self.settle else 0

    def _look(self, state: State, number: int, driver: Driver) -> Next:
        kind = "look in time" if is_claimed(state.slot) else "look"
        landed = max(state.slot.landed, driver.landed)
        for saw in _sights(state.cloud):
            read = self._seen(state, driver, saw, landed, driver.emptied)._replace(at=COMMIT)
            what = f"reads back: {SIGHTS[saw]}{_said_stale(state.cloud, saw)}"
            yield Step(kind, "", what, _driven(state, number, read))

    def _commit(self, state: State, number: int, driver: Driver) -> Next:
        kind = "commit in time" if is_claimed(state.slot) else "commit"
        wish = wanted(state)
        slot = state.slot._replace(claim=UNCLAIMED, tried=True)
        if driver.call != NO_CALL:
            slot = slot._replace(
                landed=max(slot.landed, driver.landed), settled=-1, emptied=driver.emptied
            )
        requests = state.requests
        if not (wish and driver.doubtful):
            slot = slot._replace(seen=driver.saw, settled=driver.settled)
            if self._settles_late:
                slot = slot._replace(standing=_standing(slot, driver.saw))
            one, two = requests
            requests = (
                one._replace(looked=one.looked or driver.covers[0]),
                two._replace(looked=two.looked or driver.covers[1]),
            )
            if not driver.in_trouble and _fits(slot.standing, driver.saw, wish):
                slot = self._agreed(slot, driver, wish)
        # Who joined or left meanwhile is not kept waiting; any other try is left for a while.
        rests = self.is_prompt and not driver.moved
        after = _outdated(state._replace(requests=requests, slot=slot, rested=rests))
        what = "commits what it saw"
        if driver.in_trouble:
            held_up = driver.call == NO_CALL
            what += ", and that it was held up" if held_up else ", and that it got no answer"
        yield Step(kind, "", what, _driven(after, number, _rest(driver)))

    def _agreed(self, slot: Slot, driver: Driver, wish: int) -> Slot:
        """The slot once the cloud agrees; proven empty, whoever fills it next is not us."""
        is_proven = not wish and slot.seen == ABSENT and slot.settled >= self.settle
        if is_proven and not driver.moved:
            slot = slot._replace(standing=OPEN)
        return slot._replace(tried=False)

    def _move(self, state: State, number: int, driver: Driver) -> Next:
        name = driver.request
        request = state.requests[name]
        if driver.move == ACTIVATED:
            moved = Request(phase=ACTIVE, left=request.left)
        else:
            moved = Request(phase=ENDED)
        what = f"records that {NAMES[name]} {MOVES[driver.move]}"
        after = _requested(state, name, moved)
        yield Step("move", "", what, _driven(after, number, _rest(driver)))

    # ── The cloud, and time ──────────────────────────────────────────────────────────────────

    def _late(self, state: State) -> Next:
        call = CALLS[state.cloud.late]
        forgotten = state._replace(cloud=state.cloud._replace(late=NO_CALL, late_by=0))
        landed = _told(forgotten, state.cloud.late, self.settle)
        yield Step("land", f"the {call}", "lands late", landed)
        yield Step("land", f"the {call}", "is lost", forgotten)

    def _may_time_go_on(self, state: State) -> bool:
        if state.cloud.late and state.cloud.late_by <= 1:
            return False
        if state.slot.claim == 1 and any(driver.at == SEND for driver in state.drivers):
            return False
        return not self.is_prompt or not self._is_due(state)

    def _holds_up(self, state: State) -> bool:
        """Whether time goes on past the end of a claim that somebody who lives still works on."""
        working = any(driver.at not in {IDLE, MOVE, TOO_LATE} for driver in state.drivers)
        return state.slot.claim == 1 and working

    def _is_due(self, state: State) -> bool:
        """Whether somebody has something to do now that does not wait for time."""
        if any(driver.at != IDLE for driver in state.drivers):
            return True
        for number, request in enumerate(state.requests):
            at_end = request.phase in WANTS and not request.left
            if at_end or self.may_activate(state, number) or self.may_finish(state, number):
                return True
        slot = state.slot
        if not is_begun(state) or is_claimed(slot) or state.rested:
            return False
        if slot.claim != UNCLAIMED:
            return True  # whoever had it died, or was held up
        wish = wanted(state)
        unlooked = any(r.phase in {ACTIVATING, ENDING} and not r.looked for r in state.requests)
        needs = 0 if wish else self.settle
        settles = slot.settled < needs <= -slot.landed
        return unlooked or settles or not _fits(slot.standing, slot.seen, wish)

    def _later(self, state: State) -> State:
        settle = self.settle
        slot, cloud = state.slot, state.cloud
        overstay = 0
        if self.is_prompt and cloud.present and not cloud.by_hand and not wanted(state):
            overstay = state.overstay + 1
        one, two = state.requests
        return state._replace(
            requests=(
                one._replace(left=max(one.left - 1, 0)),
                two._replace(left=max(two.left - 1, 0)),
            ),
            slot=slot._replace(
                claim=UNCLAIMED if slot.claim == UNCLAIMED else max(slot.claim - 1, -settle),
                landed=max(slot.landed - 1, -settle),
                emptied=max(slot.emptied - 1, 0),
            ),
            cloud=cloud._replace(stale=max(cloud.stale - 1, 0), late_by=max(cloud.late_by - 1, 0)),
            drivers=tuple(self._aged(driver) for driver in state.drivers),
            overstay=overstay,
            rested=False,
        )

    def _aged(self, driver: Driver) -> Driver:
        if driver.at in {IDLE, MOVE, TOO_LATE}:
            return driver
        told = driver.call != NO_CALL and driver.at != SEND
        return driver._replace(
            known=max(driver.known - 1, 0),
            landed=max(driver.landed - 1, -self.settle) if told else 0,
            emptied=max(driver.emptied - 1, 0),
        )


# ── What a step changes ──────────────────────────────────────────────────────────────────────


def _driven(state: State, number: int, driver: Driver) -> State:
    drivers = state.drivers
    return state._replace(drivers=(*drivers[:number], driver, *drivers[number + 1 :]))


def _rest(driver: Driver) -> Driver:
    return Driver(crashes=driver.crashes)


def _too_late(driver: Driver) -> Driver:
    return Driver(at=TOO_LATE, crashes=driver.crashes)


def _swapped(driver: Driver) -> Driver:
    request = 1 - driver.request if driver.at in {MOVE, EARLY} else driver.request
    return driver._replace(covers=driver.covers[::-1], request=request)


def _requested(state: State, number: int, request: Request) -> State:
    """A request moves: what was decided of it, or read for it, before that counts no longer."""
    one, two = state.requests
    drivers = []
    for driver in state.drivers:
        if driver.at == MOVE and driver.request == number:
            drivers.append(_too_late(driver))
        elif driver.covers[number]:
            covers = (driver.covers[0] and number != 0, driver.covers[1] and number != 1)
            drivers.append(driver._replace(covers=covers))
        else:
            drivers.append(driver)
    return state._replace(
        requests=(request, two) if number == 0 else (one, request), drivers=tuple(drivers)
    )


def _ending(state: State, number: int) -> State:
    return _joined(_requested(state, number, Request(phase=ENDING)))


def _joined(state: State) -> State:
    """Somebody joins or leaves the slot."""
    drivers = tuple(
        d if d.at in {IDLE, MOVE, TOO_LATE} else d._replace(moved=True) for d in state.drivers
    )
    slot = state.slot._replace(tried=False)
    return _outdated(state._replace(slot=slot, drivers=drivers, rested=False))


def _outdated(state: State) -> State:
    """The slot is committed: whoever has decided on it as it was comes too late."""
    return state._replace(drivers=tuple(_too_late(d) if d.at == MOVE else d for d in state.drivers))


def _told(state: State, call: int, settle: int) -> State:
    cloud = state.cloud
    present = call == CREATE
    stale = settle if cloud.present != present else cloud.stale
    return state._replace(cloud=cloud._replace(present=present, stale=stale))


def _sights(cloud: Cloud) -> tuple[int, ...]:
    true = PRESENT if cloud.present else ABSENT
    return (true, PRESENT + ABSENT - true) if cloud.stale else (true,)


def _said_stale(cloud: Cloud, saw: int) -> str:
    return "" if (saw == PRESENT) == cloud.present else ", which was so before"


def _standing(slot: Slot, saw: int) -> int:
    """Standing is what was there at the first read; what is seen absent is not standing."""
    if slot.standing == OPEN:
        return STANDING if saw == PRESENT else OURS
    return OURS if saw == ABSENT else slot.standing


def _fits(standing: int, saw: int, wish: int) -> bool:
    if standing == STANDING:
        return saw == PRESENT
    if standing == OPEN and not wish:
        return True
    return saw != NOTHING and (saw == PRESENT) == (wish > 0)
