"""What the code can say, read from its source: every message as a template with ``…`` for a value."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "jitcloud"

_SENTENCE = re.compile(r"\w+ .*\w", re.DOTALL)


def templates(module: str) -> list[str]:
    """Every text in a module that is told to somebody: docstrings and what no person reads left out."""
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    found = [_template(node) for node in _told(tree)]
    return list(dict.fromkeys(text for text in found if _SENTENCE.search(text.replace("…", " "))))


def _told(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Expr(value=ast.Constant()):  # a docstring
                continue
            case ast.Constant(value=str()) | ast.JoinedStr():
                yield node
            case _:
                yield from _told(node)


def _template(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_template(part) for part in parts)
        case _:
            return "…"
