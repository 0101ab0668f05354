"""Help at the moment of asking, in words: hints, durations, who can approve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from jitcloud.durations import format_duration
from jitcloud.model import Denied, NeedsApproval, Person, Request, Vote
from jitcloud.shapes_of_advice import reviewers, waited_for

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.judge import Judge
    from jitcloud.policy.explain import Asked, Explanation

MOST_NAMES = 12
"""So many people of a need are named; of a large group the others are counted."""


def lines(
    found: Explanation, *, stage: int = 0, given: Sequence[Vote] = ()
) -> Iterator[tuple[str, str]]:
    """Yield who could say yes, from a stage on; who looks afterwards; or what would help.

    Whoever has said yes already is not named again.
    """
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    voted = {vote.by for vote in given}
    for asked in waited_for(found):
        if asked.stage >= stage:
            yield f"stage {asked.stage + 1}", f"{need(asked)}: {names(asked.people, voted)}"
    for reviewer in reviewers(found):
        yield "reviewers", f"{need(reviewer)}: {names(reviewer.people, voted)}"
    for heard in found.hearing:
        yield "hears", f"{wording.approver(heard.who)}: {names(heard.people)}"
    if isinstance(found.decision, Denied):
        yield from (("hint", hint.sentence) for hint in found.hints)
        yield "offered", offers(found)


def stage_of(request: Request, found: Explanation, judge: Judge, now: datetime) -> int:
    """Return the stage in which a request waits for yeses, from 0."""
    if not isinstance(found.decision, NeedsApproval):
        return 0
    missing = judge.outstanding(request, found.decision, request.votes, now)
    return 0 if missing is None else missing.stage


def need(asked: Asked) -> str:
    """Write whose yes is asked for."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    return wording.need(asked.need)


def names(people: Iterable[Person], without: Iterable[str] = ()) -> str:
    """Write who they are."""
    left = [person.name for person in people if person.id not in without]
    more = len(left) - MOST_NAMES
    shown = [*left[:MOST_NAMES], *([f"and {more:,} more"] if more > 0 else [])]
    return ", ".join(shown) or "nobody"


def offers(found: Explanation) -> str:
    """Write which durations could be had, and how."""
    how = {
        "activate": "",
        "needs-approval": " after approval",
        "break-glass": " by breaking the glass",
    }
    said = [
        f"{format_duration(offer.duration)}{how[offer.decision.kind]}" for offer in found.offers
    ]
    # What extends is judged for all of the time that the access would then have lasted.
    in_all = "" if found.ask.extends is None else " in all"
    return f"{', '.join(said)}{in_all}" if said else "nothing"
