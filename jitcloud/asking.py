"""Asking: for one thing, for several at once, for more time, or past everybody's heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ulid import ULID

from jitcloud import lifecycle, text
from jitcloud.errors import Conflict, Invalid, Refused
from jitcloud.judge import Judge, Ruling
from jitcloud.ledger import Entry, Ledger
from jitcloud.model import (
    Activate,
    Actor,
    Ask,
    Asked,
    BreakGlass,
    Decided,
    Entitlement,
    EntitlementId,
    GlassBroken,
    Happening,
    Person,
    Request,
    RequestId,
    State,
)

FARTHEST = timedelta(days=366)
"""How far ahead a start may lie, and more than any duration may last."""

SECOND = timedelta(seconds=1)

MOST_TOGETHER = 20
"""How many things can be asked for at once."""

MOST_PARTS = 200
"""How many requests they may come to, where some span several places (accounts)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may wait before they lapse."""

    decision: timedelta = timedelta(hours=24)
    """For votes."""
    activation: timedelta = timedelta(hours=1)
    """For a cloud that lets in whoever was allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody says when they ask, as they typed it."""

    duration: timedelta
    justification: str
    start: datetime | None = None
    ticket: str | None = None
    incident: str | None = None
    break_glass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One person's ask, on its way to being judged and recorded."""

    ledger: Ledger
    judge: Judge
    patience: Patience
    person: Person
    actor: Actor
    mfa_age: timedelta | None
    now: datetime

    def request(
        self,
        entitlements: Sequence[EntitlementId],
        wish: Wish,
        id_: RequestId | None,
        *,
        is_new: bool = False,
    ) -> tuple[Request, ...]:
        """Ask for each of these; all are recorded together, and each is judged apart.

        The same ``id_`` again, with the same facts, returns what the first time gave; one that
        ``is_new`` was used by nobody before, and saves looking for it.
        Raises ``Invalid`` and ``NotFound`` for what cannot be asked at all.
        """
        if not 0 < len(entitlements) <= MOST_TOGETHER:
            raise Invalid(f"Ask for at least one thing, and for {MOST_TOGETHER} at most at once.")
        if len(set(entitlements)) < len(entitlements):
            raise Invalid("The same thing is asked for twice; name it once.")
        things = [self.judge.catalog.get(name) for name in entitlements]
        known = None if id_ is None or is_new else self.ledger.store.request(id_)
        ask = self._ask(things[0], wish, again=known is not None)
        if known is not None:
            return self._answered(known, things, ask)
        parts = [(thing, part) for thing in things for part in self._parts(thing)]
        if len(parts) > MOST_PARTS:
            raise Invalid(
                f"That comes to {len(parts)} requests, and {MOST_PARTS} are the most at once;"
                " ask for less at a time."
            )
        names = _names(len(parts), id_, self.now)
        together = names if len(names) > 1 else ()
        asks = [replace(ask, entitlement=of, part=part, together=together) for of, part in parts]
        entries = [self._entry(name, each) for name, each in zip(names, asks, strict=True)]
        try:
            return self.ledger.record_all(entries, actor=self.actor, now=self.now)
        except Conflict:
            # The same ask raced itself: whichever was first stands.
            first = self.ledger.store.request(names[0])
            if first is None:
                raise Conflict(
                    f"Request {names[0]} cannot be numbered so; choose another id."
                ) from None
            return self._answered(first, things, ask)

    def _parts(self, thing: Entitlement) -> tuple[str, ...]:
        """What asking for it comes to, each a request of its own; decided now, once for all."""
        mechanism = self.judge.mechanisms.get(thing.mechanism)
        return ("",) if mechanism is None else mechanism.parts(thing, self.now) or ("",)

    def extend(self, parent: Request, by: timedelta, wish: Wish, id_: RequestId | None) -> Request:
        """Ask for a later deadline of a grant: judged for the whole time it would then last.

        Raises ``Refused`` where there is nothing to extend any more.
        """
        if not timedelta(seconds=1) <= by <= FARTHEST:
            raise Invalid("Extend by at least a second and by less than a year.")
        (name,) = _names(1, id_, self.now)
        again = id_ is not None and self.ledger.store.request(name) is not None
        # What is asked again is answered again, though the grant may be over by now.
        window = parent.window if again else lifecycle.active_window(extendable(parent))
        if window is None:
            raise Conflict(f"Request {name} exists already and asks for something else.")
        first = parent.ask
        # In whole seconds, as a deadline is; a start is not.
        total = -((window.start - window.deadline - by) // SECOND) * SECOND
        whole = replace(
            wish,
            duration=total,
            ticket=first.ticket if wish.ticket is None else wish.ticket,
            incident=first.incident if wish.incident is None else wish.incident,
        )
        ask = replace(
            self._ask(first.entitlement, whole, again=again), extends=parent.id, part=first.part
        )
        if again:
            return self._answered(self.ledger.load(name), [ask.entitlement], ask)[0]
        try:
            (made,) = self.ledger.record_all(
                [self._entry(name, ask)], actor=self.actor, now=self.now
            )
        except Conflict:
            return self._answered(self.ledger.load(name), [ask.entitlement], ask)[0]
        return made

    def _ask(self, thing: Entitlement, wish: Wish, *, again: bool) -> Ask:
        """Return what is asked; what is asked ``again`` may begin in the past by now."""
        if not timedelta(seconds=1) <= wish.duration <= FARTHEST:
            raise Invalid("The duration must be at least a second and less than a year.")
        if wish.start is not None and not again:
            lifecycle.start_is_valid(wish.start, self.now)
            if wish.start > self.now + FARTHEST:
                raise Invalid("The start lies more than a year ahead; ask again nearer to it.")
        if wish.break_glass and wish.start is not None:
            raise Invalid("A glass is broken to get in at once; leave the start out.")
        if wish.break_glass and wish.incident is None:
            raise Invalid("Breaking the glass needs an incident to look at afterwards; name it.")
        return Ask(
            person=self.person.id,
            entitlement=thing,
            duration=wish.duration,
            justification=text.one_line(wish.justification, "justification"),
            asked_at=self.now,
            # In UTC: by the clocks of a place, eight hours may last seven or nine.
            start=None if wish.start is None else wish.start.astimezone(UTC),
            mfa_age=self.mfa_age,
            ticket=None if wish.ticket is None else text.one_line(wish.ticket, "ticket"),
            incident=None if wish.incident is None else text.one_line(wish.incident, "incident"),
            break_glass=wish.break_glass,
        )

    def _entry(self, name: RequestId, ask: Ask) -> Entry:
        plan = self.judge.plan(ask, self.now)
        ruling = self.judge.first_rule(ask, plan, self.now)
        decided = ruled(ask, ruling, self.judge, self.patience, self.now)
        return Entry(name, None, (Asked(ask=ask, plan=plan), decided))

    def _answered(
        self, first: Request, things: Sequence[Entitlement], ask: Ask
    ) -> tuple[Request, ...]:
        """Return what this was answered before. Raises ``Conflict`` if it asked something else."""
        names = first.ask.together or (first.id,)
        known = [first, *map(self.ledger.load, names[1:])] if names[0] == first.id else []
        # In the order in which they were named, each once, however many parts it came to.
        asked = list(dict.fromkeys(request.ask.entitlement.id for request in known))
        same = asked == [thing.id for thing in things] and all(
            _facts(request.ask) == _facts(ask) for request in known
        )
        if not same:
            raise Conflict(f"Request {first.id} exists already and asks for something else.")
        return tuple(known)


def ruled(ask: Ask, ruling: Ruling, judge: Judge, patience: Patience, now: datetime) -> Happening:
    """Write down what policy has said to an ask."""
    decision = ruling.decision
    if isinstance(decision, BreakGlass):
        return GlassBroken(
            decision=decision,
            policy=judge.ref,
            lapses_at=lifecycle.unactivated_until(ask, patience.activation, now),
            facts=ruling.facts,
        )
    lapses_at = (
        lifecycle.unactivated_until(ask, patience.activation, now)
        if isinstance(decision, Activate)
        else lifecycle.undecided_until(ask, patience.decision)
    )
    parent = judge.extended(ask)
    if parent is not None and parent.window is not None:
        # Nobody need be asked any longer for more of what is over.
        lapses_at = min(lapses_at, parent.window.deadline)
    return Decided(decision=decision, policy=judge.ref, lapses_at=lapses_at, facts=ruling.facts)


def extendable(request: Request) -> Request:
    """Return a grant that can be asked to last longer. Raises ``Refused``."""
    if request.ask.extends is not None:
        raise Refused(f"That is an extension itself; extend request {request.ask.extends}.")
    if request.state is not State.ACTIVE or request.window is None:
        raise Refused(
            f"Request {request.id} is {request.state}, so there is nothing to extend; ask anew."
        )
    return request


def _names(count: int, id_: RequestId | None, now: datetime) -> tuple[RequestId, ...]:
    """Name as many requests; the same first name always gives the same others."""
    if count == 1:
        return (id_ or RequestId(str(ULID.from_datetime(now))),)
    if id_ is None:
        return tuple(RequestId(str(ULID.from_datetime(now))) for _ in range(count))
    number, last = int(ULID.from_str(id_)), (1 << 128) - 1
    if number + count - 1 > last:
        raise Invalid("That id leaves no room for the others; choose one by time.")
    return tuple(RequestId(str(ULID.from_int(number + offset))) for offset in range(count))


def _facts(ask: Ask) -> tuple[object, ...]:
    return (
        ask.person,
        # What an extension adds up to follows from when it is asked.
        None if ask.extends else ask.duration,
        ask.justification,
        ask.start,
        ask.ticket,
        ask.incident,
        ask.break_glass,
        ask.extends,
    )
