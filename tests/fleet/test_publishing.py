"""What ``publish`` writes down of what the table's stream hands it, and of how things stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from jitcloud.fleet.publishing import Publishing
from jitcloud.model import Request
from jitcloud.stores.dynamodb import items, keys
from tests.world import World


class Call:
    aws_request_id = "r"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def records(world: World, request: Request) -> list[Mapping[str, Any]]:
    """The stream's records of a whole trail, each commit as it was."""
    trail = world.store.events(request.id)
    return [
        {
            "eventSource": "aws:dynamodb",
            "dynamodb": {"NewImage": items.events(keys.request(request.id), [line], "c")},
        }
        for line in trail
    ]


def publishing(world: World) -> Publishing:
    return Publishing(store=world.store, subscriptions=(), teller=None)


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for line in capsys.readouterr().out.splitlines():
        said = json.loads(line)
        (told,) = said["_aws"]["CloudWatchMetrics"]
        (metric,) = told["Metrics"]
        value = said[metric["Name"]]
        found.setdefault(metric["Name"], []).extend(value if isinstance(value, list) else [value])
    return found


def test_a_lifetime_is_measured_from_the_stream(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    request = world.ask(minutes=10)
    world.time.forward(minutes=10, seconds=2)
    world.sweep_until_quiet(step=1)
    publishing(world).measure(records(world, request))
    found = metrics(capsys)
    assert found["DecisionTime"] == [0.0]
    assert 2_000 <= found["Overstay"][0] < 10_000
    assert found["SignedEvents"] == [1]
    assert len(found["TimeToAccess"]) == 1


def test_what_is_none_of_ours_is_passed_over(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt: list[Any] = [
        {},
        {"dynamodb": None},
        {"dynamodb": {"NewImage": []}},
        {"dynamodb": {"NewImage": {"pk": {"S": "request#x"}, "lines": {"L": [{"M": {}}]}}}},
        {"dynamodb": {"NewImage": {"pk": "request#x", "lines": "none"}}},
    ]
    publishing(world).measure(spoilt)
    assert metrics(capsys) == {}


def test_a_kept_sign_in_is_a_signature_that_was_committed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {"dynamodb": {"NewImage": {"pk": {"S": "person#ana"}, "sk": {"S": "snapshot"}}}}
    publishing(world).measure([kept])
    assert metrics(capsys) == {"SignedEvents": [1]}


def test_how_late_the_oldest_end_is_is_told_each_minute(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask(minutes=10)
    world.time.forward(minutes=15)
    monkeypatch.setattr("jitcloud.fleet.publishing.utc_now", world.time)
    publishing(world).stand()
    found = metrics(capsys)
    assert found["OverdueEnds"] == [1]
    assert found["OverdueAge"] == [timedelta(minutes=5) / timedelta(milliseconds=1)]
    assert publishing(world).pass_on(Call()) == {"published": 0, "told": 0}
