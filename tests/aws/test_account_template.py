"""What ``infra/aws/account.yaml`` makes is enough for a whole lifetime, and for nothing more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import jitcloud
from jitcloud import Credentials, State
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import CloudRefused
from jitcloud.model import Evidence, Holder, RequestId, Slot, SlotKey
from jitcloud.providers.aws import deny_document, deny_text, outlook, rights_of_catalog
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.deny_subjects import Denials
from jitcloud.providers.aws.rights import BROKER
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.providers.aws.target import REQUEST_TAG
from tests import deployments
from tests.aws.conftest import (
    Aws,
    a_request_id,
    an_entitlement,
    clients_of,
    denied,
    named,
    now,
    policy,
)
from tests.aws.test_account_text import END, INFRA

TEMPLATE = (INFRA / "account.yaml").read_text()
STACK_POLICY = (INFRA / "stack-policy.json").read_text()
HOME, AWAY, THIRD, FOURTH = "111122223333", "222233334444", "333344445555", "444455556666"
EXTERNAL_ID = "the-organisation"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
ANYTHING = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
NOBODY = Credentials(access_key_id="", secret_access_key="", session_token="", expires_at=now())


@dataclass(frozen=True)
class Account:
    """An account that the template has prepared, and the broker that it was prepared for."""

    aws: Aws
    made: Mapping[str, str]
    """The stack's outputs."""
    broker: Credentials = field(repr=False)

    @property
    def target(self) -> dict[str, str]:
        """The target table of an entitlement."""
        return self.handing_out("ReadRoleArn")

    def handing_out(self, role: str) -> dict[str, str]:
        through = self.made.get("AccountRoleArn")
        return {
            "role_arn": self.made[role],
            "deny_document": self.made["DenyDocumentArn"],
            "external_id": EXTERNAL_ID,
            **({} if through is None else {"account_role": through}),
        }

    def hands(self) -> Credentials:
        """With which the broker reads and writes IAM in this account."""
        through = self.made.get("AccountRoleArn")
        if through is None:
            return self.broker
        return session(self.aws, self.broker, RoleArn=through, ExternalId=EXTERNAL_ID)

    def in_effect(self, output: str = "DenyDocumentArn") -> Any:
        iam, arn = self.aws.iam(), self.made[output]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        return answer["PolicyVersion"]["Document"]


def session(aws: Aws, by: Credentials, **call: Any) -> Credentials:
    """What somebody gets who assumes a role like this."""
    made = aws.sts(by).assume_role(RoleSessionName="somebody", **call)["Credentials"]
    return Credentials(
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
        expires_at=made["Expiration"],
    )


def deployed(aws: Aws, broker: str, **more: str) -> dict[str, str]:
    """Deploy the template as the account's administrator would; return its outputs."""
    values = {
        "BrokerArn": broker,
        "BrokerIsElsewhere": "no" if f":{aws.account}:" in broker else "yes",
        "ExternalId": EXTERNAL_ID,
        "WritePolicyArn": ADMINISTRATOR,
        **more,
    }
    aws.client("cloudformation").create_stack(
        StackName="jitcloud",
        TemplateBody=TEMPLATE,
        StackPolicyBody=STACK_POLICY,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
    )
    outputs = finished(aws, "CREATE_COMPLETE")["Outputs"]
    made = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    for role in made.keys() & {"ReadRoleArn", "WriteRoleArn"}:
        # ministack's CloudFormation leaves out a role's PermissionsBoundary. That the template
        # names it is tested on its text.
        aws.iam().put_role_permissions_boundary(
            RoleName=named(made[role]), PermissionsBoundary=made["DenyDocumentArn"]
        )
    return made


def finished(aws: Aws, wanted: str) -> Any:
    cloudformation = aws.client("cloudformation")
    for _ in range(500):
        (stack,) = cloudformation.describe_stacks(StackName="jitcloud")["Stacks"]
        if stack["StackStatus"] == wanted:
            return stack
        time.sleep(0.01)
    raise AssertionError(cloudformation.describe_stack_events(StackName="jitcloud"))


def a_user(aws: Aws) -> tuple[str, Credentials]:
    """Make a user who may do nothing; return the ARN and a key."""
    made = aws.user()
    arn = str(aws.sts(made).get_caller_identity()["Arn"])
    aws.iam().delete_user_policy(UserName=named(arn), PolicyName="all")
    return arn, made


@pytest.fixture(scope="module")
def running() -> Iterator[Ministack]:
    with Ministack(HOME) as started:
        yield started


@pytest.fixture(scope="module")
def here(running: Ministack) -> Account:
    """An account whose broker is one of its own users."""
    aws = Aws(running, HOME, broker=NOBODY)
    arn, broker = a_user(aws)
    made = deployed(aws, arn)
    for output in ("IssuePolicyArn", "EndPolicyArn"):
        aws.iam().attach_user_policy(UserName=named(arn), PolicyArn=made[output])
    return Account(aws, made, broker)


@pytest.fixture(scope="module")
def elsewhere(running: Ministack) -> Account:
    """An account whose broker has a role of another one, as on Lambda."""
    home, away = (Aws(running, account, broker=NOBODY) for account in (HOME, AWAY))
    role = home.role()
    made = deployed(away, role)
    prepared = Account(away, made, NOBODY)
    catalog = [
        an_entitlement(**prepared.handing_out(each)) for each in ("ReadRoleArn", "WriteRoleArn")
    ]
    (told,) = rights_of_catalog.policies(catalog, to_end=False)[BROKER]
    home.iam().put_role_policy(
        RoleName=named(role), PolicyName="all", PolicyDocument=json.dumps(told)
    )
    return replace(prepared, broker=home.role_session(role, by=home.user()))


@pytest.fixture(params=["here", "elsewhere"])
def account(request: pytest.FixtureRequest) -> Account:
    found: Account = request.getfixturevalue(request.param)
    return found


# ── Enough ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def opened(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[jitcloud.Jitcloud]:
    """A deployment whose broker has what the template gives it, and nothing else."""
    folder = deployments.make(
        tmp_path / "deployment",
        endpoint_url=account.aws.endpoint_url,
        entitlements={"dev-read": account.target, "prod-read": account.target},
        external_id=EXTERNAL_ID,
    )
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account.broker.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", account.broker.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", account.broker.session_token)
    with jitcloud.load(folder) as made:
        yield made


def test_these_rights_suffice_for_a_whole_lifetime(
    account: Account, opened: jitcloud.Jitcloud
) -> None:
    bucket = account.aws.bucket()
    ana, ben = opened.acting_as("ana"), opened.acting_as("ben")
    asked, other = (who.request("dev-read", "30m", "Look into INC-7") for who in (ana, ben))
    assert asked.plan is not None
    assert (asked.plan.early_end, asked.plan.problems) == (outlook.ENDS_EARLY, ())
    hers, his = ana.credentials(asked), ben.credentials(other)
    assert account.aws.can_read(hers, bucket)

    ana.give_back(asked)

    assert not account.aws.can_read(hers, bucket)
    assert account.aws.can_read(his, bucket)
    ended = swept_until_finished(opened, ana, asked)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_DENIED)


def swept_until_finished(
    opened: jitcloud.Jitcloud, who: jitcloud.Acting, asked: jitcloud.Request
) -> jitcloud.Request:
    for _ in range(100):
        if (current := who.show(asked)).state.is_finished:
            return current
        time.sleep(0.05)
        assert opened.sweep().troubles == ()
    raise AssertionError(who.show(asked))


# ── No more than enough ──────────────────────────────────────────────────────────────────────


def without(here: Account, right: str) -> Credentials:
    """A user who has what EndPolicy says, but for one right."""
    left = []
    for statement in here.in_effect("EndPolicyArn")["Statement"]:
        actions = {statement["Action"]} if isinstance(statement["Action"], str) else END
        if actions - {right}:
            left.append({**statement, "Action": sorted(actions - {right})})
    return here.aws.user(*left)


def uses_every_right(here: Account, broker: Credentials) -> None:
    """Write and read the deny document until all of the rights on it were needed."""
    document = DenyDocument(clients_of(here.aws, broker))
    arn, request, until = here.made["DenyDocumentArn"], a_request_id(), now() + timedelta(hours=1)
    slot = Slot(
        key=SlotKey(f"{deny_document.KIND}/{arn}"),
        kind=deny_document.KIND,
        where={"policy_arn": arn},
        holders=(Holder(request=request, until=until, detail=here.made["ReadRoleArn"]),),
    )
    for _ in range(deny_document.MOST_VERSIONS):
        document.put(slot, (request,), until)
    assert document.see(slot, now()).holders == frozenset({request})


def test_with_all_rights_the_deny_document_can_be_written_and_read(here: Account) -> None:
    uses_every_right(here, without(here, "none"))


@pytest.mark.parametrize("right", sorted(END))
def test_each_right_on_the_deny_document_is_needed(here: Account, right: str) -> None:
    broker = without(here, right)
    with pytest.raises(CloudRefused, match=rf"^AWS refused {right} on "):
        uses_every_right(here, broker)


def test_the_right_to_look_at_a_role_is_needed_to_promise_an_early_end(here: Account) -> None:
    sessions = StsSession(clients_of(here.aws, without(here, "iam:GetRole")))
    plan = sessions.plan(an_entitlement(**here.target), timedelta(minutes=30), now())
    assert "the broker cannot look" in plan.early_end


# ── Nothing beyond ───────────────────────────────────────────────────────────────────────────


def beyond(iam: Any, made: Mapping[str, str]) -> dict[str, Callable[[], object]]:
    """What a broker must not be able to do, each by a call that would do it."""
    role, document = named(made["ReadRoleArn"]), made["DenyDocumentArn"]
    return {
        "write a role's policy": lambda: iam.put_role_policy(
            RoleName=role, PolicyName="more", PolicyDocument=ANYTHING
        ),
        "attach a policy": lambda: iam.attach_role_policy(RoleName=role, PolicyArn=ADMINISTRATOR),
        "attach the document": lambda: iam.attach_role_policy(RoleName=role, PolicyArn=document),
        "lift a boundary": lambda: iam.delete_role_permissions_boundary(RoleName=role),
        "put another boundary": lambda: iam.put_role_permissions_boundary(
            RoleName=role, PermissionsBoundary=ADMINISTRATOR
        ),
        "edit trust": lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=ANYTHING),
        "make a role": lambda: iam.create_role(RoleName="more", AssumeRolePolicyDocument=ANYTHING),
        "make a user": lambda: iam.create_user(UserName="more"),
        "make a key": lambda: iam.create_access_key(UserName="more"),
        "make a policy": lambda: iam.create_policy(PolicyName="more", PolicyDocument=ANYTHING),
        "widen itself": lambda: iam.create_policy_version(
            PolicyArn=made["EndPolicyArn"], PolicyDocument=ANYTHING, SetAsDefault=True
        ),
        "delete the document": lambda: iam.delete_policy(PolicyArn=document),
        "look around": iam.list_roles,
    }


def test_the_broker_can_do_nothing_else_in_iam(account: Account) -> None:
    calls = beyond(account.aws.iam(account.hands()), account.made)
    assert [what for what, call in calls.items() if not denied(call)] == []


def test_the_broker_can_assume_no_other_role_and_none_without_the_mark(account: Account) -> None:
    sts: Any = account.aws.sts(account.broker)
    numbers = count()

    def assumes(role: str, **more: object) -> bool:
        name = f"thief-{next(numbers)}"
        return not denied(lambda: sts.assume_role(RoleArn=role, RoleSessionName=name, **more))

    role, mark = account.made["ReadRoleArn"], [{"Key": REQUEST_TAG, "Value": a_request_id()}]
    assert assumes(role, ExternalId=EXTERNAL_ID, Tags=mark)
    assert not assumes(role, ExternalId=EXTERNAL_ID)
    assert not assumes(role, ExternalId=EXTERNAL_ID, Tags=[{**mark[0], "Key": "other"}])
    assert not assumes(role, ExternalId="somebody-else", Tags=mark)
    assert not assumes(role, Tags=mark)
    assert not assumes(account.aws.role(), ExternalId=EXTERNAL_ID, Tags=mark)


def test_nobody_gets_in_by_the_account_role_without_the_external_id(elsewhere: Account) -> None:
    role = elsewhere.made["AccountRoleArn"]
    session(elsewhere.aws, elsewhere.broker, RoleArn=role, ExternalId=EXTERNAL_ID)
    for wrong in ({}, {"ExternalId": "somebody-else"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            session(elsewhere.aws, elsewhere.broker, RoleArn=role, **wrong)


def test_functions_come_by_the_account_role_and_the_one_that_hands_out_does_not(
    running: Ministack,
) -> None:
    home, away = (Aws(running, account, broker=NOBODY) for account in (HOME, FOURTH))
    issue, advance, look = (home.role() for _ in range(3))
    made = deployed(away, issue, FunctionArns=f"{advance},{look}")
    in_hand = {role: home.role_session(role, by=home.user()) for role in (issue, advance, look)}
    mark = [{"Key": REQUEST_TAG, "Value": a_request_id()}]

    def may(by: str, role: str, **more: Any) -> bool:
        call = {"RoleArn": made[role], "ExternalId": EXTERNAL_ID, **more}
        return not denied(lambda: session(away, in_hand[by], **call))

    for function in (advance, look):
        assert may(function, "AccountRoleArn")
        assert not may(function, "ReadRoleArn", Tags=mark)
    assert may(issue, "ReadRoleArn", Tags=mark)
    assert not may(issue, "AccountRoleArn")


def test_a_stolen_administrator_session_cannot_lift_what_binds_it(account: Account) -> None:
    role, document = account.made["WriteRoleArn"], account.made["DenyDocumentArn"]
    mark = [{"Key": REQUEST_TAG, "Value": a_request_id()}]
    stolen = session(account.aws, account.broker, RoleArn=role, ExternalId=EXTERNAL_ID, Tags=mark)
    thief = account.aws.iam(stolen)
    assert not denied(thief.list_roles)
    assert denied(lambda: thief.delete_role_permissions_boundary(RoleName=named(role)))
    assert denied(lambda: thief.create_policy_version(PolicyArn=document, PolicyDocument=ANYTHING))
    assert denied(lambda: thief.delete_policy_version(PolicyArn=document, VersionId="v1"))


# ── Kept ─────────────────────────────────────────────────────────────────────────────────────


def test_what_has_ended_early_outlives_an_update_and_the_end_of_the_stack(
    running: Ministack,
) -> None:
    aws = Aws(running, THIRD, broker=NOBODY)
    account = Account(aws, deployed(aws, a_user(aws)[0]), NOBODY)
    arn = account.made["DenyDocumentArn"]
    ended = Denials(requests=frozenset({RequestId("0" * 26)}))
    aws.iam().create_policy_version(
        PolicyArn=arn, PolicyDocument=deny_text.document(arn, ended), SetAsDefault=True
    )
    cloudformation = aws.client("cloudformation")

    cloudformation.update_stack(
        StackName="jitcloud",
        TemplateBody=TEMPLATE,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": "BrokerArn", "UsePreviousValue": True},
            {"ParameterKey": "ExternalId", "ParameterValue": "another"},
            {"ParameterKey": "MaxSessionSeconds", "ParameterValue": "7200"},
        ],
    )
    finished(aws, "UPDATE_COMPLETE")
    (role,) = aws.iam().list_roles()["Roles"]
    assert (role["RoleName"], role["MaxSessionDuration"]) == ("jitcloud-read", 7200)
    assert deny_text.denials_in(arn, account.in_effect()) == ended

    cloudformation.delete_stack(StackName="jitcloud")
    assert any(aws.iam().list_roles()["Roles"] == [] for _ in range(500))
    assert deny_text.denials_in(arn, account.in_effect()) == ended
