"""Every refusal that a person can meet stands in docs/policy.md, read from the code."""

from __future__ import annotations

import ast

import pytest

from jitcloud.policy.source import GUARDRAILS, parse, shipped
from tests.docs.pages import prose
from tests.docs.said import PACKAGE, is_said, templates
from tests.docs.test_messages import UNTOLD

REFUSE = (
    "advance.py",
    "asking.py",
    "attesting.py",
    "braking.py",
    "broker.py",
    "bundles.py",
    "controls.py",
    "facts.py",
    "issuing.py",
    "judge.py",
    "lifecycle.py",
    "policy/engine.py",
    "policy/evaluate.py",
    "reviewing.py",
    "scopes.py",
    "voting.py",
)
"""Who says no to people."""

FOR_OPERATORS = ("Misconfigured", "Tampered", "Conflict", "Unavailable", "ValueError")
"""What somebody has to mend, or what is tried again by itself: docs/operations.md has these."""


@pytest.mark.parametrize("module", REFUSE)
def test_every_refusal_is_listed_with_what_to_do(module: str) -> None:
    told = prose("docs/policy.md")
    others = _of_operators(module)
    missing = [
        message
        for message in templates(module)
        if message not in UNTOLD and message not in others and not is_said(message, told)
    ]
    assert missing == []


def test_what_the_guardrails_say_is_listed() -> None:
    rules, findings = parse(GUARDRAILS, shipped()[GUARDRAILS])
    assert not findings
    told = prose("docs/policy.md")
    said = [rule.annotations["because"] for rule in rules if "because" in rule.annotations]
    assert said
    assert [sentence for sentence in said if not is_said(sentence, told)] == []


def _of_operators(module: str) -> set[str]:
    """The sentences of a module that are raised as something else than a refusal."""
    source = (PACKAGE / module).read_text("utf-8")
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in FOR_OPERATORS:
                lines = range(node.lineno - 6, (node.end_lineno or node.lineno) + 1)
                found |= {text for text in templates(module) if _stands(text, source, lines)}
            case _:
                continue
    return found


def _stands(text: str, source: str, lines: range) -> bool:
    """Whether a sentence begins within these lines: it is put together just before it is raised."""
    begin = text.split("…", maxsplit=1)[0].strip()[:30] or text.strip("… ")[:30]
    shown = source.splitlines()
    return any(begin in line for number, line in enumerate(shown, start=1) if number in lines)
