"""Every cloud and every store there is: whatever is new joins the simulation by a line here."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.clouds.center import Assignments, AssignmentsOverHttp
from tests.simulation.clouds.groups import IamGroups, IamGroupsOverHttp
from tests.simulation.clouds.policies import IamPolicies, IamPoliciesOverHttp
from tests.simulation.clouds.sessions import StsSessions, StsSessionsOverHttp
from tests.simulation.memory import QuickCloud
from tests.simulation.slow import SlowCloud
from tests.simulation.stage import Registered
from tests.simulation.stores import InFile, InMemory, InTable, Kept

STAGES: tuple[Registered, ...] = (
    Registered(QuickCloud),
    Registered(SlowCloud),
    Registered(StsSessions, real=StsSessionsOverHttp),
    Registered(Assignments, real=AssignmentsOverHttp),
    Registered(IamPolicies, real=IamPoliciesOverHttp),
    Registered(IamGroups, real=IamGroupsOverHttp),
)

STORES: tuple[tuple[float, Callable[[], Kept]], ...] = (
    (0.9596, InMemory),
    (0.04, InFile),
    (0.0004, InTable),
)
"""Each with how often a world is recorded in it."""
