"""Reads the pages: their code blocks, headings, links and tables."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = (
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")),
)

_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMES_A_FILE = re.compile(r"^`(?P<name>[^`\s]+)`:\n\n\Z", re.MULTILINE)
_HEADING = re.compile(r"^#+ +(?P<text>.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")
_CODE = re.compile(r"`(?P<text>[^`]+)`")
_CELL_END = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    language: str
    text: str
    file: str | None
    """What it is the whole text of, where the line above it is a name and a colon."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> list[Block]:
    text = text_of(page)
    found = []
    for match in _FENCE.finditer(text):
        named = _NAMES_A_FILE.search(text, 0, match.start())
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start()) + 1,
                language=match["language"],
                text=match["text"],
                file=named["name"] if named else None,
            )
        )
    return found


def fences(page: str) -> int:
    """How many lines begin or end a block: twice as many as there are blocks."""
    return len(re.findall(r"^```", text_of(page), re.MULTILINE))


def prose(page: str) -> str:
    """The page without its blocks."""
    return _FENCE.sub("", text_of(page))


def headings(page: str) -> list[str]:
    return [match["text"] for match in _HEADING.finditer(prose(page))]


def anchors(page: str) -> set[str]:
    """What can be linked to: headings in the form that GitHub gives them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in headings(page):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def links(page: str) -> list[str]:
    return [match["to"] for match in _LINK.finditer(prose(page))]


def code(page: str) -> list[str]:
    """Every text set as code within a line."""
    return [match["text"] for match in _CODE.finditer(prose(page))]


def table(page: str, *heading: str, begins: str = "") -> list[dict[str, str]]:
    """The rows of the table with these columns (whose first cell begins so), by their columns."""
    lines = prose(page).splitlines()
    for number, line in enumerate(lines):
        if _cells(line) != list(heading):
            continue
        rows = [
            dict(zip(heading, _cells(row), strict=True))
            for row in takewhile(lambda row: row.startswith("|"), lines[number + 2 :])
        ]
        if rows[0][heading[0]].startswith(begins):
            return rows
    raise AssertionError(f"{page} has no table with the columns {', '.join(heading)}")


def bare(cell: str) -> str:
    """A cell that is one text set as code."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell.strip("`")


def _cells(line: str) -> list[str]:
    if not line.startswith("|"):
        return []
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line)[1:-1]]
