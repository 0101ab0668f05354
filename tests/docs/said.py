"""What the code can say, read from its source: each message with ``…`` where a value stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "jitcloud"

VALUE = "…"

_WORDS = re.compile(r"[A-Za-z]{2,} [^?]*[A-Za-z]{2,}")
_FOR_NO_PERSON = re.compile(
    r"\(\?P|^permit of|^\"|^after 30m|^within 24h|^\w+:[\w…]+ (on|in|for account) …$|^\.$"
)


@cache
def templates(module: str) -> tuple[str, ...]:
    """Every sentence in a module: docstrings, names and patterns left out."""
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    found = dict.fromkeys(_template(node).strip() for node in _told(tree))
    return tuple(text for text in found if _is_sentence(text))


@cache
def findings(module: str) -> tuple[str, ...]:
    """Everything that a doctor may find, by what it says of each ``Finding``."""
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return tuple(
        _template(keyword.value)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Finding"
        for keyword in call.keywords
        if keyword.arg == "what"
    )


def is_said(message: str, page: str) -> bool:
    """Whether a page says this, with anything for its values."""
    pieces = [re.escape(_plain(piece)) for piece in message.strip(VALUE).split(VALUE)]
    # Without its end: within other sentences it has none.
    pattern = ".*?".join(pieces).removesuffix(re.escape("."))
    return re.search(pattern, _plain(page)) is not None


def _is_sentence(text: str) -> bool:
    return _WORDS.search(text) is not None and _FOR_NO_PERSON.search(text) is None


@lru_cache(maxsize=16)  # whole pages, each looked through for every message
def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", ""))


def _told(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Expr(value=ast.Constant()):  # a docstring
                continue
            case ast.Constant(value=str()) | ast.JoinedStr():
                yield child
            case _:
                yield from _told(child)


def _template(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_template(part) for part in parts)
        case _:
            return VALUE
