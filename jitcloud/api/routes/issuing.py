"""Credentials: the one route whose answer is a secret."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.front import Front
from jitcloud.api.inputs import RequestName


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add this route."""

    @router.post("/v1/requests/<request>/credentials", operation_id="credentials", tags=["access"])
    def credentials(request: Annotated[RequestName, Path()]) -> Response[str]:
        return front.ask("credentials", request=request)
