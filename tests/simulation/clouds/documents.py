"""Judges policy documents as IAM does, and only what it surely judges rightly.

Each document is read once, and each question is put to it once: what is left to do at each
instant are the conditions. An element, operator or key that is not known here raises
``Unjudged``, for a guess would be worse than none.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from functools import lru_cache

Value = str | datetime
Context = Mapping[str, Value]
"""The condition keys of a call, in small letters: their names do not depend on case."""

Test = Callable[[Context], bool]


class Unjudged(Exception):
    """Nobody here knows what IAM would make of it."""


class Verdict(Enum):
    """What one document says about a call."""

    DENIES = auto()
    ALLOWS = auto()
    SILENT = auto()


KNOWN = frozenset(
    {
        "aws:currenttime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:sourceidentity",
        "aws:tokenissuetime",
        "aws:userid",
        "identitystore:userid",
    }
)
"""What a call may have with it; and any tag, ``aws:principaltag/…``."""

_TAG = "aws:principaltag/"
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_PARTS_OF_AN_ARN = 6


class Document:
    """One policy document, read."""

    __slots__ = ("_about", "_statements")

    def __init__(self, text: str) -> None:
        """Read it. Raises ``ValueError`` for what is no document, and ``Unjudged``."""
        said = json.loads(text)
        if not isinstance(said, dict) or said.get("Version") != "2012-10-17":
            raise Unjudged(text)
        if not said.keys() <= {"Version", "Id", "Statement"}:
            raise Unjudged(text)
        self._statements = tuple(_Statement(each) for each in _listed(said["Statement"]))
        self._about: dict[tuple[str, str], tuple[tuple[bool, Sequence[Test]], ...]] = {}

    def says(self, action: str, resource: str, context: Context) -> Verdict:
        """Whether it lets a call through: a Deny that applies counts more than any Allow."""
        about = self._about.get((action, resource))
        if about is None:
            about = self._about[action, resource] = tuple(
                (each.denies, each.tests)
                for each in self._statements
                if each.is_about(action, resource)
            )
        verdict = Verdict.SILENT
        for denies, tests in about:
            for test in tests:
                if not test(context):
                    break
            else:
                if denies:
                    return Verdict.DENIES
                verdict = Verdict.ALLOWS
        return verdict


@lru_cache(maxsize=8192)
def read(text: str) -> Document:
    """Read a document, once."""
    return Document(text)


@lru_cache(maxsize=8192)
def parsed(text: str) -> Mapping[str, object]:
    """What the SDK makes of a document that an answer carries. Nobody may change it."""
    said: Mapping[str, object] = json.loads(text)
    return said


class _Statement:
    __slots__ = ("_action", "_resource", "denies", "tests")

    def __init__(self, said: object) -> None:
        if not isinstance(said, dict) or not said.keys() <= _ELEMENTS:
            raise Unjudged(said)
        if said.get("Effect") not in {"Allow", "Deny"}:
            raise Unjudged(said)
        self.denies = said["Effect"] == "Deny"
        # Actions are told apart without regard to case, resources with it.
        self._action = _element(said, "Action", "NotAction", fold=True)
        self._resource = _element(said, "Resource", "NotResource", fold=False)
        self.tests = tuple(_tests(said.get("Condition", {})))

    def is_about(self, action: str, resource: str) -> bool:
        return self._action(action.lower()) and self._resource(resource)


def _element(
    said: Mapping[str, object], one: str, other: str, *, fold: bool
) -> Callable[..., bool]:
    if (one in said) == (other in said):
        raise Unjudged(said)
    named = [_text(each) for each in _listed(said[one if one in said else other])]
    if any("${" in each for each in named):
        raise Unjudged("policy variables")
    patterns = [_pattern(each.lower() if fold else each) for each in named]
    wanted = one in said

    def is_meant(text: str) -> bool:
        return any(pattern.fullmatch(text) for pattern in patterns) is wanted

    return is_meant


def _tests(said: object) -> Iterator[Test]:
    if not isinstance(said, dict):
        raise Unjudged(said)
    for name, keys in said.items():
        compare = OPERATORS.get(name)
        if compare is None or not isinstance(keys, dict) or not keys:
            raise Unjudged(f"{name}: {keys}")
        for key, values in keys.items():
            yield _test(compare, key.lower(), [_text(value) for value in _listed(values)])


def _test(compare: _Compare, key: str, wanted: Sequence[str]) -> Test:
    if key not in KNOWN and not key.startswith(_TAG):
        raise Unjudged(f"the key {key}")
    if not wanted or any("${" in value for value in wanted):
        raise Unjudged(f"{key}: {wanted}")
    prepared = [compare(value) for value in wanted]

    def test(context: Context) -> bool:
        # "If the key that you specify in a policy condition is not present in the request context,
        # the values do not match and the condition is false."
        is_ = context.get(key)
        return is_ is not None and any(each(is_) for each in prepared)

    return test


# ── Operators ────────────────────────────────────────────────────────────────────────────────

_Compare = Callable[[str], Callable[[Value], bool]]


def _equals(wanted: str) -> Callable[[Value], bool]:
    return lambda is_: _text(is_) == wanted


def _like(wanted: str) -> Callable[[Value], bool]:
    pattern = _pattern(wanted)
    return lambda is_: pattern.fullmatch(_text(is_)) is not None


def _arn_like(wanted: str) -> Callable[[Value], bool]:
    # "Each of the six colon-delimited components of the ARN is checked separately and each can
    # include a multi-character match wildcard." ArnEquals and ArnLike behave identically.
    parts = wanted.split(":", _PARTS_OF_AN_ARN - 1)
    if len(parts) != _PARTS_OF_AN_ARN:
        raise Unjudged(f"{wanted} is no ARN")
    patterns = [_pattern(part) for part in parts]

    def test(is_: Value) -> bool:
        theirs = _text(is_).split(":", _PARTS_OF_AN_ARN - 1)
        return len(theirs) == len(patterns) and all(
            pattern.fullmatch(part) for pattern, part in zip(patterns, theirs, strict=True)
        )

    return test


def _dated(compare: Callable[[datetime, datetime], bool]) -> _Compare:
    def prepare(wanted: str) -> Callable[[Value], bool]:
        at = _date(wanted)
        # A malformed date matches nothing: a Deny that has one never denies.
        return lambda is_: at is not None and isinstance(is_, datetime) and compare(is_, at)

    return prepare


OPERATORS: Mapping[str, _Compare] = {
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "DateGreaterThan": _dated(operator.gt),
    "DateGreaterThanEquals": _dated(operator.ge),
    "DateLessThan": _dated(operator.lt),
    "DateLessThanEquals": _dated(operator.le),
    "StringEquals": _equals,
    "StringLike": _like,
}


def _date(text: str) -> datetime | None:
    try:
        if re.fullmatch("[0-9]+", text):
            return datetime.fromtimestamp(int(text), UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = (re.escape(part).replace(r"\?", ".") for part in text.split("*"))
    return re.compile(".*".join(parts), re.DOTALL)


def _listed(said: object) -> Sequence[object]:
    return said if isinstance(said, list) else [said]


def _text(said: object) -> str:
    if isinstance(said, datetime):
        return said.strftime("%Y-%m-%dT%H:%M:%SZ")
    if not isinstance(said, str):
        raise Unjudged(said)
    return said
