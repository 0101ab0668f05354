"""Cases made from the document itself: no 5xx, and no answer that it does not describe.

Half of them keep to the document and half do not. What the document cannot say (that a line has
no control character, that a key came with another body) may refuse a case that keeps to it.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from requests.adapters import HTTPAdapter
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks
from urllib3 import HTTPResponse

from jitcloud.api import openapi
from jitcloud.api.asgi import Asgi
from jitcloud.api.operations import OPERATIONS
from tests.api.api_world import ApiWorld, event, reply_of

PEOPLE = ("ana", "ben", "caro", "dora")
ENTITLEMENTS = ("dev-read", "prod-write", "prod-role")

Call = Callable[[Case[Any], str], Response]


class InProcess(HTTPAdapter):
    """Hands what would go over the network to the resolver."""

    def __init__(self, api: ApiWorld) -> None:
        super().__init__()
        self.api = api

    def send(self, request: Any, *_: object, **__: object) -> requests.Response:
        path, _, query = request.path_url.partition("?")
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {
            name.decode("latin-1") if isinstance(name, bytes) else name: (
                value.decode("latin-1") if isinstance(value, bytes) else value
            )
            for name, value in request.headers.items()
        }
        made = event(request.method, path, headers, body, query)
        reply = reply_of(self.api.resolver.resolve(made, None))
        raw = HTTPResponse(
            io.BytesIO(reply.text.encode("latin-1", "replace")),
            reply.headers,
            reply.status,
            preload_content=False,
        )
        return self.build_response(request, raw)


@pytest.fixture
def lived_in(api: ApiWorld) -> ApiWorld:
    """A deployment in which there is something to act on."""
    for by in PEOPLE[:3]:
        for what in ENTITLEMENTS:
            api.ask(what, by)
    api.ask("prod-write", break_glass=True, incident="INC-9")
    return api


def tried(api: ApiWorld, cases: int, schema: Any, call: Call) -> dict[str, set[int]]:
    """Make about so many cases and check each; return what each operation was answered."""
    load_all_checks()
    found: dict[str, set[int]] = {name: set() for name in OPERATIONS}
    operations = [result.ok() for result in schema.get_all_operations()]
    each = -(-cases // (2 * len(operations)))
    for operation in operations:
        name = operation.definition.raw["operationId"]
        found[name] |= _positive(api, operation, each, call) | _negative(operation, each, call)
    return found


def _positive(api: ApiWorld, operation: Any, cases: int, call: Call) -> set[int]:
    drawn = random.Random(operation.label)  # noqa: S311 - cases, not secrets
    found: set[int] = set()

    def check(case: Case[Any]) -> None:
        _aim(case, api, drawn)
        found.add(call(case, drawn.choice(PEOPLE)).status_code)
        api.world.time.forward(seconds=1)

    _given(operation, GenerationMode.POSITIVE, cases, check)
    return found


def _negative(operation: Any, cases: int, call: Call) -> set[int]:
    found: set[int] = set()
    # What takes no input cannot be asked wrongly.
    with suppress(Unsatisfiable):
        _given(
            operation,
            GenerationMode.NEGATIVE,
            cases,
            lambda case: found.add(call(case, "ana").status_code),
        )
    return found


def _given(operation: Any, mode: Any, cases: int, check: Callable[[Case[Any]], None]) -> None:
    @seed(20261201)
    @settings(max_examples=cases, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def every(case: Case[Any]) -> None:
        case.headers.pop("X-Jitcloud-Identity", None)
        check(case)

    every()


def _aim(case: Case[Any], api: ApiWorld, drawn: random.Random) -> None:
    """Let most cases be about something that is there: made-up ids are all answered 404."""
    if drawn.random() < 0.2:
        return
    path = case.path_parameters
    if "request" in path:
        path["request"] = drawn.choice(api.world.store.ids(200))
    if "entitlement" in path:
        path["entitlement"] = drawn.choice(ENTITLEMENTS)
    if isinstance(case.body, dict) and "entitlements" in case.body:
        case.body["entitlements"] = drawn.sample(ENTITLEMENTS, drawn.randint(1, 3))


CHECKS_LEFT_OUT = ("positive_data_acceptance", "ignored_auth", "unsupported_method")
"""Said above; who speaks has tests of its own; and so has a wrong method."""


def _left_out() -> list[Any]:
    return [getattr(checks, name) for name in CHECKS_LEFT_OUT]


def test_a_few_hundred_cases(lived_in: ApiWorld) -> None:
    session = requests.Session()
    session.mount("http://", InProcess(lived_in))

    def call(case: Case[Any], by: str) -> Response:
        return case.call_and_validate(
            base_url="http://testserver",
            session=session,
            headers={"Authorization": f"Bearer token-of-{by}"},
            excluded_checks=_left_out(),
        )

    schema = schemathesis.openapi.from_dict(openapi.document())
    found = tried(lived_in, 200, schema, call)
    assert set(found) == set(OPERATIONS)
    assert all(found.values())


@pytest.mark.long
def test_ten_thousand_cases_through_the_server(lived_in: ApiWorld) -> None:
    with ThreadPoolExecutor(4) as threads:
        app = Asgi(lived_in.resolver.resolve, threads=threads, clock=lived_in.world.time)
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)

        def call(case: Case[Any], by: str) -> Response:
            return case.call_and_validate(
                headers={"Authorization": f"Bearer token-of-{by}"}, excluded_checks=_left_out()
            )

        found = tried(lived_in, 10_000, schema, call)
    assert all(found.values())
    assert {201, 400, 422} <= found["ask"]
