"""The document says what there is: no route, answer or key more, and none less."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from jitcloud.api import inputs, openapi, outputs
from jitcloud.api.commands import COMMANDS
from jitcloud.api.operations import OPERATIONS
from jitcloud.model import Cause, Cloud, Evidence, Privilege, Reach, State
from tests.api.api_world import ApiWorld, wish
from tests.unit.test_imports import loaded_by

PUBLISHED = Path(__file__).parent.parent.parent / "docs" / "openapi.json"
BEHIND_THE_FRONT = {"apsw", "boto3", "cedarpy", "cryptography", "jwt", "rfc8785", "typer"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(openapi.text())
    return made


def test_what_is_published_is_what_is_served(api: ApiWorld) -> None:
    text = PUBLISHED.read_text("utf-8")
    assert text == openapi.text(), "run: python -m jitcloud.api.openapi > docs/openapi.json"
    served = api.get("/openapi.json", None)
    assert (served.status, served.text) == (200, text)
    assert served.headers["content-type"] == "application/json"


def test_it_is_written_by_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "jitcloud.api.openapi")
    runpy.run_module("jitcloud.api.openapi", run_name="__main__")
    assert capsys.readouterr().out == PUBLISHED.read_text("utf-8")


def test_it_is_openapi_31_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_every_command_has_its_operation_and_takes_a_key_or_none(document: dict[str, Any]) -> None:
    operations = {
        each["operationId"]: each for path in document["paths"].values() for each in path.values()
    }
    assert set(operations) == set(OPERATIONS) == set(COMMANDS) | {"healthz"}
    for name, command in COMMANDS.items():
        assert OPERATIONS[name].keyed == command.takes_key
        parameters = {each["name"] for each in operations[name].get("parameters", ())}
        assert ("Idempotency-Key" in parameters) == command.takes_key


def test_every_way_in_but_one_asks_who_speaks(document: dict[str, Any]) -> None:
    assert document["security"] == [{"token": []}, {"aws": []}]
    is_open = {
        path
        for path, methods in document["paths"].items()
        for each in methods.values()
        if "security" in each
    }
    assert is_open == {"/healthz"}


@pytest.mark.parametrize(
    ("told", "enum"),
    [
        (inputs.StateName, State),
        (inputs.ReachName, Reach),
        (outputs.Entitlement.model_fields["cloud"].annotation, Cloud),
        (outputs.Entitlement.model_fields["privilege"].annotation, Privilege),
        (get_args(outputs.Request.model_fields["cause"].annotation)[0], Cause),
        (get_args(outputs.Request.model_fields["evidence"].annotation)[0], Evidence),
    ],
)
def test_the_words_are_those_of_the_model(told: Any, enum: Any) -> None:
    assert list(get_args(told)) == list(enum)


def test_answers_are_as_they_are_described(api: ApiWorld) -> None:
    """With no key more: ``Output`` forbids them, and each is read as strictly as it is written."""
    asked = api.post("/v1/requests", wish("dev-read", "prod-write"))
    name = asked.json["requests"][1]["id"]
    broken = api.ask("prod-role", break_glass=True, incident="INC-9")
    calls: dict[type[BaseModel], list[Any]] = {
        outputs.Requests: [asked, api.post("/v1/requests", wish("prod-write", duration="9h"))],
        outputs.SomeRequests: [api.get("/v1/approvals", "ben"), api.get("/v1/reviews", "ben")],
        outputs.Request: [
            api.post(f"/v1/requests/{name}/approve", {"reason": "x"}, "ben"),
            api.post(f"/v1/requests/{broken}/review", {"note": "x"}, "ben"),
        ],
        outputs.ShownRequest: [api.get(f"/v1/requests/{each}") for each in (name, broken)],
        outputs.RequestPage: [api.get("/v1/requests", limit=1)],
        outputs.Trail: [api.get(f"/v1/requests/{each}/trail") for each in (name, broken)],
        outputs.Explanation: [
            api.get(f"/v1/requests/{each}/explanation") for each in (name, broken)
        ],
        outputs.Entitlements: [api.get("/v1/entitlements")],
        outputs.Outlook: [api.get("/v1/entitlements/prod-write", duration="9h")],
        outputs.Me: [api.get("/v1/me")],
        outputs.Credentials: [api.post(f"/v1/requests/{name}/credentials")],
        outputs.Revoked: [api.post(f"/v1/requests/{name}/revoke", {"reason": "x"}, "dora")],
        outputs.Brakes: [
            api.post("/v1/brakes/stop", {"reach": "everything", "reason": "x"}, "ben"),
            api.get("/v1/brakes"),
        ],
        outputs.Ended: [api.post("/v1/brakes/end", {"reach": "everything", "reason": "x"}, "ben")],
        outputs.Health: [api.get("/healthz", None)],
        outputs.Problem: [api.get("/nowhere"), api.post("/v1/requests", {"x": 1})],
    }
    for model, replies in calls.items():
        for reply in replies:
            assert (reply.status >= 400) == (model is outputs.Problem), reply.text
            read = model.model_validate_json(reply.text, strict=True)
            assert json.loads(read.model_dump_json(exclude_unset=True)) == reply.json
    assert set(calls) == {
        model
        for operation in OPERATIONS.values()
        for model in (
            operation.answers if isinstance(operation.answers, tuple) else (operation.answers,)
        )
    } | {outputs.Problem}


def test_whoever_faces_the_network_loads_nothing_that_decides_or_describes() -> None:
    code = """
import sys
from jitcloud.api.application import application
application(print)
described = {"jitcloud.api.outputs", "jitcloud.api.openapi", "jitcloud.api.commands"}
assert not described & set(sys.modules)
"""
    assert not loaded_by(code) & BEHIND_THE_FRONT


def _references(value: Any) -> list[str]:
    match value:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [each for inner in value.values() for each in _references(inner)]
        case list():
            return [each for inner in value for each in _references(inner)]
        case _:
            return []
