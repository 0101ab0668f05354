"""A table set back to an earlier state: what it no longer knows of is found, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jitcloud.emulators.fleet import Fleet
from tests.fleet.test_deployed import DENIED, has_ended, is_in, is_out, let_in, looks_ahead


def rows(fleet: Fleet) -> list[Any]:
    """All of the table: what only a test may read in one go."""
    pages = fleet.deployed.client("dynamodb").get_paginator("scan")
    return [
        item for page in pages.paginate(TableName=fleet.deployed.table) for item in page["Items"]
    ]


def set_back(fleet: Fleet, before: list[Any]) -> None:
    """Make the table what it was: in place, where a restore would make another one of it."""
    dynamodb, table = fleet.deployed.client("dynamodb"), fleet.deployed.table
    for item in rows(fleet):
        dynamodb.delete_item(TableName=table, Key={key: item[key] for key in ("pk", "sk")})
    for item in before:
        dynamodb.put_item(TableName=table, Item=item)


@contextmanager
def ending_what_leaked(fleet: Fleet) -> Iterator[None]:
    file = fleet.folder / "jitcloud.toml"
    text = file.read_text()
    file.write_text(f"{text}\n[reconcile]\nend_leaked = true\n")
    try:
        yield
    finally:
        file.write_text(text)


def compared(fleet: Fleet) -> dict[str, Any]:
    found = fleet.deployed.invoke("reconcile", {})
    assert found.error is None, found.payload
    told: dict[str, Any] = found.payload
    return told


def test_access_that_a_restored_table_does_not_know_is_found_and_ended(fleet: Fleet) -> None:
    before = rows(fleet)
    let_in(fleet)
    is_in(fleet)
    set_back(fleet, before)
    looks_ahead(fleet)
    assert fleet.can("ana") != DENIED, "nothing on record says that she is in"
    assert compared(fleet)["leaked"] == 1
    assert fleet.can("ana") != DENIED, "it is told, and left alone unless it may be ended"
    with ending_what_leaked(fleet):
        assert compared(fleet)["leaked"] == 1
        is_out(fleet)
    again = compared(fleet)
    assert (again["over"], again["finished"], again["leaked"]) == (True, True, 0)


def test_a_grant_that_is_known_is_left_alone_by_a_comparison(fleet: Fleet) -> None:
    name = let_in(fleet)
    is_in(fleet)
    with ending_what_leaked(fleet):
        told = compared(fleet)
    assert (told["leaked"], told["missing"], told["foreign"]) == (0, 0, 0)
    assert fleet.can("ana") != DENIED
    fleet.call("ana", "POST", f"/v1/requests/{name}/give-back", {})
    is_out(fleet)
    has_ended(fleet, name)
