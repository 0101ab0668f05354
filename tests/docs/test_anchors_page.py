"""What the page on anchors says of settings, messages and bounds is what there is."""

from __future__ import annotations

import pytest

from jitcloud import anchoring
from jitcloud.settings import AnchorsSettings
from tests.docs.pages import prose, table, text_of
from tests.docs.said import is_said, templates
from tests.infra.roles import RIGHTS

PAGE = "docs/anchors.md"
SQL = ("CREATE", "INSERT", "SELECT")
UNTOLD = {
    "there is none": "a part of a sentence that the page shows whole",
    "that of …": "the same",
    "…, the oldest of …": "the same",
    "no text or key name of a note": "a defect of a caller, not of a person",
}
"""What the page has not to explain, and why."""

MODULES = (
    "anchoring.py",
    "anchors/__init__.py",
    "anchors/file.py",
    "anchors/s3.py",
    "audit/log.py",
    "audit/checkpoint.py",
    "audit/note.py",
    "cli/checkpoints.py",
)


@pytest.mark.parametrize("module", MODULES)
def test_every_message_is_on_the_page(module: str) -> None:
    page = text_of(PAGE)  # with what its transcripts show
    told = [each for each in templates(module) if not each.startswith(SQL) and each not in UNTOLD]
    assert told
    assert [each for each in told if not is_said(each, page)] == []


def test_the_keys_are_those_there_are() -> None:
    rows = table(PAGE, "key of `[anchors]`", "unless said", "is")
    told = {row["key of `[anchors]`"].strip("`"): row["unless said"].strip("`") for row in rows}
    defaults = {name: field.default for name, field in AnchorsSettings.model_fields.items()}
    assert told.keys() == defaults.keys()
    assert told["every"] == "1h"
    for name, default in defaults.items():
        if name != "every":
            assert told[name] == ({None: "none", "": "empty"}.get(default) or str(default)), name


def test_the_rights_are_those_that_the_template_gives() -> None:
    rows = table(PAGE, "right", "on", "for")
    told = {row["right"].partition("`,")[0].strip("`") for row in rows}
    assert told == {grant.action for grant in RIGHTS["Judge"] if "AnchorsBucket" in grant.thing}


def test_bounds_are_those_there_are() -> None:
    page = prose(PAGE)
    assert f"{anchoring.NEW:,} a checkpoint" in page
    assert f"{anchoring.WALKED} more of the whole record" in page
    assert anchoring.WALK_AGAIN.days == 7
