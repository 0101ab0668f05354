"""Help at the moment of asking, for people and for programs: hints, durations, who can approve."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from jitcloud.durations import format_duration
from jitcloud.model import Denied

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.policy.explain import Asked, Explanation

MOST_NAMES = 12
"""So many people of a need are named; of a large group the others are counted."""


def lines(found: Explanation) -> Iterator[tuple[str, str]]:
    """Yield who could say yes; or, of a refusal, what would help."""
    for asked in found.asked:
        yield f"stage {asked.stage + 1}", f"{need(asked)}: {names(asked)}"
    if isinstance(found.decision, Denied):
        yield from (("hint", hint.sentence) for hint in found.hints)
        yield "offered", offers(found)


def shape(found: Explanation) -> dict[str, object]:
    """Return the same for a program."""
    return {
        "asked": [
            {
                "stage": asked.stage,
                "need": need(asked),
                "people": [{"id": person.id, "name": person.name} for person in asked.people],
            }
            for asked in found.asked
        ],
        "hints": [hint.sentence for hint in found.hints],
        "offers": [
            {"duration": offer.duration // timedelta(seconds=1), "kind": offer.decision.kind}
            for offer in found.offers
        ],
    }


def need(asked: Asked) -> str:
    """Write whose yes is asked for."""
    from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

    return wording.need(asked.need)


def names(asked: Asked) -> str:
    """Write who they are."""
    shown = [person.name for person in asked.people[:MOST_NAMES]]
    more = len(asked.people) - len(shown)
    return ", ".join([*shown, *([f"and {more:,} more"] if more else [])]) or "nobody"


def offers(found: Explanation) -> str:
    """Write which durations could be had, and how."""
    said = [
        f"{format_duration(offer.duration)}"
        f"{'' if offer.decision.kind == 'activate' else ' after approval'}"
        for offer in found.offers
    ]
    return ", ".join(said) or "nothing"
