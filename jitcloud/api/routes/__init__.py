"""Every route, by the function of a fleet that has it; one process has all of them.

| part | routes |
|---|---|
| ``request`` | all others: asking and looking, ending, reviews, brakes, pages for anybody |
| ``approve`` | what waits for one's yes, and the yes or no |
| ``issue`` | credentials |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.front import Front
from jitcloud.api.routes import approving, asking, braking, issuing, looking, pages, reviewing

Add = Callable[[APIGatewayHttpRouter, Front], None]

PARTS: Mapping[str, tuple[Add, ...]] = MappingProxyType(
    {
        "request": (looking.add, asking.add, reviewing.add, braking.add, pages.add),
        "approve": (approving.add,),
        "issue": (issuing.add,),
    }
)

ALL = frozenset(PARTS)


def routes(front: Front, parts: AbstractSet[str]) -> APIGatewayHttpRouter:
    """Return the routes of some parts, for one resolver: no two can share a router."""
    router: APIGatewayHttpRouter = APIGatewayHttpRouter()  # type: ignore[no-untyped-call] # says nothing
    for part, adds in PARTS.items():
        if part in parts:
            for add in adds:
                add(router, front)
    return router
