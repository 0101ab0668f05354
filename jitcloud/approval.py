"""Who must still say yes: pure, and the same for the request, each vote and the activation.

- A person counts once, in the stage where they voted first.
- The requester never counts, nor does anybody who is gone, disabled, or no longer among those
  asked: the caller resolves voters anew each time.
- One yes fills one place of one need. Who fills which is settled by a matching, because a
  greedy choice depends on the order of the votes and can ask for one approver too many.
- A stage begins with the last yes given in a stage before it, or when it was asked. A need that
  has waited for its escalation's time since then is asked of one more group: for more people,
  and never for fewer yeses.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, zip_longest

from jitcloud.matching import most_filled
from jitcloud.model import Approval, Approver, Escalation, Need, Person, PersonId, Stage, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """What an approval still lacks, in the first stage that lacks anything."""

    stage: int
    """Which stage, from 0: the one to which the next vote belongs."""
    missing: int
    """How many more yeses the stage takes at least."""
    wanted: Stage
    """Whose yes would still help: each count says how many more from just these would."""


def outstanding(  # noqa: PLR0913 - each one a fact of the request
    approval: Approval,
    votes: Sequence[Vote],
    voters: Mapping[PersonId, Person],
    requester: PersonId,
    *,
    asked_at: datetime,
    now: datetime,
) -> Outstanding | None:
    """Say what is missing, or None once the votes meet the approval.

    ``voters`` holds everybody who voted and still exists, as the directory has them now.
    """
    _refuse_empty(approval)
    stage_of: dict[PersonId, int] = {}
    for vote in votes:
        stage_of.setdefault(vote.by, vote.stage)
    counted = [
        (stage_of[person.id], person)
        for person in voters.values()
        if person.id in stage_of and person.id != requester and not person.disabled
    ]
    asked = with_escalations(approval, votes, asked_at=asked_at, now=now)
    for number, stage in enumerate(asked.stages):
        people = [person for cast_in, person in counted if cast_in == number]
        missing = sum(need.count for need in stage.needs) - _filled(stage.needs, people)
        if missing:
            return Outstanding(stage=number, missing=missing, wanted=_wanted(stage, people))
    return None


def with_escalations(
    approval: Approval, votes: Sequence[Vote], *, asked_at: datetime, now: datetime
) -> Approval:
    """Return an approval as it is asked now: with whoever has joined, and not who may yet."""
    return Approval(
        stages=tuple(
            Stage(
                needs=tuple(
                    Need(count=need.count, approvers=_asked(need, begin, now))
                    for need in stage.needs
                )
            )
            for stage, begin in zip(
                approval.stages, beginnings(approval, votes, asked_at), strict=True
            )
        )
    )


def escalated(
    approval: Approval, stage: int, votes: Sequence[Vote], *, asked_at: datetime, now: datetime
) -> tuple[Approver, ...]:
    """Name who has joined a stage by now, because it waited for so long."""
    begin = beginnings(approval, votes, asked_at)[stage]
    joined = (
        need.escalation.to
        for need in approval.stages[stage].needs
        if need.escalation is not None and _is_due(need.escalation, begin, now)
    )
    return tuple(dict.fromkeys(joined))


def next_escalation(  # noqa: PLR0913 - as above
    approval: Approval,
    votes: Sequence[Vote],
    voters: Mapping[PersonId, Person],
    requester: PersonId,
    *,
    asked_at: datetime,
    now: datetime,
) -> datetime | None:
    """Say when somebody next joins the stage that waits; None if nobody ever will.

    Always later than ``now``. A need that no further yes would help is left out.
    """
    left = outstanding(approval, votes, voters, requester, asked_at=asked_at, now=now)
    if left is None:
        return None
    helped = {need.approvers for need in left.wanted.needs}
    begin = beginnings(approval, votes, asked_at)[left.stage]
    coming = [
        begin + need.escalation.after
        for need in approval.stages[left.stage].needs
        if begin is not None
        and need.escalation is not None
        and need.approvers in helped
        and not _is_due(need.escalation, begin, now)
    ]
    return min(coming, default=None)


def combine(approvals: Iterable[Approval]) -> Approval:
    """Add up approvals stage by stage, so that one more never asks for less than before.

    The same approvers are asked for the larger count; different ones are all asked. Others join
    the same approvers only where all that was added up says so, and after the longest time.
    """
    stages: list[Stage] = []
    for together in zip_longest(*(approval.stages for approval in approvals)):
        most: dict[frozenset[Approver], Need] = {}
        for stage in together:
            for approvers, need in _by_approvers(stage).items():
                before = most.get(approvers, need)
                larger = before if before.count >= need.count else need
                escalation = _both(before.escalation, need.escalation)
                most[approvers] = replace(larger, escalation=escalation)
        stages.append(Stage(needs=tuple(most.values())))
    approval = Approval(stages=tuple(stages))
    _refuse_empty(approval)
    return approval


def can_be_met(
    approval: Approval,
    members_of: Callable[[Approver], Iterable[PersonId]],
    requester: PersonId,
) -> bool:
    """Whether enough different people could say yes, each once, the requester left out.

    ``members_of`` names those who may vote now: the caller leaves the disabled out, and may do so
    one by one, for no more are looked at than are needed. Whoever would only join later does not
    count: an escalation is for those asked who do not answer, and not for a quorum that was out
    of reach from the beginning.
    """
    _refuse_empty(approval)
    needs = [need for stage in approval.stages for need in stage.needs]
    total = sum(need.count for need in needs)
    places: list[frozenset[PersonId]] = []
    for need in needs:
        enough: set[PersonId] = set()
        # As many people as there are places are enough for a need, whoever else is taken: so a
        # group of ten thousand costs no more than a small one.
        for person in chain.from_iterable(map(members_of, need.approvers)):
            if len(enough) == total:
                break
            if person != requester:
                enough.add(person)
        places.extend([frozenset(enough)] * need.count)
    return most_filled(places) == total


def _refuse_empty(approval: Approval) -> None:
    # An approval by nobody would be met by no votes at all.
    if not approval.stages or not all(stage.needs for stage in approval.stages):
        message = "An approval has at least one stage, and each stage at least one need."
        raise ValueError(message)
    if any(need.count < 1 for stage in approval.stages for need in stage.needs):
        message = "A need asks for at least one yes."
        raise ValueError(message)


def _by_approvers(stage: Stage | None) -> dict[frozenset[Approver], Need]:
    """Return the needs of a stage; of two with the same approvers, their sum."""
    found: dict[frozenset[Approver], Need] = {}
    for need in stage.needs if stage is not None else ():
        approvers = frozenset(need.approvers)
        before = found.get(approvers)
        if before is not None:
            need = replace(  # noqa: PLW2901 - two of the same approvers become one
                need,
                count=before.count + need.count,
                escalation=_both(before.escalation, need.escalation),
            )
        found[approvers] = need
    return found


def _both(one: Escalation | None, other: Escalation | None) -> Escalation | None:
    """Return what two needs of the same approvers agree on; joining later is less than sooner."""
    if one is None or other is None or one.to != other.to:
        return None
    return max(one, other, key=lambda escalation: escalation.after)


def beginnings(
    approval: Approval, votes: Sequence[Vote], asked_at: datetime
) -> list[datetime | None]:
    """Say when each stage began; None for one that cannot have, so few yeses came before it."""
    found: list[datetime | None] = []
    wanted = 0
    for number, stage in enumerate(approval.stages):
        # Every yes that was given, whether it still counts or not: whoever leaves a group moves
        # no instant into the past.
        before = [vote.at for vote in votes if vote.stage < number]
        found.append(max(before, default=asked_at) if len(before) >= wanted else None)
        wanted += sum(need.count for need in stage.needs)
    return found


def _is_due(escalation: Escalation, begin: datetime | None, now: datetime) -> bool:
    return begin is not None and now >= begin + escalation.after


def _asked(need: Need, begin: datetime | None, now: datetime) -> tuple[Approver, ...]:
    if need.escalation is None or not _is_due(need.escalation, begin, now):
        return need.approvers
    return tuple(dict.fromkeys((*need.approvers, need.escalation.to)))


def _candidates(need: Need, people: Iterable[Person]) -> frozenset[Hashable]:
    return frozenset(
        person.id for person in people if any(who.includes(person) for who in need.approvers)
    )


def _filled(needs: Sequence[Need], people: Sequence[Person], *, extra_for: int = -1) -> int:
    """Count the places that can be filled, with ``count`` newcomers for one of the needs."""
    places: list[frozenset[Hashable]] = []
    for number, need in enumerate(needs):
        candidates = _candidates(need, people)
        if number == extra_for:
            candidates |= frozenset(range(need.count))  # numbers are nobody's id
        places.extend([candidates] * need.count)
    return most_filled(places)


def _wanted(stage: Stage, people: Sequence[Person]) -> Stage:
    now = _filled(stage.needs, people)
    room = [
        _filled(stage.needs, people, extra_for=number) - now for number in range(len(stage.needs))
    ]
    return Stage(
        needs=tuple(
            Need(count=more, approvers=need.approvers)
            for need, more in zip(stage.needs, room, strict=True)
            if more
        )
    )
