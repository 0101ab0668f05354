"""With what a function runs with in hand, somebody gets what the threat model says, and no more.

And whoever writes the table by hand, as its administrator can, lets nobody in.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import config
from jitcloud.audit import keys
from jitcloud.clock import utc_now
from jitcloud.config import Deployment
from jitcloud.emulators.fleet import ON_CALL, Fleet
from jitcloud.library import Acting
from jitcloud.model import (
    Caller,
    Holder,
    PersonId,
    Request,
    RequestId,
    Slot,
    SlotKey,
    State,
    Token,
)
from jitcloud.ports import Change
from tests.fleet.test_deployed import DENIED
from tests.fleet.thefts import Thief

WAKE, READ, WRITE = "wake things", "read the record", "write the record"
GETS: dict[str, set[str]] = {
    "request": {"ask judge"},
    "approve": {"ask judge"},
    "judge": {READ, WRITE, "sign", "ask look"},
    "issue": {READ, WRITE, "take a session of the catalog"},
    "look": {"see who is in"},
    "advance-aws": {
        READ,
        WRITE,
        WAKE,
        "let somebody in",
        "put somebody out",
        "see who is in",
        "see what is due",
        "take early ends back",
    },
    "expire": {WAKE, "see what is due"},
    "reconcile": {READ, WRITE, "see who is in"},
    "publish": {READ, WRITE, "see what is due"},
}
"""What each of them gets, of all that is tried; docs/threat-model.md says it in words.

``publish`` can write the marks of its own channels alone at AWS, by a condition on the keys
(``dynamodb:LeadingKeys``) that the emulator does not judge: tests/infra holds it to that.
"""


@pytest.mark.parametrize("function", GETS)
def test_a_stolen_role_gives_what_the_threat_model_says(fleet: Fleet, function: str) -> None:
    thief = Thief(fleet, fleet.deployed.credentials(function))
    assert thief.succeeds_at() == GETS[function]


@pytest.mark.parametrize("function", ["request", "approve"])
def test_who_can_ask_the_judge_is_nobody_to_it(fleet: Fleet, function: str) -> None:
    thief = Thief(fleet, fleet.deployed.credentials(function))
    functions, judge = thief.client("lambda"), fleet.deployed.name("judge")
    asked = fleet.ask("ana", ON_CALL)
    name = asked["requests"][0]["id"]
    forged = [None, {"kind": "oidc", "text": "eyJhbGciOiJub25lIn0.e30."}]
    forged.append({"kind": "oidc", "text": fleet.token("ben", aud="another")})
    for presented in forged:
        message = {
            "command": "approve",
            "arguments": {"request": name},
            "presented": presented,
            "key": None,
            "trace": "",
        }
        answer = functions.invoke(FunctionName=judge, Payload=json.dumps(message).encode())
        assert json.loads(answer["Payload"].read())["status"] == 401
    naming = {"command": "approve", "arguments": {"request": name, "person": "ben"}}
    answer = functions.invoke(
        FunctionName=judge,
        Payload=json.dumps({**naming, "presented": forged[-1], "key": None, "trace": ""}).encode(),
    )
    assert json.loads(answer["Payload"].read())["status"] == 401
    assert fleet.call("ana", "GET", f"/v1/requests/{name}")["state"] == "pending"
    assert fleet.call("ana", "POST", f"/v1/requests/{name}/withdraw", {}).status == 200


# ── Whoever writes the table by hand ─────────────────────────────────────────────────────────


def forger(fleet: Fleet, folder: Path) -> Deployment:
    """The whole core over the same table, with a key of one's own: a table administrator's."""
    shutil.copytree(fleet.folder, folder, dirs_exist_ok=True)
    text = (folder / "jitcloud.toml").read_text()
    (folder / "jitcloud.toml").write_text(text.replace('kind = "kms"', 'kind = "file"'))
    keys.create(folder / "keys")
    opened = config.load(folder, utc_now)
    broker = opened.broker
    # What stands in the table already was signed by the judge, and is believed.
    with fleet.as_root():
        _, judges = config.load(fleet.folder, utc_now, signs=False), None
    del judges
    return opened if broker else opened


def as_(person: str, deployment: Deployment) -> Acting:
    token = Token(kind="forged", id="forged")
    return Acting(deployment, Caller(person=PersonId(person), token=token))


def hand_over(fleet: Fleet, kind: str, name: str) -> None:
    """Have ``advance`` look at something at once."""
    body = {"v": 1, "kind": kind, "id": name, "at": datetime.now(UTC).isoformat()}
    record = {"eventSource": "aws:sqs", "messageId": "m", "body": json.dumps(body)}
    found = fleet.deployed.invoke("advance-aws", {"Records": [record]})
    assert found.error is None, found.payload
