"""Each command by the API: what it says is what it says on the deployment's own machine."""

from __future__ import annotations

import re

import pytest

from tests.remote.remote_world import RemoteWorld


def test_a_request_is_asked_for_and_shown_alike(world: RemoteWorld) -> None:
    asked = world.asked_there()
    name = asked["id"]
    assert asked["state"] == "active"
    for args in (("show", name), ("show", name, "--json"), ("list",), ("list", "--json")):
        assert world.there(*args) == world.jit(*args, by="ana")


def test_first(world: RemoteWorld) -> None:
    said = world.there("request", "prod-write", "--for", "30m", "--because", "testing")
    print(said)
    assert 0
