"""Powertools' resolver for HTTP APIs, made safe for threads, strict, and problems all the way.

The resolver of the library keeps the event of a call on its class, so that of two calls in two
threads one answers the other's. Here it is kept in a context variable, and what the library puts
together when a route is first called is put together beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from jitcloud.api import problems, strict_json
from jitcloud.api.answering import SECURITY, response
from jitcloud.api.events import no_such_place, queried, read, trace_of
from jitcloud.api.message import Answer
from jitcloud.errors import JitError
from jitcloud.observing import call

_JSON = re.compile(r"application/json(?: *; *charset=\"?utf-8\"?)?", re.IGNORECASE)
_AWS = re.compile(r"^/aws(?=/v1/)")
"""Where API Gateway asks for a signature of AWS's in place of a token; the routes are the same."""


@dataclass(slots=True)
class _Current:
    """One call, and what is known of it."""

    event: APIGatewayProxyEventV2
    lambda_context: Any
    trace: str
    context: dict[str, Any] = field(default_factory=dict)


_CURRENT: ContextVar[_Current | None] = ContextVar("jitcloud-api-call", default=None)

Check = Callable[[Route, APIGatewayProxyEventV2, str], Answer | None]
"""Looks at a call before its route does; what it answers, if it does, is the answer."""


class Resolver(APIGatewayHttpResolver):
    """Answers events of API Gateway's HTTP APIs (payload format 2.0), in any number of threads.

    ``resolve`` raises nothing, whatever it is given.
    """

    def __init__(self, checks: tuple[Check, ...] = ()) -> None:
        super().__init__(
            enable_validation=True,
            debug=False,
            strip_prefixes=[_AWS],
            json_body_deserializer=strict_json.loads,
        )
        self._checks = (*checks, *CHECKS)
        self.exception_handler(RequestValidationError)(self._wrong)
        self.exception_handler(JitError)(self._refused)
        self.exception_handler(Exception)(self._defect)

    def ready(self) -> None:
        """Put together what each route is called through: not in two threads at once, later."""
        for route in (*self._static_routes, *self._dynamic_routes):
            _ = route.dependant, route.body_field
            if not route._middleware_stack_built:  # noqa: SLF001 - built when first called, else
                route._build_middleware_stack(self._router_middlewares, self)  # noqa: SLF001 - the same

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - as the platform has it
        """Answer an event."""
        answered = call.current()
        trace = trace_of(event) if answered is None else answered.trace
        with call.answering(trace) if answered is None else nullcontext():
            proxied = read(event, trace)
            if isinstance(proxied, Answer):
                return self._without_route(proxied, trace)
            token = _CURRENT.set(_Current(proxied, context, trace))
            try:
                return _finished(self._resolve().build(proxied), trace)
            except Exception as exc:  # noqa: BLE001 - it is answered, whatever went wrong
                return self._without_route(problems.defect(exc, trace), trace)
            finally:
                _CURRENT.reset(token)

    # ── What the library keeps on its class ──────────────────────────────────────────────────

    @property  # type: ignore[override] # a variable there
    def current_event(self) -> APIGatewayProxyEventV2:
        """The event that this thread is answering."""
        return _current().event

    @current_event.setter
    def current_event(self, value: APIGatewayProxyEventV2) -> None:
        _current().event = value

    @property
    def lambda_context(self) -> Any:  # noqa: ANN401 - as above
        """What the platform says of the call."""
        return _current().lambda_context

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:  # noqa: ANN401 - as above
        _current().lambda_context = value

    @property
    def context(self) -> dict[str, Any]:
        """What middlewares tell each other."""
        known = _CURRENT.get()
        return {} if known is None else known.context

    @context.setter
    def context(self, value: dict[str, Any]) -> None:
        known = _CURRENT.get()
        if known is not None:
            known.context = value

    @property
    def trace(self) -> str:
        """What names the call."""
        return _current().trace

    def _push_processed_stack_frame(self, frame: str) -> None:
        """Note nothing: it is a list that all threads would share."""

    def _reset_processed_stack(self) -> None:
        """As above."""

    # ── What is answered where no route does ─────────────────────────────────────────────────

    def _call_route(self, route: Route, route_arguments: dict[str, str]) -> ResponseBuilder[Any]:
        event, trace = self.current_event, self.trace
        known = call.current()
        if known is not None:
            known.route = route.path
        for check in self._checks:
            answer = check(route, event, trace)
            if answer is not None:
                return ResponseBuilder(response(answer), self._serializer, route)
        return super()._call_route(route, route_arguments)

    def _handle_not_found(self, method: str, path: str) -> ResponseBuilder[Any]:  # noqa: ARG002 - as the library calls it
        routes = (*self._static_routes, *self._dynamic_routes)
        allowed = sorted({route.method for route in routes if route.rule.match(path)})
        answer = _not_allowed(allowed, self.trace) if allowed else no_such_place(self.trace)
        return ResponseBuilder(response(answer), self._serializer)

    def _without_route(self, answer: Answer, trace: str) -> dict[str, Any]:
        made = response(answer)
        headers = {name: str(value) for name, value in made.headers.items()}
        built = {"statusCode": made.status_code, "body": made.body, "headers": headers}
        return _finished({**built, "isBase64Encoded": False, "cookies": []}, trace)

    def _wrong(self, exc: RequestValidationError) -> Response[str]:
        return response(problems.wrong(exc.errors(), self.trace))

    def _refused(self, exc: JitError) -> Response[str]:
        return response(problems.of(exc, self.trace))

    def _defect(self, exc: Exception) -> Response[str]:
        return response(problems.defect(exc, self.trace))


# ── Before any route ─────────────────────────────────────────────────────────────────────────


def _query_is_known(route: Route, event: APIGatewayProxyEventV2, trace: str) -> Answer | None:
    """Refuse what a query says that means nothing, or says twice."""
    known = {param.alias for param in route.dependant.query_params}
    names = [name for name, _ in queried(event.raw_query_string)]
    unknown = [name for name in names if name not in known]
    wrong: list[Mapping[str, object]] = [
        {"loc": ("query", name), "type": "extra_forbidden"} for name in unknown
    ]
    twice = {name for name in names if names.count(name) > 1}
    wrong += [
        {"loc": ("query", name), "type": "repeated", "msg": "This stands there twice; keep one"}
        for name in sorted(twice - set(unknown))
    ]
    return problems.wrong(wrong, trace) if wrong else None


def _body_is_json(route: Route, event: APIGatewayProxyEventV2, trace: str) -> Answer | None:
    """Refuse a body of another kind, or one where none belongs."""
    if not event.body:
        return None
    if not route.dependant.body_params:
        return problems.problem(
            HTTPStatus.BAD_REQUEST,
            error="Invalid",
            detail="This takes no body; leave it out.",
            trace=trace,
        )
    kind = event.headers.get("content-type", "").strip()
    if _JSON.fullmatch(kind) is None:
        return problems.problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            error="Invalid",
            detail="Send the body as application/json, in UTF-8, and say so in Content-Type.",
            trace=trace,
            headers={"Accept": "application/json"},
        )
    return None


CHECKS: tuple[Check, ...] = (_query_is_known, _body_is_json)


def _not_allowed(allowed: list[str], trace: str) -> Answer:
    return problems.problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        error="Invalid",
        detail=f"This is here for {' and '.join(allowed)} alone.",
        trace=trace,
        headers={"Allow": ", ".join(allowed)},
    )


def _current() -> _Current:
    known = _CURRENT.get()
    if known is None:
        message = "no call is being answered"
        raise RuntimeError(message)
    return known


def _finished(built: dict[str, Any], trace: str) -> dict[str, Any]:
    headers = {**SECURITY, "X-Request-Id": trace, **built["headers"]}
    return {**built, "statusCode": int(built["statusCode"]), "headers": headers}
