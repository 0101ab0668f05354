"""What docs/remote.md says is what the commands say that talk to an API."""

from __future__ import annotations

import pytest

from tests.docs.pages import prose
from tests.docs.said import PACKAGE, is_said, templates

PAGE = "docs/remote.md"

MODULES = (
    *sorted(f"remote/{path.name}" for path in (PACKAGE / "remote").glob("*.py")),
    "cli/sign_ins.py",
    "cli/signing.py",
    "cli/there.py",
)

TOLD_BESIDE = {
    "There is no request … that you may see; check the id.": "docs/api.md says what it is",
    "With AWS credentials there is nothing to keep: each call shows who you are.": "a hint",
    "jitcloud: JITCLOUD_TOKEN is set, and counts before this sign-in.": "a hint",
    "jitcloud: JITCLOUD_TOKEN is still set; take it away as well.": "a hint",
    "an extension of …": "a part of another one",
    "(or … after …)": "in the words of a rule",
    "an instant without its zone": "it is told as what cannot be read",
    "an instant beyond all calendars": "the same",
    "no number of seconds": "the same",
    "In a browser on this machine.": "help",
    "On another device, by a code that is shown here.": "help",
    "Go to … on any device, and enter the code …": "it says what to do",
    "or go to …, where it stands already.": "the same",
    "on call": "a label",
    "signed in": "the same",
    "You are signed out on this machine.": "it was asked for",
    "The issuer has ended the sign-in too.": "it was asked for",
    "The issuer was not told: what was signed in lasts there until it expires.": "a hint",
}
"""What needs no explanation here, and why."""


@pytest.mark.parametrize("module", MODULES)
def test_every_message_is_explained(module: str) -> None:
    told = prose(PAGE)
    said = [text for text in templates(module) if text not in TOLD_BESIDE]
    assert [text for text in said if not is_said(text, told)] == []
