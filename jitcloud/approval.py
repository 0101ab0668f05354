"""Who must still say yes: pure, and the same for the request, each vote and the activation.

- A person counts once, in the stage where they voted first.
- The requester never counts, nor does anybody who is gone, disabled, or no longer among those
  asked: the caller resolves voters anew each time.
- One yes fills one place of one need. Who fills which is settled by a matching, because a
  greedy choice depends on the order of the votes and can ask for one approver too many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest

from jitcloud.model import Approval, Approver, Need, Person, PersonId, Stage, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """What an approval still lacks, in the first stage that lacks anything."""

    stage: int
    """Which stage, from 0: the one to which the next vote belongs."""
    missing: int
    """How many more yeses the stage takes at least."""
    wanted: Stage
    """Whose yes would still help: each count says how many more from just these would."""


def outstanding(
    approval: Approval,
    votes: Sequence[Vote],
    voters: Mapping[PersonId, Person],
    requester: PersonId,
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
    for number, stage in enumerate(approval.stages):
        people = [person for cast_in, person in counted if cast_in == number]
        missing = sum(need.count for need in stage.needs) - _filled(stage.needs, people)
        if missing:
            return Outstanding(stage=number, missing=missing, wanted=_wanted(stage, people))
    return None


def combine(approvals: Iterable[Approval]) -> Approval:
    """Add up approvals stage by stage, so that one more never asks for less than before.

    The same approvers are asked for the larger count; different ones are all asked.
    """
    stages: list[Stage] = []
    for together in zip_longest(*(approval.stages for approval in approvals)):
        most: dict[frozenset[Approver], Need] = {}
        for stage in together:
            for approvers, need in _by_approvers(stage).items():
                if approvers not in most or most[approvers].count < need.count:
                    most[approvers] = need
        stages.append(Stage(needs=tuple(most.values())))
    approval = Approval(stages=tuple(stages))
    _refuse_empty(approval)
    return approval


def can_be_met(
    approval: Approval,
    members_of: Callable[[Approver], frozenset[PersonId]],
    requester: PersonId,
) -> bool:
    """Whether enough different people could say yes, each once, the requester left out.

    ``members_of`` names those who may vote now: the caller leaves the disabled out.
    """
    _refuse_empty(approval)
    needs = [need for stage in approval.stages for need in stage.needs]
    total = sum(need.count for need in needs)
    places: list[frozenset[PersonId]] = []
    for need in needs:
        people = frozenset[PersonId]().union(*(members_of(who) for who in need.approvers))
        # As many people as there are places are enough for a need, whoever else is taken: so a
        # group of ten thousand costs no more than a small one.
        enough = frozenset(islice(people - {requester}, total))
        places.extend([enough] * need.count)
    return _most_filled(places) == total


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
        before = found[approvers].count if approvers in found else 0
        found[approvers] = replace(need, count=before + need.count)
    return found


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
    return _most_filled(places)


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


def _most_filled(places: Sequence[Iterable[Hashable]]) -> int:
    """Count the places that different people can fill: a largest bipartite matching.

    For each place an augmenting path is looked for, breadth first (not by recursion: many rules
    can add up to many places): whoever is free takes the place, or whoever holds another place
    leaves it to somebody who is.
    """
    place_of: dict[Hashable, int] = {}
    holder_of: dict[int, Hashable] = {}
    for start, _ in enumerate(places):
        reached_from: dict[Hashable, int] = {}
        queue = deque([start])
        while queue and start not in holder_of:
            place = queue.popleft()
            for person in places[place]:
                if person in reached_from:
                    continue
                reached_from[person] = place
                if person in place_of:
                    queue.append(place_of[person])
                    continue
                _reseat(person, reached_from, place_of, holder_of)
                break
    return len(holder_of)


def _reseat(
    person: Hashable,
    reached_from: Mapping[Hashable, int],
    place_of: dict[Hashable, int],
    holder_of: dict[int, Hashable],
) -> None:
    """Walk the path back: each one on it takes the place through which it was reached."""
    taker: Hashable | None = person
    while taker is not None:
        place = reached_from[taker]
        leaving = holder_of.get(place)
        holder_of[place], place_of[taker] = taker, place
        taker = leaving  # None once the place was free: that is where the path began
