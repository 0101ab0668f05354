"""How two answers to the same ask differ, and whom a change of rules would touch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jitcloud.matching import most_filled
from jitcloud.model import (
    Approval,
    Approver,
    Ask,
    BreakGlass,
    Decision,
    Denied,
    EntitlementId,
    NeedsApproval,
    PersonId,
    RequestId,
    Review,
    Stage,
)
from jitcloud.policy.replay import Again


class Kind(StrEnum):
    """How an answer differs from the one before; in the order in which people want to know."""

    REFUSED = "refused"
    """It was let in, or could be by somebody's yes, and would not be any more."""
    LET_IN = "let-in"
    """It was refused, and would be let in, perhaps after somebody's yes."""
    NEEDS_YES = "needs-yes"
    """It was let in at once, and would take somebody's yes."""
    AT_ONCE = "at-once"
    """It took somebody's yes, and would be let in at once."""
    HEAVIER = "heavier"
    """It would take all the yeses it took, and more; or a review, or a faster one."""
    LIGHTER = "lighter"
    """It would take some of the yeses it took, or from more people to choose from; or no review,
    or a slower one."""
    OTHERS = "others"
    """It would take the yes, or the review, of other people."""
    UNCHANGED = "unchanged"


def kind(then: Decision, now: Decision) -> Kind:  # noqa: PLR0911 - one a pair
    """Compare two answers. By which rules they were given makes no difference."""
    match then, now:
        case Denied(), Denied():
            return Kind.UNCHANGED
        case _, Denied():
            return Kind.REFUSED
        case Denied(), _:
            return Kind.LET_IN
        case NeedsApproval(approval=before), NeedsApproval(approval=after):
            return _weighed(before, after)
        case _, NeedsApproval():
            return Kind.NEEDS_YES
        case NeedsApproval(), _:
            return Kind.AT_ONCE
        case BreakGlass(review=looked), BreakGlass(review=looks):
            return _reviewed(looked, looks)
        case BreakGlass(), _:
            return Kind.LIGHTER
        case _, BreakGlass():
            return Kind.HEAVIER
        case _:
            return Kind.UNCHANGED


def _weighed(then: Approval, now: Approval) -> Kind:
    """Compare who must say yes. Who joins those asked after a while makes no difference."""
    enough_then, enough_now = _covers(now, then), _covers(then, now)
    if enough_then and enough_now:
        return Kind.UNCHANGED
    if enough_then or enough_now:
        return Kind.HEAVIER if enough_then else Kind.LIGHTER
    return Kind.OTHERS


def _covers(one: Approval, other: Approval) -> bool:
    """Whether the yeses that one approval takes are, stage by stage, enough for the other too."""
    if len(one.stages) < len(other.stages):
        return False
    for mine, others in zip(one.stages, other.stages, strict=False):
        given = _yeses(mine)
        places = [{n for n, who in enumerate(given) if who <= asked} for asked in _yeses(others)]
        if most_filled(places) < len(places):
            return False
    return True


def _yeses(stage: Stage) -> list[frozenset[Approver]]:
    """Return from whom each yes of a stage has to come."""
    return [frozenset(need.approvers) for need in stage.needs for _ in range(need.count)]


def _reviewed(then: Review, now: Review) -> Kind:
    weighed = _weighed(Approval(stages=(then.by,)), Approval(stages=(now.by,)))
    if weighed is not Kind.UNCHANGED or then.within == now.within:
        return weighed
    return Kind.HEAVIER if now.within < then.within else Kind.LIGHTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one person would be told otherwise about one thing."""

    kind: Kind
    person: PersonId
    name: str
    entitlement: EntitlementId
    then: Decision
    """Without its rules: they may have had other names each time."""
    now: Decision
    already: bool | None
    """Whether the rules in force say that too; None where they were not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All the requests in which that would be so."""

    what: Difference
    requests: tuple[RequestId, ...]
    first: datetime
    last: datetime
    """When the last of them was made."""
    shortest: timedelta
    longest: timedelta
    """The longest that was asked for."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts answers by how they differ, and keeps those that do."""

    counts: Counter[Kind] = field(default_factory=Counter)
    _asks: dict[Difference, list[tuple[RequestId, Ask]]] = field(
        default_factory=lambda: defaultdict(list), repr=False
    )

    def add(
        self, again: Again, now: Decision, today: Callable[[Again], Decision] | None = None
    ) -> None:
        """Compare the answers to one ask. ``today`` asks the rules in force, where it differs."""
        then = again.past.said
        found = kind(then, now)
        self.counts[found] += 1
        if found is Kind.UNCHANGED:
            return
        what = Difference(
            kind=found,
            person=again.person.id,
            name=again.person.name,
            entitlement=again.ask.entitlement.id,
            then=replace(then, rules=()),
            now=now,
            already=None if today is None else kind(today(again), now) is Kind.UNCHANGED,
        )
        self._asks[what].append((again.past.request, again.ask))

    def told(self) -> list[Change]:
        """Return the changes: kind by kind, the most frequent of each first."""
        found = [_change(what, asks) for what, asks in self._asks.items()]
        order = list(Kind)
        return sorted(
            found,
            key=lambda each: (
                order.index(each.what.kind),
                -len(each.requests),
                each.what.person,
                each.what.entitlement,
                -each.last.timestamp(),
            ),
        )


def _change(what: Difference, asks: list[tuple[RequestId, Ask]]) -> Change:
    made = [ask.asked_at for _, ask in asks]
    lasting = [ask.duration for _, ask in asks]
    return Change(
        what=what,
        requests=tuple(sorted(request for request, _ in asks)),
        first=min(made),
        last=max(made),
        shortest=min(lasting),
        longest=max(lasting),
    )
