"""P11: who has in hand what a function runs with gets what the threat model says, and no more.

And whoever writes the table by hand, as its administrator can, lets nobody in.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import config
from jitcloud.audit import keys, public_keys
from jitcloud.clock import utc_now
from jitcloud.config import Deployment
from jitcloud.emulators.fleet import ON_CALL, Fleet
from jitcloud.library import Acting
from jitcloud.model import (
    Caller,
    Holder,
    PersonId,
    RequestId,
    State,
    Token,
)
from jitcloud.ports import Change
from tests.fleet.test_deployed import DENIED, has_ended, is_in, let_in
from tests.fleet.thefts import Thief

WAKE, READ, WRITE = "wake things", "read the record", "write the record"
GETS: dict[str, set[str]] = {
    "request": {"ask judge"},
    "approve": {"ask judge"},
    "judge": {READ, WRITE, "sign", "ask look", "see what is due"},
    "issue": {READ, WRITE, "take a session of the catalog"},
    "look": {"see who is in"},
    "advance-aws": {
        READ,
        WRITE,
        WAKE,
        "let somebody in",
        "put somebody out",
        "see what is due",
        "take early ends back",
    },
    "expire": {WAKE, "see what is due"},
    "reconcile": {READ, WRITE, "see who is in", "see what is due"},
    "publish": {READ, WRITE, "see what is due"},
}
"""What each of them gets, of all that is tried; docs/threat-model.md says it in words.

``publish`` can write the marks of its own channels alone at AWS, by a condition on the keys
(``dynamodb:LeadingKeys``) that the emulator does not judge: tests/infra holds it to that.
"""


@pytest.fixture(scope="module")
def fleet(fleet_of_its_own: Fleet) -> Fleet:
    """Neither what it records nor who may take its roles on is as it was, afterwards."""
    return fleet_of_its_own


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
    shutil.copytree(fleet.folder, folder)
    text = (folder / "jitcloud.toml").read_text()
    (folder / "jitcloud.toml").write_text(text.replace('kind = "kms"', 'kind = "file"'))
    keys.create(folder / "keys")
    # What stands in the table already was signed by the judge: whoever adds to it reads that.
    key, _ = config.public_key(fleet.folder, utc_now)
    public_keys.save(key, folder / "keys")
    return config.load(folder, utc_now, ask=lambda _: {"failed": "nobody looks"})


def as_(person: str, deployment: Deployment) -> Acting:
    return Acting(deployment, Caller(person=PersonId(person), token=Token(kind="oidc", id="f")))


def hand_over(fleet: Fleet, kind: str, name: str) -> None:
    """Have ``advance`` look at something at once."""
    body = {"v": 1, "kind": kind, "id": name, "at": datetime.now(UTC).isoformat()}
    record = {"eventSource": "aws:sqs", "messageId": "m", "body": json.dumps(body)}
    found = fleet.deployed.invoke("advance-aws", {"Records": [record]})
    assert found.error is None, found.payload


def test_a_decision_that_somebody_else_signed_lets_nobody_in(fleet: Fleet, tmp_path: Path) -> None:
    with fleet.as_root(), forger(fleet, tmp_path / "forged") as forged:
        asked = as_("caro", forged).request(ON_CALL, "10m", "Let me in")
        as_("ben", forged).approve(asked.id)
        found = forged.ledger.store.request(asked.id)
    assert found is not None
    assert found.state is State.SCHEDULED, "it is on record as let in"
    hand_over(fleet, "request", asked.id)
    assert fleet.can("caro") == DENIED
    with fleet.as_root(), forger(fleet, tmp_path / "again") as forged:
        left = forged.ledger.store.request(asked.id)
        assert left is not None
        assert left.window is None, "and got no window"
        as_("caro", forged).withdraw(asked.id)


def test_a_place_that_says_so_lets_nobody_in(fleet: Fleet, tmp_path: Path) -> None:
    name = let_in(fleet, "caro")
    is_in(fleet, "caro")
    fleet.call("caro", "POST", f"/v1/requests/{name}/give-back", {})
    has_ended(fleet, name, "caro")
    with fleet.as_root(), forger(fleet, tmp_path / "forged") as forged:
        store, now = forged.ledger.store, utc_now()
        ended = store.request(RequestId(name))
        assert ended is not None
        assert ended.places.grant is not None
        slot = store.slot(ended.places.grant.key)
        assert slot is not None
        for holder in (RequestId(name), RequestId("01J00000000000000000000FGD")):
            until = Holder(request=holder, until=now + timedelta(hours=1))
            slot = replace(slot, holders=(until,), wake_at=now, version=slot.version + 1)
            store.commit(Change(slots=(slot,)))
            hand_over(fleet, "slot", slot.key)
            assert fleet.can("caro") == DENIED
            slot = store.slot(slot.key)
            assert slot is not None
        store.commit(Change(slots=(replace(slot, holders=(), version=slot.version + 1),)))
