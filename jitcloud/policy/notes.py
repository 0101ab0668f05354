"""The closed vocabulary of annotations: what each is on, and what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jitcloud.errors import Invalid
from jitcloud.model import Approver
from jitcloud.policy.approvals import ApprovalRule, EscalationRule
from jitcloud.policy.known import Known
from jitcloud.policy.names import Name
from jitcloud.policy.reviews import ReviewRule, parse_notify
from jitcloud.policy.source import Rule
from jitcloud.text import did_you_mean, one_line, printable

_Check = Callable[[str, Known], Iterator[str]]


def complaints(rule: Rule, known: Known) -> Iterator[str]:
    """Yield what is wrong with the annotations of a rule, save its ``@id``."""
    kind = rule.cedar.effect if rule.cedar.effect == "forbid" else f"permit of {rule.verb}"
    for name, text in sorted(rule.annotations.items()):
        if name == "id":
            continue
        if name not in _PLACES:
            yield f"@{printable(name)} means nothing here.{did_you_mean(name, ['id', *_PLACES])}"
        elif _PLACES[name] != kind:
            yield f"@{name} belongs on a {_PLACES[name]}, and this is a {kind}; take it away."
        else:
            yield from _CHECKS[name](text, known)
    for name, example in _REQUIRED.items():
        if _PLACES[name] == kind and name not in rule.annotations:
            yield f"a {kind} needs @{name}; add one, such as @{name}({example})."


def _because(text: str, _: Known) -> Iterator[str]:
    try:
        one_line(text, "sentence", limit=300)
    except Invalid as exc:
        yield f"@because: {exc}"


def _naming(name: str, read: Callable[[str], tuple[Name, ...]]) -> _Check:
    """Return the check of an annotation that names somebody."""

    def check(text: str, known: Known) -> Iterator[str]:
        try:
            named = read(text)
        except Invalid as exc:
            yield str(exc)
            return
        for who in dict.fromkeys(named):
            complaint = known.approver(who) if isinstance(who, Approver) else None
            if complaint is not None:
                yield f"@{name}: {complaint}"

    return check


_PLACES = {
    "approval": "permit of request",
    "because": "forbid",
    "escalate": "permit of request",
    "notify": "permit of breakGlass",
    "review": "permit of breakGlass",
}
_REQUIRED = {
    "approval": '"1 of resource.owner"',
    "because": '"Production needs a ticket."',
    "review": '"within 24h by security"',
}
_CHECKS: dict[str, _Check] = {
    "approval": _naming("approval", lambda text: ApprovalRule.parse(text).names),
    "because": _because,
    "escalate": _naming("escalate", lambda text: (EscalationRule.parse(text).to,)),
    "notify": _naming("notify", parse_notify),
    "review": _naming("review", lambda text: ReviewRule.parse(text).names),
}
