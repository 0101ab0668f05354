"""Help at the moment of asking, as JSON: who could say yes, what would help, what is offered.

Programs rely on it as on ``shapes``: keys are added, never changed or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from jitcloud.model import BreakGlass, Denied, Person

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.policy.explain import Asked, Explanation


def of_advice(found: Explanation | None) -> dict[str, object]:
    """Return who could say yes, or what would help; without an explanation empty lists."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    if found is None:
        return {"asked": [], "reviewers": [], "hearing": [], "hints": [], "offers": []}
    return {
        "asked": [of_asked(asked) for asked in waited_for(found)],
        "reviewers": [of_asked(asked) for asked in reviewers(found)],
        "hearing": [
            {"who": wording.approver(heard.who), "people": of_people(heard.people)}
            for heard in found.hearing
        ],
        "hints": [hint.sentence for hint in found.hints],
        "offers": [
            {"duration": _seconds(offer.duration), "kind": offer.decision.kind}
            for offer in found.offers
        ],
    }


def of_asked(asked: Asked) -> dict[str, object]:
    """Return one need and who could meet it."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    escalation = asked.need.escalation
    return {
        "stage": asked.stage,
        "need": first_need(asked),
        "people": of_people(asked.people),
        "joining_after": None if escalation is None else _seconds(escalation.after),
        "joining": of_people(asked.joining),
        "escalates_to": None if escalation is None else wording.approver(escalation.to),
    }


def of_people(people: Iterable[Person]) -> list[dict[str, str]]:
    """Return who they are."""
    return [{"id": person.id, "name": person.name} for person in people]


def first_need(asked: Asked) -> str:
    """Write whose yes is asked for from the beginning."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    return wording.need(replace(asked.need, escalation=None))


def waited_for(found: Explanation) -> Iterator[Asked]:
    """Yield whose yes it waits for; of a refusal, where too few of them could give it."""
    if isinstance(found.decision, BreakGlass):
        return  # they were passed over
    for asked in found.asked:
        too_few = len(asked.people) < asked.need.count
        if too_few or not isinstance(found.decision, Denied):
            yield asked


def reviewers(found: Explanation) -> tuple[Asked, ...]:
    """Return who must look at a broken glass afterwards."""
    return found.reviewers if isinstance(found.decision, BreakGlass) else ()


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
