"""Reads JSON that a stranger wrote: one meaning or none.

RFC 8259 leaves open what an object with the same key twice means, how large a number may be and
how deep values nest; two readers that differ there can be made to disagree about what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from jitcloud.errors import Invalid
from jitcloud.text import quoted

MOST_BYTES = 64 * 1024
"""No body is larger."""

DEEPEST = 16
"""How many objects and lists may be inside each other."""

LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON has exactly (RFC 7493)."""


def loads(text: str) -> dict[str, object]:
    """Return the object that a text is. Raises ``Invalid``."""
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_once_each,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except Invalid:
        raise
    except RecursionError:
        raise Invalid(_TOO_DEEP) from None
    except json.JSONDecodeError as exc:
        message = f"The body is not JSON: {exc.msg} at character {exc.pos}."
        raise Invalid(message) from None
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object, such as {}.")
    _check(value)
    return value


_TOO_DEEP = f"The body nests deeper than {DEEPEST} levels; nothing that can be asked for does."


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            message = f"The body has the key {quoted(key)} twice; keep one of them."
            raise Invalid(message)
        found[key] = value
    return found


def _whole(digits: str) -> int:
    # Not int() first: its time grows with the square of the digits.
    if len(digits) <= len(str(-LARGEST)) and abs(int(digits)) <= LARGEST:
        return int(digits)
    raise Invalid("A number in the body is too large; nothing that can be asked for needs one.")


def _fraction(digits: str) -> float:
    message = f"{quoted(digits, limit=20)} is no whole number; write it as one."
    raise Invalid(message)


def _constant(name: str) -> float:
    message = f"{name} is not JSON."
    raise Invalid(message)


def _check(value: object) -> None:
    """Raise ``Invalid`` for what nests too deeply, and for half a character."""
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Invalid(_TOO_DEEP)


def _inside(value: object) -> Iterator[object]:
    match value:
        case dict():
            yield from value
            yield from value.values()
        case list():
            yield from value
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                message = "The body has half of a character (a lone surrogate); leave it out."
                raise Invalid(message) from None
