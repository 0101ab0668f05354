"""What the doctor may find stands on the page; what that is, is read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitcloud.doctor import Grade
from tests.docs.pages import prose, table
from tests.docs.said import PACKAGE, VALUE, findings, is_said

OPERATIONS = "docs/operations.md"
MODULES = sorted(path.name for path in (PACKAGE / "providers" / "aws").glob("doctor*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_every_finding_is_on_the_page(module: str) -> None:
    page = prose(OPERATIONS)
    told = [what for what in findings(f"providers/aws/{module}") if what != VALUE]
    assert [what for what in told if not is_said(what, page)] == []


def test_no_finding_is_on_the_page_that_there_is_not() -> None:
    known = " ".join(what for module in MODULES for what in findings(f"providers/aws/{module}"))
    known += " ".join(_asked())
    rows = table(OPERATIONS, "about", "finding", "grade")
    told = [row["finding"].strip("`") for row in rows if row["finding"].startswith("`")]
    assert len(told) > 40
    assert [what for what in told if not is_said(what, known)] == []


def _asked() -> Iterator[str]:
    """What could not be looked at, as the findings about that are put together."""
    for module in MODULES:
        tree = ast.parse(Path(PACKAGE / "providers" / "aws" / module).read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "unknown":
                yield f"{ast.literal_eval(node.args[1])} could not be looked at. {VALUE}"


def test_the_grades_are_those_there_are() -> None:
    rows = table(OPERATIONS, "grade", "means", "exit code")
    assert [row["grade"].strip("`") for row in rows] == list(Grade)
    assert [row["exit code"].startswith("1") for row in rows] == [grade.matters for grade in Grade]
