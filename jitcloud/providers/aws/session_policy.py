"""The session policy: what makes a session end by itself, to the second. Pure.

What was tried on an emulator that enforces IAM (``tests/aws``), and is AWS's documented way of
judging:

* The deadline is an explicit Deny. It binds whatever else lets the session in.
* Session policies add up: an Allow for everything beside a narrower one voids the narrowing.
  So everything is allowed (up to the deadline) only where the catalog narrows nothing; where it
  names managed policies, ours holds Denies alone, which allow nothing.
* Narrowing is the absence of an Allow. It binds against the role's own policies, and against
  resource policies that name the role or the account. It does **not** bind against a resource
  policy that names the session's own ARN: only Denies do. Narrowing that must hold even then
  is written as a Deny in ``narrow_policy``.

Sizes. STS takes 2,048 characters of policies, and then packs them with the tags into a limit
that it does not publish and only reports as a percentage, in an answer or a refusal.
Measurements by others fit one rule: about 461 bytes, in which tags count fully and policies
about 1.17 times their deflated size. Nine tags of 252 characters: 498 % (rule: 498 %).
Three tags and a policy of 1,690 characters: 157 % (rule: 158 %); of 1,064: 118 % (rule: 126 %).
It is an estimate, and said to be one wherever it is shown. It is why the person is not a tag
(``SourceIdentity`` has room of its own), why there are no Sids, and why what nothing allows is
not denied in so many words.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jitcloud.providers.aws import escapes

Statement = Mapping[str, object]

MOST_CHARACTERS = 2048
"""What STS takes, inline policy and managed ARNs together (botocore's model of AssumeRole)."""

_PACKED_BYTES = 461
_PACKED_RATIO = 1.17
_TAG_OVERHEAD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """What AssumeRole is given to bind a session."""

    text: str
    arns: tuple[str, ...]

    @property
    def characters(self) -> int:
        """What counts against ``MOST_CHARACTERS``."""
        return len(self.text) + sum(len(arn) for arn in self.arns)

    def packed_percent(self, tags: Mapping[str, str]) -> int:
        """Estimate how much of the packed limit is used. AWS alone knows."""
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        told = "".join((self.text, *self.arns)).encode()
        policies = len(deflate.compress(told) + deflate.flush()) * _PACKED_RATIO
        tagged = sum(len(key) + len(value) + _TAG_OVERHEAD for key, value in tags.items())
        return math.ceil((policies + tagged) / _PACKED_BYTES * 100)


def session_policy(
    *,
    deadline: datetime,
    allow_escape: Collection[str] = (),
    narrowing: Sequence[Statement] = (),
    arns: Sequence[str] = (),
) -> SessionPolicy:
    """Bind a session to a deadline, to what narrows it, and to no way out but those opened."""
    until = _instant(deadline)
    # Nothing is known of what managed policies allow, and without narrowing all is allowed.
    reach = actions_of(narrowing) if narrowing and not arns else None
    closed = escapes.denied(allow_escape, reach)
    statements: list[Statement] = [_deny_from(until)]
    if closed:
        statements.append({"Effect": "Deny", "Action": _one_or_many(closed), "Resource": "*"})
    statements += narrowing
    if not narrowing and not arns:
        statements.append(_allow_until(until))
    document = {"Version": "2012-10-17", "Statement": statements}
    return SessionPolicy(text=json.dumps(document, separators=(",", ":")), arns=tuple(arns))


def actions_of(statements: Sequence[Statement]) -> tuple[str, ...] | None:
    """The action patterns that the statements allow; None when they allow all but some."""
    allowing = [statement for statement in statements if statement["Effect"] == "Allow"]
    if any("NotAction" in statement for statement in allowing):
        return None
    return tuple(action for statement in allowing for action in texts(statement.get("Action")))


def texts(value: object) -> tuple[str, ...]:
    """Whatever IAM takes as one text or a list of them."""
    listed = value if isinstance(value, list) else [value]
    return tuple(each for each in listed if isinstance(each, str))


def _instant(deadline: datetime) -> str:
    # Floored to whole seconds: a malformed date never denies, so only one form is ever written.
    return deadline.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _deny_from(until: str) -> Statement:
    condition = {"DateGreaterThanEquals": {"aws:CurrentTime": until}}
    return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}


def _allow_until(until: str) -> Statement:
    # The Deny alone would do. Should AWS ever not understand the date, a Deny fails open and
    # this fails closed.
    condition = {"DateLessThan": {"aws:CurrentTime": until}}
    return {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}


def _one_or_many(actions: Sequence[str]) -> str | list[str]:
    return actions[0] if len(actions) == 1 else list(actions)
