"""What is looked at afterwards, and what somebody answers for."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.front import Front
from jitcloud.api.inputs import Limit, Of, ReasonBody, RequestName, ReviewBody
from jitcloud.api.routes.approving import MOST


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add these routes."""

    @router.get("/v1/reviews", operation_id="reviews", tags=["approvals"])
    def reviews(
        limit: Annotated[Limit, MOST] = 50, of: Annotated[Of, Query()] = "me"
    ) -> Response[str]:
        return front.ask("reviews", limit=limit, of=of)

    @router.post("/v1/requests/<request>/review", operation_id="review", tags=["approvals"])
    def review(
        request: Annotated[RequestName, Path()], body: Annotated[ReviewBody, Body()]
    ) -> Response[str]:
        return front.ask("review", body, keyed=True, request=request)

    @router.post("/v1/requests/<request>/attest", operation_id="attest", tags=["approvals"])
    def attest(
        request: Annotated[RequestName, Path()], body: Annotated[ReasonBody, Body()]
    ) -> Response[str]:
        return front.ask("attest", body, keyed=True, request=request)
