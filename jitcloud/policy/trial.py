"""Tries a decision table: each case is judged as the broker would, and compared with its row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import assert_never

from jitcloud import approval
from jitcloud.catalog import Catalog
from jitcloud.errors import NotFound, Refused
from jitcloud.model import (
    Activate,
    Ask,
    Decision,
    Denied,
    NeedsApproval,
    Person,
    PersonId,
    Stage,
    Vote,
)
from jitcloud.policy import wording
from jitcloud.policy.advice import Decide
from jitcloud.policy.cases import NOBODY, Case
from jitcloud.policy.engine import Policy
from jitcloud.policy.entities import World
from jitcloud.policy.explain import VERBS
from jitcloud.policy.source import Rule
from jitcloud.ports import Directory

_JUST_NOW = timedelta()
_SOME = "CASE-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was said to a case, in the words of its row."""

    expect: str
    rules: tuple[str, ...] = ()
    approval: str = ""
    waits_for: str = ""
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One case, tried."""

    number: int
    case: Case
    verdict: Verdict | None
    """None: it could not be tried."""
    trouble: str = ""
    """Why not."""
    decided: tuple[str, ...] = ()
    """Every rule that had a part in it, also in judging the votes of the row."""

    @property
    def differences(self) -> tuple[tuple[str, str, str], ...]:
        """What the row says otherwise: a key, what it expects, and what was said."""
        if self.verdict is None:
            return (("expect", self.case.expect, self.trouble),)
        return tuple(_differences(self.case, self.verdict))

    @property
    def holds(self) -> bool:
        """Whether policy says what the row does."""
        return not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Judges cases by one policy, about the people and things it is for."""

    policy: Policy
    catalog: Catalog
    directory: Directory
    decide: Decide

    def tried(self, number: int, case: Case) -> Tried:
        """Judge one case."""
        try:
            hearing = self._hear(case)
            verdict = hearing.verdict(case)
        except (NotFound, Refused, ValueError) as exc:
            return Tried(number=number, case=case, verdict=None, trouble=str(exc))
        return Tried(number=number, case=case, verdict=verdict, decided=tuple(hearing.decided))

    def _hear(self, case: Case) -> _Hearing:
        thing = self.catalog.get(case.what)
        requester = self.directory.person(case.approves or case.who)
        ask = Ask(
            person=requester.id,
            entitlement=thing,
            duration=case.duration,
            justification=case.says,
            asked_at=case.start_in(thing.zone),
            mfa_age=case.mfa if case.approves is None else _JUST_NOW,
            ticket=_SOME if case.ticket else None,
            incident=_SOME if case.incident else None,
        )
        world = World(
            freeze=case.freeze, ticket_verified=case.ticket, incident_verified=case.incident
        )
        return _Hearing(self.policy, self.directory, requester, ask, self.decide(ask, world))


@dataclass(slots=True)
class _Hearing:
    """One ask as decided, and the votes on it, in their order."""

    policy: Policy
    directory: Directory
    requester: Person
    ask: Ask
    decision: Decision
    votes: list[Vote] = field(default_factory=list)
    voters: dict[PersonId, Person] = field(default_factory=dict)
    decided: list[str] = field(default_factory=list)

    def verdict(self, case: Case) -> Verdict:
        self.decided += self.decision.rules
        for handle in case.votes:
            self._cast(handle)
        if case.approves is not None:
            return self._about_vote(case)
        decision = self.decision
        expect, rules = wording.verdict(decision), decision.rules
        match decision:
            case NeedsApproval():
                missing = self._missing(decision)
                return Verdict(
                    expect=expect,
                    rules=rules,
                    approval=wording.approval(decision.approval),
                    waits_for=NOBODY if missing is None else wording.stage(missing.wanted),
                )
            case Denied():
                return Verdict(expect=expect, rules=rules, because=decision.because)
            case Activate():
                return Verdict(expect=expect, rules=rules)
            case _:
                assert_never(decision)

    def _about_vote(self, case: Case) -> Verdict:
        voter = self.directory.person(case.who)
        refusal = self._refusal(voter, case.mfa, self._open()[1])
        if refusal is None:
            return Verdict(expect="approve")
        self.decided += refusal.rules
        return Verdict(expect="deny", rules=refusal.rules, because=refusal.because)

    def _cast(self, handle: str) -> None:
        """Let somebody say yes. Raises ``Refused`` where that would not count."""
        voter = self.directory.person(handle)
        stage, wanted = self._open()
        refusal = self._refusal(voter, _JUST_NOW, wanted)
        if refusal is not None:
            raise Refused(f"{voter.name} may not vote on it: {' '.join(refusal.because)}")
        if voter.id in self.voters:
            raise Refused(f"{voter.name} votes twice, and one yes counts once.")
        self.voters[voter.id] = voter
        self.votes.append(Vote(by=voter.id, stage=stage, at=self.ask.asked_at, reason=""))

    def _refusal(
        self, voter: Person, mfa_age: timedelta | None, stages: tuple[Stage, ...]
    ) -> Denied | None:
        return self.policy.may_vote(voter, mfa_age, self.requester, stages)

    def _open(self) -> tuple[int, tuple[Stage, ...]]:
        """Return which stage waits for votes, and whose: as the broker finds it."""
        if not isinstance(self.decision, NeedsApproval):
            return 0, ()
        missing = self._missing(self.decision)
        if missing is None:
            stages = self.decision.approval.stages
            return len(stages) - 1, stages[-1:]
        return missing.stage, (missing.wanted,)

    def _missing(self, decision: NeedsApproval) -> approval.Outstanding | None:
        return approval.outstanding(decision.approval, self.votes, self.voters, self.requester.id)


def never_matched(rules: Iterable[Rule], tried: Iterable[Tried]) -> list[str]:
    """Return the rules that had no part in any case, of those that a case could show.

    Who permits a vote is not told apart, and ``breakGlass`` is not judged by cases.
    """
    decided = {rule for each in tried for rule in each.decided}
    shown = (rule for rule in rules if rule.cedar.effect == "forbid" or rule.verb in VERBS)
    return [rule.id for rule in shown if rule.id not in decided]


# What goes with one answer alone, and need not be told once the answer is another.
_OF_OTHERS = {"approval": None, "waits_for": None, "because": None}


def _differences(case: Case, verdict: Verdict) -> Iterator[tuple[str, str, str]]:
    if case.expect != verdict.expect:
        said = f"{verdict.expect}: {' '.join(verdict.because)}"
        yield "expect", case.expect, said if verdict.because else verdict.expect
        case = case.model_copy(update=_OF_OTHERS)
    if case.rules is not None and sorted(case.rules) != sorted(verdict.rules):
        yield "rules", _listed(case.rules), _listed(verdict.rules)
    for key, expected, said in (
        ("approval", case.approval, verdict.approval),
        ("waits_for", case.waits_for, verdict.waits_for),
    ):
        if expected is not None and " ".join(expected.split()) != said:
            yield key, expected, said or "nothing"
    if case.because is not None and case.because not in " ".join(verdict.because):
        yield "because", case.because, " ".join(verdict.because) or "nothing"


def _listed(rules: tuple[str, ...]) -> str:
    return ", ".join(rules) or "none"
