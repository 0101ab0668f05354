"""What waits for one's yes, and saying yes or no to it."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.front import Front
from jitcloud.api.inputs import Limit, OptionalReasonBody, ReasonBody, RequestName

MOST = Query(description="How many at the most.")


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add these routes."""

    @router.get("/v1/approvals", operation_id="approvals", tags=["approvals"])
    def approvals(limit: Annotated[Limit, MOST] = 50) -> Response[str]:
        return front.ask("approvals", limit=limit)

    @router.post("/v1/requests/<request>/approve", operation_id="approve", tags=["approvals"])
    def approve(
        request: Annotated[RequestName, Path()],
        body: Annotated[OptionalReasonBody | None, Body()] = None,
    ) -> Response[str]:
        return front.ask("approve", body, keyed=True, request=request)

    @router.post("/v1/requests/<request>/deny", operation_id="deny", tags=["approvals"])
    def deny(
        request: Annotated[RequestName, Path()], body: Annotated[ReasonBody, Body()]
    ) -> Response[str]:
        return front.ask("deny", body, keyed=True, request=request)
