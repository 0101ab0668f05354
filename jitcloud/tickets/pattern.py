"""Tickets known by how they are written alone, where no system that keeps them can be asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pydantic_core import SchemaError, SchemaValidator
from pydantic_core.core_schema import str_schema

from jitcloud.errors import Misconfigured
from jitcloud.ports import Ticket
from jitcloud.text import printable, quoted

LONGEST = 64
"""Characters of a ticket; a longer one is none."""

LONGEST_PATTERN = 200
"""Characters of a pattern."""

# No pattern, however it is written, lets in what hides, looks like another letter or steers.
_WRITTEN = re.compile(rf"[!-~]{{1,{LONGEST}}}")
_GROUP = "(?P<project>"
_FLAGS = re.compile(r"\(\?[a-zA-Z-]+\)")

_Matches = Callable[[str], bool]


class PatternTickets:
    """Takes for a ticket whatever a regular expression matches; whether it is open, none knows.

    Patterns are run by the regex engine that pydantic brings (Rust's ``regex`` crate), whose time
    grows with the text and never explodes: Python's own can take years for one ticket, over a
    pattern that looks harmless. So there are neither backreferences nor look-around.
    https://docs.rs/regex/latest/regex/#untrusted-input
    """

    def __init__(self, pattern: str) -> None:
        """Match whole tickets, printable ASCII of at most 64 characters, with the pattern.

        Its group ``project``, if it has one, says where a ticket belongs; else that is what
        stands before the last ``-``. Raises ``Misconfigured``.
        """
        if len(pattern) > LONGEST_PATTERN:
            message = (
                f"The ticket pattern has {len(pattern)} characters;"
                f" shorten it to {LONGEST_PATTERN}."
            )
            raise Misconfigured(message)
        try:
            self._matches = _compiled(pattern)
        except SchemaError as exc:
            message = (
                f"The ticket pattern {quoted(pattern)} cannot be used ({_reason(exc)}); mend it."
            )
            raise Misconfigured(message) from exc
        self._project = _before_the_last_dash
        if _GROUP in pattern:
            self._project = _Grouped(pattern).project

    def look(self, ticket: str) -> Ticket | None:
        """Return it as it is written, or None."""
        if _WRITTEN.fullmatch(ticket) is None or not self._matches(ticket):
            return None
        return Ticket(id=ticket, is_open=None, project=self._project(ticket))


def _before_the_last_dash(ticket: str) -> str:
    return ticket.rpartition("-")[0]


class _Grouped:
    """Finds what the group matched. The engine only says whether; so it is asked piece by piece."""

    def __init__(self, pattern: str) -> None:
        before, inner, after = _pieces(pattern)
        self._before = _compiled(before)
        self._from_here = _compiled(f"(?:{inner})(?:{after})")
        self._inner, self._after = _compiled(inner), _compiled(after)

    def project(self, ticket: str) -> str:
        """As long as it can be after what precedes it, which is that too.

        Empty where a piece looks beyond its own end, at a word's, and does not match by itself.
        """
        for start in range(len(ticket), -1, -1):
            if self._before(ticket[:start]) and self._from_here(ticket[start:]):
                ends = range(len(ticket), start - 1, -1)
                found = (ticket[start:end] for end in ends if self._after(ticket[end:]))
                return next(filter(self._inner, found), "")
        return ""


def _pieces(pattern: str) -> tuple[str, str, str]:
    """Cut a pattern before and behind its group ``project``. Raises ``Misconfigured``."""
    before, _, rest = pattern.partition(_GROUP)
    for end in (at for at, char in enumerate(rest) if char == ")"):
        # Only at the bracket that ends the group are all three patterns of their own.
        pieces = before, rest[:end], rest[end + 1 :]
        if all(map(_compiles, pieces)):
            if _FLAGS.search(before) or any(map(_has_alternatives, (before, pieces[2]))):
                break
            return pieces
    message = (
        f"The group project of the ticket pattern {quoted(pattern)} stands within another group or"
        " an alternative, is repeated, or follows flags; keep it outside of these."
    )
    raise Misconfigured(message)


def _has_alternatives(pattern: str) -> bool:
    """Whether a ``|`` stands there outside brackets."""
    bars: Iterator[int] = (at for at, char in enumerate(pattern) if char == "|")
    return any(_compiles(pattern[:at]) and _compiles(pattern[at + 1 :]) for at in bars)


def _compiles(pattern: str) -> bool:
    try:
        _compiled(pattern)
    except SchemaError:
        return False
    return True


def _compiled(pattern: str) -> _Matches:
    _engine(pattern)  # as it stands: `a)|(b` is a pattern within the brackets below only
    return _engine(f"^(?:{pattern})$").isinstance_python


def _engine(pattern: str) -> SchemaValidator:
    return SchemaValidator(str_schema(pattern=pattern, regex_engine="rust-regex"))


def _reason(exc: SchemaError) -> str:
    """The engine's last line: those before it draw the pattern once more."""
    line = str(exc).strip().rpartition("\n")[2].strip()
    return printable(line.removeprefix("SchemaError: ").removeprefix("error: ").rstrip("."))
