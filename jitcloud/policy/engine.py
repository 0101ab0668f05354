"""Judges asks, votes and brakes by Cedar rules. Whatever cannot be evaluated is denied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import cedarpy

from jitcloud.model import (
    Activate,
    Ask,
    BreakGlass,
    Decision,
    Denied,
    Digest,
    Entitlement,
    NeedsApproval,
    Person,
    PolicyRef,
    RuleId,
    Scope,
    Stage,
    Window,
)
from jitcloud.policy.entities import Question, World, about_ask, about_brake, about_vote
from jitcloud.policy.evaluate import Answer, Evaluator, unevaluated
from jitcloud.policy.known import Known, named
from jitcloud.policy.lint import checked
from jitcloud.policy.names import Related
from jitcloud.policy.source import Rule, digest, read_folder
from jitcloud.policy.terms import Terms
from jitcloud.ports import Directory
from jitcloud.text import printable

Brake = Literal["stop", "end"]

_DISABLED = "Your account is disabled in the directory."
_NO_MANAGER = (
    "This needs a yes from your manager, but the directory names none for you; ask whoever keeps"
    " the directory to add yours."
)
_NO_REVIEWER = (
    "Your manager would have to review this, but the directory names none for you; ask whoever"
    " keeps the directory to add yours."
)
_NO_VOTE = "No rule lets you approve this."
_NO_INCIDENT = "Breaking the glass takes an incident; open one and name it."
_NO_GLASS = "No rule lets you break the glass for this as you asked for it."
_ASK_INSTEAD = "You can ask for it without breaking the glass; that takes a yes from others."


def verbs_of(ask: Ask) -> tuple[str, ...]:
    """Return what Cedar is asked about, in the order of preference: the first allowed counts.

    But whoever breaks the glass gets in at once or not at all: a request is then only looked at
    for whose yes is passed over.
    """
    return ("activate", "request", "breakGlass") if ask.break_glass else ("activate", "request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An organisation's rules and the guardrails: checked, parsed once, and judged by often."""

    digest: Digest
    """Of all texts that judge: the organisation's, the guardrails and the schema."""
    rules: tuple[Rule, ...] = field(repr=False)
    """Every rule, the guardrails first; Cedar's ``policyN`` is the N-th of them."""
    _cedar: Evaluator = field(repr=False)
    _terms: Terms = field(repr=False)
    _groups: frozenset[str] = field(repr=False)
    """Every group that a rule names."""

    @classmethod
    def of(cls, rules: Sequence[Rule], policies: cedarpy.PolicySet, digest: Digest) -> Policy:
        """Judge by rules that were checked; ``policies`` are the same, for Cedar."""
        return cls(
            digest=digest,
            rules=tuple(rules),
            _cedar=Evaluator(tuple(rules), policies),
            _terms=Terms.of(rules),
            _groups=named(rules, "Group"),
        )

    @classmethod
    def load(cls, folder: Path, *, catalog: Iterable[Entitlement], directory: Directory) -> Policy:
        """Read a folder of ``*.cedar`` files; see ``from_texts``."""
        return cls.from_texts(read_folder(folder), catalog=catalog, directory=directory)

    @classmethod
    def from_texts(
        cls,
        texts: Mapping[str, str],
        *,
        catalog: Iterable[Entitlement],
        directory: Directory,
    ) -> Policy:
        """Parse and check policy texts by name.

        Raises ``Misconfigured`` with everything that is wrong, a line each:
        ``file:line:rule-id: message``.
        """
        rules, policies = checked(texts, Known.ask(directory, catalog))
        return cls.of(rules, policies, digest(texts))

    @classmethod
    def nothing(cls) -> Policy:
        """The policy under which nobody may have anything."""
        return cls.of((), cedarpy.PolicySet.from_str(""), digest({}))

    @property
    def ref(self) -> PolicyRef:
        """What the record names as the policy that decided."""
        return PolicyRef(sha256=self.digest)

    def judge(self, ask: Ask, person: Person, world: World, window: Window) -> Decision:
        """Decide an ask: the facts of the ask as asked, those of person and world as of now.

        Does not look at votes, nor at whether enough people could approve: ``approval`` does.
        """
        if person.id != ask.person:
            message = "A decision about an ask needs the person who asked."
            raise ValueError(message)
        if person.disabled:
            return Denied(because=(_DISABLED,))
        if ask.duration <= timedelta() or window.deadline <= window.start:
            return Denied(because=("The window is empty; ask for at least a second.",))
        if ask.break_glass and ask.incident is None:
            return Denied(because=(_NO_INCIDENT,))
        try:
            question = about_ask(ask, person, world, window, self._groups)
        except ValueError as exc:
            return unevaluated(str(exc))
        answers = self._cedar.ask(verbs_of(ask), question)
        if isinstance(answers, Denied):
            return answers
        return self._verdict(ask, answers, person)

    def may_vote(
        self,
        voter: Person,
        mfa_age: timedelta | None,
        request_person: Person,
        stages: Sequence[Stage],
    ) -> Denied | None:
        """Decide whether somebody may vote now, on a request of whose approval these are open.

        Does not look at who has voted already.
        """
        if voter.disabled:
            return Denied(because=(_DISABLED,))
        question = about_vote(voter, mfa_age, request_person, stages, self._groups)
        said = self._permits("approve", question, _NO_VOTE)
        return said if isinstance(said, Denied) else None

    def may_brake(  # noqa: PLR0913, PLR0917 - each one a fact of the brake
        self,
        verb: Brake,
        person: Person,
        mfa_age: timedelta | None,
        scope: Scope,
        entitlement: Entitlement | None,
        about: Person | None,
    ) -> Denied | None:
        """Decide whether somebody may use a brake; see ``brake``."""
        said = self.brake(verb, person, mfa_age, scope, entitlement, about)
        return said if isinstance(said, Denied) else None

    def brake(  # noqa: PLR0913, PLR0917 - each one a fact of the brake
        self,
        verb: Brake,
        person: Person,
        mfa_age: timedelta | None,
        scope: Scope,
        entitlement: Entitlement | None,
        about: Person | None,
    ) -> tuple[RuleId, ...] | Denied:
        """Decide whether somebody may stop what would be activated, or end what is held.

        ``entitlement`` and ``about`` are what the scope names, as catalog and directory have it
        now; None where it names none, or where it is gone: then no rule can look at it.
        Returns the rules that permit it.
        """
        if person.disabled:
            return Denied(because=(_DISABLED,))
        otherwise = (
            "No rule lets you use this brake; whoever keeps the policy would have to permit you"
            f' Action::"{verb}".'
        )
        question = about_brake(person, mfa_age, scope, entitlement, about, self._groups)
        return self._permits(verb, question, otherwise)

    def _permits(
        self, verb: str, question: Question, otherwise: str
    ) -> tuple[RuleId, ...] | Denied:
        answers = self._cedar.ask((verb,), question)
        if isinstance(answers, Denied):
            return answers
        if answers[verb].allowed:
            return self._cedar.ids(answers[verb].rules)
        return self._refusal(answers.values(), otherwise)

    def _verdict(self, ask: Ask, answers: Mapping[str, Answer], person: Person) -> Decision:
        owner = ask.entitlement.owner
        related = Related(owner=owner, manager=person.manager)
        if answers["activate"].allowed:
            return Activate(rules=self._cedar.ids(answers["activate"].rules))
        if ask.break_glass:
            return self._break_glass(answers, related)
        if answers["request"].allowed:
            return self._needs_approval(answers["request"], related)
        otherwise = (
            "No rule lets you have this as you asked for it; try a shorter time, or ask"
            f" {printable(owner)} which rule could."
        )
        return self._refusal(answers.values(), otherwise)

    def _needs_approval(self, answer: Answer, related: Related) -> Decision:
        rules = self._cedar.ids(answer.rules)
        approval = self._terms.approval(answer.rules, related)
        if approval is None:
            return Denied(because=(_NO_MANAGER,), rules=rules)
        return NeedsApproval(rules=rules, approval=approval)

    def _break_glass(self, answers: Mapping[str, Answer], related: Related) -> Decision:
        asking, breaking = answers["request"], answers["breakGlass"]
        skipped = self._terms.approval(asking.rules, related) if asking.allowed else None
        if not breaking.allowed:
            # What keeps them from having it at once was not asked about.
            refusal = self._refusal([breaking], _NO_GLASS)
            if skipped is None:
                return refusal
            return replace(refusal, because=(*refusal.because, _ASK_INSTEAD))
        rules = self._cedar.ids(breaking.rules)
        review = self._terms.review(breaking.rules, related)
        if review is None:
            return Denied(because=(_NO_REVIEWER,), rules=rules)
        notify = self._terms.notify(breaking.rules, related)
        return BreakGlass(rules=rules, review=review, notify=notify, skipped=skipped)

    def _refusal(self, answers: Iterable[Answer], otherwise: str) -> Denied:
        numbers = {number for each in answers if not each.allowed for number in each.rules}
        forbids = [self.rules[number] for number in sorted(numbers)]
        sentences = dict.fromkeys(rule.annotations["because"] for rule in forbids)
        return Denied(
            because=tuple(sentences) or (otherwise,), rules=tuple(rule.id for rule in forbids)
        )
