"""What docs/sign-in.md says of a person's own machine is what the code has."""

from __future__ import annotations

import tomllib

import pytest

from jitcloud.signing_in.client_settings import FILE, ApiSettings
from tests.docs.pages import bare, blocks, prose, table
from tests.docs.said import PACKAGE, is_said, templates

PAGE = "docs/sign-in.md"

MODULES = (
    *sorted(f"signing_in/{path.name}" for path in (PACKAGE / "signing_in").glob("*.py")),
    "providers/aws/caller_identity.py",
)

UNTOLD = {
    "<!DOCTYPE html>": "how a page is written",
    "Content-Security-Policy:": "a header",
}
"""What begins so is no sentence, and why."""


@pytest.mark.parametrize("module", MODULES)
def test_every_message_is_explained(module: str) -> None:
    told = prose(PAGE)
    said = [text for text in templates(module) if not text.startswith(tuple(UNTOLD))]
    assert [text for text in said if not is_said(text, told)] == []


def test_the_keys_are_those_there_are() -> None:
    rows = table(PAGE, "key of `[api]`", "goes with", "unless said", "is")
    needed = {bare(row["key of `[api]`"]): row["unless said"] == "needed" for row in rows}
    assert needed.keys() == ApiSettings.model_fields.keys()
    assert needed["url"]
    assert needed["sign_in"]


def test_what_is_shown_is_accepted() -> None:
    shown = [tomllib.loads(block.text) for block in blocks(PAGE) if block.file == FILE]
    kinds = [ApiSettings.model_validate(tables["api"]).sign_in for tables in shown]
    assert kinds == ["oidc", "aws"]
