"""Help at the moment of asking, for people and for programs: hints, durations, who can approve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud.durations import format_duration
from jitcloud.model import BreakGlass, Denied, NeedsApproval, Person, Request, Vote

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
    for asked in _asked(found):
        if asked.stage >= stage:
            yield f"stage {asked.stage + 1}", f"{need(asked)}: {names(asked.people, voted)}"
    for reviewer in _reviewers(found):
        yield "reviewers", f"{need(reviewer)}: {names(reviewer.people, voted)}"
    for heard in found.hearing:
        yield "hears", f"{wording.approver(heard.who)}: {names(heard.people)}"
    if isinstance(found.decision, Denied):
        yield from (("hint", hint.sentence) for hint in found.hints)
        yield "offered", offers(found)


def shape(found: Explanation | None) -> dict[str, object]:
    """Return the same for a program; without an explanation the same keys, empty."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    if found is None:
        return {"asked": [], "reviewers": [], "hearing": [], "hints": [], "offers": []}
    return {
        "asked": [asked_shape(asked) for asked in _asked(found)],
        "reviewers": [asked_shape(asked) for asked in _reviewers(found)],
        "hearing": [
            {"who": wording.approver(heard.who), "people": people_shape(heard.people)}
            for heard in found.hearing
        ],
        "hints": [hint.sentence for hint in found.hints],
        "offers": [
            {"duration": _seconds(offer.duration), "kind": offer.decision.kind}
            for offer in found.offers
        ],
    }


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


def first_need(asked: Asked) -> str:
    """Write whose yes is asked for from the beginning."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    return wording.need(replace(asked.need, escalation=None))


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


def _asked(found: Explanation) -> Iterator[Asked]:
    """Yield whose yes it waits for; of a refusal, where too few of them could give it."""
    if isinstance(found.decision, BreakGlass):
        return  # they were passed over
    for asked in found.asked:
        too_few = len(asked.people) < asked.need.count
        if too_few or not isinstance(found.decision, Denied):
            yield asked


def _reviewers(found: Explanation) -> tuple[Asked, ...]:
    return found.reviewers if isinstance(found.decision, BreakGlass) else ()


def asked_shape(asked: Asked) -> dict[str, object]:
    """Return one need and who could meet it, for a program."""
    escalation = asked.need.escalation
    return {
        "stage": asked.stage,
        "need": first_need(asked),
        "people": people_shape(asked.people),
        "joining_after": None if escalation is None else _seconds(escalation.after),
        "joining": people_shape(asked.joining),
    }


def people_shape(people: Iterable[Person]) -> list[dict[str, str]]:
    """Return who they are, for a program."""
    return [{"id": person.id, "name": person.name} for person in people]


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
