"""What a catalog entry may say about the tickets that count for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.catalog import Catalog
from jitcloud.errors import Misconfigured
from jitcloud.model import Entitlement

ENTRY = """\
[[entitlement]]
id = "prod-db"
title = "Read the production database"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "read"
environment = "prod"
owner = "Database owners"
"""


def entry(folder: Path, more: str) -> Entitlement:
    file = folder / "catalog.toml"
    file.write_text(ENTRY + more)
    return Catalog.load(file).get("prod-db")


def test_any_ticket_counts_that_was_looked_up_unless_an_entry_says_more(tmp_path: Path) -> None:
    found = entry(tmp_path, "")
    assert (found.ticket_projects, found.unchecked_tickets) == ((), False)


def test_an_entry_says_which_tickets_count(tmp_path: Path) -> None:
    found = entry(tmp_path, 'ticket_projects = ["OPS", "NET_2"]\nunchecked_tickets = true\n')
    assert (found.ticket_projects, found.unchecked_tickets) == (("OPS", "NET_2"), True)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('ticket_projects = "OPS"', "ticket_projects: this should be a valid list"),
        ('ticket_projects = [""]', "The project is empty"),
        ('ticket_projects = ["OPS", "OPS"]', "a project stands here twice; keep one"),
        ('ticket_projects = ["O\\u202eS"]', "U\\+202E"),
        ("ticket_projects = [1]", "this should be a valid string"),
        ("unchecked_tickets = 1", "this should be a valid boolean"),
        ('unchecked_tickets = "yes"', "this should be a valid boolean"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, more: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        entry(tmp_path, more)
