"""How many calls one lifetime takes: as many among a thousand requests as among ten."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.emulators.ministack import Ministack
from tests.docs.pages import table
from tests.dynamodb_tables import a_table, client_of
from tests.stores_dynamodb.lifetimes import STEPS, fill_up, lifetime
from tests.stores_dynamodb.measured import Cost, Meter

PAGE = "docs/dynamodb.md"
FEW, MANY, MOST = 10, 1_000, 100_000


def among(ministack: Ministack, folder: Path, others: int) -> dict[str, Cost]:
    client = client_of(ministack.endpoint_url, ministack.account)
    name = a_table(client)
    fill_up(client, name, others)
    folder.mkdir()
    return lifetime(folder, Meter(ministack), name)


@pytest.fixture(scope="module")
def among_many(ministack: Ministack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    return among(ministack, tmp_path_factory.mktemp("among") / "many", MANY)


def test_a_lifetime_costs_as_much_however_much_is_in_the_table(
    ministack: Ministack, tmp_path: Path, among_many: dict[str, Cost]
) -> None:
    assert among(ministack, tmp_path / "few", FEW) == among_many


@pytest.mark.long  # two minutes until they are written
def test_a_lifetime_costs_as_much_among_a_hundred_thousand(
    ministack: Ministack, tmp_path: Path, among_many: dict[str, Cost]
) -> None:
    assert among(ministack, tmp_path / "most", MOST) == among_many


def test_the_page_says_what_a_lifetime_costs(among_many: dict[str, Cost]) -> None:
    found = [_told(step, among_many[step]) for step in STEPS]
    found.append(_told("all of it", _sum(among_many)))
    rows = table(PAGE, "of a lifetime", "`GetItem`", "`TransactWriteItems`", "reads", "writes")
    assert [tuple(row.values()) for row in rows] == found


def _told(step: str, cost: Cost) -> tuple[str, ...]:
    assert cost.calls.keys() <= {"GetItem", "TransactWriteItems"}, cost.calls
    counts = (cost.calls["GetItem"], cost.calls["TransactWriteItems"])
    return step, *map(str, counts), f"{cost.reads:g}", f"{cost.writes:g}"


def _sum(costs: dict[str, Cost]) -> Cost:
    whole = Cost()
    for cost in costs.values():
        whole.calls += cost.calls
        whole.reads += cost.reads
        whole.writes += cost.writes
    return whole
