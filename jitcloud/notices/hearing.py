"""Who hears of an event.

- Those whose yes is wanted, when it begins to be; when it no longer is, who settled it. So it is
  with those who are to review a broken glass. Never the person whose request it is.
- The person, of what came of their request, and before it ends.
- Of a broken glass also those who were skipped, and those whom policy names.
- The owner of an entitlement, of access that has not ended as it should.

Whoever acted knows already; whoever is disabled, gone or without an e-mail address is left out.
Nobody hears of one event twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitcloud.approval import outstanding
from jitcloud.model import (
    Approver,
    BreakGlass,
    Event,
    GlassBroken,
    NeedsApproval,
    Notice,
    Person,
    PersonId,
    Request,
    ReviewMissed,
    Stage,
    State,
)
from jitcloud.notices import asked, own, owners
from jitcloud.notices.parts import Letter, instant
from jitcloud.notices.people import People
from jitcloud.text import printable

MOST = 200
"""How many are written to of one event, at most."""

_LOOKED_UP = 5 * MOST
"""How many are looked up for that."""

WARNED_BEFORE = timedelta(minutes=10)
"""How long before its deadline somebody hears that their access is about to end."""

_TOO_SHORT = timedelta(minutes=15)
"""Whoever asked for less than this needs no reminder of when it ends."""


def of(before: Request | None, event: Event, after: Request, people: People) -> tuple[Notice, ...]:
    """Say who is told what, because of one event; ``before`` and ``after`` are its request."""
    letters: dict[PersonId, Letter] = {}
    for audience, letter in _told(before, event, after, people):
        for id_ in sorted(audience):
            letters.setdefault(id_, letter)
    written, rest = _addressed(letters, people)
    note = f"\nUp to {rest} more are concerned, and were not written to.\n" if rest else ""
    return tuple(
        _notice(f"{after.id}.{event.seq}.{to.id}", to, after, replace(text, body=text.body + note))
        for to, text in written
    )


def warn_at(request: Request) -> datetime | None:
    """When the person is to hear that their access is about to end; None where they are not."""
    window = request.window
    if request.state is not State.ACTIVE or window is None:
        return None
    if window.deadline - window.start < _TOO_SHORT:
        return None
    return window.deadline - WARNED_BEFORE


def warning(request: Request, people: People) -> Notice | None:
    """Tell the person that their access is about to end; None where nobody can be told."""
    if request.window is None:
        return None
    letters = {request.person: own.ending(request, _Names(people))}
    id_ = f"{request.id}.warning.{instant(request.window.deadline)}"
    written, _ = _addressed(letters, people)
    return next((_notice(id_, to, request, text) for to, text in written), None)


@dataclass(frozen=True, slots=True)
class _Names:
    """Writes names, for letters."""

    people: People

    def __call__(self, id_: str) -> str:
        person = self.people.person(PersonId(id_))
        return printable(id_ if person is None else f"{person.name} ({id_})")


def _told(
    before: Request | None, event: Event, after: Request, people: People
) -> Iterator[tuple[frozenset[PersonId], Letter]]:
    """Yield who reads what; of several letters to one person the first counts."""
    name = _Names(people)
    mine = own.outcome(before, event, after, name)
    if mine is not None:
        yield frozenset({after.person}), mine
    others = {after.person, PersonId(event.actor.id)}
    asked_before, asked_now = _asked(before, people), _asked(after, people)
    # Whoever is in two stages is asked in each.
    same = asked_before.people if asked_before.turn == asked_now.turn else frozenset()
    yield (
        asked_now.people - same - others,
        asked.review(event, after, name)
        if isinstance(after.decision, BreakGlass)
        else asked.vote(after, asked_now.stage, name),
    )
    yield asked_before.people - asked_now.people - others, asked.settled(event, after, name)
    owned = owners.outcome(event, after, name)
    if owned is not None:
        owner = Approver(kind="group", id=after.entitlement.owner)
        yield people.members(owner) - others, owned
    match event.what:
        case GlassBroken(decision=broken):
            skipped = () if broken.skipped is None else _all(broken.skipped.stages)
            known = _members((*skipped, *broken.notify), people)
            yield known - others, asked.broken(event, after, name)
        case ReviewMissed():
            yield asked_now.people - others, asked.review(event, after, name)
            yield frozenset({after.person}), own.missed(after, name)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Of whom a request wants something just now, and what it wants."""

    people: frozenset[PersonId] = frozenset()
    stage: Stage = Stage(needs=())  # noqa: RUF009 - frozen
    turn: int = 0
    """Which stage it is, where there are several."""


def _asked(request: Request | None, people: People) -> _Asked:
    if request is None:
        return _Asked()
    match request.decision:
        case NeedsApproval(approval=approval) if request.state is State.PENDING:
            voters = {vote.by: people.person(vote.by) for vote in request.votes}
            left = outstanding(
                approval,
                request.votes,
                {id_: person for id_, person in voters.items() if person is not None},
                request.person,
                asked_at=request.ask.asked_at,
                now=request.updated_at,
            )
            if left is None:
                return _Asked()
            done, stage, turn = request.votes, left.wanted, left.stage
        case BreakGlass(review=review) if _awaits_review(request):
            done, stage, turn = request.reviews, review.by, 0
        case _:
            return _Asked()
    named = _members(_all((stage,)), people)
    return _Asked(named - {vote.by for vote in done}, stage, turn)


def _awaits_review(request: Request) -> bool:
    return request.state is State.SCHEDULED or request.review_by is not None


def _all(stages: Iterable[Stage]) -> tuple[Approver, ...]:
    return tuple(who for stage in stages for need in stage.needs for who in need.approvers)


def _members(approvers: Iterable[Approver], people: People) -> frozenset[PersonId]:
    return frozenset[PersonId]().union(*(people.members(who) for who in approvers))


def _addressed(
    letters: dict[PersonId, Letter], people: People
) -> tuple[list[tuple[Person, Letter]], int]:
    """Return those who can be written to, as many as may be, and how many are left."""
    found: list[tuple[Person, Letter]] = []
    for looked_up, (id_, letter) in enumerate(letters.items()):
        if len(found) == MOST or looked_up == _LOOKED_UP:
            return found, len(letters) - looked_up
        person = people.person(id_)
        if person is not None and person.emails and not person.disabled:
            found.append((person, letter))
    return found, 0


def _notice(id_: str, to: Person, request: Request, letter: Letter) -> Notice:
    return Notice(
        id=id_,
        to=to.id,
        address=to.emails[0],
        name=to.name,
        request=request.id,
        subject=letter.subject,
        body=letter.body,
    )
