"""The closed vocabulary of annotations: what each is on, and what it has to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from jitcloud.durations import parse_duration
from jitcloud.errors import Invalid
from jitcloud.policy.approvals import ApprovalRule
from jitcloud.policy.known import Known
from jitcloud.policy.source import Rule
from jitcloud.text import did_you_mean, one_line, printable, quoted

_ESCALATE = re.compile(r"after (?P<time>\S+) to (?P<group>\S+)")
_REVIEW = re.compile(r"within (?P<time>\S+) by (?P<group>\S+)")


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


def _approval(text: str, known: Known) -> Iterator[str]:
    try:
        approvers = ApprovalRule.parse(text).approvers
    except Invalid as exc:
        yield str(exc)
        return
    for who in dict.fromkeys(approvers):
        complaint = known.approver(who)
        if complaint is not None:
            yield f"@approval: {complaint}"


def _because(text: str, _: Known) -> Iterator[str]:
    try:
        one_line(text, "sentence", limit=300)
    except Invalid as exc:
        yield f"@because: {exc}"


def _timed(name: str, form: re.Pattern[str], example: str) -> Callable[[str, Known], Iterator[str]]:
    def check(text: str, known: Known) -> Iterator[str]:
        match = form.fullmatch(text)
        if match is None:
            yield f'@{name}({quoted(text)}) cannot be read; write it like "{example}".'
            return
        try:
            parse_duration(match["time"])
        except Invalid as exc:
            yield f"@{name}: {exc}"
        complaint = known.group(match["group"])
        if complaint is not None:
            yield f"@{name}: {complaint}"

    return check


def _notify(text: str, known: Known) -> Iterator[str]:
    for name in text.split(","):
        complaint = known.group(name.strip())
        if complaint is not None:
            yield f"@notify: {complaint}"


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
_CHECKS: dict[str, Callable[[str, Known], Iterator[str]]] = {
    "approval": _approval,
    "because": _because,
    "escalate": _timed("escalate", _ESCALATE, "after 30m to platform-leads"),
    "notify": _notify,
    "review": _timed("review", _REVIEW, "within 24h by security"),
}
