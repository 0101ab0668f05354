"""One case before the judge: an ask as decided, the votes on it in their order, or a brake."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from jitcloud import approval
from jitcloud.catalog import Catalog
from jitcloud.errors import Invalid, Refused
from jitcloud.model import (
    Activate,
    Approval,
    Ask,
    BreakGlass,
    Cloud,
    Decision,
    Denied,
    Entitlement,
    NeedsApproval,
    Person,
    PersonId,
    Reach,
    Scope,
    Stage,
    Vote,
)
from jitcloud.policy import wording
from jitcloud.policy.cases import NOBODY, BrakeCase, Case
from jitcloud.policy.engine import Policy
from jitcloud.ports import Directory
from jitcloud.text import quoted

_JUST_NOW = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was said to a case, in the words of its row."""

    expect: str
    rules: tuple[str, ...] = ()
    approval: str = ""
    waits_for: str = ""
    review: str = ""
    notify: str = ""
    skipped: str = ""
    because: tuple[str, ...] = ()


@dataclass(slots=True)
class Hearing:
    """One ask as decided, and the votes on it, in their order."""

    policy: Policy
    directory: Directory
    requester: Person
    ask: Ask
    decision: Decision
    votes: list[Vote] = field(default_factory=list)
    voters: dict[PersonId, Person] = field(default_factory=dict)
    decided: list[str] = field(default_factory=list)
    """Every rule that had a part in it, also in judging the votes."""

    def verdict(self, case: Case) -> Verdict:
        """Say what comes of it. Raises ``Refused`` where a vote of the row would not count."""
        self.decided += self.decision.rules
        for handle, later in case.cast:
            self._cast(handle, self.ask.asked_at + later)
        now = self.ask.asked_at + case.waited
        if case.approves is not None:
            return self._about_vote(case, now)
        decision = self.decision
        expect, rules = wording.verdict(decision), decision.rules
        match decision:
            case NeedsApproval():
                missing = self._missing(decision.approval, now)
                return Verdict(
                    expect=expect,
                    rules=rules,
                    approval=wording.approval(decision.approval),
                    waits_for=NOBODY if missing is None else wording.stage(missing.wanted),
                )
            case BreakGlass(skipped=skipped):
                return Verdict(
                    expect=expect,
                    rules=rules,
                    review=wording.review(decision.review),
                    notify=wording.notify(decision.notify) or NOBODY,
                    skipped=NOBODY if skipped is None else wording.approval(skipped),
                )
            case Denied():
                return Verdict(expect=expect, rules=rules, because=decision.because)
            case Activate():
                return Verdict(expect=expect, rules=rules)
            case _:
                assert_never(decision)

    def _about_vote(self, case: Case, now: datetime) -> Verdict:
        voter = self.directory.person(case.who)
        refusal = self._refusal(voter, case.mfa, self._open(now)[1])
        if refusal is None:
            return Verdict(expect="approve")
        self.decided += refusal.rules
        return Verdict(expect="deny", rules=refusal.rules, because=refusal.because)

    def _cast(self, handle: str, at: datetime) -> None:
        voter = self.directory.person(handle)
        stage, wanted = self._open(at)
        refusal = self._refusal(voter, _JUST_NOW, wanted)
        if refusal is not None:
            raise Refused(f"{voter.name} may not vote on it: {' '.join(refusal.because)}")
        if voter.id in self.voters:
            raise Refused(f"{voter.name} votes twice, and one yes counts once.")
        self.voters[voter.id] = voter
        self.votes.append(Vote(by=voter.id, stage=stage, at=at, reason=""))

    def _refusal(
        self, voter: Person, mfa_age: timedelta | None, stages: tuple[Stage, ...]
    ) -> Denied | None:
        return self.policy.may_vote(voter, mfa_age, self.requester, stages)

    def _open(self, now: datetime) -> tuple[int, tuple[Stage, ...]]:
        """Return which stage waits for votes, and whose: as the broker finds it."""
        if not isinstance(self.decision, NeedsApproval):
            return 0, ()
        missing = self._missing(self.decision.approval, now)
        if missing is None:
            stages = self._asked(self.decision.approval, now).stages
            return len(stages) - 1, stages[-1:]
        return missing.stage, (missing.wanted,)

    def _missing(self, asked: Approval, now: datetime) -> approval.Outstanding | None:
        return approval.outstanding(
            asked,
            self.votes,
            self.voters,
            self.requester.id,
            asked_at=self.ask.asked_at,
            now=now,
        )

    def _asked(self, asked: Approval, now: datetime) -> Approval:
        return approval.with_escalations(asked, self.votes, asked_at=self.ask.asked_at, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeHearing:
    """Somebody's hand on a brake."""

    policy: Policy
    catalog: Catalog
    directory: Directory

    def verdict(self, case: BrakeCase) -> Verdict:
        """Say what comes of it. Raises ``NotFound`` for what is not there, and ``Invalid``."""
        scope = _scope(case.stops or case.ends or "")
        person = self.directory.person(case.who)
        thing, about = self._thing(scope), self._about(scope)
        said = self.policy.brake(case.verb, person, case.mfa, scope, thing, about)
        if isinstance(said, Denied):
            return Verdict(expect="deny", rules=said.rules, because=said.because)
        return Verdict(expect=case.verb, rules=said)

    def _thing(self, scope: Scope) -> Entitlement | None:
        return self.catalog.get(scope.id) if scope.reach is Reach.ENTITLEMENT else None

    def _about(self, scope: Scope) -> Person | None:
        return self.directory.person(scope.id) if scope.reach is Reach.PERSON else None


def _scope(text: str) -> Scope:
    reach, _, name = text.partition(" ")
    match reach:
        case Reach.EVERYTHING if not name:
            return Scope(reach=Reach.EVERYTHING)
        case Reach.CLOUD if name in set(Cloud):
            return Scope(reach=Reach.CLOUD, id=name)
        case Reach.ENTITLEMENT | Reach.PERSON if name:
            return Scope(reach=Reach(reach), id=name)
        case _:
            raise Invalid(
                f"{quoted(text)} is nothing to stop or end; write everything, cloud aws,"
                " entitlement ID or person ID."
            )
