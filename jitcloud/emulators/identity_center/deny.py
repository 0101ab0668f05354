"""Whether a policy document, as a permissions boundary, leaves a role session anything to do.

Evaluated as IAM does, for the elements, operators and keys that ending a session early needs;
whatever else is in the document is refused, for a guess would be worse.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from jitcloud.errors import Invalid
from jitcloud.text import quoted

Context = Mapping[str, str | datetime]
"""The condition keys of a request, in lower case: names of keys do not depend on case."""

_KNOWN = frozenset(
    {
        "aws:currenttime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:tokenissuetime",
        "aws:userid",
        "identitystore:userid",
    }
)
_ABSENT = "aws:principaltag/"
"""Identity Center's sessions carry tags only where attributes for access control are set up."""

_ELEMENTS = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})
_PARTS_OF_AN_ARN = 6


def leaves_anything(document: Mapping[str, object], context: Context) -> bool:
    """Whether a session with this context can still do something. Raises ``Invalid``.

    It cannot where a Deny of every action on every resource applies, or where no Allow does. A
    Deny of less leaves something.
    """
    allowed = False
    for statement in _listed(document.get("Statement")):
        if not isinstance(statement, Mapping) or not statement.keys() <= _ELEMENTS:
            raise Invalid(
                "The document has a statement that cannot be evaluated here; "
                f"use no other elements than {', '.join(sorted(_ELEMENTS))}."
            )
        applies = _holds(statement.get("Condition", {}), context)
        everything = all("*" in _listed(statement.get(part)) for part in ("Action", "Resource"))
        if statement.get("Effect") == "Deny" and applies and everything:
            return False
        allowed |= statement.get("Effect") == "Allow" and applies
    return allowed


def _holds(condition: object, context: Context) -> bool:
    if not isinstance(condition, Mapping):
        raise Invalid("The document has a Condition that is no object; write operators in it.")
    # Every condition is looked at, so that one that cannot be evaluated is never passed over.
    held = [
        _matches(name, key, [str(value) for value in _listed(wanted)], context)
        for name, keys in condition.items()
        for key, wanted in dict(keys).items()
    ]
    return all(held)


def _matches(name: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    test = _OPERATORS.get(name)
    if test is None:
        raise Invalid(
            f"The operator {quoted(name)} is not evaluated here; use {', '.join(_OPERATORS)}."
        )
    if any("${" in value for value in wanted):
        raise Invalid("Policy variables are not evaluated here; write the values.")
    folded = key.lower()
    if folded.startswith(_ABSENT):
        return False  # "If the key is not present in the request context, the condition is false."
    if folded not in _KNOWN:
        raise Invalid(f"The key {quoted(key)} is not evaluated here; use {', '.join(_KNOWN)}.")
    return folded in context and any(test(context[folded], value) for value in wanted)


def _listed(said: object) -> Sequence[object]:
    return said if isinstance(said, list | tuple) else [said]


# ── Operators ────────────────────────────────────────────────────────────────────────────────

_Test = Callable[[str | datetime, str], bool]


def _equal(is_: str | datetime, wanted: str) -> bool:
    return _text(is_) == wanted


def _like(is_: str | datetime, wanted: str) -> bool:
    parts = (re.escape(part).replace(r"\?", ".") for part in wanted.split("*"))
    return re.fullmatch(".*".join(parts), _text(is_), re.DOTALL) is not None


def _arn_like(is_: str | datetime, wanted: str) -> bool:
    # "Each of the six colon-delimited components of the ARN is checked separately and each can
    # include a multi-character match wildcard." ArnEquals and ArnLike behave identically.
    theirs, ours = (text.split(":", _PARTS_OF_AN_ARN - 1) for text in (_text(is_), wanted))
    if len(ours) != _PARTS_OF_AN_ARN:
        raise Invalid(f"{quoted(wanted)} is no ARN; write all six parts of one.")
    return len(theirs) == len(ours) and all(map(_like, theirs, ours))


def _dated(compare: Callable[[datetime, datetime], bool]) -> _Test:
    def test(is_: str | datetime, wanted: str) -> bool:
        at = _date(wanted)
        return at is not None and isinstance(is_, datetime) and compare(is_, at)

    return test


def _date(text: str) -> datetime | None:
    """An instant in ISO 8601, or in seconds since 1970; a malformed one matches nothing."""
    try:
        if re.fullmatch("[0-9]+", text):
            return datetime.fromtimestamp(int(text), UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _text(said: str | datetime) -> str:
    return said if isinstance(said, str) else said.strftime("%Y-%m-%dT%H:%M:%SZ")


_OPERATORS: Mapping[str, _Test] = {
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "DateGreaterThan": _dated(operator.gt),
    "DateGreaterThanEquals": _dated(operator.ge),
    "DateLessThan": _dated(operator.lt),
    "DateLessThanEquals": _dated(operator.le),
    "StringEquals": _equal,
    "StringLike": _like,
}
