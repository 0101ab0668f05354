"""Help at the moment of asking: what could be asked for, and what would turn a no into a yes.

None of it is guessed from the rules: the same ask is judged again with one thing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations

from jitcloud.durations import format_duration
from jitcloud.model import Activate, Ask, BreakGlass, Decision, Denied, NeedsApproval
from jitcloud.policy import wording
from jitcloud.policy.entities import World

Allowed = Activate | NeedsApproval | BreakGlass

Decide = Callable[[Ask, World], Decision]
"""Judges an ask as the broker would when it is made, with these facts of the world."""

LADDER = tuple(
    timedelta(minutes=minutes) for minutes in (15, 30, 60, 2 * 60, 4 * 60, 8 * 60, 12 * 60)
)
"""The durations that are tried and offered."""

# Stands for a ticket or an incident that is yet to be opened. No rule should hang on its text.
_SOME = "SOME-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A duration that could be had, and how."""

    duration: timedelta
    decision: Allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would be different about an ask."""

    sign_in: bool = False
    """With a multi-factor sign-in a moment ago."""
    ticket: bool = False
    """With a ticket that is found open."""
    incident: bool = False
    """With an incident that is found open."""
    within: timedelta | None = None
    """For no longer than this."""
    break_glass: bool = False
    """By breaking the glass."""

    def apply(self, ask: Ask, world: World) -> tuple[Ask, World]:
        """Return the ask, and the world it is made in, with this changed."""
        return (
            replace(
                ask,
                duration=self.within or ask.duration,
                mfa_age=timedelta() if self.sign_in else ask.mfa_age,
                ticket=ask.ticket or _SOME if self.ticket else ask.ticket,
                incident=ask.incident or _SOME if self.incident else ask.incident,
                break_glass=self.break_glass or ask.break_glass,
            ),
            replace(
                world,
                ticket_verified=self.ticket or world.ticket_verified,
                incident_verified=self.incident or world.incident_verified,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """The least that would have to be different for an ask to be let through."""

    change: Change
    decision: Allowed
    sentence: str
    """For the person who asks."""


def offered(
    decide: Decide, ask: Ask, world: World, ladder: Sequence[timedelta] = LADDER
) -> tuple[Offer, ...]:
    """Say which durations of the ladder this ask could have, everything else as it is."""
    found = []
    for duration in ladder:
        decision = decide(replace(ask, duration=duration), world)
        if not isinstance(decision, Denied):
            found.append(Offer(duration=duration, decision=decision))
    return tuple(found)


def hints(
    decide: Decide, ask: Ask, world: World, ladder: Sequence[timedelta] = LADDER
) -> tuple[Hint, ...]:
    """Say what would let a refused ask through: each hint alone is enough, and needs all it says.

    Nothing for an ask that is not refused, or that none of these changes would help.
    """
    if not isinstance(decide(ask, world), Denied):
        return ()
    found: dict[frozenset[str], Hint] = {}
    for names in _combinations(ask, world):
        if any(fewer <= names for fewer in found):
            continue  # all of it is needed, or it is no hint
        for change in _changes(names, ask, ladder):
            decision = decide(*change.apply(ask, world))
            if not isinstance(decision, Denied):
                sentence = _sentence(change, ask, decision)
                found[names] = Hint(change=change, decision=decision, sentence=sentence)
                break
    return tuple(found.values())


def _combinations(ask: Ask, world: World) -> Iterator[frozenset[str]]:
    """Yield what could be changed together, the fewest things first."""
    possible = {
        "sign_in": ask.mfa_age != timedelta(),
        "ticket": ask.ticket is None or not world.ticket_verified,
        "incident": ask.incident is None or not world.incident_verified,
        "within": True,
        # The last: it comes after all else that takes as many changes.
        "break_glass": not ask.break_glass,
    }
    names = [name for name, is_possible in possible.items() if is_possible]
    for count in range(1, len(names) + 1):
        for together in map(frozenset, combinations(names, count)):
            # Nobody breaks a glass without an incident, whatever the rules.
            if ask.incident is not None or "incident" in together or "break_glass" not in together:
                yield together


def _changes(names: frozenset[str], ask: Ask, ladder: Sequence[timedelta]) -> Iterator[Change]:
    """Yield these things changed, the longest duration first if that is one of them."""
    facts = Change(
        sign_in="sign_in" in names,
        ticket="ticket" in names,
        incident="incident" in names,
        break_glass="break_glass" in names,
    )
    if "within" not in names:
        yield facts
        return
    for duration in sorted(ladder, reverse=True):
        if duration < ask.duration:
            yield replace(facts, within=duration)


def _sentence(change: Change, ask: Ask, decision: Allowed) -> str:
    within = "" if change.within is None else f" within {format_duration(change.within)}"
    needed = list(_needed(change, ask))
    having = f" with {_listed(needed)}" if needed else ""
    match decision:
        case BreakGlass():
            how = "".join(f",{each}" for each in (within, having) if each)
            return (
                f"This could be had at once by breaking the glass{how}; it is reviewed afterwards."
            )
        case NeedsApproval():
            after = f", after a yes from {wording.approval(decision.approval)}"
            return f"This would be allowed{within}{having}{after}."
        case Activate():
            return f"This would be allowed{within}{having}."


def _needed(change: Change, ask: Ask) -> Iterator[str]:
    if change.sign_in:
        yield "a fresh multi-factor sign-in"
    for name, is_changed, given in (
        ("a ticket", change.ticket, ask.ticket),
        ("an incident", change.incident, ask.incident),
    ):
        if is_changed:
            yield name if given is None else f"{name} that is found open"


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
