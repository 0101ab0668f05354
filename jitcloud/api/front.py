"""The network-facing side: turns a call into a message, and the judge's answer into a response.

It knows nobody, decides nothing, and reaches neither the record nor a cloud.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel

from jitcloud.api import callers, problems
from jitcloud.api.answering import response
from jitcloud.api.message import Answer, Asked, Message
from jitcloud.api.resolver import Resolver
from jitcloud.errors import Unauthenticated


@dataclass(frozen=True, slots=True)
class Front:
    """What each route asks through."""

    asked: Asked
    resolver: Resolver

    def ask(
        self,
        command: str,
        body: BaseModel | None = None,
        *,
        keyed: bool = False,
        **arguments: object,
    ) -> Response[str]:
        """Ask the judge to do something; ``None`` among the arguments is left out."""
        headers = self.resolver.current_event.headers
        said = {} if body is None else body.model_dump(mode="json", exclude_none=True)
        said |= {name: value for name, value in arguments.items() if value is not None}
        message = Message(
            command=command,
            arguments=said,
            presented=callers.presented(headers),
            key=callers.key(headers) if keyed else None,
            trace=self.resolver.trace,
        )
        return response(self.asked(message))


def somebody_speaks(route: Route, event: APIGatewayProxyEventV2, trace: str) -> Answer | None:
    """Answer whoever says nothing of who they are before anything else of the call is read."""
    if route.path.startswith("/v1/"):
        try:
            callers.presented(event.headers)
        except Unauthenticated as exc:
            return problems.unknown_caller(str(exc), trace)
    return None
