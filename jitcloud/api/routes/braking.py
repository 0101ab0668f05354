"""Brakes."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.front import Front
from jitcloud.api.inputs import BrakeBody


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add these routes."""

    @router.get("/v1/brakes", operation_id="brakes", tags=["brakes"])
    def brakes() -> Response[str]:
        return front.ask("brakes")

    @router.post("/v1/brakes/stop", operation_id="stop", tags=["brakes"])
    def stop(body: Annotated[BrakeBody, Body()]) -> Response[str]:
        return front.ask("stop", body, keyed=True)

    @router.post("/v1/brakes/resume", operation_id="resume", tags=["brakes"])
    def resume(body: Annotated[BrakeBody, Body()]) -> Response[str]:
        return front.ask("resume", body, keyed=True)

    @router.post("/v1/brakes/end", operation_id="end", tags=["brakes"])
    def end(body: Annotated[BrakeBody, Body()]) -> Response[str]:
        return front.ask("end", body, keyed=True)
