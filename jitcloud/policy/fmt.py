"""The one way a policy file looks: laid out by Cedar's own formatter, and nothing lost by it.

1. Only what parses is formatted: a deep enough rule would crash Cedar, and ``parse`` stops it.
2. The new text must say the same: rule for rule the same syntax tree, comment for comment.
3. It replaces the file in one step. A crash before leaves the old text, one after the new.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import cedarpy

from jitcloud.errors import Misconfigured
from jitcloud.policy.source import (
    _TOKEN,  # its name is not public yet
    Rule,
    parse,
)
from jitcloud.text import printable

_WIDTH = 100
_INDENT = 2


def formatted(name: str, text: str) -> str:
    """Return a policy text as it should look. Raises ``Misconfigured`` for what has no form."""
    rules = _rules(name, text)
    if not rules:
        return text  # comments alone: the formatter would add an empty line
    try:
        new = cedarpy.format_policies(text, _WIDTH, _INDENT)
    except ValueError as exc:  # comments in places it does not know
        message = f"{printable(name)}: this cannot be formatted: {printable(str(exc))}."
        raise Misconfigured(message) from exc
    if _comments(new) != _comments(text):
        message = (
            f"{printable(name)}: the formatter would lose or move a comment; put each on a line"
            " of its own."
        )
        raise Misconfigured(message)
    if _meaning(_rules(name, new)) != _meaning(rules):
        message = f"{printable(name)}: the formatter would change what a rule says; leave it as is."
        raise Misconfigured(message)
    return new


def replace_text(path: Path, text: str) -> None:
    """Write a file anew, or leave it as it was. A link stays one; the rights stay the same."""
    path = path.resolve()
    # Not *.cedar: whoever reads the folder meanwhile must not see it.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def _rules(name: str, text: str) -> tuple[Rule, ...]:
    rules, wrong = parse(name, text)
    if wrong and not rules:
        raise Misconfigured("\n".join(map(str, wrong)))
    return rules  # what else is wrong with them is for `policy check` to say


def _meaning(rules: Iterable[Rule]) -> list[object]:
    return [rule.cedar for rule in rules]


def _comments(text: str) -> list[str]:
    found = (token.group() for token in _TOKEN.finditer(text))
    return [word.rstrip() for word in found if word.startswith("//")]
