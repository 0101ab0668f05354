"""Asking, and ending what was asked for."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.front import Front
from jitcloud.api.inputs import AskBody, ExtendBody, OptionalReasonBody, ReasonBody, RequestName


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add these routes."""

    @router.post("/v1/requests", operation_id="ask", tags=["requests"])
    def ask(body: Annotated[AskBody, Body()]) -> Response[str]:
        return front.ask("ask", body, keyed=True)

    @router.post("/v1/requests/<request>/extend", operation_id="extend", tags=["requests"])
    def extend(
        request: Annotated[RequestName, Path()], body: Annotated[ExtendBody, Body()]
    ) -> Response[str]:
        return front.ask("extend", body, keyed=True, request=request)

    @router.post("/v1/requests/<request>/withdraw", operation_id="withdraw", tags=["requests"])
    def withdraw(
        request: Annotated[RequestName, Path()],
        body: Annotated[OptionalReasonBody | None, Body()] = None,
    ) -> Response[str]:
        return front.ask("withdraw", body, keyed=True, request=request)

    @router.post("/v1/requests/<request>/give-back", operation_id="give-back", tags=["requests"])
    def give_back(
        request: Annotated[RequestName, Path()],
        body: Annotated[OptionalReasonBody | None, Body()] = None,
    ) -> Response[str]:
        return front.ask("give-back", body, keyed=True, request=request)

    @router.post("/v1/requests/<request>/revoke", operation_id="revoke", tags=["requests"])
    def revoke(
        request: Annotated[RequestName, Path()], body: Annotated[ReasonBody, Body()]
    ) -> Response[str]:
        return front.ask("revoke", body, keyed=True, request=request)
