"""Deployed fleets. What they set for the SDK reaches no test but those that have one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest

from jitcloud.emulators.fleet import Fleet
from jitcloud.emulators.surroundings import apart
from jitcloud.model import State
from tests.fleet.test_deployed import DENIED


@dataclass(frozen=True, slots=True)
class Shared:
    """A fleet, and the environment that it has made for whoever speaks to it."""

    fleet: Fleet
    environment: dict[str, str]


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """All of ``infra/template.yaml`` on an emulated AWS, with an issuer and people."""
    with ExitStack() as running:
        with apart():
            fleet = running.enter_context(Fleet(tmp_path_factory.mktemp("shared")))
            environment = dict(os.environ)
        yield Shared(fleet, environment)


@pytest.fixture(scope="module")
def fleet(shared: Shared) -> Iterator[Fleet]:
    """One for all modules, each of which finds it at rest."""
    with apart():
        os.environ.update(shared.environment)
        is_at_rest(shared.fleet)
        yield shared.fleet


@pytest.fixture(scope="module")
def fleet_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One for a module that leaves behind what others would stumble over."""
    with apart(), Fleet(tmp_path_factory.mktemp("deployment")) as running:
        yield running


def is_at_rest(fleet: Fleet) -> None:
    """Wait until nobody is in any more, and all that was asked for is over."""
    for person in fleet.people:
        fleet.until(partial(_is_out, fleet, person), f"{person} is out")
        fleet.until(partial(_all_is_over, fleet, person), f"{person} waits no more")


def _is_out(fleet: Fleet, person: str) -> bool:
    return fleet.can(person) == DENIED


def _all_is_over(fleet: Fleet, person: str) -> bool:
    found = fleet.call(person, "GET", "/v1/requests")["requests"]
    return all(State(each["state"]).is_finished for each in found)
