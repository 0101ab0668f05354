"""What each function is made of: little, and no more than it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache

import pytest

from jitcloud.packaging import ROOT

FLEET = (
    "advance",
    "approve",
    "expire",
    "issue",
    "judge",
    "look",
    "publish",
    "reconcile",
    "request",
)
HEAVY = {"pydantic", "aws_lambda_powertools", "cedarpy", "apsw", "boto3", "jwt", "typer"}
"""What takes long to load, by its top-level name; ``azure`` and ``google`` come to all of them."""

LOADS: dict[str, set[str]] = {
    "advance": {"pydantic", "cedarpy", "boto3"},
    "approve": {"pydantic", "aws_lambda_powertools", "boto3"},
    "expire": set(),
    "issue": {"pydantic", "aws_lambda_powertools", "cedarpy", "boto3"},
    "judge": {"pydantic", "cedarpy", "boto3"},
    "look": {"pydantic", "cedarpy"},
    "publish": {"pydantic", "cedarpy"},
    "reconcile": {"pydantic", "cedarpy"},
    "request": {"pydantic", "aws_lambda_powertools", "boto3"},
}
"""Which of those each function loads when it is imported; what it uses later comes later."""

NEVER: dict[str, set[str]] = {
    # They know neither people nor policy, and could not reach a record if they wanted to.
    "approve": {"jitcloud.config", "jitcloud.adapters", "jitcloud.stores", "jitcloud.ledger"},
    "expire": {"jitcloud.model", "jitcloud.ports", "jitcloud.config", "jitcloud.codec"},
    "request": {"jitcloud.config", "jitcloud.adapters", "jitcloud.stores", "jitcloud.ledger"},
}


def top(modules: Iterable[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("function", FLEET)
def test_it_loads_no_more_than_it_needs(function: str) -> None:
    modules, _ = called(function)
    assert top(modules) & HEAVY == LOADS[function]
    assert not top(modules) & {"azure", "google", "aws_xray_sdk", "moto", "ministack"}
    assert not modules & NEVER.get(function, set())


def test_each_is_a_short_file_of_its_own() -> None:
    files = sorted((ROOT / "functions").glob("*.py"))
    assert {file.stem for file in files} == {*FLEET, "sweep"}
    assert max(len(file.read_text().splitlines()) for file in files) <= 40


CALL = """
import json, sys
from importlib import import_module
class Context:
    aws_request_id = "r"
    def get_remaining_time_in_millis(self): return 60000
module = import_module("functions." + sys.argv[1])
print(json.dumps(sorted(sys.modules)))
for text in json.load(sys.stdin):
    try:
        print(json.dumps(["answered", module.handler(text, Context())]))
    except Exception as exc:
        print(json.dumps(["raised", type(exc).__mro__[1].__name__, str(exc)]))
"""


@cache
def called(function: str) -> tuple[set[str], list[object]]:
    """Load a function in a process of its own that sets nothing, and hand it an event.

    Return what it has loaded by then, and what became of the event.
    """
    told = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", CALL, function],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"},
        input=json.dumps([EVENTS[function]]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    loaded, found = (line for line in lines if isinstance(line, list))
    return set(loaded), found


def over_http(method: str, path: str) -> dict[str, object]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"authorization": "Bearer x"},
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "requestId": "r",
        },
        "isBase64Encoded": False,
    }


REQUEST = "01J00000000000000000000001"
EVENTS: dict[str, object] = {
    "advance": {"Records": []},
    "approve": over_http("GET", "/v1/approvals"),
    "expire": {},
    "issue": over_http("POST", f"/v1/requests/{REQUEST}/credentials"),
    "judge": {"take_up": True},
    "look": {},
    "publish": {},
    "reconcile": {},
    "request": over_http("GET", "/v1/me"),
}


@pytest.mark.parametrize("function", FLEET)
def test_without_its_environment_it_says_what_to_set(function: str) -> None:
    _, found = called(function)
    if found[0] == "raised":
        assert found[1] == "JitError"
        assert "Set JITCLOUD_" in str(found[2])
    else:
        answer = found[1]
        assert isinstance(answer, dict)
        assert answer["statusCode"] in {500, 503}
