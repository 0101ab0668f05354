"""The inline policy of ``aws.iam-policy``: rights that IAM itself ends at the deadline. Pure.

Each statement of the catalog gets one more condition: before the deadline. IAM combines the
conditions of a statement, and the keys of one operator, by AND, and only the values of one key
by OR (IAM User Guide, "Conditions with multiple context keys or values"). So what the catalog
demands stays demanded, unless it has that very operator and key itself: ``parse`` refuses this.

There are no Denies. One would also take away what the principal may do otherwise, so a grant
would take access, and its end would give it back.

Nothing says when it starts: nothing is written before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from jitcloud.providers.aws import escapes
from jitcloud.providers.aws.escapes import Escape
from jitcloud.providers.aws.session_policy import Statement, actions_of
from jitcloud.text import quoted

MOST_CHARACTERS = {"role": 10_240, "user": 2_048}
"""What IAM takes in all inline policies of one role, or one user, together.

White space does not count (IAM User Guide, "IAM and AWS STS quotas"; it cannot be raised).
"""

_OPERATOR = "DateLessThan"
_KEY = "aws:CurrentTime"
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_OURS = re.compile(r"jit-[0-9a-f]{32}")
_SOME_DAY = datetime(2030, 1, 1, tzinfo=UTC)

_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]{1,64}:[A-Za-z0-9*?]{1,128}")
_SID = re.compile(r"[A-Za-z0-9]{0,100}")
_TEXT = re.compile(r"[\x20-\xff]{1,2048}")  # what a policy document may be made of


# ── From the catalog ─────────────────────────────────────────────────────────────────────────


def from_json(value: object) -> object:
    """Read a policy that was pasted as JSON text. Raises ``ValueError`` with a sentence."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise ValueError("this text is not JSON; write the policy as a TOML table instead") from exc


def parse(document: Mapping[str, object]) -> tuple[Statement, ...]:
    """The statements to grant. Raises ``ValueError`` with a sentence."""
    if unknown := set(document) - {"Version", "Statement"}:
        raise ValueError(f"{quoted(min(unknown))} means nothing here; take it out")
    if document.get("Version") != "2012-10-17":
        raise ValueError('write Version = "2012-10-17": that is how jitcloud sends it to IAM')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not statements:
        raise ValueError("Statement must be a list that holds at least one statement")
    for number, statement in enumerate(statements, start=1):
        for wrong in _complaints(statement):
            raise ValueError(f"statement {number} {wrong}")
    sids = [statement["Sid"] for statement in statements if "Sid" in statement]
    if len(set(sids)) < len(sids):
        raise ValueError("two statements have the same Sid; give each its own")
    return tuple(statements)


def _complaints(statement: object) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield "must be a table"
        return
    if unknown := set(statement) - _ELEMENTS:
        yield f"holds {quoted(min(unknown))}, which no inline policy may hold"
    if statement.get("Effect") == "Deny":
        yield "is a Deny, which would also take away what was there before; only allow"
    if statement.get("Effect") != "Allow":
        yield 'needs Effect = "Allow"'
    if not (isinstance(sid := statement.get("Sid", ""), str) and _SID.fullmatch(sid)):
        yield "has a Sid that is not made of ASCII letters and digits alone"
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            yield f"needs either {one} or {other}"
        yield from _wrong_texts(statement, one if one in statement else other)
    yield from _wrong_condition(statement.get("Condition", {}))


def _wrong_texts(statement: Mapping[str, object], element: str) -> Iterator[str]:
    value = statement.get(element)
    listed = value if isinstance(value, list) else [value]
    for item in listed or [None]:
        if not (isinstance(item, str) and _TEXT.fullmatch(item)):
            yield f"needs text, or a list of texts, as its {element}"
        elif element.endswith("Action") and _ACTION.fullmatch(item) is None:
            yield f'holds {quoted(item)}, which is no action; write one as "s3:GetObject"'


def _wrong_condition(condition: object) -> Iterator[str]:
    if not isinstance(condition, dict):
        yield "needs a table as its Condition"
        return
    yield from _twice(condition)
    for operator, keys in condition.items():
        if not (isinstance(keys, dict) and keys and all(map(_is_condition, keys.items()))):
            yield (
                f"needs a table of texts, or lists of texts, as its Condition {quoted(operator)}"
            )
            return
        yield from _twice(keys)
        if _is_operator(operator) and any(key.lower() == _KEY.lower() for key in keys):
            yield (
                f"has a condition {_OPERATOR} on {_KEY} of its own; take it out, "
                "for jitcloud writes the deadline there"
            )


def _twice(names: Collection[str]) -> Iterator[str]:
    # IAM reads both without regard to case, and nobody says which of two it would go by.
    if len({name.lower() for name in names}) < len(names):
        yield "has one operator or key of its Condition twice (case does not count)"


def _is_condition(keyed: tuple[str, object]) -> bool:
    key, value = keyed
    listed = value if isinstance(value, list) else [value]
    return bool(listed and _TEXT.fullmatch(key)) and all(
        isinstance(item, bool) or (isinstance(item, str) and (not item or _TEXT.fullmatch(item)))
        for item in listed
    )


def _is_operator(name: str) -> bool:
    return name.lower() == _OPERATOR.lower()


def opened(statements: Sequence[Statement]) -> tuple[Escape, ...]:
    """The ways to make something that outlives the grant, which the statements allow."""
    reach = actions_of(statements)
    return tuple(
        escape
        for escape in escapes.ESCAPES
        if reach is None
        or any(escapes.overlap(one, other) for one in escape.actions for other in reach)
    )


# ── To IAM, and back ─────────────────────────────────────────────────────────────────────────


def policy_name(statements: Sequence[Statement]) -> str:
    """What the policy is called: our mark, and the same for whoever is granted the same."""
    text = json.dumps(statements, sort_keys=True, separators=(",", ":"))
    return f"jit-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def is_ours(name: str) -> bool:
    """Whether a policy of that name bears our mark."""
    return _OURS.fullmatch(name) is not None


def document(statements: Sequence[Statement], until: datetime) -> str:
    """The policy's text. ``until`` is cut to a whole second, in UTC, exclusive."""
    instant = until.astimezone(UTC).strftime(_INSTANT)
    timed = [_timed(statement, instant) for statement in statements]
    return json.dumps(
        {"Version": "2012-10-17", "Statement": timed}, separators=(",", ":"), ensure_ascii=False
    )


def _timed(statement: Statement, instant: str) -> Statement:
    given = statement.get("Condition")
    condition = dict(given) if isinstance(given, dict) else {}
    # Beside the catalog's own keys of that operator, however it has written its name.
    operator = next(filter(_is_operator, condition), _OPERATOR)
    condition[operator] = {**condition.get(operator, {}), _KEY: instant}
    return {**statement, "Condition": condition}


def untimed(policy: object) -> tuple[Statement, ...]:
    """What ``document`` was given, as far as that can be told: nothing, where it never was."""
    listed = policy.get("Statement") if isinstance(policy, dict) else None
    statements = listed if isinstance(listed, list) else []
    return tuple(_untimed(each) for each in statements if isinstance(each, dict))


def _untimed(statement: Statement) -> Statement:
    given = statement.get("Condition")
    condition = dict(given) if isinstance(given, dict) else {}
    operator = next(filter(_is_operator, condition), _OPERATOR)
    keys = condition.pop(operator, None)
    left = {key: value for key, value in keys.items() if key != _KEY} if keys else {}
    if left:
        condition[operator] = left
    rest = {key: value for key, value in statement.items() if key != "Condition"}
    return {**rest, "Condition": condition} if condition else rest


def deadline_in(policy: object, statements: Sequence[Statement]) -> datetime | None:
    """Until when a policy grants; None unless it is, word for word, what ``document`` writes."""
    try:
        condition = policy["Statement"][0]["Condition"]  # type: ignore[index] # or it is not ours
        operator = next(filter(_is_operator, condition))
        until = datetime.strptime(condition[operator][_KEY], _INSTANT).replace(tzinfo=UTC)
    except (AttributeError, KeyError, IndexError, StopIteration, TypeError, ValueError):
        return None
    return until if policy == json.loads(document(statements, until)) else None


def characters(statements: Sequence[Statement]) -> int:
    """What counts against ``MOST_CHARACTERS``: as much with every deadline."""
    return counted(document(statements, _SOME_DAY))


def counted(text: str) -> int:
    """How many characters IAM counts."""
    return len("".join(text.split()))
