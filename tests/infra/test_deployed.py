"""The template as it is deployed: what leads where, and what each role may truly do.

Functions of a placeholder's code: those of our own are tested in tests/e2e.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials as Keys
from botocore.exceptions import ClientError
from botocore.session import get_session

from jitcloud.emulators.deployed import FUNCTIONS, Deployed, deploy
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Misconfigured
from jitcloud.model import Credentials
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.table import definition
from tests.aws.conftest import denied, policy
from tests.infra import fleets

PLACEHOLDER = Path(__file__).with_name("placeholder.py")
FILES = {name.split("-")[0] for name in FUNCTIONS}
PARAMETERS = {"Issuer": "https://login.example.com/", "Audience": "jitcloud"}


@pytest.fixture(scope="module")
def ministack() -> Iterator[Ministack]:
    with Ministack(prompt=True, environment={"JITCLOUD_PASSED_ON": "yes"}) as running:
        yield running


@pytest.fixture(scope="module")
def deployed(ministack: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    folder = fleets.folder(tmp_path_factory.mktemp("deployment") / "fleet")
    code = [(f"functions/{name}.py", PLACEHOLDER) for name in sorted(FILES)]
    return deploy(ministack, folder, PARAMETERS, code=code)


# ── What leads where ─────────────────────────────────────────────────────────────────────────


def test_calls_reach_the_function_of_their_route_or_nobody(deployed: Deployed) -> None:
    root = Credentials(
        access_key_id=deployed.aws.access_key_id,
        secret_access_key=deployed.aws.secret_access_key,
        session_token="",
        expires_at=deployed.credentials("look").expires_at,
    )
    for path in ("/healthz", "/openapi.json", "/docs"):
        assert deployed.call("GET", path).json()["function"] == "jitcloud-request"
    for method, path, function in (
        ("GET", "/v1/me", "request"),
        ("POST", "/v1/requests/x/revoke", "request"),
        ("POST", "/v1/requests/x/approve", "approve"),
        ("POST", "/v1/requests/x/deny", "approve"),
        ("GET", "/v1/approvals", "approve"),
        ("POST", "/v1/requests/x/credentials", "issue"),
    ):
        told = deployed.call(method, f"/aws{path}", signed_by=root).json()
        assert told["function"] == f"jitcloud-{function}"
        assert deployed.call(method, f"/aws{path}").status == HTTPStatus.FORBIDDEN
        assert deployed.call(method, path).status == HTTPStatus.UNAUTHORIZED
    assert deployed.call("GET", "/v2/me").status == HTTPStatus.NOT_FOUND


def test_functions_are_told_what_the_template_made(deployed: Deployed) -> None:
    told = {name: deployed.invoke(name, {}).payload for name in ("judge", "expire", "advance-aws")}
    assert told["judge"]["JITCLOUD_TABLE"] == deployed.table
    assert told["judge"]["JITCLOUD_SIGNING_KEY"] == deployed.signing_key
    assert (Path(told["judge"]["JITCLOUD_CONFIG"]) / "jitcloud.toml").exists()
    assert told["advance-aws"]["JITCLOUD_QUEUE"] == deployed.queue
    assert json.loads(told["expire"]["JITCLOUD_QUEUE"]) == {"aws": deployed.queue}
    assert json.loads(told["expire"]["JITCLOUD_DEAD"]) == {"aws": deployed.dead}
    assert told["expire"]["JITCLOUD_PASSED_ON"] == "yes"


def test_a_wake_up_that_is_written_is_handed_over_and_nothing_else_is(deployed: Deployed) -> None:
    dynamodb = deployed.client("dynamodb")
    recorded = {"pk": {"S": "request#ana"}, "sk": {"S": keys.events(1, "commit")}}
    dynamodb.put_item(TableName=deployed.table, Item=recorded)
    for name, more in {
        "request#other": {},
        "request#azure": {"due": {"S": "azure#1"}, "wake": {"N": "1"}},
        "request#aws": {"due": {"S": "aws#1"}, "wake": {"N": "1"}},
        "mark#bus/1": {"due": {"S": "mark#1"}, "wake": {"N": "1"}},
        keys.CONTROLS: {"ending": {"N": "1"}},
    }.items():
        dynamodb.put_item(TableName=deployed.table, Item={**keys.key(name), **more})
    deployed.client("sqs").send_message(QueueUrl=deployed.queue, MessageBody="a wake-up")
    _handed(deployed, "advance-aws", {"a wake-up", "request#aws", keys.CONTROLS})
    _handed(deployed, "publish", {"mark#bus/1", "request#ana"})


def _handed(deployed: Deployed, function: str, wanted: set[str]) -> None:
    found: set[str] = set()
    for _ in range(500):
        lines = [line for line in deployed.logs(function) if "was handed" in line]
        records = [each for line in lines for each in json.loads(line.partition("handed ")[2])]
        found = {each if isinstance(each, str) else each["pk"]["S"] for each in records}
        if found >= wanted:
            break
        time.sleep(0.01)
    assert found == wanted


# ── What each role may do ────────────────────────────────────────────────────────────────────

OF_THE_RECORD = {"judge", "issue", "advance-aws", "reconcile", "publish"}
ADMINISTRATOR = "administrator"

Call = Callable[["Thief"], object]


class Thief:
    """Has the credentials of one function after the other, and tries what they are good for."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed = deployed
        self._stolen = Keys("", "")
        session = get_session()
        session._credentials = self._stolen  # type: ignore[attr-defined] # noqa: SLF001 - one client for all whom it robs
        self._session: Any = boto3.Session(
            botocore_session=session, region_name=deployed.aws.region
        )

    def robs(self, function: str) -> None:
        found = self.deployed.credentials(function)
        self._stolen.access_key = found.access_key_id
        self._stolen.secret_key = found.secret_access_key
        self._stolen.token = found.session_token

    def __getattr__(self, service: str) -> Any:
        made = self._session.client(service, endpoint_url=self.deployed.aws.endpoint_url)
        setattr(self, service, made)
        return made

    def table(self, operation: str, **call: object) -> object:
        return getattr(self.dynamodb, operation)(TableName=self.deployed.table, **call)

    def query(self, index: str | None, attribute: str) -> object:
        named = {} if index is None else {"IndexName": index}
        return self.table(
            "query",
            **named,
            KeyConditionExpression=f"{attribute} = :it",
            ExpressionAttributeValues={":it": {"S": "forged"}},
        )

    def invoke(self, function: str) -> object:
        return getattr(self, "lambda").invoke(
            FunctionName=self.deployed.name(function), InvocationType="DryRun"
        )


ITEM = keys.key("forged")
TRIES: dict[str, tuple[Call, set[str]]] = {
    "sign": (
        lambda thief: thief.kms.sign(
            KeyId=thief.deployed.signing_key,
            Message=b"forged",
            SigningAlgorithm="ECDSA_SHA_256",
        ),
        {"judge"},
    ),
    "read the key": (
        lambda thief: thief.kms.get_public_key(KeyId=thief.deployed.signing_key),
        OF_THE_RECORD - {"reconcile"},
    ),
    "lend the key": (
        lambda thief: thief.kms.create_grant(
            KeyId=thief.deployed.signing_key,
            GranteePrincipal=thief.deployed.role("request"),
            Operations=["Sign"],
        ),
        set(),
    ),
    "read an item": (lambda thief: thief.table("get_item", Key=ITEM), OF_THE_RECORD),
    "write an item": (lambda thief: thief.table("put_item", Item=ITEM), OF_THE_RECORD),
    "change an item": (
        lambda thief: thief.table(
            "update_item",
            Key=ITEM,
            UpdateExpression="SET forged = :it",
            ExpressionAttributeValues={":it": {"S": "it"}},
        ),
        OF_THE_RECORD - {"publish"},
    ),
    "delete an item": (lambda thief: thief.table("delete_item", Key=ITEM), set()),
    # The emulator takes no notice that `reconcile` may read that of the deployment alone.
    "read a trail": (lambda thief: thief.query(None, "pk"), OF_THE_RECORD),
    "read what is due": (
        lambda thief: thief.query(keys.DUE.name, "due"),
        OF_THE_RECORD - {"issue"} | {"expire"},
    ),
    "list requests": (
        lambda thief: thief.query(keys.LISTING.name, "listing"),
        OF_THE_RECORD - {"issue"},
    ),
    "read everything": (lambda thief: thief.table("scan"), set()),
    "drop the table": (lambda thief: thief.table("delete_table"), set()),
    "ask the judge": (lambda thief: thief.invoke("judge"), {"request", "approve"}),
    "look": (lambda thief: thief.invoke("look"), {"judge"}),
    "have it granted": (lambda thief: thief.invoke("advance-aws"), set()),
    "have it issued": (lambda thief: thief.invoke("issue"), set()),
    "wake something": (
        lambda thief: thief.sqs.send_message(QueueUrl=thief.deployed.queue, MessageBody="{}"),
        {"advance-aws", "expire"},
    ),
    "take on a role": (
        lambda thief: thief.sts.assume_role(
            RoleArn=f"arn:aws:iam::{thief.deployed.aws.account}:role/{ADMINISTRATOR}",
            RoleSessionName="thief",
        ),
        set(),
    ),
    "make a user": (lambda thief: thief.iam.create_user(UserName="thief"), set()),
}


def test_a_thief_of_a_role_gets_what_is_said_here(deployed: Deployed) -> None:
    trusted = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{deployed.aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    deployed.client("iam").create_role(
        RoleName=ADMINISTRATOR, AssumeRolePolicyDocument=policy(trusted)
    )
    thief = Thief(deployed)
    got: dict[str, set[str]] = {what: set() for what in TRIES}
    for function in FUNCTIONS:
        thief.robs(function)
        for what, (call, _) in TRIES.items():
            if not denied(partial(call, thief)):
                got[what].add(function)
    assert got == {what: wanted for what, (_, wanted) in TRIES.items()}


# ── The harness itself ───────────────────────────────────────────────────────────────────────


def test_a_stack_that_cannot_be_made_says_why(ministack: Ministack, tmp_path: Path) -> None:
    code = [("functions/look.py", PLACEHOLDER)]
    folder = fleets.folder(tmp_path / "fleet")
    with pytest.raises(Misconfigured, match="AwsConcurrency"):
        deploy(ministack, folder, {"AwsConcurrency": "1"}, stack="wrong", code=code)


def test_after_a_restore_the_restored_table_is_the_record_until_all_is_deleted(
    ministack: Ministack, tmp_path: Path
) -> None:
    root = boto3.Session(ministack.access_key_id, ministack.secret_access_key)
    dynamodb = root.client("dynamodb", ministack.region, endpoint_url=ministack.endpoint_url)
    table = dynamodb.create_table(**definition("restored"))["TableDescription"]
    restored = {
        "RestoredTableArn": table["TableArn"],
        "RestoredStreamLabel": table["LatestStreamLabel"],
    }
    code = [(f"functions/{name}.py", PLACEHOLDER) for name in sorted(FILES)]
    # Without an issuer only AWS identities can call.
    made = deploy(ministack, fleets.folder(tmp_path / "fleet"), restored, stack="brief", code=code)
    assert made.call("GET", "/v1/me").status == HTTPStatus.NOT_FOUND

    assert made.table == made.invoke("expire", {}).payload["JITCLOUD_TABLE"] == "restored"
    dynamodb.put_item(TableName="restored", Item={"due": {"S": "mark#1"}, **keys.key("mark#1")})
    _handed(made, "publish", {"mark#1"})

    made.delete()
    assert "restored" not in dynamodb.list_tables()["TableNames"]
    with pytest.raises(ClientError, match="does not exist"):
        made.client("cloudformation").describe_stacks(StackName="brief")
    # The key stays, as on AWS: what it signed can be verified for ever.
    assert made.client("kms").describe_key(KeyId=made.signing_key)
