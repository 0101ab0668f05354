"""A world is the same, line by line, whether its clouds are called in process or through boto3."""

from __future__ import annotations

import pytest

from tests.simulation import world
from tests.simulation.clouds.center import Assignments, AssignmentsOverHttp
from tests.simulation.clouds.groups import IamGroups, IamGroupsOverHttp
from tests.simulation.clouds.policies import IamPolicies, IamPoliciesOverHttp
from tests.simulation.clouds.sessions import StsSessions, StsSessionsOverHttp
from tests.simulation.stage import Registered

BOTH = (
    Registered(StsSessions, real=StsSessionsOverHttp),
    Registered(Assignments, real=AssignmentsOverHttp),
    Registered(IamPolicies, real=IamPoliciesOverHttp),
    Registered(IamGroups, real=IamGroupsOverHttp),
)


def story(seed: int, steps: int, *, real: bool) -> str:
    made = world.World(seed, real=real, steps=steps)
    made.run()
    return world.told(made.story)


def alike(monkeypatch: pytest.MonkeyPatch, seed: int, steps: int) -> None:
    monkeypatch.setattr(world, "STAGES", BOTH)
    monkeypatch.setattr(world, "MOST_STAGES", len(BOTH))
    assert story(seed, steps, real=True) == story(seed, steps, real=False)


@pytest.mark.parametrize("seed", [1, 7])
def test_a_world_is_the_same_through_boto3(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    alike(monkeypatch, seed, steps=40)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_more_worlds_are_the_same_through_boto3(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    alike(monkeypatch, seed, steps=world.STEPS)
