"""Tries a decision table: each case is judged as the broker would, and compared with its row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from jitcloud.catalog import Catalog
from jitcloud.errors import NotFound, Refused
from jitcloud.model import Ask
from jitcloud.policy.advice import Decide
from jitcloud.policy.cases import BrakeCase, Case
from jitcloud.policy.engine import Policy
from jitcloud.policy.entities import World
from jitcloud.policy.hearing import BrakeHearing, Hearing, Verdict
from jitcloud.policy.source import Rule
from jitcloud.ports import Directory

_JUST_NOW = timedelta()
_SOME = "CASE-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One case, tried."""

    number: int
    case: Case | BrakeCase
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

    def tried(self, number: int, case: Case | BrakeCase) -> Tried:
        """Judge one case."""
        try:
            verdict, decided = self._hear(case)
        except (NotFound, Refused, ValueError) as exc:
            return Tried(number=number, case=case, verdict=None, trouble=str(exc))
        return Tried(number=number, case=case, verdict=verdict, decided=decided)

    def _hear(self, case: Case | BrakeCase) -> tuple[Verdict, tuple[str, ...]]:
        if isinstance(case, BrakeCase):
            brake = BrakeHearing(policy=self.policy, catalog=self.catalog, directory=self.directory)
            verdict = brake.verdict(case)
            return verdict, verdict.rules
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
            break_glass=case.break_glass,
        )
        world = World(
            freeze=case.freeze, ticket_verified=case.ticket, incident_verified=case.incident
        )
        decision = self.decide(ask, world)
        hearing = Hearing(self.policy, self.directory, requester, ask, decision)
        return hearing.verdict(case), tuple(hearing.decided)


def never_matched(rules: Iterable[Rule], tried: Iterable[Tried]) -> list[str]:
    """Return the rules that had no part in any case, of those that a case could show.

    Who permits a vote is not told apart.
    """
    decided = {rule for each in tried for rule in each.decided}
    shown = (rule for rule in rules if rule.cedar.effect == "forbid" or rule.verb != "approve")
    return [rule.id for rule in shown if rule.id not in decided]


_TOLD = ("approval", "waits_for", "review", "notify", "skipped")

# What goes with one answer alone, and need not be told once the answer is another.
_OF_OTHERS = dict.fromkeys((*_TOLD, "because"))


def _differences(case: Case | BrakeCase, verdict: Verdict) -> Iterator[tuple[str, str, str]]:
    if case.expect != verdict.expect:
        said = f"{verdict.expect}: {' '.join(verdict.because)}"
        yield "expect", case.expect, said if verdict.because else verdict.expect
        case = case.model_copy(update=_OF_OTHERS)
    if case.rules is not None and sorted(case.rules) != sorted(verdict.rules):
        yield "rules", _listed(case.rules), _listed(verdict.rules)
    for key in _TOLD:
        expected, said = getattr(case, key, None), getattr(verdict, key)
        if expected is not None and " ".join(expected.split()) != said:
            yield key, expected, said or "nothing"
    if case.because is not None and case.because not in " ".join(verdict.because):
        yield "because", case.because, " ".join(verdict.because) or "nothing"


def _listed(rules: tuple[str, ...]) -> str:
    return ", ".join(rules) or "none"
