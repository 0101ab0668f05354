"""Puts questions to Cedar. Whatever cannot be evaluated is denied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import cedarpy

from jitcloud.model import Denied, RuleId
from jitcloud.policy.entities import Question
from jitcloud.policy.source import Rule, schema

ANSWERS = 64
"""How many of the last questions to Cedar are remembered with their answers."""

THINGS = 256
"""How many of the things that were asked about are kept as Cedar takes them: many people ask about
the same ones, for one duration after the other."""

K = TypeVar("K")
V = TypeVar("V")

_POLICY_ID = re.compile(r"`policy([0-9]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Cedar says about one verb."""

    allowed: bool
    rules: tuple[int, ...]
    """Every permit that matched if it is allowed, else every forbid; by their numbers."""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """The rules as Cedar takes them, parsed once and asked often."""

    rules: tuple[Rule, ...]
    """Cedar's ``policyN`` is the N-th of them."""
    policies: cedarpy.PolicySet = field(repr=False)
    _answers: dict[object, dict[str, Answer] | Denied] = field(
        default_factory=dict, repr=False, compare=False
    )
    _things: dict[str, cedarpy.Entities] = field(default_factory=dict, repr=False, compare=False)

    def ask(self, verbs: Sequence[str], question: Question) -> dict[str, Answer] | Denied:
        """Ask about each verb. Any error, of any rule, for any verb, is a denial of all.

        Cedar skips a rule that errs. That is safe for a permit; a skipped forbid lets in.
        """
        # The same question has the same answer: an ask that is let in at once is judged when it
        # is made and again when it is activated, an instant later.
        same = (verbs, question)
        known = self._answers.get(same)
        if known is None:
            known = self._ask_cedar(verbs, question)
            _remember(self._answers, same, known, ANSWERS)
        return known

    def entities(self, question: Question) -> cedarpy.Entities:
        """Return what a question is about as Cedar takes it. Raises ``ValueError``."""
        things = self._things.get(question.about)
        if things is None:
            things = cedarpy.Entities.from_json_str(question.about, schema())
            _remember(self._things, question.about, things, THINGS)
        return things.with_added_json_str(question.people, schema())

    def ids(self, numbers: Iterable[int]) -> tuple[RuleId, ...]:
        """Name rules by their numbers, in the order of the policy."""
        return tuple(self.rules[number].id for number in sorted(set(numbers)))

    def _ask_cedar(self, verbs: Sequence[str], question: Question) -> dict[str, Answer] | Denied:
        try:
            known = self.entities(question)
            results = cedarpy.is_authorized_batch(
                question.requests(verbs), self.policies, known, schema()
            )
        except ValueError:  # what cedarpy raises for entities that do not fit the schema
            return unevaluated("What directory and catalog say does not fit the policy's schema.")
        errors = [error for result in results for error in result.diagnostics.errors]
        if errors:
            return self._failed(errors)
        return {
            verb: Answer(allowed=result.allowed, rules=_matched(result))
            for verb, result in zip(verbs, results, strict=True)
        }

    def _failed(self, errors: Iterable[str]) -> Denied:
        rules = self.ids(int(number) for error in errors for number in _POLICY_ID.findall(error))
        return unevaluated(f"These rules fail: {', '.join(rules) or 'all'}.", rules)


def _remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    if len(known) >= most:
        known.clear()
    known[key] = value


def unevaluated(why: str, rules: tuple[RuleId, ...] = ()) -> Denied:
    """Return the denial of what cannot be evaluated."""
    because = f"The policy could not be evaluated; tell whoever keeps it. {why}"
    return Denied(because=(because,), rules=rules)


def _matched(result: cedarpy.AuthzResult) -> tuple[int, ...]:
    """Return the rules that decided, in the order of the policy (Cedar's order varies)."""
    reasons = result.diagnostics.reasons
    return tuple(sorted(int(reason.removeprefix("policy")) for reason in reasons))
