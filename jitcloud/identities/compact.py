"""A signed token in its compact form (RFC 7515, 7.1): read strictly before anything is believed.

What a lenient reader takes for one thing and a strict one for another is refused: a key that
stands there twice, another alphabet, a number that is none. Nothing of a token is ever quoted.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jitcloud.errors import Unauthenticated

LARGEST = 16 * 1024
"""How long a token may be, in characters."""

DEEPEST = 8
"""How many lists and objects may stand within one another."""

_PARTS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_KEY_ID = re.compile(r"[A-Za-z0-9_.~:@/+=-]{1,200}")

# Where to find a key, or the key itself: an attacker's, if it is believed (RFC 8725, 3.10).
_NOT_FOLLOWED = frozenset({"jku", "jwk", "x5u", "x5c"})
# Other uses of the same keys are no sign-ins: a logout token, an event, a proof (RFC 8725, 3.11).
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})

_BROKEN = "The token is broken: it is not written as signed tokens are; sign in again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """A token taken apart, nothing of it verified."""

    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any] = field(repr=False)


def parse(text: str) -> Compact:
    """Take a token apart. Raises ``Unauthenticated`` for whatever is not to be looked at further.

    ``none`` and whatever else is no algorithm that counts is for whoever knows which do.
    """
    if len(text) > LARGEST:
        raise Unauthenticated(
            f"The token is longer than the {LARGEST} characters that one may have; have the issuer"
            " leave out what jitcloud does not need, such as groups of no use here."
        )
    if _PARTS.fullmatch(text) is None:
        raise Unauthenticated(_BROKEN)
    head, body, _ = text.split(".")
    header, claims = _object(head), _object(body)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if "crit" in header or _NOT_FOLLOWED & header.keys():
        raise Unauthenticated(
            "The token says how it wants to be checked, or by which key, and neither is up to it;"
            " sign in again."
        )
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unauthenticated("The token is of another type than a sign-in has; sign in again.")
    if not isinstance(algorithm, str):
        raise Unauthenticated(_BROKEN)
    if key_id is not None and not (isinstance(key_id, str) and _KEY_ID.fullmatch(key_id)):
        raise Unauthenticated("The token names its key in an odd way; sign in again.")
    return Compact(algorithm=algorithm, key_id=key_id, claims=claims)


def _object(part: str) -> dict[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        found = strict_json(raw)
    except (binascii.Error, ValueError):
        raise Unauthenticated(_BROKEN) from None
    if not isinstance(found, dict):
        raise Unauthenticated(_BROKEN)
    return found


def strict_json(raw: bytes) -> Any:  # noqa: ANN401 - JSON of any shape
    """Read JSON that everybody reads alike.

    Raises ``ValueError`` for what is none, for keys that stand there twice, for numbers that are
    none, and for what is nested too deeply.
    """
    try:
        found = json.loads(
            raw.decode(), object_pairs_hook=_without_doubles, parse_constant=_no_number
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(found)
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _no_number(_: str) -> float:
    raise ValueError("no number")


def _check_depth(found: object) -> None:
    layer = _within([found])
    for _ in range(DEEPEST):
        if not layer:
            return
        layer = _within(
            item for each in layer for item in (each.values() if isinstance(each, dict) else each)
        )
    if layer:
        raise ValueError("nested too deeply")


def _within(items: Iterable[object]) -> list[dict[str, Any] | list[Any]]:
    return [item for item in items if isinstance(item, dict | list)]
