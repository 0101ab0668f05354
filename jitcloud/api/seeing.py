"""Who may see another person's request: whoever has to do with it, and nobody else.

Its requester; whoever votes on it, could have, joins by waiting, or voted; whoever reviews it or
hears of it; the group that owns the entitlement; and whoever a rule permits to end all of it. So
a security team sees everything once ``Action::"end"`` is permitted to it, which is also what lets
it act on what it sees. To all others there is no such request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from jitcloud import bundles
from jitcloud.errors import NotFound, Refused
from jitcloud.judge import Judge
from jitcloud.library import Acting
from jitcloud.model import (
    Approval,
    Approver,
    BreakGlass,
    Entitlement,
    EntitlementId,
    NeedsApproval,
    Person,
    Reach,
    Request,
    RequestId,
    Scope,
    Stage,
)
from jitcloud.remembering import Remembering


@dataclass(slots=True)
class Seeing:
    """What one person may see, for as long as one command takes."""

    acting: Acting
    _person: Person | None = None
    _judge: Judge | None = None
    _ends: dict[EntitlementId, bool] = field(default_factory=dict)

    def request(self, name: RequestId) -> Request:
        """Return a request that the person may see. Raises ``NotFound`` for any other."""
        with suppress(NotFound):
            found = self.acting.show(name)
            if self.may_see(found):
                return found
        raise nothing(name)

    def may_see(self, request: Request) -> bool:
        """Whether the person has to do with a request. Raises ``Refused`` for the disabled."""
        me = self.acting.caller.person
        if request.person == me or any(
            vote.by == me for vote in (*request.votes, *request.reviews)
        ):
            return True
        person = self.person()
        return (
            request.entitlement.owner in person.groups
            or any(who.includes(person) for who in _concerned(request))
            or self._may_end(request.entitlement)
        )

    def person(self) -> Person:
        """Return who speaks. Raises ``NotFound``, and ``Refused`` for the disabled."""
        if self._person is None:
            person = self.judge().person(self.acting.caller.person)
            if person.disabled:
                raise Refused(f"{person.name} is disabled in the directory and cannot do this.")
            self._person = person
        return self._person

    def judge(self) -> Judge:
        """Return what judges now; it asks the directory each question once."""
        if self._judge is None:
            known = bundles.renewed(self.acting.deployment.judge)
            self._judge = replace(known, directory=Remembering(known.directory))
        return self._judge

    def _may_end(self, asked_for: Entitlement) -> bool:
        known = self._ends.get(asked_for.id)
        if known is None:
            known = self._ends[asked_for.id] = self._is_permitted_to_end(asked_for)
        return known

    def _is_permitted_to_end(self, asked_for: Entitlement) -> bool:
        judge, person, age = self.judge(), self.person(), self._mfa_age()
        current: Entitlement | None = None
        with suppress(NotFound):
            current = judge.catalog.get(asked_for.id)
        scopes = (
            (Scope(reach=Reach.ENTITLEMENT, id=asked_for.id), current),
            (Scope(reach=Reach.EVERYTHING), None),
        )
        return any(
            judge.policy.may_brake("end", person, age, scope, thing, None) is None
            for scope, thing in scopes
        )

    def _mfa_age(self) -> timedelta | None:
        at = self.acting.caller.signed_in_at
        return None if at is None else self.acting.deployment.clock() - at


def nothing(name: RequestId) -> NotFound:
    """The same for what is not there and for what is not to be seen."""
    return NotFound(f"There is no request {name} that you may see; check the id.")


def _concerned(request: Request) -> Iterator[Approver]:
    """Yield who is asked about a request, and who hears of it."""
    match request.decision:
        case NeedsApproval(approval=needed):
            yield from _asked(needed)
        case BreakGlass(review=review, notify=notify, skipped=skipped):
            yield from _of_stage(review.by)
            yield from notify
            if skipped is not None:
                yield from _asked(skipped)
        case _:
            return
    yield from (who for _, who in request.escalated)


def _asked(approval: Approval) -> Iterator[Approver]:
    for stage in approval.stages:
        yield from _of_stage(stage)


def _of_stage(stage: Stage) -> Iterator[Approver]:
    for need in stage.needs:
        yield from need.approvers
        if need.escalation is not None:
            yield need.escalation.to
