"""Checks what Cedar's validator cannot: ids, annotations, and tests that would quietly be false.

Cedar promises nothing about annotations and lets free ids be anything. So a typo in either
would load and then silently do less, or more, than its author meant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import cedarpy
from cedarpy import pst

from jitcloud.errors import Misconfigured
from jitcloud.policy import notes
from jitcloud.policy.known import Known
from jitcloud.policy.source import GUARDRAILS, Finding, Rule, parse, shipped
from jitcloud.text import NAME, NAME_RULE, printable, quoted

VERBS = ("activate", "request", "breakGlass", "approve", "stop", "end")

# Of what a request or a brake is about, Cedar is told all; see `entities`.
_TOLD = frozenset({"requester", "entitlement", "person"})


def checked(texts: Mapping[str, str], known: Known) -> tuple[tuple[Rule, ...], cedarpy.PolicySet]:
    """Read policy texts by name, the guardrails first, and return the rules also as Cedar has them.

    Raises ``Misconfigured`` with everything that is wrong, a line each.
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
    wrong += lint(rules, known)
    if wrong:
        raise Misconfigured("\n".join(map(str, wrong)))
    if all(rule.file == GUARDRAILS for rule in rules):
        message = "The policy has no rule, so nobody could have anything; write the first one."
        raise Misconfigured(message)
    return tuple(rules), cedarpy.PolicySet.from_str("\n".join(files.values()))


def lint(rules: Iterable[Rule], known: Known) -> Iterator[Finding]:
    """Find all that is wrong with rules that parse."""
    first: dict[str, Rule] = {}
    for rule in rules:
        for message in _complaints(rule, known):
            yield rule.finding(message)
        if rule.id and first.setdefault(rule.id, rule) is not rule:
            other = first[rule.id]
            yield rule.finding(
                f"{printable(other.file)} has a rule of this @id too (line {other.line});"
                " give one of them another."
            )


def reads(rule: Rule, fact: str) -> bool:
    """Whether a rule looks at a fact of the ask, such as ``ticket``."""
    for node in _nodes(rule.cedar):
        match node:
            case pst.GetAttr(base=pst.Var(name="context"), attr=attr) if attr == fact:
                return True
            case pst.HasAttr(base=pst.Var(name="context"), attrs=attrs) if fact in attrs:
                return True
            case _:
                continue
    return False


def _complaints(rule: Rule, known: Known) -> Iterator[str]:
    yield from _about_id(rule)
    yield from _about_action(rule)
    yield from notes.complaints(rule, known)
    for uid in sorted(rule.names, key=str):
        complaint = known.complaint(uid)
        if complaint is not None:
            yield complaint
    if any(not _is_told(subject) for subject in _subjects(rule.cedar)):
        yield (
            "only principal, resource, and a resource's requester, entitlement or person may stand"
            ' left of "in" and "has"; of anybody else Cedar is told no groups and no attributes,'
            " so that the test would silently be false."
        )


def _about_id(rule: Rule) -> Iterator[str]:
    if not rule.id:
        yield 'give this rule a name for records and messages, such as @id("prod-read").'
    elif NAME.fullmatch(rule.id) is None:
        yield f"@id({quoted(rule.id)}) is not a name; use {NAME_RULE}."


def _about_action(rule: Rule) -> Iterator[str]:
    if rule.cedar.effect == "permit" and rule.verb not in VERBS:
        named = ", ".join(f'Action::"{verb}"' for verb in VERBS)
        yield (
            "a permit names exactly one action, so that it opens no door its author did not think"
            f" of; write action == and one of {named}."
        )


def _is_told(subject: pst.Expr) -> bool:
    """Whether Cedar gets this entity with its parents and attributes, or it is the context."""
    match subject:
        case pst.Var():
            return True
        case pst.GetAttr(base=pst.Var(name="resource"), attr=attr) if attr in _TOLD:
            return True
        case pst.GetAttr(base=pst.Var(name="context")):
            return True
        case _:
            return False


def _subjects(rule: pst.Template) -> Iterator[pst.Expr]:
    """Yield every expression whose parents or attributes a rule tests for."""
    for node in _nodes(rule):
        match node:
            case pst.BinaryOp(op="in", left=subject):
                yield subject
            case pst.Is(base=subject, in_expr=group) if group is not None:
                yield subject
            case pst.HasAttr(base=subject):  # Cedar reads `a has b.c` as a test of a and of a.b
                yield subject


def _nodes(root: object) -> Iterator[object]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, tuple):
            stack.extend(node)
        elif dataclasses.is_dataclass(node):
            stack.extend(getattr(node, field.name) for field in dataclasses.fields(node))
