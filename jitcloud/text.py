"""Text that people type and read: what may be kept of it, and how foreign text is shown."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from jitcloud.errors import Invalid
from jitcloud.model import RequestId

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What ids that people make up (entitlements, rules) look like; use ``fullmatch``."""

NAME_RULE = "lower-case letters, digits, '.', '-' and '_', at most 64 and no mark first"
"""The same in words."""

# The whole of a ULID: 26 characters of Crockford's base 32, the first small enough for 128 bits.
# (python-ulid also takes lower case; two spellings of one id would be two keys in a store.)
_REQUEST_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

# They reorder what is on the line, so that it reads as something else (CVE-2021-42574).
_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, surrogates, line and paragraph ends


def is_unsafe(char: str) -> bool:
    """Whether the character can end a line, steer a terminal or reorder what is shown."""
    return char in _BIDIRECTIONAL or unicodedata.category(char) in _UNSAFE


def code_point(char: str) -> str:
    """Name a character without showing it, such as ``U+202E``."""
    return f"U+{ord(char):04X}"


def one_line(text: str, what: str, *, limit: int = 1000) -> str:
    """Return the text as it is, byte for byte, or raise ``Invalid``; ``what`` is its name."""
    if not any(char.isprintable() and not char.isspace() for char in text[: limit + 1]):
        message = f"The {what} is empty; write at least one word."
        raise Invalid(message)
    if len(text) > limit:
        message = f"The {what} has {len(text)} characters; shorten it to {limit}."
        raise Invalid(message)
    for char in text:
        if is_unsafe(char):
            message = (
                f"The {what} contains {code_point(char)}, a character that can change how or"
                " where text is shown; take it out and keep to one line."
            )
            raise Invalid(message)
    return text


def printable(text: str) -> str:
    """Escape whatever could act on a terminal or hide: for showing foreign text."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def quoted(text: str, *, limit: int = 60) -> str:
    """Quote foreign text in a message: printable, and cut where it is long."""
    shown = printable(text[:limit])
    return f'"{shown}…"' if len(text) > limit else f'"{shown}"'


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Return `` Did you mean "x"?`` for the nearest known word, or nothing."""
    close = difflib.get_close_matches(typed[:200], list(known), n=1)
    return f" Did you mean {quoted(close[0])}?" if close else ""


def parse_request_id(text: str) -> RequestId:
    """Read a request id. Raises ``Invalid``."""
    if _REQUEST_ID.fullmatch(text) is None:
        message = (
            f"{quoted(text)} is not a request id; copy all 26 characters of one, in capitals,"
            " such as 01JD8Z6N3V5E6X7Y8Z9ABCDEFG."
        )
        raise Invalid(message)
    return RequestId(text)
