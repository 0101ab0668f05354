"""What can be asked for, who one is, and what was asked."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from pydantic import BeforeValidator

from jitcloud.api.front import Front
from jitcloud.api.inputs import Cursor, Duration, EntitlementName, Limit, Of, RequestName, StateName
from jitcloud.api.routes.approving import MOST


def _flag(value: object) -> object:
    """Take a boolean as JSON writes it, and nothing else that pydantic would."""
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("Write true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]


ALL = Query(description="Also those that you could not have now.")
FOR = Query(description="Say what would be said to an ask for so long, too.")


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add these routes."""

    @router.get("/v1/me", operation_id="me", tags=["people"])
    def me() -> Response[str]:
        return front.ask("me")

    @router.get("/v1/entitlements", operation_id="entitlements", tags=["entitlements"])
    def entitlements(
        limit: Annotated[Limit, MOST] = 50,
        after: Annotated[Cursor | None, Query()] = None,
        all: Annotated[Flag, ALL] = False,  # noqa: A002, FBT002 - what the query calls it
        duration: Annotated[Duration | None, FOR] = None,
    ) -> Response[str]:
        return front.ask("entitlements", limit=limit, after=after, all=all, duration=duration)

    @router.get("/v1/entitlements/<entitlement>", operation_id="entitlement", tags=["entitlements"])
    def entitlement(
        entitlement: Annotated[EntitlementName, Path()],
        duration: Annotated[Duration, Query()] = "1h",
    ) -> Response[str]:
        return front.ask("entitlement", entitlement=entitlement, duration=duration)

    @router.get("/v1/requests", operation_id="list", tags=["requests"])
    def list_(
        limit: Annotated[Limit, MOST] = 50,
        after: Annotated[Cursor | None, Query()] = None,
        state: Annotated[StateName | None, Query()] = None,
        of: Annotated[Of, Query()] = "me",
    ) -> Response[str]:
        return front.ask("list", limit=limit, after=after, state=state, of=of)

    @router.get("/v1/requests/<request>", operation_id="show", tags=["requests"])
    def show(request: Annotated[RequestName, Path()]) -> Response[str]:
        return front.ask("show", request=request)

    @router.get("/v1/requests/<request>/explanation", operation_id="explain", tags=["requests"])
    def explain(request: Annotated[RequestName, Path()]) -> Response[str]:
        return front.ask("explain", request=request)

    @router.get("/v1/requests/<request>/trail", operation_id="trail", tags=["requests"])
    def trail(
        request: Annotated[RequestName, Path()],
        limit: Annotated[Limit, MOST] = 50,
        after: Annotated[Cursor | None, Query()] = None,
    ) -> Response[str]:
        return front.ask("trail", request=request, limit=limit, after=after)
