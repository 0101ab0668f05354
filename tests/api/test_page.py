"""What docs/api.md says is what the code has."""

from __future__ import annotations

import json
import re

import pytest

from jitcloud.api import events, inputs, once, openapi, strict_json
from jitcloud.api.message import LONGEST_KEY, LONGEST_TOKEN
from jitcloud.api.problems import STATUSES
from jitcloud.api.routes import PARTS
from tests.docs.pages import bare, code, prose, table
from tests.docs.said import PACKAGE, is_said, templates

PAGE = "docs/api.md"

OURS: tuple[str, ...] = (
    "answering",
    "application",
    "callers",
    "events",
    "front",
    "inputs",
    "judging",
    "message",
)
OURS += ("once", "problems", "resolver", "seeing", "strict_json")
MODULES = (
    *(f"api/{name}.py" for name in OURS),
    *sorted(f"api/commands/{path.name}" for path in (PACKAGE / "api/commands").glob("*.py")),
    *sorted(f"api/routes/{path.name}" for path in (PACKAGE / "api/routes").glob("*.py")),
    "stores/dynamodb/answers.py",
)

UNTOLD = {
    "default-src 'none'; frame-ancestors 'none'": "a header",
    'Bearer realm="jitcloud"': "a header",
    "Look into INC-7": "an example",
    "What if?": "the justification of an ask that nobody makes",
    "Value error,": "a part of what pydantic says, taken out",
    "an answer that was kept cannot be read": "the log alone has it",
    "no call is being answered": "a defect",
    "How many at the most.": "in the OpenAPI document",
    "#since = :since AND #number = :number": "a condition of DynamoDB",
    "… AND attribute_not_exists(#answer)": "the same",
    "SET #answer = :answer": "the same",
    "SET #leased = :leased": "the same",
    "The store is closed.": "a defect of a caller",
}
"""What the page does not have to explain, and why."""

DESCRIBED = ("api/inputs.py", "api/routes/looking.py", "api/routes/pages.py")
"""Where the words of the OpenAPI document, and of a page, stand between messages."""


@pytest.mark.parametrize("module", MODULES)
def test_every_message_is_explained(module: str) -> None:
    told = prose(PAGE)
    document = openapi.text()
    missing = [
        message
        for message in templates(module)
        if message not in UNTOLD and not is_said(message, told)
    ]
    if module in DESCRIBED:
        missing = [m for m in missing if m not in document and not m.startswith(("<!", "default-"))]
    assert missing == []


@pytest.mark.parametrize("message", UNTOLD)
def test_what_need_not_be_explained_is_still_said(message: str) -> None:
    assert any(message in templates(module) for module in MODULES)


def test_the_calls_are_those_there_are() -> None:
    told = [bare(row["call"]) for row in table(PAGE, "call", "does")]
    there = [
        f"{method.upper()} {path}"
        for path, methods in json.loads(openapi.text())["paths"].items()
        for method in methods
    ]
    assert sorted(told) == sorted(there)


def test_the_errors_are_those_there_are() -> None:
    told = {
        (int(row["status"]), name)
        for row in table(PAGE, "status", "`error`", "means")
        for name in re.findall(r"`(\w+)`", row["`error`"])
    }
    ours = {(int(status), kind.__name__) for kind, status in STATUSES.items()}
    assert ours <= told
    assert {status for status, _ in told} - {405} == {
        status for status in openapi.WORDS if status >= 400
    }


def test_the_parts_are_those_there_are() -> None:
    rows = table(PAGE, "part", "its calls", "its judge does")
    assert [bare(row["part"]) for row in rows] == list(PARTS)


def test_the_numbers_are_those_of_the_code() -> None:
    page = prose(PAGE)
    assert f"at most {strict_json.MOST_BYTES // 1024} KiB" in page
    assert f"at most {strict_json.DEEPEST} levels deep" in page
    assert strict_json.LARGEST == 2**53 - 1
    assert f"at most {inputs.LONGEST_TEXT} characters" in page
    assert f"from 1 to {inputs.MOST_LISTED}" in page
    assert f"at most {LONGEST_KEY} visible" in page
    assert f"at most {LONGEST_TOKEN // 1024} KiB" in page
    assert f"for {once.KEEP.total_seconds() / 3600:.0f} hours" in page
    assert once.LEASE.total_seconds() == 120
    assert "two minutes after such a death" in page
    assert events.MOST_QUERIED < 100


def test_the_document_is_linked() -> None:
    assert "/openapi.json" in code(PAGE)
