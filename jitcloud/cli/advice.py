"""Help at the moment of asking, in words: hints, durations, who can approve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, Self

from jitcloud.durations import format_duration
from jitcloud.model import Denied, Vote
from jitcloud.shapes_of_advice import of_advice, reviewers, waited_for

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.policy.explain import Explanation

MOST_NAMES = 12
"""So many people of a need are named; of a large group the others are counted."""


class Named(Protocol):
    """Somebody, by name."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A need, in the words of a rule, and who could meet it."""

    stage: int
    need: str
    people: tuple[Named, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What there is to know about a decision, for whoever it is about."""

    is_denied: bool
    asked: tuple[Asked, ...]
    reviewers: tuple[Asked, ...]
    hearing: tuple[tuple[str, tuple[Named, ...]], ...]
    hints: tuple[str, ...]
    offers: tuple[tuple[timedelta, str], ...]
    """Each a duration, and the kind of decision that it would get."""
    is_of_extension: bool
    """What extends is judged for all of the time that the access would then have lasted."""
    table: Mapping[str, object]
    """The same as JSON; see ``shapes_of_advice``."""

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """Take what a judge here explains."""
        from jitcloud.policy import wording  # noqa: PLC0415 - see TYPE_CHECKING

        return cls(
            is_denied=isinstance(found.decision, Denied),
            asked=tuple(Asked(a.stage, wording.need(a.need), a.people) for a in waited_for(found)),
            reviewers=tuple(
                Asked(a.stage, wording.need(a.need), a.people) for a in reviewers(found)
            ),
            hearing=tuple((wording.approver(each.who), each.people) for each in found.hearing),
            hints=tuple(hint.sentence for hint in found.hints),
            offers=tuple((offer.duration, offer.decision.kind) for offer in found.offers),
            is_of_extension=found.ask.extends is not None,
            table=of_advice(found),
        )


def lines(
    found: Advice, *, stage: int = 0, given: Sequence[Vote] = ()
) -> Iterator[tuple[str, str]]:
    """Yield who could say yes, from a stage on; who looks afterwards; or what would help.

    Whoever has said yes already is not named again.
    """
    voted = {vote.by for vote in given}
    for asked in found.asked:
        if asked.stage >= stage:
            yield f"stage {asked.stage + 1}", f"{asked.need}: {names(asked.people, voted)}"
    for reviewer in found.reviewers:
        yield "reviewers", f"{reviewer.need}: {names(reviewer.people, voted)}"
    for who, people in found.hearing:
        yield "hears", f"{who}: {names(people)}"
    if found.is_denied:
        yield from (("hint", hint) for hint in found.hints)
        yield "offered", offers(found)


def names(people: Iterable[Named], without: Iterable[str] = ()) -> str:
    """Write who they are."""
    left = [person.name for person in people if person.id not in without]
    more = len(left) - MOST_NAMES
    shown = [*left[:MOST_NAMES], *([f"and {more:,} more"] if more > 0 else [])]
    return ", ".join(shown) or "nobody"


def offers(found: Advice) -> str:
    """Write which durations could be had, and how."""
    how = {
        "activate": "",
        "needs-approval": " after approval",
        "break-glass": " by breaking the glass",
    }
    said = [f"{format_duration(duration)}{how[kind]}" for duration, kind in found.offers]
    in_all = " in all" if found.is_of_extension else ""
    return f"{', '.join(said)}{in_all}" if said else "nothing"
