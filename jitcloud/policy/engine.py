"""Judges asks and votes by Cedar rules. Whatever cannot be evaluated is denied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import cedarpy

from jitcloud.approval import combine
from jitcloud.errors import Misconfigured
from jitcloud.model import (
    Activate,
    Approval,
    Ask,
    Decision,
    Denied,
    Digest,
    Entitlement,
    NeedsApproval,
    Person,
    PolicyRef,
    RuleId,
    Stage,
    Window,
)
from jitcloud.policy.approvals import ApprovalRule
from jitcloud.policy.entities import Question, World, about_ask, about_vote, uid
from jitcloud.policy.known import Known
from jitcloud.policy.lint import lint
from jitcloud.policy.source import (
    GUARDRAILS,
    Finding,
    Rule,
    digest,
    parse,
    read_folder,
    schema,
    shipped,
)
from jitcloud.ports import Directory
from jitcloud.text import printable

# In the order of preference: the first that is allowed is the verdict.
_VERBS = ("activate", "request")

ANSWERS = 64
"""How many of the last questions to Cedar are remembered with their answers."""

_DISABLED = "Your account is disabled in the directory."
_NO_MANAGER = (
    "This needs a yes from your manager, but the directory names none for you; ask whoever keeps"
    " the directory to add yours."
)
_NO_VOTE = "No rule lets you approve this."

_POLICY_ID = re.compile(r"`policy([0-9]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An organisation's rules and the guardrails: checked, parsed once, and judged by often."""

    digest: Digest
    """Of all texts that judge: the organisation's, the guardrails and the schema."""
    rules: tuple[Rule, ...] = field(repr=False)
    """Every rule, the guardrails first; Cedar's ``policyN`` is the N-th of them."""
    _set: cedarpy.PolicySet = field(repr=False)
    _approvals: Mapping[int, ApprovalRule] = field(repr=False)
    _groups: frozenset[str] = field(repr=False)
    """Every group that a rule names."""
    _answers: dict[tuple[str, ...], list[cedarpy.AuthzResult] | Denied] = field(
        default_factory=dict, repr=False, compare=False
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
        taken = sorted(texts.keys() & shipped().keys())
        if taken:
            message = f"{taken[0]}: this name is taken by a text that comes with jitcloud."
            raise Misconfigured(message)
        files = {GUARDRAILS: shipped()[GUARDRAILS], **dict(sorted(texts.items()))}
        # Each file must be whole by itself: joined, an open comment, string or rule of one file
        # could swallow the beginning of the next.
        rules: list[Rule] = []
        wrong: list[Finding] = []
        for name, text in files.items():
            found, findings = parse(name, text)
            rules += found
            wrong += findings
        wrong += lint(rules, Known.ask(directory, catalog))
        if wrong:
            raise Misconfigured("\n".join(map(str, wrong)))
        if all(rule.file == GUARDRAILS for rule in rules):
            message = "The policy has no rule, so nobody could have anything; write the first one."
            raise Misconfigured(message)
        return cls(
            digest=digest(texts),
            rules=tuple(rules),
            _set=cedarpy.PolicySet.from_str("\n".join(files.values())),
            _approvals={
                number: ApprovalRule.parse(rule.annotations["approval"])
                for number, rule in enumerate(rules)
                if "approval" in rule.annotations
            },
            _groups=frozenset(
                uid.id
                for rule in rules
                for uid in cedarpy.pst.entity_uids(rule.cedar)
                if str(uid.type) == "Group"
            ),
        )

    @classmethod
    def nothing(cls) -> Policy:
        """The policy under which nobody may have anything."""
        return cls(
            digest=digest({}),
            rules=(),
            _set=cedarpy.PolicySet.from_str(""),
            _approvals={},
            _groups=frozenset(),
        )

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
        try:
            question = about_ask(ask, person, world, window, self._groups)
        except ValueError as exc:
            return _unevaluated(str(exc))
        results = self._evaluate(_VERBS, question)
        if isinstance(results, Denied):
            return results
        for verb, result in zip(_VERBS, results, strict=True):
            if result.allowed:
                return self._let_in(verb, result, ask.entitlement, person)
        otherwise = (
            "No rule lets you have this as you asked for it; try a shorter time, or ask"
            f" {printable(ask.entitlement.owner)} which rule could."
        )
        return self._refusal(results, otherwise)

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
        results = self._evaluate(
            ("approve",), about_vote(voter, mfa_age, request_person, stages, self._groups)
        )
        if isinstance(results, Denied):
            return results
        if all(result.allowed for result in results):
            return None
        return self._refusal(results, _NO_VOTE)

    def _evaluate(
        self, verbs: Sequence[str], question: Question
    ) -> list[cedarpy.AuthzResult] | Denied:
        """Ask Cedar about each verb. Any error, of any rule, for any verb, is a denial.

        Cedar skips a rule that errs. That is safe for a permit; a skipped forbid lets in.
        """
        # The same question has the same answer: an ask that is let in at once is judged when it
        # is made and again when it is activated, an instant later.
        same = (
            *verbs,
            question.context,
            question.entities,
            str((question.principal, question.resource)),
        )
        known = self._answers.get(same)
        if known is None:
            known = self._ask_cedar(verbs, question)
            if len(self._answers) >= ANSWERS:
                self._answers.clear()
            self._answers[same] = known
        return known

    def _ask_cedar(
        self, verbs: Sequence[str], question: Question
    ) -> list[cedarpy.AuthzResult] | Denied:
        requests = [
            {
                "principal": question.principal,
                "action": uid("Action", verb),
                "resource": question.resource,
                "context": question.context,
            }
            for verb in verbs
        ]
        try:
            known = cedarpy.Entities.from_json_str(question.entities, schema())
            results = cedarpy.is_authorized_batch(requests, self._set, known, schema())
        except ValueError:  # what cedarpy raises for entities that do not fit the schema
            return _unevaluated("What directory and catalog say does not fit the policy's schema.")
        errors = [error for result in results for error in result.diagnostics.errors]
        if errors:
            return self._failed(errors)
        return results

    def _failed(self, errors: Iterable[str]) -> Denied:
        numbers = {int(number) for error in errors for number in _POLICY_ID.findall(error)}
        rules = tuple(self.rules[number].id for number in sorted(numbers))
        return _unevaluated(f"These rules fail: {', '.join(rules) or 'all'}.", rules)

    def _matched(self, results: Iterable[cedarpy.AuthzResult]) -> list[int]:
        """Return the rules that decided, in the order of the policy (Cedar's order varies)."""
        reasons = {reason for result in results for reason in result.diagnostics.reasons}
        return sorted(int(reason.removeprefix("policy")) for reason in reasons)

    def _let_in(
        self, verb: str, result: cedarpy.AuthzResult, entitlement: Entitlement, person: Person
    ) -> Decision:
        matched = self._matched([result])
        ids = tuple(self.rules[number].id for number in matched)
        if verb == "activate":
            return Activate(rules=ids)
        approvals: list[Approval] = []
        for number in matched:
            approval = self._approvals[number].resolve(entitlement.owner, person.manager)
            if approval is None:
                return Denied(because=(_NO_MANAGER,), rules=ids)
            approvals.append(approval)
        return NeedsApproval(rules=ids, approval=combine(approvals))

    def _refusal(self, results: Sequence[cedarpy.AuthzResult], otherwise: str) -> Denied:
        forbids = [self.rules[number] for number in self._matched(results)]
        sentences = dict.fromkeys(rule.annotations["because"] for rule in forbids)
        return Denied(
            because=tuple(sentences) or (otherwise,), rules=tuple(rule.id for rule in forbids)
        )


def _unevaluated(why: str, rules: tuple[RuleId, ...] = ()) -> Denied:
    because = f"The policy could not be evaluated; tell whoever keeps it. {why}"
    return Denied(because=(because,), rules=rules)
